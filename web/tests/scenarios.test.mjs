// `docs/scenarios`: what is asked for and what has to come, as data. The same files run against the Rust SDK, through
// `iris chat --json`, and against the TypeScript SDK, so both behave alike. A new feature is more data, and its lines in
// `chatjson.mjs`.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import 'fake-indexeddb/auto';
import { RustDevice } from './rustdevice.mjs';
import { Server } from './server.mjs';
import { TypeScriptDevice } from './chatjson.mjs';

const FOLDER = new URL('../../docs/scenarios/', import.meta.url);
const STEP_MS_MAX = 15_000;
let server;

before(async () => {
  server = await Server.start();
});

after(() => server.stop());

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.json'))) {
  const { steps } = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'));
  for (const [sdk, Device] of [['rust', RustDevice], ['typescript', TypeScriptDevice]]) {
    test(`${file} with the SDK in ${sdk}`, { timeout: 120_000 }, () => run(steps, Device, `${sdk}-${file.replace('.json', '')}`));
  }
}

async function run(steps, Device, suffix) {
  const devices = new Map();
  // Users of their own for each run: names in the file get a suffix on the way out and lose it on the way in.
  const named = new Map();
  const bound = new Map();
  try {
    for (const [at, { on, start, do: command, expect }] of steps.entries()) {
      const [user, name] = on.split('/');
      if (start) {
        for (const known of ['alice', 'bob', 'carol']) named.set(known, `${known}-${suffix}`);
        devices.set(on, await Device.start(server, named.get(user), name));
      } else if (command) {
        devices.get(on).command(outwards(command, named, bound));
      } else {
        const [event] = Object.keys(expect);
        const waiting = devices.get(on).next(event);
        const found = await within(waiting, () => `step ${at + 1}: ${on} waits for ${event}; it has ${devices.get(on).describe()}`);
        matches(inwards(found, named), expect[event], bound, `step ${at + 1}, ${on}, ${event}`);
      }
    }
  } finally {
    await Promise.all([...devices.values()].map((device) => device.stop()));
  }
}

/** Values with a dollar stand for what an earlier event told. */
function outwards(value, named, bound) {
  if (typeof value === 'string') return value.startsWith('$') ? bound.get(value) : (named.get(value) ?? value);
  if (Array.isArray(value)) return value.map((item) => outwards(item, named, bound));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, outwards(item, named, bound)]));
}

function inwards(value, named) {
  if (typeof value === 'string') return [...named].find(([, long]) => long === value)?.[0] ?? value;
  if (Array.isArray(value)) return value.map((item) => inwards(item, named));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inwards(item, named)]));
}

/** What is expected has to be there; more may be. */
function matches(found, wanted, bound, where) {
  if (typeof wanted === 'string' && wanted.startsWith('$')) {
    if (bound.has(wanted)) assert.deepEqual(found, bound.get(wanted), `${where}: ${wanted}`);
    else assert.ok(found !== undefined && found !== null, `${where}: ${wanted} is not told`);
    bound.set(wanted, found);
  } else if (Array.isArray(wanted)) {
    assert.equal(found?.length, wanted.length, where);
    wanted.forEach((item, at) => matches(found[at], item, bound, `${where}[${at}]`));
  } else if (wanted !== null && typeof wanted === 'object') {
    for (const [key, item] of Object.entries(wanted)) matches(found?.[key], item, bound, `${where}.${key}`);
  } else {
    assert.deepEqual(found, wanted, where);
  }
}

async function within(work, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(what())), STEP_MS_MAX);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
