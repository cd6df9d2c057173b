// The SDK in Node against the real server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { WebSocket } from 'ws';
import { Iris } from '../sdk/dist/index.js';
import { Server } from './server.mjs';

const LIMIT = { timeout: 60_000 };
let server;

before(async () => {
  server = await Server.start();
});

after(async () => {
  await server.stop();
});

/** One device. `factory`: its browser profile. */
async function device(user, name, factory = new IDBFactory(), more = {}) {
  const token = await server.token(user);
  return Iris.connect({
    url: server.socket,
    user,
    device: name,
    token: () => token,
    indexedDB: factory,
    locks: null,
    openSocket: (url) => new WebSocket(url),
    ...more,
  });
}

/** The next event of that name for which the condition holds. */
function next(iris, name, holds = () => true) {
  return new Promise((resolve) => {
    const off = iris.on(name, (value) => {
      if (!holds(value)) return;
      off();
      resolve(value);
    });
  });
}

const live = (iris) => (iris.state.status === 'live' ? Promise.resolve() : next(iris, 'state', ({ status }) => status === 'live'));

test('a message travels, is sent once, and reaches the other devices of both', LIMIT, async () => {
  const [phone, laptop, bob] = await Promise.all([device('a1', 'phone'), device('a1', 'laptop'), device('b1', 'phone')]);
  await Promise.all([phone, laptop, bob].map(live));
  const arrived = next(bob, 'message');
  const copied = next(laptop, 'message');
  const { done, number } = await phone.send({ to: 'b1', text: 'Grüße 👋', reference: 'mine' });
  assert.equal(number, 1);
  const outcome = await done;
  assert.equal(outcome.type, 'sent');
  const message = await arrived;
  assert.deepEqual([message.from, message.seq, message.body], ['a1', 1, { kind: 1, text: 'Grüße 👋' }]);
  assert.equal(message.conversation, outcome.conversation);
  assert.deepEqual([(await copied).from, (await copied).with], ['a1', 'b1']);
  assert.deepEqual(await phone.outbox(), []);
  assert.deepEqual((await phone.stored(message.conversation)).map((stored) => stored.seq), [1]);
  await Promise.all([phone, laptop, bob].map((iris) => iris.close()));
});

test('sends and messages survive a restart of the device and of the server', LIMIT, async () => {
  const [aliceProfile, bobProfile] = [new IDBFactory(), new IDBFactory()];
  let bob = await device('b2', 'phone', bobProfile);
  await live(bob);
  await bob.close();
  await server.kill();
  let alice = await device('a2', 'phone', aliceProfile);
  for (const text of ['one', 'two', 'three']) await alice.send({ to: 'b2', text });
  assert.equal((await alice.outbox()).length, 3);
  assert.equal(await alice.close(0), 3);
  await server.start();
  alice = await device('a2', 'phone', aliceProfile);
  const sent = [];
  await new Promise((resolve) => alice.on('sent', ({ outcome }) => sent.push(outcome.seq) === 3 && resolve()));
  assert.deepEqual(sent, [1, 2, 3]);
  bob = await device('b2', 'phone', bobProfile);
  const texts = [];
  for await (const event of bob.events()) {
    if (event.name === 'message') texts.push(event.value.body.text);
    if (texts.length === 3) break;
  }
  assert.deepEqual(texts, ['one', 'two', 'three']);
  await Promise.all([alice.close(), bob.close()]);
  // Everything was taken: nothing comes again.
  bob = await device('b2', 'phone', bobProfile);
  bob.on('message', () => assert.fail('a message came twice'));
  await live(bob);
  await bob.close();
});

test('a message that no handler was done with comes again', LIMIT, async () => {
  const profile = new IDBFactory();
  const alice = await device('a3', 'phone');
  let bob = await device('b3', 'phone', profile);
  const stuck = new Promise((resolve) => bob.on('message', () => (resolve(), new Promise(() => undefined))));
  await (await alice.send({ to: 'b3', text: 'again' })).done;
  await stuck;
  await bob.close(0);
  bob = await device('b3', 'phone', profile);
  assert.equal((await next(bob, 'message')).body.text, 'again');
  await Promise.all([alice.close(), bob.close()]);
});

test('history pages in both directions and ends', LIMIT, async () => {
  const alice = await device('a4', 'phone');
  const sends = await Promise.all(Array.from({ length: 600 }, (_, at) => alice.send({ to: 'b4', text: `m${at + 1}` })));
  await Promise.all(sends.map(({ done }) => done));
  const backwards = [];
  for await (const page of alice.history({ with: 'b4' })) backwards.unshift(...page.entries);
  assert.deepEqual(backwards.map(({ body }) => body.text), Array.from({ length: 600 }, (_, at) => `m${at + 1}`));
  const forwards = [];
  for await (const page of alice.history({ with: 'b4' }, { after: 100, limit: 300 })) forwards.push(...page.entries.map(({ seq }) => seq));
  assert.deepEqual([forwards.length, forwards[0], forwards.at(-1)], [300, 101, 400]);
  const page = await alice.page({ with: 'b4' }, { before: 11, limit: 10 });
  assert.deepEqual([page.entries.length, page.more], [10, false]);
  assert.deepEqual((await alice.page({ with: 'nobody4' })).entries, []);
  assert.deepEqual((await alice.conversations()).map((item) => [item.with, item.lastSeq]), [['b4', 600]]);
  await alice.close();
});

test('devices are listed, renamed and revoked', LIMIT, async () => {
  const [phone, laptop] = await Promise.all([device('a5', 'phone'), device('a5', 'laptop')]);
  await Promise.all([phone, laptop].map(live));
  await phone.devices.rename('laptop', 'Work laptop');
  const list = await phone.devices.list();
  assert.deepEqual(list.map((item) => [item.device, item.label, item.online]).sort(), [['laptop', 'Work laptop', true], ['phone', null, true]]);
  const stopped = next(laptop, 'state', ({ status }) => status === 'stopped');
  await phone.devices.revoke('laptop');
  assert.equal((await stopped).reason.code, 'device_revoked');
  await assert.rejects(laptop.devices.list(), { code: 'device_revoked' });
  await assert.rejects(phone.devices.rename('nobody', 'x'), { code: 'unknown_device' });
  await Promise.all([phone.close(), laptop.close()]);
});

test('what breaks a rule is refused and changes nothing', LIMIT, async () => {
  const alice = await device('a6', 'phone');
  await assert.rejects(alice.send({ to: 'no such name', text: 'x' }), { code: 'bad_command' });
  await assert.rejects(alice.send({ to: 'b6', text: '' }), { code: 'bad_command' });
  await assert.rejects(alice.send({ to: 'b6', text: 'x'.repeat(32_769) }), { code: 'bad_command' });
  await assert.rejects(alice.send({ to: 'b6', text: 'x', reference: 'r'.repeat(901) }), { code: 'bad_command' });
  await assert.rejects(alice.page({ with: 'b6' }, { limit: 0 }), { code: 'bad_command' });
  assert.deepEqual(await alice.outbox(), []);
  await alice.close();
});

test('a token that is refused stops the client and says why', LIMIT, async () => {
  const alice = await device('a7', 'phone', new IDBFactory(), { token: () => 'nonsense' });
  const { reason } = await next(alice, 'state', ({ status }) => status === 'stopped');
  assert.equal(reason.code, 'bad_token');
  await alice.close();
});
