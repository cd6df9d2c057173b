// Long histories: paged by the SDK, scrolled in the web client.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import 'fake-indexeddb/auto';
import { WebSocket } from 'ws';
import { Iris } from '../sdk/dist/index.js';
import { fill } from './fill.mjs';
import { Browser, openChat } from './pages.mjs';
import { Server } from './server.mjs';

const LIMIT = { timeout: 400_000 };
const MESSAGES = 100_000;
const SCROLLED = 10_000;
let server;
let browser;

before(async () => {
  server = await Server.start();
  browser = await Browser.start();
  await fill(server, 'long-alice', 'long-bob', MESSAGES, (number) =>
    number % 7 === 0 ? `message ${number}: ${'a longer one, over more than a line. '.repeat(number % 5)}` : `message ${number}`,
  );
}, LIMIT);

after(async () => {
  await browser.close();
  await server.stop();
});

test('100,000 messages are paged to their first', LIMIT, async () => {
  const token = await server.token('long-alice');
  const iris = await Iris.connect({
    url: server.socket,
    user: 'long-alice',
    device: 'pager',
    token: () => token,
    locks: null,
    openSocket: (url) => new WebSocket(url),
  });
  let expected = MESSAGES;
  const begin = performance.now();
  for await (const page of iris.history({ with: 'long-bob' })) {
    for (const entry of page.entries.toReversed()) {
      assert.equal(entry.seq, expected);
      assert.ok(entry.body.text.startsWith(`message ${expected}`));
      expected -= 1;
    }
  }
  assert.equal(expected, 0);
  console.log(`# paged ${MESSAGES} messages in ${Math.round(performance.now() - begin)} ms`);
  await iris.close();
});

test('10,000 are scrolled: the page stays small, and what one reads stays where it is', LIMIT, async () => {
  const profile = await browser.profile();
  const page = await browser.open(profile, server, 'long-alice');
  await openChat(page, 'long-bob');
  await page.waitForSelector('.timeline [data-seq]');
  await page.click('[aria-label="To the newest message"]', { timeout: 2_000 }).catch(() => undefined);
  await page.locator('[data-seq="100000"]').waitFor();
  const found = await page.evaluate(async (goal) => {
    const box = document.querySelector('.timeline');
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const rows = () => [...box.querySelectorAll('[data-seq]')];
    let [elements, jumps, begin] = [0, 0, performance.now()];
    const frames = [];
    const end = begin + 200_000;
    while (Number(rows()[0].dataset.seq) > 100_000 - goal && performance.now() < end) {
      const top = box.getBoundingClientRect().top;
      const seen = rows().find((row) => row.getBoundingClientRect().bottom > top);
      const [seq, before] = [seen.dataset.seq, seen.getBoundingClientRect().top];
      const by = Math.min(400, box.scrollTop);
      box.scrollTop -= by;
      const started = performance.now();
      await frame();
      await frame();
      frames.push((performance.now() - started) / 2);
      const now = box.querySelector(`[data-seq="${seq}"]`);
      // Whatever came above: it moved by as much as was scrolled, and no more.
      if (!now || Math.abs(now.getBoundingClientRect().top - before - by) > 2) jumps += 1;
      elements = Math.max(elements, box.querySelectorAll('*').length);
    }
    frames.sort((one, other) => one - other);
    const at = (share) => Math.round(frames[Math.floor(frames.length * share)]);
    return { first: Number(rows()[0].dataset.seq), elements, jumps, steps: frames.length, ms: Math.round(performance.now() - begin), median: at(0.5), p95: at(0.95) };
  }, SCROLLED);
  console.log(`# scrolled: ${JSON.stringify(found)}`);
  assert.ok(found.first <= 100_000 - SCROLLED, 'it got that far');
  assert.ok(found.elements < 3_000, `${found.elements} elements`);
  assert.equal(found.jumps, 0);
  // Far from both ends one gets back with one click.
  await page.click('[aria-label="To the newest message"]');
  await page.locator('[data-seq="100000"]').waitFor();
  browser.assertNoErrors();
  await profile.close();
});

test('a chat opens at the first unread message, however far that is', LIMIT, async () => {
  const profile = await browser.profile();
  const page = await browser.open(profile, server, 'long-bob');
  await openChat(page, 'long-alice');
  await page.waitForSelector('.unread-line');
  const next = await page.$eval('.unread-line', (line) => line.parentElement.querySelector('.unread-line ~ [data-seq]').dataset.seq);
  assert.equal(next, '1');
  const isShown = await page.$eval('.unread-line', (line) => {
    const { top } = line.getBoundingClientRect();
    return top > 0 && top < innerHeight;
  });
  assert.ok(isShown);
  await page.locator('.timeline').hover();
  for (let turn = 0; turn < 60; turn += 1) await page.mouse.wheel(0, 900);
  await page.waitForFunction(() => [...document.querySelectorAll('[data-seq]')].some(({ dataset }) => Number(dataset.seq) > 200));
  browser.assertNoErrors();
  await profile.close();
});
