/** What applications see: events and answers of the TypeScript API. */
export function outgoing(unsent, reference, failed) {
    const { number, to, body } = unsent;
    return { number, to, body, reference, failed };
}
