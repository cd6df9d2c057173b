/**
 * Wakes up in time, also in a page that nobody looks at: browsers slow such pages' own timers down to one a minute,
 * which is too late for a sign of life, but not those of workers. This file is both the worker and its caller.
 */

export interface Ticker {
  /** Calls back once, after as many milliseconds; replaces what was asked before. */
  after(ms: number, call: () => void): void;
  cancel(): void;
  end(): void;
}

type Asked = { id: number; ms: number };

/** `script`: where this file is as a script; without workers the surroundings' own timers do. */
export function makeTicker(script: URL | string | undefined): Ticker {
  if (typeof Worker === 'undefined' || script === undefined) return new PlainTicker();
  try {
    return new WorkerTicker(new Worker(script, { type: 'module', name: 'iris-ticker' }));
  } catch {
    return new PlainTicker();
  }
}

class PlainTicker implements Ticker {
  #timer: ReturnType<typeof setTimeout> | undefined;

  after(ms: number, call: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(call, ms);
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    this.cancel();
  }
}

class WorkerTicker implements Ticker {
  readonly #worker: Worker;
  /** Used until the worker answers, and in its place if it cannot be loaded. */
  readonly #plain = new PlainTicker();
  #asked = 0;
  #call: (() => void) | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<number>) => {
      if (data === this.#asked) this.#due();
    };
  }

  after(ms: number, call: () => void): void {
    this.#asked += 1;
    this.#call = call;
    this.#worker.postMessage({ id: this.#asked, ms } satisfies Asked);
    this.#plain.after(ms, () => this.#due());
  }

  cancel(): void {
    this.#call = undefined;
    this.#plain.cancel();
  }

  end(): void {
    this.cancel();
    this.#worker.terminate();
  }

  #due(): void {
    const call = this.#call;
    this.cancel();
    call?.();
  }
}

// In the worker itself.
if (typeof document === 'undefined' && typeof self !== 'undefined' && self.name === 'iris-ticker') {
  let timer: ReturnType<typeof setTimeout> | undefined;
  self.onmessage = ({ data: { id, ms } }: MessageEvent<Asked>) => {
    clearTimeout(timer);
    timer = setTimeout(() => (self as unknown as { postMessage(id: number): void }).postMessage(id), ms);
  };
}
