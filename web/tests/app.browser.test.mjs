// The web client in a headless Chromium against the real server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, FIELD, openChat, say, texts, waitForText, waitForTicks } from './pages.mjs';
import { Server } from './server.mjs';

const LIMIT = { timeout: 120_000 };
let server;
let browser;

before(async () => {
  server = await Server.start();
  browser = await Browser.start();
});

after(async () => {
  await browser.close();
  await server.stop();
});

test('two people chat in two windows of one browser: ticks, typing, unread', LIMIT, async () => {
  const profile = await browser.profile();
  const [alice, bob] = [await browser.open(profile, server, 'alice'), await browser.open(profile, server, 'bob')];
  assert.equal(await alice.evaluate(() => location.hash), '', 'the token is out of the address');
  await openChat(alice, 'bob');
  await say(alice, 'Hello Bob');
  await waitForTicks(alice, 'delivered', 1);
  await bob.bringToFront();
  await bob.waitForSelector('.chat-row .badge');
  assert.match(await bob.title(), /^\(1\)/);
  await openChat(bob, 'alice');
  await waitForText(bob, 'Hello Bob');
  await waitForTicks(alice, 'read', 1);
  await bob.waitForSelector('.chat-row:not(.has-unread)');
  await bob.locator(FIELD).pressSequentially('I am');
  await alice.waitForSelector('.bubble-typing');
  await say(bob, 'I am here');
  await waitForText(alice, 'I am here');
  await alice.waitForSelector('.bubble-typing', { state: 'detached' });
  await alice.waitForSelector('.conversation .bar-status.is-online');
  browser.assertNoErrors();
  await profile.close();
});

test('a new device has the conversations, and both devices agree', LIMIT, async () => {
  const [first, second, other] = [await browser.profile(), await browser.profile(), await browser.profile()];
  const alice = await browser.open(first, server, 'alice2');
  await openChat(alice, 'bob2');
  await say(alice, 'From my first device');
  await waitForTicks(alice, 'sent', 1);
  const again = await browser.open(second, server, 'alice2');
  await again.waitForSelector('.chat-row:has-text("From my first device")');
  await openChat(again, 'bob2');
  await waitForText(again, 'From my first device');
  await say(again, 'And from my second');
  await waitForText(alice, 'And from my second');
  const bob = await browser.open(other, server, 'bob2');
  await openChat(bob, 'alice2');
  await waitForText(bob, 'And from my second');
  const expected = ['From my first device', 'And from my second'];
  for (const page of [alice, again, bob]) assert.deepEqual(await texts(page), expected);
  await again.click('[aria-label="Devices"]');
  await again.waitForSelector('.device');
  assert.equal(await again.locator('.device').count(), 2);
  // Revoking the first one shows it there.
  await again.locator('.device', { hasNotText: 'This browser' }).locator('[aria-label^="Revoke"]').click();
  await again.click('text=Revoke for ever');
  await alice.waitForSelector('text=This browser was signed out');
  browser.assertNoErrors();
  await Promise.all([first, second, other].map((profile) => profile.close()));
});

test('a reload in the middle of sending loses and doubles nothing', LIMIT, async () => {
  const profile = await browser.profile();
  const [alice, bob] = [await browser.open(profile, server, 'alice3'), await browser.open(profile, server, 'bob3')];
  await openChat(bob, 'alice3');
  await openChat(alice, 'bob3');
  const wanted = Array.from({ length: 40 }, (_, at) => `message ${at + 1}`);
  for (const [at, text] of wanted.entries()) {
    await say(alice, text);
    // The field is empty as soon as the message is in the outbox; then the page goes.
    if (at === 19) {
      await alice.waitForFunction(() => document.querySelector('.composer textarea')?.value === '');
      await alice.locator('.message', { hasText: text }).waitFor();
      await alice.reload();
      await alice.waitForSelector('.sidebar');
      await openChat(alice, 'bob3');
    }
  }
  await waitForTicks(alice, 'delivered', 40);
  await bob.locator('.bubble', { hasText: /^message 40/ }).waitFor();
  for (const page of [alice, bob]) assert.deepEqual(await texts(page), wanted);
  browser.assertNoErrors();
  await profile.close();
});

test('a server that is killed and started again heals without a reload', LIMIT, async () => {
  const profile = await browser.profile();
  const [alice, bob] = [await browser.open(profile, server, 'alice4'), await browser.open(profile, server, 'bob4')];
  await openChat(bob, 'alice4');
  await openChat(alice, 'bob4');
  await say(alice, 'before');
  await waitForText(bob, 'before');
  await say(bob, 'yes');
  const online = '.conversation .bar-status.is-online';
  await alice.waitForSelector(online);
  await server.kill();
  await alice.waitForSelector('.banner');
  // Nobody knows that any more.
  await alice.waitForSelector(online, { state: 'detached' });
  await say(alice, 'while it is away');
  await alice.waitForSelector('.message .ticks-waiting');
  await server.start();
  await waitForTicks(alice, 'delivered', 2);
  await waitForText(bob, 'while it is away');
  await alice.waitForSelector('.banner', { state: 'detached' });
  await alice.waitForSelector(online);
  await say(bob, 'after');
  await waitForText(alice, 'after');
  for (const page of [alice, bob]) assert.deepEqual(await texts(page), ['before', 'yes', 'while it is away', 'after']);
  browser.assertNoErrors();
  await profile.close();
});

test('a tab that takes over shows again who is there', LIMIT, async () => {
  const [own, other] = [await browser.profile(), await browser.profile()];
  const leader = await browser.open(own, server, 'alice9');
  const bob = await browser.open(other, server, 'bob9');
  await openChat(leader, 'bob9');
  await say(leader, 'hello');
  await openChat(bob, 'alice9');
  await say(bob, 'hello');
  const online = '.conversation .bar-status.is-online';
  await leader.waitForSelector(online);
  const follower = await browser.open(own, server, 'alice9');
  await openChat(follower, 'bob9');
  await follower.waitForSelector(online);
  await leader.close();
  await bob.close();
  // Only who asks is told, and the tab that had asked is gone.
  await follower.locator('.conversation .bar-status', { hasText: 'last seen' }).waitFor();
  browser.assertNoErrors();
  await Promise.all([own, other].map((profile) => profile.close()));
});

test('a group of three: made, joined, renamed, left; receipts of all', LIMIT, async () => {
  const profile = await browser.profile();
  const [alice, bob, carol] = [
    await browser.open(profile, server, 'alice5'),
    await browser.open(profile, server, 'bob5'),
    await browser.open(profile, server, 'carol5'),
  ];
  await alice.bringToFront();
  await alice.click('[aria-label="New chat"]');
  await alice.click('.dialog >> text=New group');
  await alice.fill('[aria-label="Name of the group"]', 'Picnic');
  for (const name of ['bob5', 'carol5']) {
    await alice.fill('[aria-label="Add people"]', name);
    await alice.press('[aria-label="Add people"]', 'Enter');
  }
  await alice.click('text=Create group');
  await alice.waitForSelector('.bar h2:has-text("Picnic")');
  await say(alice, 'Who brings what?');
  for (const page of [bob, carol]) {
    await page.waitForSelector('.chat-row:has-text("Picnic")');
    await openChat(page, 'Picnic');
    await waitForText(page, 'Who brings what?');
  }
  await waitForTicks(alice, 'read', 1);
  await say(carol, 'Cake');
  await waitForText(bob, 'Cake');
  assert.equal(await bob.locator('.bubble-name').first().textContent(), 'alice5');
  await alice.bringToFront();
  await alice.click('[aria-label="Info"]');
  await alice.fill('.panel [aria-label="Name of the group"]', 'Garden party');
  await alice.click('.panel >> text=Rename');
  await bob.waitForSelector('.bar h2:has-text("Garden party")');
  await bob.waitForSelector('.change:has-text("alice5 renamed the group to “Garden party”")');
  await carol.bringToFront();
  await carol.click('[aria-label="Info"]');
  await carol.click('text=Leave group');
  await bob.waitForSelector('.change:has-text("carol5 left")');
  await carol.waitForSelector('text=You are not in this group any more.');
  await alice.selectOption('[aria-label="Role of bob5"]', 'admin');
  await bob.waitForSelector('.change:has-text("alice5 made you admin")');
  browser.assertNoErrors();
  await profile.close();
});

test('what people write is text, whatever it says', LIMIT, async () => {
  const profile = await browser.profile();
  const [alice, bob] = [await browser.open(profile, server, 'alice6'), await browser.open(profile, server, 'bob6')];
  await openChat(alice, 'bob6');
  const evil = [
    '<img src=x onerror="document.title=\'stolen\'">',
    '<script>document.title="stolen"</script>',
    'javascript:alert(1) and https://example.com/"><b>',
    '{{constructor.constructor("alert(1)")()}} &lt;b&gt; %3Cscript%3E',
    '\u202Eright to left \u0000\u0007 control',
  ];
  for (const text of evil) await say(alice, text);
  await alice.bringToFront();
  await waitForTicks(alice, 'delivered', evil.length);
  await openChat(bob, 'alice6');
  await waitForText(bob, 'control');
  assert.deepEqual(await texts(bob), evil);
  assert.equal(await bob.locator('.bubble img, .bubble script, .bubble b').count(), 0);
  assert.deepEqual(await bob.$$eval('.bubble a', (links) => links.map((link) => link.protocol)), ['https:']);
  // The same in what names things: a group and a device.
  await bob.click('[aria-label="New chat"]');
  await bob.click('.dialog >> text=New group');
  await bob.fill('[aria-label="Name of the group"]', '<img src=x onerror=alert(1)>');
  await bob.click('text=Create group');
  await bob.waitForSelector('.bar h2');
  await bob.locator('.bar h2', { hasText: '<img src=x onerror=alert(1)>' }).waitFor();
  await bob.click('[aria-label="Devices"]');
  await bob.click('.device-name');
  await bob.fill('[aria-label="Name of the device"]', '<b onclick=alert(1)>phone</b>');
  await bob.press('[aria-label="Name of the device"]', 'Enter');
  await bob.waitForFunction(() => document.querySelector('.device-name')?.textContent === '<b onclick=alert(1)>phone</b>');
  assert.doesNotMatch(await bob.title(), /stolen/);
  browser.assertNoErrors();
  await profile.close();
});

test('a link that has run out says so, and a new one goes on with what was kept', LIMIT, async () => {
  const profile = await browser.profile();
  const page = await profile.newPage();
  const old = await server.token('alice7', 1);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await page.goto(`${server.origin}/#user=alice7&token=${old}`);
  await page.waitForSelector('text=Your sign-in link has run out');
  const alice = await browser.open(profile, server, 'alice7');
  await openChat(alice, 'bob7');
  await alice.fill(FIELD, 'not sent yet');
  await alice.waitForFunction(() => indexedDB.databases().then((all) => all.length > 0));
  await openChat(alice, 'carol7');
  await alice.waitForSelector('.chat-row-preview:has-text("Draft: not sent yet")');
  await profile.close();
});

test('keyboard alone is enough, and roles are there for those who do not see', LIMIT, async () => {
  const profile = await browser.profile();
  const page = await browser.open(profile, server, 'alice8');
  await openChat(page, 'bob8');
  await page.keyboard.type('typed without a mouse');
  await page.keyboard.press('Enter');
  await waitForTicks(page, 'sent', 1);
  await page.keyboard.press('Escape');
  await page.waitForSelector('.nothing-open');
  await page.keyboard.press('Control+k');
  await page.keyboard.type('bob8');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.bubble');
  const roles = await page.evaluate(() => ({
    landmarks: ['nav', 'main'].every((name) => document.querySelector(name)?.getAttribute('aria-label')),
    log: document.querySelector('.timeline')?.getAttribute('role'),
    heard: document.querySelector('[aria-live="polite"]') !== null,
    nameless: [...document.querySelectorAll('button')].filter((button) => !(button.textContent?.trim() || button.getAttribute('aria-label'))).length,
  }));
  assert.deepEqual(roles, { landmarks: true, log: 'log', heard: true, nameless: 0 });
  browser.assertNoErrors();
  await profile.close();
});
