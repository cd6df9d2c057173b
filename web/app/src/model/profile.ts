/** What this browser profile remembers beside messages: who is signed in, drafts, what was read. */

const NAME = 'iris-app';
const LAYOUT = 1;

/** A user's sign-in on this browser profile. */
export interface Session {
  user: string;
  token: string;
  /** Random, made once per user and profile. */
  device: string;
}

export interface Preferences {
  notifications: boolean;
  sendWithEnter: boolean;
}

/** Kept per user and chat. */
export interface ChatMemory {
  draft: string;
  /** Up to where this device has shown the conversation. */
  read: number;
  /** Up to where the others had it and had read it. */
  delivered?: number;
  readByOthers?: number;
}

export class Profile {
  readonly #engine: IDBDatabase;

  private constructor(engine: IDBDatabase) {
    this.#engine = engine;
    engine.onversionchange = () => engine.close();
  }

  static async open(): Promise<Profile> {
    const opening = indexedDB.open(NAME, LAYOUT);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore('sessions', { keyPath: 'user' });
      opening.result.createObjectStore('chats');
      opening.result.createObjectStore('preferences');
    };
    return new Profile(await answer(opening));
  }

  session(user: string): Promise<Session | undefined> {
    return answer(this.#read('sessions').get(user));
  }

  async users(): Promise<string[]> {
    return (await answer<IDBValidKey[]>(this.#read('sessions').getAllKeys())).map(String);
  }

  /** Signs in with a token; the device stays the one it was. */
  async signIn(user: string, token: string): Promise<Session> {
    const former = await this.session(user);
    const session = { user, token, device: former?.device ?? newDevice() };
    await this.#write('sessions', (store) => store.put(session));
    return session;
  }

  /** The next sign-in is a new device's. */
  async renewDevice(session: Session): Promise<Session> {
    const renewed = { ...session, device: newDevice() };
    await this.#write('sessions', (store) => store.put(renewed));
    return renewed;
  }

  async signOut(user: string): Promise<void> {
    await this.#write('sessions', (store) => store.delete(user));
  }

  /** All chats of a user, by their keys. */
  async chats(user: string): Promise<Map<string, ChatMemory>> {
    const range = IDBKeyRange.bound([user], [user, []]);
    const store = this.#read('chats');
    const [keys, values] = await Promise.all([
      answer<IDBValidKey[]>(store.getAllKeys(range)),
      answer<ChatMemory[]>(store.getAll(range)),
    ]);
    return new Map(values.map((value, at) => [String((keys[at] as string[])[1]), value]));
  }

  async remember(user: string, chat: string, memory: ChatMemory): Promise<void> {
    await this.#write('chats', (store) => store.put(memory, [user, chat]));
  }

  async preferences(user: string): Promise<Preferences> {
    const found = await answer<Partial<Preferences> | undefined>(this.#read('preferences').get(user));
    return { notifications: false, sendWithEnter: true, ...found };
  }

  async prefer(user: string, preferences: Preferences): Promise<void> {
    await this.#write('preferences', (store) => store.put(preferences, user));
  }

  #read(name: string): IDBObjectStore {
    return this.#engine.transaction(name, 'readonly').objectStore(name);
  }

  #write(name: string, work: (store: IDBObjectStore) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.#engine.transaction(name, 'readwrite');
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      work(transaction.objectStore(name));
    });
  }
}

function newDevice(): string {
  const random = crypto.getRandomValues(new Uint8Array(8));
  return `web-${Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
