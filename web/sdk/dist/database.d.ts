/**
 * The local database of one device, in IndexedDB: outbox, cursor, messages, and what the application has yet to take.
 *
 * Each list of operations is one transaction with durability `strict`: when `apply` resolves it is on the disk. All
 * tabs of a browser profile share the database; only the tab that holds the connection writes the machine's part.
 */
import type { Message, Outcome, Refusal, Restored, StoreOperation, Unsent } from './machine.js';
/** A message as it is kept; `offset` only of those that came by the inbox. */
export type StoredMessage = Message & {
    offset?: number;
};
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
export declare class Database {
    #private;
    readonly user: string;
    readonly device: string;
    private constructor();
    /** Opens the database of a device, or makes it. */
    static open(factory: IDBFactory, user: string, device: string): Promise<Database>;
    /** What a machine that starts now is given. */
    restore(): Promise<Restored>;
    /** Applies everything in order and durably, or nothing. */
    apply(operations: readonly StoreOperation[]): Promise<void>;
    /** The newest stored messages of a conversation before a `seq`, ascending. */
    messages(conversation: string, before: number, limit: number): Promise<Message[]>;
    /** Messages that came by the inbox behind an offset and up to another, ascending. */
    receivedBetween(after: number, upTo: number): Promise<StoredMessage[]>;
    /** Sends that wait for the server, in the order of acceptance. */
    unsent(): Promise<Unsent[]>;
    /** Sends that failed, in the order of acceptance. */
    failed(): Promise<FailedSend[]>;
    /** A send that failed. */
    failedSend(number: number): Promise<FailedSend | undefined>;
    /** Forgets a send that failed; the send, when it was there. */
    takeFailed(number: number): Promise<FailedSend | undefined>;
    /** A send by the key that its tab gave it. */
    sendOf(key: string): Promise<KnownSend | undefined>;
    close(): void;
}
/** The name of a device's database. */
export declare function databaseName(user: string, device: string): string;
