/** What applications see: events and answers of the TypeScript API. */

import type { Body, Entry, Flags, Marks, Message, Outcome, Peer, PresenceState, Refusal, Settings, Unsent } from './machine.js';
import type { PlainError } from './error.js';

export type {
  Body,
  Change,
  Device,
  Entry,
  Flags,
  Group,
  Marks,
  Member,
  Message,
  Outcome,
  Peer,
  Policy,
  PresenceState,
  Reader,
  Refusal,
  Role,
  Settings,
  Summary,
} from './machine.js';

/** Where a message goes. */
export type Target = { to: string } | { group: string };

/** Whose history is asked for. */
export type With = { with: string } | { group: string };

/** What to send: a text, or a body of another kind. */
export type NewMessage = Target & {
  text?: string;
  body?: Body;
  /** Comes back with the outcome, also after a restart; at most 900 bytes of JSON. */
  reference?: string;
};

/** A send that is over. */
export interface Sent {
  number: number;
  to: Peer;
  id: string | null;
  reference: string | null;
  outcome: Outcome;
}

/** A send that waits for the server, or that failed. */
export interface Outgoing {
  number: number;
  to: Peer;
  body: Body;
  reference: string | null;
  /** Why it failed; null while it waits. */
  failed: Refusal | null;
}

/** A part of a conversation, ascending by `seq`. */
export interface Page {
  /** Null when the page is empty. */
  conversation: string | null;
  entries: Entry[];
  /** There are further ones in the direction asked for. */
  more: boolean;
}

export interface HistoryQuestion {
  limit?: number;
  before?: number;
  after?: number;
}

/** Who has a message. */
export interface Receipts {
  delivered: number;
  read: number;
  /** Who should have it, its author left out. */
  members: number;
  by: (Marks & { user: string })[];
}

/** How the connection is. */
export type Status =
  /** Not connected; the next attempt follows by itself. */
  | 'connecting'
  /** Logged in; what waited at the server is coming in. */
  | 'syncing'
  /** Up to date. */
  | 'live'
  /** The server refused for good, or the local database failed: nothing more is tried. */
  | 'stopped'
  /** Closed by the application. */
  | 'closed';

export interface State {
  status: Status;
  /** Why it is stopped, or why the last attempt failed. */
  reason: PlainError | null;
  /** This tab holds the connection. */
  leads: boolean;
}

/** What an application is told, by name. */
export interface Events {
  /** A message from somebody else or from another device; once, ascending by `seq` in each conversation. */
  message: Message;
  /** A send was taken into the outbox, by this tab or another. */
  accepted: Outgoing;
  /** A send is over: sent, or failed for good. */
  sent: Sent;
  /** A failed send was discarded or sent again. */
  discarded: { number: number };
  /** Entries of the inbox expired before this device had them; history may still have them. */
  gap: { first: number; last: number };
  state: State;
  /** How far the other member of a direct conversation is. */
  receipt: { conversation: string; user: string } & Marks;
  /** How far a group has the user's newest message, `seq`; `everybody`: up to where all have all. */
  groupReceipt: { group: string; seq: number; delivered: number; read: number; members: number; everybody: Marks };
  /** One of the user's devices, possibly this one, changed how a conversation stands. */
  conversation: { conversation: string; read: number; unread: number; flags: Flags };
  /** One of the user's devices, possibly this one, changed the settings. */
  settings: Settings;
  presence: PresenceState;
  typing: { conversation: string; user: string; on: boolean };
}

/** The names of {@link Events}. */
export type EventName = keyof Events;

/** An event with its name, as iterators and other tabs see it. */
export type NamedEvent = { [Name in EventName]: { name: Name; value: Events[Name] } }[EventName];

export function outgoing(unsent: Unsent, reference: string | null, failed: Refusal | null): Outgoing {
  const { number, to, body } = unsent;
  return { number, to, body, reference, failed };
}
