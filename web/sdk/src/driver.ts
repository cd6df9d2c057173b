/** Brings socket, clock and database to the machine, and does what it says. */

import type { Database } from './database.js';
import { asIrisError, IrisError } from './error.js';
import { CONNECT_MS_MAX, NUDGE_MS_MIN, SOCKET_BUFFER_LOOK_MS, TIMER_MS_MAX } from './limits.js';
import type { Command, Machine, MachineEvent, Mark, Now, Output, StoreOperation } from './machine.js';
import { makeTicker, type Ticker } from './ticker.js';
import { Transport, type OpenSocket } from './transport.js';

export interface DriverOptions {
  machine: Machine;
  database: Database;
  url: string;
  /** Asked before each connection. */
  token: () => string | Promise<string>;
  openSocket: OpenSocket;
  /** Where `ticker.js` is; undefined where there are no workers. */
  ticker: URL | string | undefined;
  /** Called in order. What it returns is awaited by whoever hands the mark over. */
  event: (event: MachineEvent, mark: Mark | null) => void;
  /** Everything that a turn asked for is done or under way. */
  turned: () => void;
  /** No token, or no connection: the machine tries again. */
  connectFailed: (error: IrisError) => void;
  /** The local database failed; the driver has stopped. */
  databaseFailed: (error: IrisError) => void;
}

type Timer = ReturnType<typeof setTimeout>;

export class Driver {
  readonly #options: DriverOptions;
  readonly #machine: Machine;
  #transport: Transport | undefined;
  /** Waits for its time, or for a token. */
  #connecting: { at: number; timer: Timer | undefined } | undefined;
  #unstored: StoreOperation[] = [];
  #unstoredToken = 0;
  #storing: Promise<void> | undefined;
  readonly #ticker: Ticker;
  #isTurning = false;
  #turnAgain = false;
  #isStopped = false;
  #nudgedAt = Number.NEGATIVE_INFINITY;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#machine = options.machine;
    this.#ticker = makeTicker(options.ticker);
  }

  start(): void {
    this.#turn();
  }

  /** Gives a command to the machine: the number of the send or of the question. */
  command(command: Command): number {
    if (this.#isStopped) throw new IrisError('closed', 'the client was closed');
    const taken = this.#machine.command(command, now());
    // What follows from it comes later: the caller first learns its number.
    queueMicrotask(() => this.#turn());
    if ('error' in taken) throw new IrisError(taken.error.name, taken.error.message, taken.error.name === 'busy');
    return taken.number;
  }

  handedOver(mark: Mark): void {
    if (this.#isStopped) return;
    this.#machine.handedOver(mark);
    this.#turn();
  }

  /** The network is back, or somebody looks: a connection that waits for its time is tried now. */
  nudge(): void {
    const at = now().monotonic;
    if (!this.#connecting?.timer || at < this.#nudgedAt + NUDGE_MS_MIN) return;
    this.#nudgedAt = at;
    this.#connectAt(at);
  }

  unsettled(): number {
    return this.#isStopped ? 0 : this.#machine.unsettled();
  }

  isIdle(): boolean {
    return this.#isStopped || this.#machine.isStopped() || this.#machine.isIdle();
  }

  /** Lets go of everything, once what is being stored is stored. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#disconnect();
    this.#ticker.end();
    await this.#storing;
    if (this.#unstored.length > 0) await this.#options.database.apply(this.#unstored);
    this.#machine.free();
  }

  /** Does what the machine says, until it has nothing more to say. */
  #turn(): void {
    if (this.#isStopped) return;
    if (this.#isTurning) {
      this.#turnAgain = true;
      return;
    }
    this.#isTurning = true;
    try {
      do {
        this.#turnAgain = false;
        for (const output of this.#machine.turn(now())) this.#act(output);
      } while (this.#turnAgain);
    } finally {
      this.#isTurning = false;
    }
    if (this.#isStopped) return;
    this.#store();
    this.#transmit();
    this.#wakeUp();
    this.#options.turned();
  }

  #act(output: Output): void {
    switch (output.type) {
      case 'connect':
        this.#connectAt(output.at);
        break;
      case 'disconnect':
        this.#disconnect();
        break;
      case 'store':
        this.#unstored.push(...output.operations);
        this.#unstoredToken = output.token;
        break;
      case 'event':
        this.#options.event(output.event, output.mark);
        break;
    }
  }

  /** Commits what has gathered, unless a commit is under way: together they become the next. */
  #store(): void {
    if (this.#storing || this.#unstored.length === 0) return;
    const [operations, token] = [this.#unstored, this.#unstoredToken];
    this.#unstored = [];
    this.#storing = this.#options.database.apply(operations).then(
      () => {
        this.#storing = undefined;
        if (this.#isStopped) return;
        this.#machine.stored(token);
        this.#turn();
      },
      (error: unknown) => {
        this.#storing = undefined;
        this.#fail(error);
      },
    );
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#disconnect();
    this.#ticker.end();
    const message = asIrisError(error).message;
    this.#options.databaseFailed(new IrisError('database_failed', message));
  }

  #transmit(): void {
    if (!this.#transport?.hasRoom) return;
    const bytes = this.#machine.transmit();
    if (bytes.length > 0) this.#transport.send(bytes);
  }

  #wakeUp(): void {
    const waits = this.#transport?.isOpen && !this.#transport.hasRoom;
    const deadline = this.#machine.deadline();
    const due = deadline === undefined ? TIMER_MS_MAX : Math.max(0, deadline - now().monotonic);
    const delay = Math.min(due, waits ? SOCKET_BUFFER_LOOK_MS : TIMER_MS_MAX);
    if (deadline !== undefined || waits) this.#ticker.after(delay, () => this.#turn());
    else this.#ticker.cancel();
  }

  #connectAt(at: number): void {
    clearTimeout(this.#connecting?.timer);
    const connecting = { at, timer: undefined as Timer | undefined };
    this.#connecting = connecting;
    const delay = Math.max(0, at - now().monotonic);
    connecting.timer = setTimeout(() => {
      connecting.timer = undefined;
      void this.#connect(connecting);
    }, delay);
  }

  async #connect(connecting: object): Promise<void> {
    const isCurrent = () => this.#connecting === connecting && !this.#isStopped;
    try {
      const token = await within(CONNECT_MS_MAX, Promise.resolve(this.#options.token()));
      if (!isCurrent()) return;
      this.#transport = new Transport(this.#options.openSocket, this.#options.url, {
        opened: () => {
          this.#connecting = undefined;
          this.#machine.connected(token, now());
          this.#turn();
        },
        received: (bytes) => {
          this.#machine.received(bytes, now());
          this.#turn();
        },
        closed: () => {
          this.#transport = undefined;
          if (this.#connecting === connecting) this.#connectFailed('the server cannot be reached');
          else this.#lost();
        },
      });
    } catch (error) {
      if (isCurrent()) this.#connectFailed(asIrisError(error).message);
    }
  }

  #connectFailed(message: string): void {
    this.#connecting = undefined;
    this.#options.connectFailed(new IrisError('unavailable', message, true));
    this.#lost();
  }

  #lost(): void {
    this.#machine.disconnected(now());
    this.#turn();
  }

  #disconnect(): void {
    clearTimeout(this.#connecting?.timer);
    this.#connecting = undefined;
    this.#transport?.close();
    this.#transport = undefined;
  }
}

/** Both clocks, whole milliseconds. */
export function now(): Now {
  return { wall: Date.now(), monotonic: Math.floor(performance.now()) };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new IrisError('timed_out', 'no token in time', true)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
