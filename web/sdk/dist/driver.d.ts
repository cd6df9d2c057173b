/** Brings socket, clock and database to the machine, and does what it says. */
import type { Database } from './database.js';
import { IrisError } from './error.js';
import type { Command, Machine, MachineEvent, Mark, Now } from './machine.js';
import { type OpenSocket } from './transport.js';
export interface DriverOptions {
    machine: Machine;
    database: Database;
    url: string;
    /** Asked before each connection. */
    token: () => string | Promise<string>;
    openSocket: OpenSocket;
    /** Where `ticker.js` is; undefined where there are no workers. */
    ticker: URL | string | undefined;
    /** Called in order. What it returns is awaited by whoever hands the mark over. */
    event: (event: MachineEvent, mark: Mark | null) => void;
    /** Everything that a turn asked for is done or under way. */
    turned: () => void;
    /** No token, or no connection: the machine tries again. */
    connectFailed: (error: IrisError) => void;
    /** The local database failed; the driver has stopped. */
    databaseFailed: (error: IrisError) => void;
}
export declare class Driver {
    #private;
    constructor(options: DriverOptions);
    start(): void;
    /** Gives a command to the machine: the number of the send or of the question. */
    command(command: Command): number;
    handedOver(mark: Mark): void;
    /** The network is back, or somebody looks: a connection that waits for its time is tried now. */
    nudge(): void;
    unsettled(): number;
    isIdle(): boolean;
    /** Lets go of everything, once what is being stored is stored. */
    stop(): Promise<void>;
}
/** Both clocks, whole milliseconds. */
export declare function now(): Now;
