/**
 * Iris for TypeScript.
 *
 * ```ts
 * const iris = await Iris.connect({ url: 'wss://chat.example/ws', user: 'alice', device: 'browser-1', token });
 * iris.on('message', (message) => console.log(message.from, message.body.text));
 * const { done } = await iris.send({ to: 'bob', text: 'hello' });
 * await done;
 * ```
 *
 * What is promised, as by the Rust SDK, because the rules are the same code:
 *
 * - A send that resolved is in the local database. It is tried with one and the same id until the server has
 *   answered for good, over reconnects and reloads.
 * - A message is stored before the server hears that this device has it. It is told to the application once, and
 *   counts as taken when the handlers are done with it; if the page dies in between, it is told again at the next
 *   start. `(conversation, seq)` names it.
 * - Within a conversation messages come ascending by `seq`.
 * - Tabs of one browser profile with the same user and device share one connection; each of them is told everything
 *   once, also when the tab that holds the connection goes.
 */
export { IrisError, type LocalCode } from './error.js';
export type { Groups, NewGroup, Presence } from './features.js';
export { Iris, type Options, type Sending } from './iris.js';
export { loadMachine, machineCommands } from './machine.js';
export type { OpenSocket, SocketLike } from './transport.js';
export type * from './types.js';
