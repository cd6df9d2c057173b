/**
 * What goes along with a send and comes back with its outcome: the key under which its tab knows it, by which a send
 * that is asked for twice is still sent once, and the application's own text.
 */
interface Parts {
    key: string;
    reference: string | null;
}
/** As the machine keeps it. */
export declare function joinReference(key: string, reference: string | null): string;
export declare function splitReference(joined: string | null): Parts | undefined;
export declare function keyOf(joined: string | null): string | undefined;
export {};
