// Several tabs of one browser profile share one connection; the SDK alone, on a page without anything else.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { launch } from './browser.mjs';
import { Server } from './server.mjs';

const LIMIT = { timeout: 120_000 };
const TYPES = { js: 'text/javascript', mjs: 'text/javascript', wasm: 'application/wasm', json: 'application/json' };
const ROOTS = { sdk: '../sdk/dist/', vectors: '../../target/web/vectors/', docs: '../../docs/', tests: './' };
// A page of the server without a script of its own.
const PAGE = () => `${server.origin}/assets/iris.webmanifest`;
let server;
let browser;

before(async () => {
  server = await Server.start();
  browser = await launch();
});

after(async () => {
  await browser.close();
  await server.stop();
});

/** A browser profile for which the files of the SDK lie beside the server's own, as they are, without a bundler. */
async function profile() {
  const context = await browser.newContext();
  await context.route(`${server.origin}/files/**`, async (route) => {
    const [, , root, ...rest] = new URL(route.request().url()).pathname.split('/');
    const name = rest.join('/');
    const body = await readFile(new URL(`${ROOTS[root]}${name}`, import.meta.url));
    return route.fulfill({ contentType: TYPES[name.split('.').at(-1)], body });
  });
  return context;
}

/** A tab that has the SDK connected and notes all it is told. */
async function tab(context, user, device) {
  const page = await context.newPage();
  await page.goto(PAGE());
  await page.evaluate(
    async ([url, user, device, token]) => {
      const { Iris } = await import('/files/sdk/index.js');
      window.told = [];
      window.iris = await Iris.connect({ url, user, device, token: () => token });
      for (const name of ['message', 'sent', 'accepted', 'state']) {
        window.iris.on(name, (value) => window.told.push({ name, value }));
      }
    },
    [server.socket, user, device, await server.token(user)],
  );
  await page.waitForFunction(() => window.iris.state.status === 'live');
  return page;
}

const leads = (page) => page.evaluate(() => window.iris.state.leads);
const numbers = (page, name) =>
  page.evaluate((wanted) => window.told.filter((event) => event.name === wanted).map(({ value }) => value.seq ?? value.outcome?.seq), name);
const send = (page, to, text) => page.evaluate(([to, text]) => window.iris.send({ to, text }).then(({ done }) => done), [to, text]);

test('the vectors of the protocol hold in the browser', LIMIT, async () => {
  const context = await profile();
  const page = await context.newPage();
  await page.goto(PAGE());
  const count = await page.evaluate(async () => {
    const module = await import('/files/vectors/iris_client_web.js');
    await module.default({ module_or_path: '/files/vectors/iris_client_web_bg.wasm' });
    const vectors = await (await fetch('/files/docs/protocol-vectors.json')).json();
    const { runVectors } = await import('/files/tests/vectors.mjs');
    return runVectors(module, vectors);
  });
  assert.ok(count > 40);
  await context.close();
});

test('one tab leads, all are told everything once, and a closed leader is replaced', LIMIT, async () => {
  const [mine, theirs] = [await profile(), await profile()];
  const tabs = [];
  for (let at = 0; at < 3; at += 1) tabs.push(await tab(mine, 'tabs-alice', 'web'));
  const bob = await tab(theirs, 'tabs-bob', 'web');
  assert.deepEqual(await Promise.all(tabs.map(leads)), [true, false, false]);
  const devices = await tabs[2].evaluate(() => window.iris.devices.list());
  assert.deepEqual(devices.map(({ device, online }) => [device, online]), [['web', true]]);

  for (let at = 1; at <= 5; at += 1) await send(bob, 'tabs-alice', `m${at}`);
  for (const page of tabs) await page.waitForFunction(() => window.told.filter(({ name }) => name === 'message').length === 5);
  for (const page of tabs) assert.deepEqual(await numbers(page, 'message'), [1, 2, 3, 4, 5]);
  // A tab that does not lead sends; every tab hears of it, once.
  const outcome = await send(tabs[1], 'tabs-bob', 'from a follower');
  assert.equal(outcome.seq, 6);
  for (const page of tabs) {
    await page.waitForFunction(() => window.told.some(({ name }) => name === 'sent'));
    assert.deepEqual(await numbers(page, 'sent'), [6]);
  }

  // The leader goes while messages come and others send.
  const coming = Promise.all(Array.from({ length: 30 }, (_, at) => send(bob, 'tabs-alice', `during ${at}`)));
  const going = Promise.all(Array.from({ length: 20 }, (_, at) => send(tabs[1], 'tabs-bob', `leaving ${at}`)));
  await tabs[0].close();
  const outcomes = (await Promise.all([coming, going])).flat().map(({ seq }) => seq).sort((one, other) => one - other);
  assert.deepEqual(outcomes, Array.from({ length: 50 }, (_, at) => at + 7), 'nothing is lost or doubled');
  const rest = tabs.slice(1);
  for (const page of rest) {
    await page.waitForFunction(() => window.told.filter(({ name }) => name === 'message').length >= 35);
    const told = await numbers(page, 'message');
    assert.deepEqual(told, [...new Set(told)].sort((one, other) => one - other), 'once, ascending');
    assert.equal(told.length, 35);
    const sent = await numbers(page, 'sent');
    assert.equal(sent.length, new Set(sent).size);
    assert.equal(sent.length, 21);
  }
  assert.deepEqual((await Promise.all(rest.map(leads))).filter(Boolean).length, 1);
  const texts = await bob.evaluate(() => window.told.filter(({ name }) => name === 'message').map(({ value }) => value.body.text));
  assert.equal(texts.length, 21);
  assert.equal(new Set(texts).size, 21);
  await Promise.all([mine.close(), theirs.close()]);
});

test('the last tab goes in the middle of sending, and the next one sends the rest', LIMIT, async () => {
  const [mine, theirs] = [await profile(), await profile()];
  const bob = await tab(theirs, 'last-bob', 'web');
  const first = await tab(mine, 'last-alice', 'web');
  await server.kill();
  await first.waitForFunction(() => window.iris.state.status === 'connecting');
  await first.evaluate(() => Promise.all(Array.from({ length: 10 }, (_, at) => window.iris.send({ to: 'last-bob', text: `kept ${at}` }))));
  await first.close();
  await server.start();
  const second = await tab(mine, 'last-alice', 'web');
  await second.waitForFunction(() => window.told.filter(({ name }) => name === 'sent').length === 10);
  assert.deepEqual(await second.evaluate(() => window.iris.outbox()), []);
  await bob.waitForFunction(() => window.told.filter(({ name }) => name === 'message').length === 10);
  const texts = await bob.evaluate(() => window.told.filter(({ name }) => name === 'message').map(({ value }) => value.body.text));
  assert.deepEqual(texts, Array.from({ length: 10 }, (_, at) => `kept ${at}`));
  await Promise.all([mine.close(), theirs.close()]);
});
