/** What goes wrong, with a stable word for it. */
import type { Refusal } from './machine.js';
/** Codes beside those of the protocol's section 11. */
export type LocalCode = 
/** An argument breaks a rule; nothing has changed. */
'bad_command'
/** Too much is waiting; the same may be taken later. */
 | 'busy'
/** The client was closed. */
 | 'closed'
/** The local database failed; the client has stopped. */
 | 'database_failed'
/** This client or its server does not know the feature. */
 | 'unsupported';
export declare class IrisError extends Error {
    /** A name of section 11, or a {@link LocalCode}. */
    readonly code: string;
    /** Whether the same may succeed later. */
    readonly retryable: boolean;
    readonly retryAfterMs: number;
    constructor(
    /** A name of section 11, or a {@link LocalCode}. */
    code: string, message: string, 
    /** Whether the same may succeed later. */
    retryable?: boolean, retryAfterMs?: number);
    static refused(refusal: Refusal): IrisError;
    /** As it crosses to another tab. */
    static from(plain: PlainError): IrisError;
    plain(): PlainError;
}
export interface PlainError {
    code: string;
    message: string;
    retryable: boolean;
    retryAfterMs: number;
}
/** Anything thrown, as an {@link IrisError}. */
export declare function asIrisError(thrown: unknown): IrisError;
