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
/** `script`: where this file is as a script; without workers the surroundings' own timers do. */
export declare function makeTicker(script: URL | string | undefined): Ticker;
