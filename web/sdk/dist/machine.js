/**
 * The client's rules, compiled from Rust, and the types of what goes in and out.
 *
 * The shapes are those of `crates/client-web/src/view`; `test/samples.ts`, which that crate writes, fails to compile
 * when they differ.
 */
import initialize, { commands, Machine as Bound } from './wasm/iris_client_web.js';
let loading;
/** Loads the module once. `source`: its bytes, or where it is; by default beside this file. */
export function loadMachine(source) {
    loading ??= load(source).catch((error) => {
        loading = undefined;
        throw error;
    });
    return loading;
}
async function load(source) {
    let from = source ?? new URL('./wasm/iris_client_web_bg.wasm', import.meta.url);
    if (from instanceof URL && from.protocol === 'file:') {
        // Only outside browsers, which cannot fetch files.
        const files = 'node:fs/promises';
        const { readFile } = (await import(/* @vite-ignore */ files));
        from = await readFile(from);
    }
    return initialize({ module_or_path: from });
}
/** The commands that the loaded module takes. */
export function machineCommands() {
    return new Set(commands());
}
/** One device of a user, in typed words. */
export class Machine {
    #bound;
    constructor(user, device, restored, seed) {
        this.#bound = new Bound(user, device, JSON.stringify(restored), seed);
    }
    connected(token, now) {
        this.#bound.connected(token, now.wall, now.monotonic);
    }
    received(bytes, now) {
        this.#bound.received(bytes, now.wall, now.monotonic);
    }
    disconnected(now) {
        this.#bound.disconnected(now.wall, now.monotonic);
    }
    stored(token) {
        this.#bound.stored(token);
    }
    command(command, now) {
        return JSON.parse(this.#bound.command(JSON.stringify(command), now.wall, now.monotonic));
    }
    handedOver(mark) {
        this.#bound.handedOver(JSON.stringify(mark));
    }
    turn(now) {
        return JSON.parse(this.#bound.turn(now.wall, now.monotonic));
    }
    /** Whole frames; empty when there is nothing to be sent. */
    transmit() {
        return this.#bound.transmit();
    }
    deadline() {
        return this.#bound.deadline();
    }
    unsettled() {
        return this.#bound.unsettled();
    }
    isIdle() {
        return this.#bound.isIdle();
    }
    isStopped() {
        return this.#bound.isStopped();
    }
    free() {
        this.#bound.free();
    }
}
