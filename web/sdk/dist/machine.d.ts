/**
 * The client's rules, compiled from Rust, and the types of what goes in and out.
 *
 * The shapes are those of `crates/client-web/src/view`; `test/samples.ts`, which that crate writes, fails to compile
 * when they differ.
 */
export type Role = 'owner' | 'admin' | 'member';
/** What became of a group. */
export type Change = {
    type: 'created';
    title: string;
} | {
    type: 'invited';
    user: string;
} | {
    type: 'added';
    user: string;
} | {
    type: 'joined';
} | {
    type: 'removed';
    user: string;
}
/** `heir`: the owner left, and this is the new one. */
 | {
    type: 'left';
    heir: string | null;
} | {
    type: 'renamed';
    title: string;
} | {
    type: 'described';
    description: string;
} | {
    type: 'role';
    user: string;
    role: Role;
} | {
    type: 'policy';
    policy: Policy[];
};
/** What a group allows beyond what its owner and admins may. */
export type Policy = 'admins_add' | 'members_add' | 'members_invite' | 'members_describe' | 'only_admins_write' | 'open_history';
/** A body: `text` for kind 1, `base64` for every other kind; of kind 0 also what it says. */
export interface Body {
    kind: number;
    text?: string;
    base64?: string;
    change?: Change;
}
/** A conversation as one names it: by the other member, or by the group. */
export type Peer = {
    user: string;
} | {
    group: string;
};
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
    /** The other member; null in a group. */
    with: string | null;
    /** What the group is called; null in a direct conversation. */
    title: string | null;
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
export interface Flags {
    muted: boolean;
    pinned: boolean;
    archived: boolean;
    /** Of a direct conversation: the other member is. */
    blocked: boolean;
}
/** One line of the list of conversations. */
export interface Summary {
    conversation: string;
    /** The other member; null for a group. */
    with: string | null;
    /** What the group is called; null for a direct conversation. */
    title: string | null;
    standing: 'member' | 'invited' | 'gone';
    /** The last message that the user may see. */
    lastSeq: number;
    read: number;
    /** Messages of others behind it. */
    unread: number;
    flags: Flags;
    /** The beginning of the last message. */
    last: {
        from: string;
        sentAt: number;
        body: Body;
    };
}
export interface Group {
    group: string;
    title: string;
    description: string;
    policy: Policy[];
    createdAt: number;
    members: number;
    invited: number;
    /** The asking user's; null when invited. */
    role: Role | null;
    lastSeq: number;
}
export interface Member {
    user: string;
    /** Null: invited. */
    role: Role | null;
    since: number;
}
export interface Marks {
    delivered: number;
    read: number;
}
export interface Reader extends Marks {
    user: string;
}
export interface Settings {
    readReceipts: boolean;
    lastSeen: 'everybody' | 'contacts' | 'nobody';
    typing: boolean;
}
export interface PresenceState {
    user: string;
    online: boolean;
    /** Milliseconds since 1970; null: online, or not told. */
    lastSeen: number | null;
}
/** An entry of the inbox. */
export type Item = {
    type: 'message';
    message: Message;
} | {
    type: 'receipt';
    conversation: string;
    user: string;
    marks: Marks;
    at: number;
} | {
    type: 'groupReceipt';
    group: string;
    seq: number;
    delivered: number;
    read: number;
    members: number;
    everybody: Marks;
    at: number;
} | {
    type: 'state';
    conversation: string;
    read: number;
    unread: number;
    flags: Flags;
    at: number;
} | {
    type: 'settings';
    settings: Settings;
    at: number;
};
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
    to: Peer;
    body: Body;
    id: string | null;
    idGiven: boolean;
    reference: string | null;
}
export type Outcome = {
    type: 'sent';
    conversation: string;
    seq: number;
    sentAt: number;
} | {
    type: 'failed';
    refusal: Refusal;
};
export interface Settled {
    number: number;
    to: Peer;
    id: string | null;
    reference: string | null;
    outcome: Outcome;
}
export type Unreported = {
    type: 'item';
    offset: number;
    item: Item;
} | {
    type: 'gap';
    first: number;
    last: number;
};
/** A message that this device sent. */
export interface OwnMessage {
    conversation: string;
    seq: number;
    id: string;
    to: Peer;
    sentAt: number;
    body: Body;
}
export type StoreOperation = {
    type: 'putUnsent';
    unsent: Unsent;
} | {
    type: 'settle';
    settled: Settled;
} | {
    type: 'dropSettled';
    number: number;
} | {
    type: 'putSent';
    message: OwnMessage;
} | {
    type: 'putReceived';
    offset: number;
    item: Item;
    target: Peer | null;
} | {
    type: 'putGap';
    first: number;
    last: number;
} | {
    type: 'setShown';
    offset: number;
} | {
    type: 'setCursor';
    offset: number;
} | {
    type: 'putReadMark';
    target: Peer;
    upTo: number;
} | {
    type: 'dropReadMark';
    target: Peer;
};
export interface Restored {
    cursor: number;
    lastNumber: number;
    unsent: Unsent[];
    settled: Settled[];
    unreported: Unreported[];
    marks: [string, number][];
    targets: [string, Peer][];
    readMarks: [Peer, number][];
}
export type Mark = {
    type: 'entries';
    offset: number;
} | {
    type: 'send';
    number: number;
} | {
    type: 'query';
    number: number;
};
/** What answers a question, by its number. */
export type Answer = {
    type: 'historyPage';
    query: number;
    conversation: string;
    with: Peer;
    entries: Entry[];
} | {
    type: 'historyEnd';
    query: number;
    with: Peer;
    count: number;
    more: boolean;
} | {
    type: 'conversations';
    query: number;
    items: Summary[];
    next: string | null;
} | {
    type: 'devices';
    query: number;
    items: Device[];
} | {
    type: 'done';
    query: number;
} | {
    type: 'groupCreated';
    query: number;
    group: string;
}
/** `seq` null: it was so already. */
 | {
    type: 'groupChanged';
    query: number;
    group: string;
    seq: number | null;
} | {
    type: 'group';
    query: number;
    group: Group;
} | {
    type: 'roster';
    query: number;
    group: string;
    items: Member[];
    next: string | null;
} | {
    type: 'receipts';
    query: number;
    seq: number;
    delivered: number;
    read: number;
    members: number;
    by: Reader[];
} | {
    type: 'settings';
    query: number;
    settings: Settings;
} | {
    type: 'presences';
    query: number;
    items: PresenceState[];
} | {
    type: 'queryFailed';
    query: number;
    refusal: Refusal;
};
/** What comes unasked. */
export type News = {
    type: 'ready';
} | {
    type: 'synced';
} | {
    type: 'accepted';
    number: number;
} | {
    type: 'settled';
    settled: Settled;
} | {
    type: 'entry';
    offset: number;
    item: Item;
} | {
    type: 'gap';
    first: number;
    last: number;
} | {
    type: 'presence';
    presence: PresenceState;
} | {
    type: 'typing';
    conversation: string;
    user: string;
    on: boolean;
} | {
    type: 'refused';
    refusal: Refusal;
} | {
    type: 'stopped';
    refusal: Refusal;
} | {
    type: 'disconnected';
};
export type MachineEvent = Answer | News;
export type Output = {
    type: 'connect';
    at: number;
} | {
    type: 'disconnect';
} | {
    type: 'store';
    token: number;
    operations: StoreOperation[];
} | {
    type: 'event';
    event: MachineEvent;
    mark: Mark | null;
};
/** A command by its name, as `Command` of `crates/client-web` reads it. */
export type Command = Record<string, Record<string, unknown>>;
export type Taken = {
    number: number;
} | {
    error: {
        name: string;
        message: string;
    };
};
/** The two clocks of a device, in milliseconds. */
export interface Now {
    wall: number;
    monotonic: number;
}
/** Loads the module once. `source`: its bytes, or where it is; by default beside this file. */
export declare function loadMachine(source?: BufferSource | URL | string): Promise<unknown>;
/** The commands that the loaded module takes. */
export declare function machineCommands(): ReadonlySet<string>;
/** One device of a user, in typed words. */
export declare class Machine {
    #private;
    constructor(user: string, device: string, restored: Restored, seed: bigint);
    connected(token: string, now: Now): void;
    received(bytes: Uint8Array, now: Now): void;
    disconnected(now: Now): void;
    stored(token: number): void;
    command(command: Command, now: Now): Taken;
    handedOver(mark: Mark): void;
    turn(now: Now): Output[];
    /** Whole frames; empty when there is nothing to be sent. */
    transmit(): Uint8Array;
    deadline(): number | undefined;
    unsettled(): number;
    isIdle(): boolean;
    isStopped(): boolean;
    free(): void;
}
