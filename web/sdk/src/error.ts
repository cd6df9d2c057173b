/** What goes wrong, with a stable word for it. */

import type { Refusal } from './machine.js';

/** Codes beside those of the protocol's section 11. */
export type LocalCode =
  /** An argument breaks a rule; nothing has changed. */
  | 'bad_command'
  /** Too much is waiting; the same may be taken later. */
  | 'busy'
  /** The client was closed. */
  | 'closed'
  /** The local database failed; the client has stopped. */
  | 'database_failed'
  /** This client or its server does not know the feature. */
  | 'unsupported';

export class IrisError extends Error {
  constructor(
    /** A name of section 11, or a {@link LocalCode}. */
    readonly code: string,
    message: string,
    /** Whether the same may succeed later. */
    readonly retryable = false,
    readonly retryAfterMs = 0,
  ) {
    super(message);
    this.name = 'IrisError';
  }

  static refused(refusal: Refusal): IrisError {
    return new IrisError(refusal.name, refusal.name.replaceAll('_', ' '), refusal.retryable, refusal.retryAfterMs);
  }

  /** As it crosses to another tab. */
  static from(plain: PlainError): IrisError {
    return new IrisError(plain.code, plain.message, plain.retryable, plain.retryAfterMs);
  }

  plain(): PlainError {
    const { code, message, retryable, retryAfterMs } = this;
    return { code, message, retryable, retryAfterMs };
  }
}

export interface PlainError {
  code: string;
  message: string;
  retryable: boolean;
  retryAfterMs: number;
}

/** Anything thrown, as an {@link IrisError}. */
export function asIrisError(thrown: unknown): IrisError {
  if (thrown instanceof IrisError) return thrown;
  return new IrisError('bad_command', thrown instanceof Error ? thrown.message : String(thrown));
}
