// `cargo xtask screenshots`: pictures of the web client for the README, of the real server with people who chat.
import { mkdirSync } from 'node:fs';
import { launch, link } from './browser.mjs';
import { openChat, say, waitForText, waitForTicks, FIELD } from './pages.mjs';
import { Server } from './server.mjs';

const OUT = new URL('../../docs/screenshots/', import.meta.url).pathname;
const DESKTOP = { width: 1200, height: 760 };
const PHONE = { width: 390, height: 780 };

mkdirSync(OUT, { recursive: true });
const server = await Server.start();
const browser = await launch();

async function open(user, options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, deviceScaleFactor: 1.5, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  await page.goto(link(server.origin, user, await server.token(user)));
  await page.waitForSelector('.sidebar');
  return page;
}

async function picture(page, name) {
  await page.bringToFront();
  await page.mouse.move(5, 5);
  await page.screenshot({ path: `${OUT}${name}.png`, animations: 'disabled' });
  console.log(`docs/screenshots/${name}.png`);
}

const alice = await open('alice', { colorScheme: 'light' });
const [bob, carol, maria, tom] = [await open('bob'), await open('carol'), await open('maria'), await open('tom.keller')];

await openChat(maria, 'alice');
await say(maria, 'The invoice is paid, thank you!');
await openChat(tom, 'alice');
await say(tom, 'See you on Monday then');
await openChat(carol, 'alice');
await say(carol, 'Could you look at my draft when you have a minute?');
await say(carol, 'No hurry');

await openChat(alice, 'bob');
await say(alice, 'Morning! Did the migration go through last night?');
await openChat(bob, 'alice');
await waitForText(bob, 'Morning!');
await say(bob, 'It did. 40 minutes, nobody noticed 🎉');
await say(bob, 'I killed the server twice on purpose, in the middle of it. Not a single message was lost or doubled.');
await waitForText(alice, 'Not a single message');
await say(alice, 'That is exactly what I wanted to hear.');
await say(alice, 'I will write it up for the others: https://wiki.example.org/migration');
await waitForText(bob, 'I will write it up');
await say(bob, '🚀');
await waitForTicks(alice, 'read', 3);
await bob.locator(FIELD).pressSequentially('One more');
await alice.waitForSelector('.bubble-typing');
await picture(alice, 'chat-light');
await bob.fill(FIELD, '');

await alice.click('[aria-label="New chat"]');
await alice.click('.dialog >> text=New group');
await alice.fill('[aria-label="Name of the group"]', 'Summer party');
for (const name of ['bob', 'carol', 'maria']) {
  await alice.fill('[aria-label="Add people"]', name);
  await alice.press('[aria-label="Add people"]', 'Enter');
}
await alice.click('text=Create group');
await alice.waitForSelector('.bar h2:has-text("Summer party")');
await say(alice, 'Saturday at six, in the garden behind the office. Who brings what?');
for (const [page, text] of [
  [bob, 'Bread and three salads'],
  [carol, 'I bring the cake 🎂'],
  [maria, 'Drinks are on me'],
]) {
  await openChat(page, 'Summer party');
  await waitForText(page, 'Who brings what?');
  await say(page, text);
  await waitForText(alice, text);
}
await say(alice, 'Perfect. I will see to chairs and lights.');
for (const page of [bob, carol, maria]) {
  await page.bringToFront();
  await waitForText(page, 'chairs and lights');
}
await alice.bringToFront();
await waitForTicks(alice, 'read', 2);
await alice.click('[aria-label="Info"]');
await alice.waitForSelector('.member-role');
await alice.emulateMedia({ colorScheme: 'dark' });
await picture(alice, 'group-dark');

const phone = await open('alice', { viewport: PHONE, colorScheme: 'light', isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
await phone.waitForSelector('.chat-row:has-text("Summer party")');
await picture(phone, 'phone-list-light');
await phone.emulateMedia({ colorScheme: 'dark' });
await openChat(phone, 'bob');
await phone.locator('.message .ticks-read').first().waitFor();
await picture(phone, 'phone-chat-dark');

await browser.close();
await server.stop();
