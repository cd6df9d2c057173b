/** One chat: what the list shows of it, and its timeline. */

import { signal } from '@preact/signals';
import type { Conversation, Entry, Member, Outgoing, Target, With } from '@iris/sdk';
import { Timeline } from './timeline.js';

export type ChatKey = string;

export const directKey = (user: string): ChatKey => `u:${user}`;
export const groupKey = (group: string): ChatKey => `g:${group}`;

export class Chat {
  readonly timeline = new Timeline();
  /** Counts changes of the timeline and of what waits to be sent. */
  readonly changed = signal(0);
  readonly last = signal<Entry | undefined>(undefined);
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
  /** Up to where the others have it: of a direct chat the other member, of a group all. */
  readonly delivered = signal(0);
  readonly readByOthers = signal(0);
  readonly typing = signal<ReadonlySet<string>>(new Set());
  readonly members = signal<Member[] | undefined>(undefined);
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
  take(item: Conversation): void {
    this.conversation = item.conversation;
    this.lastSeq.value = Math.max(this.lastSeq.value, item.lastSeq);
    if (item.name !== undefined) this.name.value = item.name;
    if (item.unread !== undefined) this.unreadTold.value = item.unread;
    if (item.last && item.last.seq >= (this.last.value?.seq ?? 0)) this.last.value = item.last;
    this.muted.value = item.muted ?? this.muted.value;
    this.pinned.value = item.pinned ?? this.pinned.value;
    this.archived.value = item.archived ?? this.archived.value;
  }

  /** A message that came or was sent. */
  add(entry: Entry, own: boolean): void {
    if (entry.seq > this.lastSeq.value) {
      this.lastSeq.value = entry.seq;
      if (!own && this.unreadTold.value !== undefined) this.unreadTold.value += 1;
    }
    if (!this.last.value || entry.seq >= this.last.value.seq) this.last.value = entry;
    // Whoever writes has read what came before.
    if (own) this.readUpTo(entry.seq);
    this.timeline.add(entry);
    this.touch();
  }

  /** Whether that is further than before. */
  readUpTo(seq: number): boolean {
    if (seq <= this.read.value) return false;
    this.read.value = seq;
    if (this.unreadTold.value !== undefined) this.unreadTold.value = Math.max(0, this.lastSeq.value - seq);
    return true;
  }
}
