/* tslint:disable */
/* eslint-disable */

/**
 * One device of a user.
 */
export class Machine {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * `{"number": N}`, or `{"error": {"name", "message"}}`.
     */
    command(command: string, wall: number, monotonic: number): string;
    connected(token: string, wall: number, monotonic: number): void;
    deadline(): number | undefined;
    disconnected(wall: number, monotonic: number): void;
    handedOver(mark: string): void;
    isIdle(): boolean;
    isReady(): boolean;
    isStopped(): boolean;
    /**
     * Throws a text when a name breaks the rules or the database makes no sense.
     */
    constructor(user: string, device: string, restored: string, seed: bigint);
    received(bytes: Uint8Array | number[], wall: number, monotonic: number): void;
    stored(token: number): void;
    transmit(): Uint8Array;
    turn(wall: number, monotonic: number): string;
    unsettled(): number;
}

/**
 * The commands that [`Machine::command`] takes.
 */
export function commands(): string[];

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly memory: WebAssembly.Memory;
    readonly __wbg_machine_free: (a: number, b: number) => void;
    readonly commands: () => [number, number];
    readonly machine_command: (a: number, b: number, c: number, d: number, e: number) => [number, number];
    readonly machine_connected: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly machine_deadline: (a: number) => [number, number];
    readonly machine_disconnected: (a: number, b: number, c: number) => void;
    readonly machine_handedOver: (a: number, b: number, c: number) => [number, number];
    readonly machine_isIdle: (a: number) => number;
    readonly machine_isReady: (a: number) => number;
    readonly machine_isStopped: (a: number) => number;
    readonly machine_new: (a: number, b: number, c: number, d: number, e: number, f: number, g: bigint) => [number, number, number];
    readonly machine_received: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly machine_stored: (a: number, b: number) => void;
    readonly machine_transmit: (a: number) => [number, number];
    readonly machine_turn: (a: number, b: number, c: number) => [number, number];
    readonly machine_unsettled: (a: number) => number;
    readonly __wbindgen_externrefs: WebAssembly.Table;
    readonly __externref_drop_slice: (a: number, b: number) => void;
    readonly __wbindgen_free: (a: number, b: number, c: number) => void;
    readonly __wbindgen_malloc: (a: number, b: number) => number;
    readonly __wbindgen_realloc: (a: number, b: number, c: number, d: number) => number;
    readonly __externref_table_dealloc: (a: number) => void;
    readonly __wbindgen_start: () => void;
}

export type SyncInitInput = BufferSource | WebAssembly.Module;

/**
 * Instantiates the given `module`, which can either be bytes or
 * a precompiled `WebAssembly.Module`.
 *
 * @param {{ module: SyncInitInput }} module - Passing `SyncInitInput` directly is deprecated.
 *
 * @returns {InitOutput}
 */
export function initSync(module: { module: SyncInitInput } | SyncInitInput): InitOutput;

/**
 * If `module_or_path` is {RequestInfo} or {URL}, makes a request and
 * for everything else, calls `WebAssembly.instantiate` directly.
 *
 * @param {{ module_or_path: InitInput | Promise<InitInput> }} module_or_path - Passing `InitInput` directly is deprecated.
 *
 * @returns {Promise<InitOutput>}
 */
export default function __wbg_init (module_or_path: { module_or_path: InitInput | Promise<InitInput> } | InitInput | Promise<InitInput>): Promise<InitOutput>;
