/** Handlers by event, and iterators over all events. */

import type { EventName, Events, NamedEvent } from './types.js';

export type Handler<Name extends EventName> = (value: Events[Name]) => void | Promise<void>;

type AnyHandler = (event: NamedEvent) => void | Promise<void>;

export class Emitter {
  readonly #handlers = new Map<EventName, Set<(value: never) => void | Promise<void>>>();
  readonly #readers = new Set<Reader>();

  /** Calls the handler for each such event; the returned function ends that. */
  on<Name extends EventName>(name: Name, handler: Handler<Name>): () => void {
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers);
    handlers.add(handler as (value: never) => void | Promise<void>);
    return () => handlers.delete(handler as (value: never) => void | Promise<void>);
  }

  /** All events from now on; leaving the loop ends it. */
  iterate(): AsyncIterableIterator<NamedEvent> {
    const reader = new Reader(() => this.#readers.delete(reader));
    this.#readers.add(reader);
    return reader;
  }

  /**
   * Resolves when every handler and every reader is done with the event: a handler when its promise resolves, a
   * reader when it asks for the next one. What a handler throws is reported and ends nothing.
   */
  async emit(event: NamedEvent): Promise<void> {
    const handlers = [...(this.#handlers.get(event.name) ?? [])];
    const calls: AnyHandler[] = handlers.map((handler) => ({ value }) => handler(value as never));
    const waiting = calls.map((call) => settle(call, event));
    for (const reader of this.#readers) waiting.push(reader.give(event));
    const pending = waiting.filter((wait) => wait !== undefined);
    if (pending.length > 0) await Promise.all(pending);
  }

  /** Ends every iterator. */
  end(): void {
    for (const reader of this.#readers) void reader.return();
  }
}

function settle(call: AnyHandler, event: NamedEvent): Promise<void> | undefined {
  const report = (error: unknown) => console.error('iris: a handler failed', error);
  try {
    const result = call(event);
    return result instanceof Promise ? result.catch(report) : undefined;
  } catch (error) {
    report(error);
    return undefined;
  }
}

/** One loop over all events: holds one event at a time, so whoever tells waits for the reader. */
class Reader implements AsyncIterableIterator<NamedEvent> {
  readonly #ended: () => void;
  #waiting: { event: NamedEvent; taken: () => void }[] = [];
  #current: (() => void) | undefined;
  #wanted: ((result: IteratorResult<NamedEvent>) => void) | undefined;
  #isOver = false;

  constructor(ended: () => void) {
    this.#ended = ended;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  give(event: NamedEvent): Promise<void> | undefined {
    if (this.#isOver) return undefined;
    return new Promise((taken) => {
      this.#waiting.push({ event, taken });
      this.#serve();
    });
  }

  next(): Promise<IteratorResult<NamedEvent>> {
    this.#current?.();
    this.#current = undefined;
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#wanted = resolve;
      this.#serve();
    });
  }

  return(): Promise<IteratorResult<NamedEvent>> {
    this.#isOver = true;
    this.#ended();
    this.#current?.();
    for (const { taken } of this.#waiting) taken();
    this.#waiting = [];
    this.#wanted?.({ done: true, value: undefined });
    return Promise.resolve({ done: true, value: undefined });
  }

  #serve(): void {
    const next = this.#wanted && this.#waiting.shift();
    if (!next || !this.#wanted) return;
    this.#current = next.taken;
    this.#wanted({ done: false, value: next.event });
    this.#wanted = undefined;
  }
}
