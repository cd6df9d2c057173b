/** Bounds of this SDK. Those of the protocol are in the WebAssembly module. */
/** Bytes of a WebSocket message, as the protocol says. */
export const WEBSOCKET_MESSAGE_BYTES_MAX = 128 * 1024;
/** Bytes that wait in the browser's socket before more are given to it. */
export const SOCKET_BUFFER_BYTES_MAX = 256 * 1024;
/** Milliseconds between two looks at a socket whose buffer is full. */
export const SOCKET_BUFFER_LOOK_MS = 20;
/** Milliseconds until a WebSocket has to be open, or a token to be there. */
export const CONNECT_MS_MAX = 15_000;
/** Milliseconds between two attempts that something outside (network, page shown) asks for. */
export const NUDGE_MS_MIN = 1_000;
/** Longest wait of one timer: browsers cut longer ones to 32 bits. */
export const TIMER_MS_MAX = 60_000;
/** News without a mark that wait for listeners; the oldest make room. */
export const PASSING_EVENTS_MAX = 256;
/** Entries of one page of history, as the protocol says. */
export const PAGE_ITEMS_MAX = 256;
/** Sends whose key and outcome are remembered after they are settled. */
export const SETTLED_KEYS_MAX = 1_024;
/** Outcomes that a tab remembers to have told. */
export const TOLD_OUTCOMES_MAX = 4_096;
/** Events of an async iterator that wait for its reader; beyond it the reader is told that it missed some. */
export const ITERATOR_EVENTS_MAX = 4_096;
/** Calls of one tab that wait for their answers. */
export const CALLS_MAX = 1_024;
