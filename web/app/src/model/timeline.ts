/** The loaded part of a conversation: dense by `seq`, so both ends know what is missing beyond them. */

import type { Entry, Page } from '@iris/sdk';

/** Entries that may wait for the ones before them. */
const AHEAD_MAX = 512;

export class Timeline {
  /** Ascending, without holes. */
  entries: Entry[] = [];
  /** Nothing lies before the first entry. */
  atStart = false;
  /** Nothing lies behind the last entry, as far as is known. */
  atEnd = false;
  isLoaded = false;
  /** Came before their predecessors did. */
  #ahead = new Map<number, Entry>();

  get first(): number {
    return this.entries[0]?.seq ?? 0;
  }

  get last(): number {
    return this.entries.at(-1)?.seq ?? 0;
  }

  /** Begins anew with one page. */
  reset(page: Page, ends: { atStart: boolean; atEnd: boolean }): void {
    this.entries = page.entries;
    this.atStart = ends.atStart;
    this.atEnd = ends.atEnd;
    this.isLoaded = true;
    this.#takeAhead();
  }

  /** Puts an older page in front; how many entries are new. */
  prepend(page: Page): number {
    const older = page.entries.filter(({ seq }) => this.entries.length === 0 || seq < this.first);
    this.entries = [...older, ...this.entries];
    this.atStart = !page.more;
    return older.length;
  }

  /** Puts a newer page behind. */
  append(page: Page): void {
    const newer = page.entries.filter(({ seq }) => seq > this.last);
    this.entries = [...this.entries, ...newer];
    this.atEnd = !page.more;
    this.#takeAhead();
  }

  /** A message that has just come or was just sent. */
  add(entry: Entry): void {
    if (!this.isLoaded || entry.seq <= this.last) return;
    if (this.#ahead.size < AHEAD_MAX) this.#ahead.set(entry.seq, entry);
    else this.atEnd = false;
    this.#takeAhead();
  }

  /** Something came whose predecessors did not. */
  get hasHole(): boolean {
    return this.#ahead.size > 0 && this.atEnd;
  }

  /** The index of the first entry with that `seq` or a greater one. */
  indexOf(seq: number): number {
    const index = seq - this.first;
    return Math.max(0, Math.min(index, this.entries.length));
  }

  #takeAhead(): void {
    if (!this.atEnd) {
      this.#ahead.clear();
      return;
    }
    const next: Entry[] = [];
    for (let seq = this.last + 1; ; seq += 1) {
      const entry = this.#ahead.get(seq);
      if (!entry) break;
      next.push(entry);
      this.#ahead.delete(seq);
    }
    if (next.length > 0) this.entries = [...this.entries, ...next];
    for (const seq of this.#ahead.keys()) if (seq <= this.last) this.#ahead.delete(seq);
  }
}
