/** The tab that holds the connection: answers what all tabs ask, and tells all tabs what happens, in order. */
import type { Database } from './database.js';
import { type DriverOptions } from './driver.js';
import { type Answer, type Body } from './machine.js';
import { type NamedEvent, type Page, type State, type Target } from './types.js';
/** Up to where a tab has been told; a new leader goes on from there. */
export interface Told {
    /** The offset of the last message; undefined for a tab that joins now. */
    offset: number | undefined;
    /** Numbers of sends whose outcome was told. */
    outcomes: Set<number>;
}
export interface HostOptions {
    user: string;
    device: string;
    database: Database;
    url: string;
    token: DriverOptions['token'];
    openSocket: DriverOptions['openSocket'];
    ticker: DriverOptions['ticker'];
    told: Told;
    /** Tells every tab; resolves when this tab's application is done with it. `offset`: of a message. */
    tell: (event: NamedEvent, offset: number | undefined) => Promise<void>;
}
/** What tabs may call. Calls can be repeated: after a change of the leader they are. */
export interface Calls {
    send: {
        arguments: {
            key: string;
            target: Target;
            body: Body;
            reference: string | null;
        };
        result: number;
    };
    history: {
        arguments: {
            command: Record<string, unknown>;
        };
        result: Page;
    };
    /** Something of the moment, without an answer. */
    say: {
        arguments: {
            name: string;
            command: Record<string, unknown>;
        };
        result: null;
    };
    ask: {
        arguments: {
            name: string;
            command: Record<string, unknown>;
        };
        result: Answer;
    };
    resend: {
        arguments: {
            number: number;
        };
        result: number | null;
    };
    discard: {
        arguments: {
            number: number;
        };
        result: null;
    };
    nudge: {
        arguments: Record<string, never>;
        result: null;
    };
}
export declare class Host {
    #private;
    private constructor();
    /** Goes on where the former leader ended. */
    static start(options: HostOptions): Promise<Host>;
    get state(): State;
    /** The offset of the last message that was told. */
    get offset(): number;
    call<Name extends keyof Calls>(name: Name, given: Calls[Name]['arguments']): Promise<Calls[Name]['result']>;
    /** Resolves when nothing is left to be sent, stored, answered or told. */
    idle(): Promise<void>;
    unsettled(): number;
    stop(): Promise<void>;
}
/** The oldest are forgotten: numbers ascend. */
export declare function rememberOutcome(outcomes: Set<number>, number: number): void;
