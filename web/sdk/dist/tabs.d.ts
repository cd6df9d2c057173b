/**
 * Tabs of one browser profile and user: one of them leads and holds the connection (a Web Lock says which), the
 * others ask it and are told by a BroadcastChannel. When the leader goes, the lock passes on, and nothing is lost or
 * told twice: every tab knows the offset that it was told up to, and what it missed is in the database that they
 * share.
 */
import { type Calls, type HostOptions } from './host.js';
import type { NamedEvent, State } from './types.js';
export interface TabOptions extends Omit<HostOptions, 'told' | 'tell'> {
    /** The browser's; without it this is the only tab. */
    locks: LockManager | undefined;
    channel: BroadcastChannel | undefined;
    /** Tells this tab's application. */
    emit: (event: NamedEvent) => Promise<void>;
    /** The leader is another one now: what waits for news may ask anew. */
    leaderChanged: () => void;
}
export declare class Tab {
    #private;
    constructor(options: TabOptions);
    get state(): State;
    call<Name extends keyof Calls>(name: Name, given: Calls[Name]['arguments']): Promise<Calls[Name]['result']>;
    /** Waits until nothing is left to be sent, at most until the deadline; how many sends are left. */
    close(deadlineMs: number): Promise<number>;
}
