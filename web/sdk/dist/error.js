/** What goes wrong, with a stable word for it. */
export class IrisError extends Error {
    code;
    retryable;
    retryAfterMs;
    constructor(
    /** A name of section 11, or a {@link LocalCode}. */
    code, message, 
    /** Whether the same may succeed later. */
    retryable = false, retryAfterMs = 0) {
        super(message);
        this.code = code;
        this.retryable = retryable;
        this.retryAfterMs = retryAfterMs;
        this.name = 'IrisError';
    }
    static refused(refusal) {
        return new IrisError(refusal.name, refusal.name.replaceAll('_', ' '), refusal.retryable, refusal.retryAfterMs);
    }
    /** As it crosses to another tab. */
    static from(plain) {
        return new IrisError(plain.code, plain.message, plain.retryable, plain.retryAfterMs);
    }
    plain() {
        const { code, message, retryable, retryAfterMs } = this;
        return { code, message, retryable, retryAfterMs };
    }
}
/** Anything thrown, as an {@link IrisError}. */
export function asIrisError(thrown) {
    if (thrown instanceof IrisError)
        return thrown;
    return new IrisError('bad_command', thrown instanceof Error ? thrown.message : String(thrown));
}
