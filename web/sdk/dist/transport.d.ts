/** A WebSocket that carries frames: whole ones per message, bounded in what waits to be written. */
/** As much of a WebSocket as is used; the browser's, or another for tests and for Node. */
export interface SocketLike {
    binaryType: string;
    readonly bufferedAmount: number;
    onopen: ((event: never) => void) | null;
    onmessage: ((event: never) => void) | null;
    onclose: ((event: never) => void) | null;
    onerror: ((event: never) => void) | null;
    send(data: Uint8Array): void;
    close(): void;
}
export type OpenSocket = (url: string) => SocketLike;
export interface TransportEvents {
    opened(): void;
    received(bytes: Uint8Array): void;
    /** Once, and nothing after it. */
    closed(): void;
}
export declare class Transport {
    #private;
    constructor(open: OpenSocket, url: string, events: TransportEvents);
    get isOpen(): boolean;
    /** Whether what was given to {@link send} is written but for a little. */
    get hasRoom(): boolean;
    /** Sends whole frames, in as many messages as they need. */
    send(frames: Uint8Array): void;
    /** Closes in silence. */
    close(): void;
}
/** Cuts frames into WebSocket messages: opcode (1 byte), length (2 bytes), payload. */
export declare function messagesOf(frames: Uint8Array): Generator<Uint8Array>;
