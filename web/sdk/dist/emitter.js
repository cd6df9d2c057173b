/** Handlers by event, and iterators over all events. */
export class Emitter {
    #handlers = new Map();
    #readers = new Set();
    /** Calls the handler for each such event; the returned function ends that. */
    on(name, handler) {
        const handlers = this.#handlers.get(name) ?? new Set();
        this.#handlers.set(name, handlers);
        handlers.add(handler);
        return () => handlers.delete(handler);
    }
    /** All events from now on; leaving the loop ends it. */
    iterate() {
        const reader = new Reader(() => this.#readers.delete(reader));
        this.#readers.add(reader);
        return reader;
    }
    /**
     * Resolves when every handler and every reader is done with the event: a handler when its promise resolves, a
     * reader when it asks for the next one. What a handler throws is reported and ends nothing.
     */
    async emit(event) {
        const handlers = [...(this.#handlers.get(event.name) ?? [])];
        const calls = handlers.map((handler) => ({ value }) => handler(value));
        const waiting = calls.map((call) => settle(call, event));
        for (const reader of this.#readers)
            waiting.push(reader.give(event));
        const pending = waiting.filter((wait) => wait !== undefined);
        if (pending.length > 0)
            await Promise.all(pending);
    }
    /** Ends every iterator. */
    end() {
        for (const reader of this.#readers)
            void reader.return();
    }
}
function settle(call, event) {
    const report = (error) => console.error('iris: a handler failed', error);
    try {
        const result = call(event);
        return result instanceof Promise ? result.catch(report) : undefined;
    }
    catch (error) {
        report(error);
        return undefined;
    }
}
/** One loop over all events: holds one event at a time, so whoever tells waits for the reader. */
class Reader {
    #ended;
    #waiting = [];
    #current;
    #wanted;
    #isOver = false;
    constructor(ended) {
        this.#ended = ended;
    }
    [Symbol.asyncIterator]() {
        return this;
    }
    give(event) {
        if (this.#isOver)
            return undefined;
        return new Promise((taken) => {
            this.#waiting.push({ event, taken });
            this.#serve();
        });
    }
    next() {
        this.#current?.();
        this.#current = undefined;
        if (this.#isOver)
            return Promise.resolve({ done: true, value: undefined });
        return new Promise((resolve) => {
            this.#wanted = resolve;
            this.#serve();
        });
    }
    return() {
        this.#isOver = true;
        this.#ended();
        this.#current?.();
        for (const { taken } of this.#waiting)
            taken();
        this.#waiting = [];
        this.#wanted?.({ done: true, value: undefined });
        return Promise.resolve({ done: true, value: undefined });
    }
    #serve() {
        const next = this.#wanted && this.#waiting.shift();
        if (!next || !this.#wanted)
            return;
        this.#current = next.taken;
        this.#wanted({ done: false, value: next.event });
        this.#wanted = undefined;
    }
}
