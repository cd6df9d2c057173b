/**
 * The client's rules, compiled from Rust, and the types of what goes in and out.
 *
 * The shapes are those of `crates/client-web/src/view`; `test/samples.ts`, which that crate writes, fails to compile
 * when they differ.
 */

import initialize, { commands, Machine as Bound } from './wasm/iris_client_web.js';

/** A body: `text` for kind 1, `base64` for every other kind. */
export interface Body {
  kind: number;
  text?: string;
  base64?: string;
}

export interface Refusal {
  code: number;
  name: string;
  retryable: boolean;
  /** Milliseconds; 0: the client chooses. */
  retryAfterMs: number;
}

/** A message of the user's inbox. */
export interface Message {
  /** Opaque; the same for all members. */
  conversation: string;
  seq: number;
  id: string;
  from: string;
  /** The other member. */
  with: string;
  /** The sending device; only of the user's own messages. */
  origin: string | null;
  /** Milliseconds since 1970, by the server's clock. */
  sentAt: number;
  body: Body;
}

export interface Entry {
  seq: number;
  id: string;
  from: string;
  sentAt: number;
  body: Body;
}

export interface Summary {
  conversation: string;
  with: string;
  lastSeq: number;
}

export interface Device {
  device: string;
  label: string | null;
  registeredAt: number;
  /** Exact to a minute. */
  lastLogin: number;
  online: boolean;
}

export interface Unsent {
  number: number;
  to: string;
  body: Body;
  id: string | null;
  idGiven: boolean;
  reference: string | null;
}

export type Outcome =
  | { type: 'sent'; conversation: string; seq: number; sentAt: number }
  | { type: 'failed'; refusal: Refusal };

export interface Settled {
  number: number;
  to: string;
  id: string | null;
  reference: string | null;
  outcome: Outcome;
}

export type Unreported =
  | { type: 'message'; offset: number; message: Message }
  | { type: 'gap'; first: number; last: number };

export type StoreOperation =
  | { type: 'putUnsent'; unsent: Unsent }
  | { type: 'settle'; settled: Settled }
  | { type: 'dropSettled'; number: number }
  | { type: 'putSent'; message: Message }
  | { type: 'putReceived'; offset: number; message: Message }
  | { type: 'putGap'; first: number; last: number }
  | { type: 'setShown'; offset: number }
  | { type: 'setCursor'; offset: number };

export interface Restored {
  cursor: number;
  lastNumber: number;
  unsent: Unsent[];
  settled: Settled[];
  unreported: Unreported[];
  marks: [string, number][];
}

export type Mark =
  | { type: 'entries'; offset: number }
  | { type: 'send'; number: number }
  | { type: 'query'; number: number };

/** What answers a question, by its number. */
export type Answer =
  | { type: 'historyPage'; query: number; conversation: string; with: string; entries: Entry[] }
  | { type: 'historyEnd'; query: number; with: string; count: number; more: boolean }
  | { type: 'conversations'; query: number; items: Summary[] }
  | { type: 'devices'; query: number; items: Device[] }
  | { type: 'done'; query: number }
  | { type: 'queryFailed'; query: number; refusal: Refusal };

/** What comes unasked. */
export type News =
  | { type: 'ready' }
  | { type: 'synced' }
  | { type: 'accepted'; number: number }
  | { type: 'settled'; settled: Settled }
  | { type: 'message'; offset: number; message: Message }
  | { type: 'gap'; first: number; last: number }
  | { type: 'refused'; refusal: Refusal }
  | { type: 'stopped'; refusal: Refusal }
  | { type: 'disconnected' };

export type MachineEvent = Answer | News;

export type Output =
  | { type: 'connect'; at: number }
  | { type: 'disconnect' }
  | { type: 'store'; token: number; operations: StoreOperation[] }
  | { type: 'event'; event: MachineEvent; mark: Mark | null };

/** A command by its name, as `Command` of `crates/client-web` reads it. */
export type Command = Record<string, Record<string, unknown>>;

export type Taken = { number: number } | { error: { name: string; message: string } };

/** The two clocks of a device, in milliseconds. */
export interface Now {
  wall: number;
  monotonic: number;
}

let loading: Promise<unknown> | undefined;

/** Loads the module once. `source`: its bytes, or where it is; by default beside this file. */
export function loadMachine(source?: BufferSource | URL | string): Promise<unknown> {
  loading ??= load(source).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load(source?: BufferSource | URL | string): Promise<unknown> {
  let from = source ?? new URL('./wasm/iris_client_web_bg.wasm', import.meta.url);
  if (from instanceof URL && from.protocol === 'file:') {
    // Only outside browsers, which cannot fetch files.
    const files = 'node:fs/promises';
    const { readFile } = (await import(/* @vite-ignore */ files)) as { readFile(path: URL): Promise<BufferSource> };
    from = await readFile(from);
  }
  return initialize({ module_or_path: from });
}

/** The commands that the loaded module takes. */
export function machineCommands(): ReadonlySet<string> {
  return new Set(commands());
}

/** One device of a user, in typed words. */
export class Machine {
  readonly #bound: Bound;

  constructor(user: string, device: string, restored: Restored, seed: bigint) {
    this.#bound = new Bound(user, device, JSON.stringify(restored), seed);
  }

  connected(token: string, now: Now): void {
    this.#bound.connected(token, now.wall, now.monotonic);
  }

  received(bytes: Uint8Array, now: Now): void {
    this.#bound.received(bytes, now.wall, now.monotonic);
  }

  disconnected(now: Now): void {
    this.#bound.disconnected(now.wall, now.monotonic);
  }

  stored(token: number): void {
    this.#bound.stored(token);
  }

  command(command: Command, now: Now): Taken {
    return JSON.parse(this.#bound.command(JSON.stringify(command), now.wall, now.monotonic)) as Taken;
  }

  handedOver(mark: Mark): void {
    this.#bound.handedOver(JSON.stringify(mark));
  }

  turn(now: Now): Output[] {
    return JSON.parse(this.#bound.turn(now.wall, now.monotonic)) as Output[];
  }

  /** Whole frames; empty when there is nothing to be sent. */
  transmit(): Uint8Array {
    return this.#bound.transmit();
  }

  deadline(): number | undefined {
    return this.#bound.deadline();
  }

  unsettled(): number {
    return this.#bound.unsettled();
  }

  isIdle(): boolean {
    return this.#bound.isIdle();
  }

  isStopped(): boolean {
    return this.#bound.isStopped();
  }

  free(): void {
    this.#bound.free();
  }
}
