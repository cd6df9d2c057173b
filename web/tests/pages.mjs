// What the browser tests do with pages of the web client.
import assert from 'node:assert/strict';
import { launch, link } from './browser.mjs';

export const FIELD = '.composer textarea';

/** A browser of its own; every page's errors are failures of the test that closes it. */
export class Browser {
  #browser;
  #errors = [];

  static async start() {
    const started = new Browser();
    started.#browser = await launch();
    return started;
  }

  /** A browser profile. */
  profile(options = {}) {
    return this.#browser.newContext({ viewport: { width: 1180, height: 760 }, ...options });
  }

  /** Opens the link of a user in a profile. */
  async open(profile, server, user, token) {
    const page = await profile.newPage();
    page.on('pageerror', (error) => this.#errors.push(`${user}: ${error.message}`));
    page.on('console', (message) => {
      const text = message.text();
      // A server that was killed on purpose, and addresses that only answer with an error status.
      const isExpected = /ERR_CONNECTION_REFUSED|WebSocket connection to/.test(text);
      if (message.type() === 'error' && !isExpected) this.#errors.push(`${user}: ${text}`);
    });
    await page.goto(link(server.origin, user, token ?? (await server.token(user))));
    await page.waitForSelector('.sidebar');
    return page;
  }

  /** No page threw, no policy was violated. */
  assertNoErrors() {
    assert.deepEqual(this.#errors, []);
  }

  async close() {
    await this.#browser.close();
  }
}

export async function openChat(page, name) {
  await page.bringToFront();
  const row = page.locator('.chat-row', { has: page.locator('.chat-row-name', { hasText: new RegExp(`^${escaped(name)}$`) }) });
  if (await row.count()) {
    await row.first().click();
  } else {
    await page.click('[aria-label="New chat"]');
    await page.fill('.dialog [aria-label="Name of a person"]', name);
    await page.keyboard.press('Enter');
  }
  await page.waitForSelector(FIELD);
}

export async function say(page, text) {
  await page.fill(FIELD, text);
  await page.press(FIELD, 'Enter');
}

/** Texts of the messages on the page, in order. */
export function texts(page) {
  return page.$$eval('.bubble-text, .bubble-emoji', (bubbles) => bubbles.map((bubble) => bubble.textContent));
}

export async function waitForText(page, text) {
  await page.locator('.bubble', { hasText: text }).first().waitFor();
}

const TICKS = ['sent', 'delivered', 'read'];

/** Waits until as many own messages are that far, or further. */
export function waitForTicks(page, tick, count) {
  const selector = TICKS.slice(TICKS.indexOf(tick)).map((name) => `.message .ticks-${name}`).join(', ');
  return page.waitForFunction(([wanted, least]) => document.querySelectorAll(wanted).length >= least, [selector, count]);
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
