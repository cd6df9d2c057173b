/** The application's side. */
import { type Handler } from './emitter.js';
import { Groups, Presence } from './features.js';
import { type Message } from './machine.js';
import type { OpenSocket } from './transport.js';
import type { Device, EventName, HistoryQuestion, NamedEvent, NewMessage, Outcome, Outgoing, Page, Receipts, Settings, State, Summary, Target, With } from './types.js';
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
/** A device of a user. */
export declare class Iris {
    #private;
    readonly user: string;
    readonly device: string;
    /** Groups and their administration. */
    readonly groups: Groups;
    /** Who is there. */
    readonly presence: Presence;
    /** The user's devices. */
    readonly devices: {
        list: () => Promise<Device[]>;
        /** What people call it: 1 to 64 bytes without control characters. */
        rename: (device: string, label: string) => Promise<void>;
        /** Ends it for ever. It may be this one: then the state becomes `stopped`. */
        revoke: (device: string) => Promise<void>;
    };
    private constructor();
    /**
     * Opens the local database and starts to connect, and to reconnect, until {@link close}. Resolves without waiting
     * for the server. Several tabs may do so for the same user and device: they share one connection.
     */
    static connect(options: Options): Promise<Iris>;
    /** Whether this client knows a command, by its name in TypeScript: `groupCreate`, `typing`. */
    can(command: string): boolean;
    /** How the connection is; changes come as `state` events. */
    get state(): State;
    /** Calls the handler for each such event; the returned function ends that. */
    on<Name extends EventName>(name: Name, handler: Handler<Name>): () => void;
    /** All events from now on. Asking for the next says that the application is done with the former. */
    events(): AsyncIterableIterator<NamedEvent>;
    /** Sends a message, connected or not. When it resolves the message is in the local database. */
    send(message: NewMessage): Promise<Sending>;
    /** Sends that wait for the server, and those that failed until they are sent again or discarded. */
    outbox(): Promise<Outgoing[]>;
    /** Sends a message that failed again, as a new one; its new number, or null when it is not there. */
    resend(number: number): Promise<number | null>;
    /** Forgets a message that failed. */
    discard(number: number): Promise<void>;
    /** One page of history, ascending: the newest, or the nearest before or after a `seq`; at most 256 entries. */
    page(of: With, question?: HistoryQuestion): Promise<Page>;
    /**
     * Pages of history: away from the newest by default and with `before`, towards it with `after`. Each page
     * ascends. `limit` bounds all pages together.
     */
    history(of: With, question?: HistoryQuestion): AsyncGenerator<Page, void>;
    /** Messages that this device has, without asking the server: the newest before a `seq`, ascending. */
    stored(conversation: string, before?: number, limit?: number): Promise<Message[]>;
    /** The list of conversations, complete, ascending by their opaque names. */
    conversations(): Promise<Summary[]>;
    /**
     * Everything up to this message was read, on all of the user's devices. It is kept until the server has heard of
     * it, over reconnects and reloads.
     */
    read(target: Target, seq: number): Promise<void>;
    /** Who has a message of the user's. */
    receipts(target: Target, seq: number): Promise<Receipts>;
    /** Changes the user's flags of a conversation; what is left out stays. */
    flag(target: Target, flags: {
        mute?: boolean;
        pin?: boolean;
        archive?: boolean;
    }): Promise<void>;
    /** Says that the user types or stops; as often as keys are pressed. Nobody hears of it without a connection. */
    typing(target: Target, on: boolean): Promise<void>;
    /** Takes no more direct messages of a user. */
    block(user: string): Promise<void>;
    unblock(user: string): Promise<void>;
    settings(): Promise<Settings>;
    /** Changes some settings; those left out stay. */
    changeSettings(change: Partial<Settings>): Promise<void>;
    /**
     * Waits until everything is sent, at most `deadlineMs`, and lets go of the connection and the database. Other tabs
     * go on. How many sends are left: they go out at the next start.
     */
    close(deadlineMs?: number): Promise<number>;
}
