/** The application's side. */

import { Database } from './database.js';
import { Emitter, type Handler } from './emitter.js';
import { IrisError } from './error.js';
import { Groups, Presence } from './features.js';
import { PAGE_ITEMS_MAX } from './limits.js';
import { loadMachine, machineCommands, type Answer, type Body, type Message } from './machine.js';
import { splitReference } from './reference.js';
import { Tab } from './tabs.js';
import type { OpenSocket, SocketLike } from './transport.js';
import { outgoing } from './types.js';
import type {
  Device,
  EventName,
  HistoryQuestion,
  NamedEvent,
  NewMessage,
  Outcome,
  Outgoing,
  Page,
  Receipts,
  Settings,
  State,
  Summary,
  Target,
  With,
} from './types.js';

export interface Options {
  /** `wss://…/ws`; `ws:` only where the server allows it. */
  url: string;
  user: string;
  /** Names this installation; the same at each start, see the protocol's section 8. */
  device: string;
  /** Asked before each connection: a token that is valid now. */
  token: () => string | Promise<string>;
  /** Where the WebAssembly module is, or its bytes; by default beside this file. */
  wasm?: BufferSource | URL | string;
  /** Where `ticker.js` is; by default beside this file. */
  ticker?: URL | string;
  /** The parts of a browser, for surroundings that lack them. Without locks this is the only user of the device. */
  indexedDB?: IDBFactory;
  locks?: LockManager | null;
  openSocket?: OpenSocket;
}

/** A send in the outbox. */
export interface Sending {
  number: number;
  /** How it ends. Not settled when the client is closed before. */
  done: Promise<Outcome>;
}

interface Waiting {
  key: string;
  resolve: (outcome: Outcome) => void;
}

const encoder = new TextEncoder();

/** A device of a user. */
export class Iris {
  /** Groups and their administration. */
  readonly groups: Groups;
  /** Who is there. */
  readonly presence: Presence;
  /** The user's devices. */
  readonly devices = {
    list: async (): Promise<Device[]> => (await this.#ask('devices', 'devices', {})).items,
    /** What people call it: 1 to 64 bytes without control characters. */
    rename: async (device: string, label: string): Promise<void> => {
      await this.#ask('done', 'deviceRename', { device, label });
    },
    /** Ends it for ever. It may be this one: then the state becomes `stopped`. */
    revoke: async (device: string): Promise<void> => {
      await this.#ask('done', 'deviceRevoke', { device });
    },
  };

  readonly #database: Database;
  readonly #emitter = new Emitter();
  readonly #tab: Tab;
  readonly #commands: ReadonlySet<string>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #leave: () => void;

  private constructor(
    readonly user: string,
    readonly device: string,
    options: Options,
    database: Database,
  ) {
    this.#database = database;
    this.#commands = machineCommands();
    this.groups = new Groups((type, name, command) => this.#ask(type, name, command));
    this.presence = new Presence((type, name, command) => this.#ask(type, name, command));
    this.#emitter.on('sent', ({ number, outcome }) => this.#settle(number, outcome));
    const locks = options.locks === undefined ? globalThis.navigator?.locks : options.locks;
    this.#tab = new Tab({
      ...options,
      database,
      locks: locks ?? undefined,
      channel: locks ? new BroadcastChannel(`iris:${user}:${device}`) : undefined,
      openSocket: options.openSocket ?? ((url) => new WebSocket(url) as unknown as SocketLike),
      ticker: options.ticker ?? new URL('./ticker.js', import.meta.url),
      emit: (event) => this.#emitter.emit(event),
      leaderChanged: () => void this.#lookUp(),
    });
    this.#leave = onReturn(() => void this.#tab.call('nudge', {}).catch(() => undefined));
  }

  /**
   * Opens the local database and starts to connect, and to reconnect, until {@link close}. Resolves without waiting
   * for the server. Several tabs may do so for the same user and device: they share one connection.
   */
  static async connect(options: Options): Promise<Iris> {
    await loadMachine(options.wasm);
    const database = await Database.open(options.indexedDB ?? indexedDB, options.user, options.device);
    return new Iris(options.user, options.device, options, database);
  }

  /** Whether this client knows a command, by its name in TypeScript: `groupCreate`, `typing`. */
  can(command: string): boolean {
    return this.#commands.has(command);
  }

  /** How the connection is; changes come as `state` events. */
  get state(): State {
    return this.#tab.state;
  }

  /** Calls the handler for each such event; the returned function ends that. */
  on<Name extends EventName>(name: Name, handler: Handler<Name>): () => void {
    return this.#emitter.on(name, handler);
  }

  /** All events from now on. Asking for the next says that the application is done with the former. */
  events(): AsyncIterableIterator<NamedEvent> {
    return this.#emitter.iterate();
  }

  /** Sends a message, connected or not. When it resolves the message is in the local database. */
  async send(message: NewMessage): Promise<Sending> {
    const { text, body, reference, ...target } = message;
    const key = crypto.randomUUID();
    const content: Body | undefined = body ?? (text === undefined ? undefined : { kind: 1, text });
    if (!content) throw new IrisError('bad_command', 'a message has a text or a body');
    if (reference !== undefined && encoder.encode(JSON.stringify(reference)).length > 900) {
      throw new IrisError('bad_command', 'a reference has at most 900 bytes of JSON');
    }
    const number = await this.#tab.call('send', { key, target, body: content, reference: reference ?? null });
    return { number, done: this.#done(number, key) };
  }

  /** Sends that wait for the server, and those that failed until they are sent again or discarded. */
  async outbox(): Promise<Outgoing[]> {
    const [unsent, failed] = await Promise.all([this.#database.unsent(), this.#database.failed()]);
    const reference = (joined: string | null) => splitReference(joined)?.reference ?? null;
    const all = [
      ...unsent.map((send) => outgoing(send, reference(send.reference), null)),
      ...failed.map(({ unsent: send, refusal }) => outgoing(send, reference(send.reference), refusal)),
    ];
    return all.sort((one, other) => one.number - other.number);
  }

  /** Sends a message that failed again, as a new one; its new number, or null when it is not there. */
  resend(number: number): Promise<number | null> {
    return this.#tab.call('resend', { number });
  }

  /** Forgets a message that failed. */
  async discard(number: number): Promise<void> {
    await this.#tab.call('discard', { number });
  }

  /** One page of history, ascending: the newest, or the nearest before or after a `seq`; at most 256 entries. */
  page(of: With, question: HistoryQuestion = {}): Promise<Page> {
    const limit = Math.min(question.limit ?? PAGE_ITEMS_MAX, PAGE_ITEMS_MAX);
    return this.#tab.call('history', { command: { ...of, ...question, limit } });
  }

  /**
   * Pages of history: away from the newest by default and with `before`, towards it with `after`. Each page
   * ascends. `limit` bounds all pages together.
   */
  async *history(of: With, question: HistoryQuestion = {}): AsyncGenerator<Page, void> {
    let left = question.limit ?? Number.POSITIVE_INFINITY;
    let place: HistoryQuestion = { ...question };
    while (left > 0) {
      const page = await this.page(of, { ...place, limit: Math.min(left, PAGE_ITEMS_MAX) });
      const [first, last] = [page.entries[0], page.entries.at(-1)];
      if (!first || !last) return;
      yield page;
      left -= page.entries.length;
      if (!page.more) return;
      place = question.after === undefined ? { before: first.seq } : { after: last.seq };
    }
  }

  /** Messages that this device has, without asking the server: the newest before a `seq`, ascending. */
  stored(conversation: string, before = Number.MAX_SAFE_INTEGER, limit = PAGE_ITEMS_MAX): Promise<Message[]> {
    return this.#database.messages(conversation, before, limit);
  }

  /** The list of conversations, complete, ascending by their opaque names. */
  async conversations(): Promise<Summary[]> {
    return (await this.#ask('conversations', 'conversations', {})).items;
  }

  /**
   * Everything up to this message was read, on all of the user's devices. It is kept until the server has heard of
   * it, over reconnects and reloads.
   */
  async read(target: Target, seq: number): Promise<void> {
    await this.#ask('done', 'read', { ...target, seq });
  }

  /** Who has a message of the user's. */
  async receipts(target: Target, seq: number): Promise<Receipts> {
    const { delivered, read, members, by } = await this.#ask('receipts', 'receipts', { ...target, seq });
    return { delivered, read, members, by };
  }

  /** Changes the user's flags of a conversation; what is left out stays. */
  async flag(target: Target, flags: { mute?: boolean; pin?: boolean; archive?: boolean }): Promise<void> {
    await this.#ask('done', 'flag', { ...target, ...flags });
  }

  /** Says that the user types or stops; as often as keys are pressed. Nobody hears of it without a connection. */
  async typing(target: Target, on: boolean): Promise<void> {
    await this.#tab.call('say', { name: 'typing', command: { ...target, on } });
  }

  /** Takes no more direct messages of a user. */
  async block(user: string): Promise<void> {
    await this.#ask('done', 'block', { user });
  }

  async unblock(user: string): Promise<void> {
    await this.#ask('done', 'unblock', { user });
  }

  async settings(): Promise<Settings> {
    return (await this.#ask('settings', 'settings', {})).settings;
  }

  /** Changes some settings; those left out stay. */
  async changeSettings(change: Partial<Settings>): Promise<void> {
    await this.#ask('done', 'settings', { ...change });
  }

  /**
   * Waits until everything is sent, at most `deadlineMs`, and lets go of the connection and the database. Other tabs
   * go on. How many sends are left: they go out at the next start.
   */
  async close(deadlineMs = 1_000): Promise<number> {
    this.#leave();
    const unsettled = await this.#tab.close(deadlineMs);
    this.#emitter.end();
    this.#database.close();
    return unsettled;
  }

  async #ask<Type extends Answer['type']>(
    type: Type,
    name: string,
    command: Record<string, unknown>,
  ): Promise<Extract<Answer, { type: Type }>> {
    if (!this.can(name)) throw new IrisError('unsupported', `this client does not know ${name}`);
    const answer = await this.#tab.call('ask', { name, command });
    if (answer.type !== type) throw new IrisError('bad_frame', `${answer.type} does not answer ${name}`);
    return answer as Extract<Answer, { type: Type }>;
  }

  #done(number: number, key: string): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#waiting.set(number, { key, resolve });
      // It may have been settled before its number was known here.
      void this.#lookUpOne(number, key);
    });
  }

  #settle(number: number, outcome: Outcome): void {
    this.#waiting.get(number)?.resolve(outcome);
    this.#waiting.delete(number);
  }

  /** After a change of the leader: an outcome may have been told to nobody here. */
  async #lookUp(): Promise<void> {
    for (const [number, { key }] of [...(this.#waiting ?? [])]) await this.#lookUpOne(number, key);
  }

  async #lookUpOne(number: number, key: string): Promise<void> {
    const known = await this.#database.sendOf(key).catch(() => undefined);
    if (known?.outcome) this.#settle(number, known.outcome);
  }
}

/** Calls back when the network or the person is back; the returned function ends that. */
function onReturn(back: () => void): () => void {
  if (typeof document === 'undefined') return () => undefined;
  const shown = () => {
    if (document.visibilityState === 'visible') back();
  };
  addEventListener('online', back);
  document.addEventListener('visibilitychange', shown);
  return () => {
    removeEventListener('online', back);
    document.removeEventListener('visibilitychange', shown);
  };
}
