// Headless Chromium and the pages of the app, for the browser tests and the screenshots.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export function launch() {
  const executablePath = PLACES.find((place) => place && existsSync(place));
  if (!executablePath) throw new Error('Chromium is missing: sudo apt-get install --yes chromium');
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
}

/** A link that signs in. */
export function link(origin, user, token) {
  return `${origin}/#user=${encodeURIComponent(user)}&token=${encodeURIComponent(token)}`;
}
