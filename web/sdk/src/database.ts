/**
 * The local database of one device, in IndexedDB: outbox, cursor, messages, and what the application has yet to take.
 *
 * Each list of operations is one transaction with durability `strict`: when `apply` resolves it is on the disk. All
 * tabs of a browser profile share the database; only the tab that holds the connection writes the machine's part.
 */

import { IrisError } from './error.js';
import { SETTLED_KEYS_MAX } from './limits.js';
import type {
  Item,
  Message,
  Outcome,
  OwnMessage,
  Peer,
  Refusal,
  Restored,
  Settled,
  StoreOperation,
  Unreported,
  Unsent,
} from './machine.js';
import { keyOf } from './reference.js';

const LAYOUT = 1;

/** A message as it is kept; `offset` only of those that came by the inbox. */
export type StoredMessage = Message & { offset?: number };

/** What the application has yet to take: a message that is in its store, a gap, or anything else as it is. */
type Waiting = { offset: number } & ({ conversation: string; seq: number } | { first: number } | { item: Item });

/** A send that the server refused for good, until the application resends or discards it. */
export interface FailedSend {
  unsent: Unsent;
  refusal: Refusal;
}

/** What became of a send, by the key that its tab gave it. */
export interface KnownSend {
  number: number;
  key: string;
  outcome: Outcome | null;
}

const STORES = [
  'counters',
  'unsent',
  'settled',
  'messages',
  'marks',
  'targets',
  'readMarks',
  'waiting',
  'failed',
  'sends',
] as const;

export class Database {
  readonly #engine: IDBDatabase;

  private constructor(
    engine: IDBDatabase,
    readonly user: string,
    readonly device: string,
  ) {
    this.#engine = engine;
    // Another version of the SDK wants to change the layout: it may.
    engine.onversionchange = () => engine.close();
  }

  /** Opens the database of a device, or makes it. */
  static async open(factory: IDBFactory, user: string, device: string): Promise<Database> {
    const opening = factory.open(databaseName(user, device), LAYOUT);
    opening.onupgradeneeded = () => create(opening.result);
    return new Database(await answer(opening), user, device);
  }

  /** What a machine that starts now is given. */
  async restore(): Promise<Restored> {
    const transaction = this.#engine.transaction(STORES, 'readonly');
    const store = (name: (typeof STORES)[number]) => transaction.objectStore(name);
    const [cursor, lastNumber, unsent, settled, waiting, marks, targets, readMarks] = await Promise.all([
      answer<number | undefined>(store('counters').get('cursor')),
      answer<number | undefined>(store('counters').get('lastNumber')),
      answer<Unsent[]>(store('unsent').getAll()),
      answer<Settled[]>(store('settled').getAll()),
      answer<Waiting[]>(store('waiting').getAll()),
      entries<number>(store('marks')),
      entries<Peer>(store('targets')),
      entries<number>(store('readMarks')),
    ]);
    const unreported = await Promise.all(
      waiting.map(async (entry): Promise<Unreported> => {
        if ('first' in entry) return { type: 'gap', first: entry.first, last: entry.offset };
        if ('item' in entry) return { type: 'item', offset: entry.offset, item: entry.item };
        const found = await answer<StoredMessage | undefined>(store('messages').get([entry.conversation, entry.seq]));
        if (!found) throw new IrisError('database_failed', 'a message that waits is not there');
        return { type: 'item', offset: entry.offset, item: { type: 'message', message: plainMessage(found) } };
      }),
    );
    return {
      cursor: cursor ?? 0,
      lastNumber: lastNumber ?? 0,
      unsent,
      settled,
      unreported,
      marks,
      targets,
      readMarks: readMarks.map(([key, upTo]) => [peerOf(key), upTo]),
    };
  }

  /** Applies everything in order and durably, or nothing. */
  async apply(operations: readonly StoreOperation[]): Promise<void> {
    await this.#write((transaction) => {
      for (const operation of operations) applyOne(transaction, operation, this);
    });
  }

  /** The newest stored messages of a conversation before a `seq`, ascending. */
  async messages(conversation: string, before: number, limit: number): Promise<Message[]> {
    const range = IDBKeyRange.bound([conversation, 0], [conversation, before], false, true);
    const store = this.#engine.transaction('messages', 'readonly').objectStore('messages');
    const found: Message[] = [];
    await eachBackwards(store.openCursor(range, 'prev'), (message) => {
      found.push(plainMessage(message));
      return found.length < limit;
    });
    return found.reverse();
  }

  /** Messages that came by the inbox behind an offset and up to another, ascending. */
  async receivedBetween(after: number, upTo: number): Promise<StoredMessage[]> {
    if (upTo <= after) return [];
    const index = this.#engine.transaction('messages', 'readonly').objectStore('messages').index('offset');
    return answer<StoredMessage[]>(index.getAll(IDBKeyRange.bound(after, upTo, true, false)));
  }

  /** Sends that wait for the server, in the order of acceptance. */
  async unsent(): Promise<Unsent[]> {
    return answer<Unsent[]>(this.#store('unsent').getAll());
  }

  /** Sends that failed, in the order of acceptance. */
  async failed(): Promise<FailedSend[]> {
    return answer<FailedSend[]>(this.#store('failed').getAll());
  }

  /** A send that failed. */
  async failedSend(number: number): Promise<FailedSend | undefined> {
    return answer<FailedSend | undefined>(this.#store('failed').get(number));
  }

  /** Forgets a send that failed; the send, when it was there. */
  async takeFailed(number: number): Promise<FailedSend | undefined> {
    let found: FailedSend | undefined;
    await this.#write((transaction) => {
      const store = transaction.objectStore('failed');
      const request = store.get(number) as IDBRequest<FailedSend | undefined>;
      request.onsuccess = () => {
        found = request.result;
        store.delete(number);
      };
    });
    return found;
  }

  /** A send by the key that its tab gave it. */
  async sendOf(key: string): Promise<KnownSend | undefined> {
    const store = this.#engine.transaction('sends', 'readonly').objectStore('sends');
    return answer<KnownSend | undefined>(store.index('key').get(key));
  }

  close(): void {
    this.#engine.close();
  }

  #store(name: (typeof STORES)[number]): IDBObjectStore {
    return this.#engine.transaction(name, 'readonly').objectStore(name);
  }

  #write(work: (transaction: IDBTransaction) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.#engine.transaction(STORES, 'readwrite', { durability: 'strict' });
      const failed = () => reject(new IrisError('database_failed', transaction.error?.message ?? 'aborted'));
      transaction.oncomplete = () => resolve();
      transaction.onabort = failed;
      try {
        work(transaction);
      } catch (error) {
        transaction.abort();
        throw error;
      }
    });
  }
}

/** The name of a device's database. */
export function databaseName(user: string, device: string): string {
  return `iris:${user}:${device}`;
}

function create(engine: IDBDatabase): void {
  engine.createObjectStore('counters');
  engine.createObjectStore('unsent', { keyPath: 'number' });
  engine.createObjectStore('settled', { keyPath: 'number' });
  engine.createObjectStore('messages', { keyPath: ['conversation', 'seq'] }).createIndex('offset', 'offset');
  engine.createObjectStore('marks');
  engine.createObjectStore('targets');
  engine.createObjectStore('readMarks');
  engine.createObjectStore('waiting', { keyPath: 'offset' });
  engine.createObjectStore('failed', { keyPath: 'unsent.number' });
  engine.createObjectStore('sends', { keyPath: 'number' }).createIndex('key', 'key');
}

function applyOne(transaction: IDBTransaction, operation: StoreOperation, owner: Database): void {
  const store = (name: (typeof STORES)[number]) => transaction.objectStore(name);
  switch (operation.type) {
    case 'putUnsent': {
      const { unsent } = operation;
      raise(store('counters'), 'lastNumber', unsent.number);
      store('unsent').put(unsent);
      const key = keyOf(unsent.reference);
      if (key !== undefined) store('sends').put({ number: unsent.number, key, outcome: null } satisfies KnownSend);
      break;
    }
    case 'settle':
      settle(transaction, operation.settled);
      break;
    case 'dropSettled':
      store('settled').delete(operation.number);
      break;
    case 'putSent': {
      const { message } = operation;
      store('messages').put(ownMessage(message, owner));
      store('targets').put(message.to, message.conversation);
      break;
    }
    case 'putReceived': {
      const { offset, item, target } = operation;
      if (item.type !== 'message') {
        store('waiting').put({ offset, item } satisfies Waiting);
        break;
      }
      const { conversation, seq } = item.message;
      store('messages').put({ ...item.message, offset } satisfies StoredMessage);
      store('marks').put(seq, conversation);
      if (target) store('targets').put(target, conversation);
      store('waiting').put({ offset, conversation, seq } satisfies Waiting);
      break;
    }
    case 'putReadMark':
      store('readMarks').put(operation.upTo, peerKey(operation.target));
      break;
    case 'dropReadMark':
      store('readMarks').delete(peerKey(operation.target));
      break;
    case 'putGap':
      store('waiting').put({ offset: operation.last, first: operation.first } satisfies Waiting);
      break;
    case 'setShown':
      store('waiting').delete(IDBKeyRange.upperBound(operation.offset));
      break;
    case 'setCursor':
      raise(store('counters'), 'cursor', operation.offset);
      break;
  }
}

/** Moves a send from the outbox to the outcomes; keeps what is needed to send it again if it failed. */
function settle(transaction: IDBTransaction, settled: Settled): void {
  const { number, outcome } = settled;
  const unsent = transaction.objectStore('unsent');
  if (outcome.type === 'failed') {
    const request = unsent.get(number) as IDBRequest<Unsent | undefined>;
    request.onsuccess = () => {
      if (request.result) {
        const failed: FailedSend = { unsent: request.result, refusal: outcome.refusal };
        transaction.objectStore('failed').put(failed);
      }
      unsent.delete(number);
    };
  } else {
    unsent.delete(number);
  }
  transaction.objectStore('settled').put(settled);
  const key = keyOf(settled.reference);
  const sends = transaction.objectStore('sends');
  if (key !== undefined) sends.put({ number, key, outcome } satisfies KnownSend);
  if (number > SETTLED_KEYS_MAX) forgetSends(sends, number - SETTLED_KEYS_MAX);
}

/** Drops what is remembered of sends up to a number, except those that are not settled. */
function forgetSends(sends: IDBObjectStore, upTo: number): void {
  const request = sends.openCursor(IDBKeyRange.upperBound(upTo));
  request.onsuccess = () => {
    const cursor = request.result;
    if (!cursor) return;
    if ((cursor.value as KnownSend).outcome) cursor.delete();
    cursor.continue();
  };
}

function raise(counters: IDBObjectStore, name: string, value: number): void {
  const request = counters.get(name) as IDBRequest<number | undefined>;
  request.onsuccess = () => {
    if (value > (request.result ?? 0)) counters.put(value, name);
  };
}

/** As the conversation shows it. */
function ownMessage(message: OwnMessage, { user, device }: Database): StoredMessage {
  const { to, ...rest } = message;
  return { ...rest, from: user, with: 'user' in to ? to.user : null, title: null, origin: device };
}

function peerKey(peer: Peer): string {
  return 'user' in peer ? `u:${peer.user}` : `g:${peer.group}`;
}

function peerOf(key: string): Peer {
  const name = key.slice(2);
  return key.startsWith('u:') ? { user: name } : { group: name };
}

/** All keys and values of a store. */
async function entries<T>(store: IDBObjectStore): Promise<[string, T][]> {
  const [keys, values] = await Promise.all([answer(store.getAllKeys()), answer<T[]>(store.getAll())]);
  return values.map((value, at) => [String(keys[at]), value]);
}

function plainMessage(stored: StoredMessage): Message {
  const { offset: _, ...message } = stored;
  return message;
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new IrisError('database_failed', request.error?.message ?? 'failed'));
  });
}

function eachBackwards(
  request: IDBRequest<IDBCursorWithValue | null>,
  take: (message: StoredMessage) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    request.onerror = () => reject(new IrisError('database_failed', request.error?.message ?? 'failed'));
    request.onsuccess = () => {
      const cursor = request.result;
      if (!cursor || !take(cursor.value as StoredMessage)) resolve();
      else cursor.continue();
    };
  });
}
