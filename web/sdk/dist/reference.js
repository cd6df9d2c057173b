/**
 * What goes along with a send and comes back with its outcome: the key under which its tab knows it, by which a send
 * that is asked for twice is still sent once, and the application's own text.
 */
/** As the machine keeps it. */
export function joinReference(key, reference) {
    return JSON.stringify(reference === null ? { key } : { key, reference });
}
export function splitReference(joined) {
    if (joined === null)
        return undefined;
    try {
        const parts = JSON.parse(joined);
        return typeof parts.key === 'string' ? { key: parts.key, reference: parts.reference ?? null } : undefined;
    }
    catch {
        return undefined;
    }
}
export function keyOf(joined) {
    return splitReference(joined)?.key;
}
