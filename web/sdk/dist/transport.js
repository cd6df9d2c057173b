/** A WebSocket that carries frames: whole ones per message, bounded in what waits to be written. */
import { CONNECT_MS_MAX, SOCKET_BUFFER_BYTES_MAX, WEBSOCKET_MESSAGE_BYTES_MAX } from './limits.js';
export class Transport {
    #socket;
    #events;
    #limit;
    #state = 'opening';
    constructor(open, url, events) {
        this.#events = events;
        this.#socket = open(url);
        this.#socket.binaryType = 'arraybuffer';
        this.#socket.onopen = () => this.#opened();
        this.#socket.onmessage = (event) => this.#received(event.data);
        this.#socket.onclose = () => this.#closed();
        this.#socket.onerror = () => this.#closed();
        this.#limit = setTimeout(() => this.#closed(), CONNECT_MS_MAX);
    }
    get isOpen() {
        return this.#state === 'open';
    }
    /** Whether what was given to {@link send} is written but for a little. */
    get hasRoom() {
        return this.#state === 'open' && this.#socket.bufferedAmount < SOCKET_BUFFER_BYTES_MAX;
    }
    /** Sends whole frames, in as many messages as they need. */
    send(frames) {
        if (this.#state !== 'open')
            return;
        for (const message of messagesOf(frames))
            this.#socket.send(message);
    }
    /** Closes in silence. */
    close() {
        if (this.#state === 'closed')
            return;
        this.#state = 'closed';
        this.#letGo();
    }
    #opened() {
        if (this.#state !== 'opening')
            return;
        this.#state = 'open';
        clearTimeout(this.#limit);
        this.#events.opened();
    }
    #received(data) {
        if (this.#state !== 'open')
            return;
        if (data instanceof ArrayBuffer)
            this.#events.received(new Uint8Array(data));
        // Text is not the protocol: the server cannot be trusted.
        else
            this.#closed();
    }
    #closed() {
        if (this.#state === 'closed')
            return;
        this.#state = 'closed';
        this.#letGo();
        this.#events.closed();
    }
    #letGo() {
        clearTimeout(this.#limit);
        const socket = this.#socket;
        socket.onopen = socket.onmessage = socket.onclose = null;
        // A socket that is closed before it is open reports an error; it has been dealt with.
        socket.onerror = () => undefined;
        socket.close();
    }
}
/** Cuts frames into WebSocket messages: opcode (1 byte), length (2 bytes), payload. */
export function* messagesOf(frames) {
    let start = 0;
    let end = 0;
    while (end < frames.length) {
        const length = 3 + (((frames[end + 1] ?? 0) << 8) | (frames[end + 2] ?? 0));
        if (end > start && end + length - start > WEBSOCKET_MESSAGE_BYTES_MAX) {
            yield frames.subarray(start, end);
            start = end;
        }
        end += length;
    }
    if (end > start)
        yield frames.subarray(start, end);
}
