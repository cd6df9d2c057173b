/** One chat: what the list shows of it, and its timeline. */

import { signal } from '@preact/signals';
import type { Body, Entry, Flags, Member, Outgoing, Summary, Target, With } from '@iris/sdk';
import { Timeline } from './timeline.js';

export type ChatKey = string;

export const directKey = (user: string): ChatKey => `u:${user}`;
export const groupKey = (group: string): ChatKey => `g:${group}`;

/** What the list shows of the last message; `text` may be only its beginning. */
export interface Last {
  seq: number;
  from: string;
  sentAt: number;
  body: Body;
}

export class Chat {
  readonly timeline = new Timeline();
  /** Counts changes of the timeline and of what waits to be sent. */
  readonly changed = signal(0);
  readonly last = signal<Last | undefined>(undefined);
  readonly lastSeq = signal(0);
  /** Up to where this user has read. */
  readonly read = signal(0);
  /** By the server's count, which knows other devices; undefined where it does not tell. */
  readonly unreadTold = signal<number | undefined>(undefined);
  readonly draft = signal('');
  readonly waiting = signal<Outgoing[]>([]);
  readonly name = signal('');
  readonly muted = signal(false);
  readonly pinned = signal(false);
  readonly archived = signal(false);
  readonly blocked = signal(false);
  readonly standing = signal<Summary['standing']>('member');
  /** Up to where the others have it: of a direct chat the other member, of a group all. */
  readonly delivered = signal(0);
  readonly readByOthers = signal(0);
  readonly typing = signal<ReadonlySet<string>>(new Set());
  readonly members = signal<Member[] | undefined>(undefined);
  /** How many are in a group, as far as is known. */
  readonly size = signal<number | undefined>(undefined);
  readonly online = signal(false);
  readonly lastSeen = signal<number | null>(null);
  conversation: string | undefined;
  /** When there is nothing said yet: to be shown at the top of the list. */
  openedAt = 0;

  constructor(
    readonly user: string | undefined,
    readonly group: string | undefined,
  ) {
    this.name.value = user ?? 'Group';
  }

  get key(): ChatKey {
    return this.user === undefined ? groupKey(this.group ?? '') : directKey(this.user);
  }

  get target(): Target {
    return this.user === undefined ? { group: this.group ?? '' } : { to: this.user };
  }

  get with(): With {
    return this.user === undefined ? { group: this.group ?? '' } : { with: this.user };
  }

  get isGroup(): boolean {
    return this.user === undefined;
  }

  get unread(): number {
    return this.unreadTold.value ?? Math.max(0, this.lastSeq.value - this.read.value);
  }

  /** For the order of the list. */
  get activeAt(): number {
    const waiting = this.waiting.value.length > 0 ? Date.now() : 0;
    return Math.max(this.last.value?.sentAt ?? 0, this.openedAt, waiting);
  }

  touch(): void {
    this.changed.value += 1;
  }

  /** A line of the server's list. */
  take(item: Summary): void {
    this.conversation = item.conversation;
    this.lastSeq.value = Math.max(this.lastSeq.value, item.lastSeq);
    if (item.title !== null) this.name.value = item.title;
    this.standing.value = item.standing;
    this.read.value = Math.max(this.read.value, item.read);
    this.unreadTold.value = item.unread;
    this.flag(item.flags);
    const { last, lastSeq: seq } = item;
    if (seq > (this.last.value?.seq ?? 0)) this.last.value = { seq, ...last };
  }

  /** The connection is gone, and with it what was only true for the moment. */
  lose(): void {
    this.online.value = false;
    this.lastSeen.value = null;
    this.typing.value = new Set();
  }

  flag({ muted, pinned, archived, blocked }: Flags): void {
    this.muted.value = muted;
    this.pinned.value = pinned;
    this.archived.value = archived;
    this.blocked.value = blocked;
  }

  /** How far the others are; never moves back. */
  marks(delivered: number, read: number): boolean {
    const [wasDelivered, wasRead] = [this.delivered.value, this.readByOthers.value];
    this.delivered.value = Math.max(wasDelivered, delivered, read);
    this.readByOthers.value = Math.max(wasRead, read);
    return this.delivered.value > wasDelivered || this.readByOthers.value > wasRead;
  }

  /** A message that came or was sent. */
  add(entry: Entry, own: boolean): void {
    if (entry.seq > this.lastSeq.value) {
      this.lastSeq.value = entry.seq;
      if (!own && this.unreadTold.value !== undefined) this.unreadTold.value += 1;
      if (entry.body.change) this.#changed(entry);
    }
    if (!this.last.value || entry.seq >= this.last.value.seq) this.last.value = entry;
    // Whoever writes has read what came before.
    if (own) this.readUpTo(entry.seq);
    this.timeline.add(entry);
    this.touch();
  }

  /** What became of the group, as far as the list shows it. */
  #changed({ body }: Entry): void {
    const { change } = body;
    if (change?.type === 'renamed' || change?.type === 'created') this.name.value = change.title;
  }

  /** Whether that is further than before. */
  readUpTo(seq: number): boolean {
    if (seq <= this.read.value) return false;
    this.read.value = seq;
    if (this.unreadTold.value !== undefined) this.unreadTold.value = Math.max(0, this.lastSeq.value - seq);
    return true;
  }
}
