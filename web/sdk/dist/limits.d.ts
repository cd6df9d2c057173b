/** Bounds of this SDK. Those of the protocol are in the WebAssembly module. */
/** Bytes of a WebSocket message, as the protocol says. */
export declare const WEBSOCKET_MESSAGE_BYTES_MAX: number;
/** Bytes that wait in the browser's socket before more are given to it. */
export declare const SOCKET_BUFFER_BYTES_MAX: number;
/** Milliseconds between two looks at a socket whose buffer is full. */
export declare const SOCKET_BUFFER_LOOK_MS = 20;
/** Milliseconds until a WebSocket has to be open, or a token to be there. */
export declare const CONNECT_MS_MAX = 15000;
/** Milliseconds between two attempts that something outside (network, page shown) asks for. */
export declare const NUDGE_MS_MIN = 1000;
/** Longest wait of one timer: browsers cut longer ones to 32 bits. */
export declare const TIMER_MS_MAX = 60000;
/** News without a mark that wait for listeners; the oldest make room. */
export declare const PASSING_EVENTS_MAX = 256;
/** Entries of one page of history, as the protocol says. */
export declare const PAGE_ITEMS_MAX = 256;
/** Sends whose key and outcome are remembered after they are settled. */
export declare const SETTLED_KEYS_MAX = 1024;
/** Outcomes that a tab remembers to have told. */
export declare const TOLD_OUTCOMES_MAX = 4096;
/** Events of an async iterator that wait for its reader; beyond it the reader is told that it missed some. */
export declare const ITERATOR_EVENTS_MAX = 4096;
/** Calls of one tab that wait for their answers. */
export declare const CALLS_MAX = 1024;
