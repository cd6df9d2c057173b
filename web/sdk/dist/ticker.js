/**
 * Wakes up in time, also in a page that nobody looks at: browsers slow such pages' own timers down to one a minute,
 * which is too late for a sign of life, but not those of workers. This file is both the worker and its caller.
 */
/** `script`: where this file is as a script; without workers the surroundings' own timers do. */
export function makeTicker(script) {
    if (typeof Worker === 'undefined' || script === undefined)
        return new PlainTicker();
    try {
        return new WorkerTicker(new Worker(script, { type: 'module', name: 'iris-ticker' }));
    }
    catch {
        return new PlainTicker();
    }
}
class PlainTicker {
    #timer;
    after(ms, call) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(call, ms);
    }
    cancel() {
        clearTimeout(this.#timer);
    }
    end() {
        this.cancel();
    }
}
class WorkerTicker {
    #worker;
    /** Used until the worker answers, and in its place if it cannot be loaded. */
    #plain = new PlainTicker();
    #asked = 0;
    #call;
    constructor(worker) {
        this.#worker = worker;
        worker.onmessage = ({ data }) => {
            if (data === this.#asked)
                this.#due();
        };
    }
    after(ms, call) {
        this.#asked += 1;
        this.#call = call;
        this.#worker.postMessage({ id: this.#asked, ms });
        this.#plain.after(ms, () => this.#due());
    }
    cancel() {
        this.#call = undefined;
        this.#plain.cancel();
    }
    end() {
        this.cancel();
        this.#worker.terminate();
    }
    #due() {
        const call = this.#call;
        this.cancel();
        call?.();
    }
}
// In the worker itself.
if (typeof document === 'undefined' && typeof self !== 'undefined' && self.name === 'iris-ticker') {
    let timer;
    self.onmessage = ({ data: { id, ms } }) => {
        clearTimeout(timer);
        timer = setTimeout(() => self.postMessage(id), ms);
    };
}
