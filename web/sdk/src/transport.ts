/** A WebSocket that carries frames: whole ones per message, bounded in what waits to be written. */

import { CONNECT_MS_MAX, SOCKET_BUFFER_BYTES_MAX, WEBSOCKET_MESSAGE_BYTES_MAX } from './limits.js';

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

export class Transport {
  readonly #socket: SocketLike;
  readonly #events: TransportEvents;
  readonly #limit: ReturnType<typeof setTimeout>;
  #state: 'opening' | 'open' | 'closed' = 'opening';

  constructor(open: OpenSocket, url: string, events: TransportEvents) {
    this.#events = events;
    this.#socket = open(url);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => this.#opened();
    this.#socket.onmessage = (event: { data: unknown }) => this.#received(event.data);
    this.#socket.onclose = () => this.#closed();
    this.#socket.onerror = () => this.#closed();
    this.#limit = setTimeout(() => this.#closed(), CONNECT_MS_MAX);
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Whether what was given to {@link send} is written but for a little. */
  get hasRoom(): boolean {
    return this.#state === 'open' && this.#socket.bufferedAmount < SOCKET_BUFFER_BYTES_MAX;
  }

  /** Sends whole frames, in as many messages as they need. */
  send(frames: Uint8Array): void {
    if (this.#state !== 'open') return;
    for (const message of messagesOf(frames)) this.#socket.send(message);
  }

  /** Closes in silence. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#letGo();
  }

  #opened(): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    clearTimeout(this.#limit);
    this.#events.opened();
  }

  #received(data: unknown): void {
    if (this.#state !== 'open') return;
    if (data instanceof ArrayBuffer) this.#events.received(new Uint8Array(data));
    // Text is not the protocol: the server cannot be trusted.
    else this.#closed();
  }

  #closed(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#letGo();
    this.#events.closed();
  }

  #letGo(): void {
    clearTimeout(this.#limit);
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // A socket that is closed before it is open reports an error; it has been dealt with.
    socket.onerror = () => undefined;
    socket.close();
  }
}

/** Cuts frames into WebSocket messages: opcode (1 byte), length (2 bytes), payload. */
export function* messagesOf(frames: Uint8Array): Generator<Uint8Array> {
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
  if (end > start) yield frames.subarray(start, end);
}
