/**
 * Tabs of one browser profile and user: one of them leads and holds the connection (a Web Lock says which), the
 * others ask it and are told by a BroadcastChannel. When the leader goes, the lock passes on, and nothing is lost or
 * told twice: every tab knows the offset that it was told up to, and what it missed is in the database that they
 * share.
 */

import type { StoredMessage } from './database.js';
import { asIrisError, IrisError, type PlainError } from './error.js';
import { Host, rememberOutcome, type Calls, type HostOptions, type Told } from './host.js';
import { CALLS_MAX, ITERATOR_EVENTS_MAX } from './limits.js';
import type { NamedEvent, State } from './types.js';

export interface TabOptions extends Omit<HostOptions, 'told' | 'tell'> {
  /** The browser's; without it this is the only tab. */
  locks: LockManager | undefined;
  channel: BroadcastChannel | undefined;
  /** Tells this tab's application. */
  emit: (event: NamedEvent) => Promise<void>;
  /** The leader is another one now: what waits for news may ask anew. */
  leaderChanged: () => void;
}

type Said =
  | { kind: 'join' }
  | { kind: 'leader'; leader: string; state: State; offset: number }
  | { kind: 'event'; leader: string; event: NamedEvent; offset: number | undefined }
  | { kind: 'call'; tab: string; id: number; name: keyof Calls; given: unknown }
  | { kind: 'reply'; tab: string; id: number; result?: unknown; error?: PlainError };

interface Call {
  name: keyof Calls;
  given: unknown;
  resolve: (result: unknown) => void;
  reject: (error: IrisError) => void;
}

type Heard = { event: NamedEvent; offset: number | undefined } | { upTo: number };

export class Tab {
  readonly #options: TabOptions;
  readonly #id = crypto.randomUUID();
  readonly #told: Told = { offset: undefined, outcomes: new Set() };
  readonly #calls = new Map<number, Call>();
  readonly #leaving = new AbortController();
  #lastCall = 0;
  #leader: string | undefined;
  #host: Host | undefined;
  #state: State = { status: 'connecting', reason: null, leads: false };
  #heard: Heard[] = [];
  #hearing: Promise<void> | undefined;
  #release: (() => void) | undefined;
  #led: Promise<void> = Promise.resolve();

  constructor(options: TabOptions) {
    this.#options = options;
    const { channel, locks, user, device } = options;
    if (channel) channel.onmessage = ({ data }: MessageEvent<Said>) => this.#hear(data);
    this.#say({ kind: 'join' });
    if (!locks) {
      this.#led = this.#lead();
      return;
    }
    const name = `iris:${user}:${device}`;
    this.#led = locks.request(name, { signal: this.#leaving.signal }, () => this.#lead()).catch((error: unknown) => {
      // The tab was closed before it was its turn.
      if (!this.#leaving.signal.aborted) void this.#stopped(asIrisError(error));
    });
  }

  get state(): State {
    return this.#state;
  }

  call<Name extends keyof Calls>(name: Name, given: Calls[Name]['arguments']): Promise<Calls[Name]['result']> {
    if (this.#leaving.signal.aborted) return Promise.reject(new IrisError('closed', 'the client was closed'));
    if (this.#host) return this.#host.call(name, given);
    if (this.#state.status === 'stopped' && this.#state.leads) return Promise.reject(this.#reason());
    if (this.#calls.size >= CALLS_MAX) {
      return Promise.reject(new IrisError('busy', 'too many calls wait for the tab that leads', true));
    }
    const id = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { name, given, resolve: resolve as (result: unknown) => void, reject });
      if (this.#leader !== undefined) this.#say({ kind: 'call', tab: this.#id, id, name, given });
    });
  }

  /** Waits until nothing is left to be sent, at most until the deadline; how many sends are left. */
  async close(deadlineMs: number): Promise<number> {
    if (this.#host) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, deadlineMs);
      });
      await Promise.race([this.#host.idle(), late]);
      clearTimeout(timer);
    }
    const unsettled = this.#host?.unsettled() ?? 0;
    this.#leaving.abort();
    await this.#host?.stop();
    for (const { reject } of this.#calls.values()) reject(new IrisError('closed', 'the client was closed'));
    this.#calls.clear();
    this.#release?.();
    await this.#led;
    this.#options.channel?.close();
    this.#state = { ...this.#state, status: 'closed' };
    await this.#options.emit({ name: 'state', value: this.#state });
    return unsettled;
  }

  /** This tab's turn: leads until it is closed. */
  async #lead(): Promise<void> {
    if (this.#leaving.signal.aborted) return;
    this.#leader = this.#id;
    // Told first: what the former leader said last.
    await this.#hearing;
    try {
      const tell: HostOptions['tell'] = (event, offset) => {
        this.#say({ kind: 'event', leader: this.#id, event, offset });
        return this.#tell(event);
      };
      this.#host = await Host.start({ ...this.#options, told: this.#told, tell });
    } catch (error) {
      await this.#stopped(asIrisError(error));
      return;
    }
    if (this.#leaving.signal.aborted) return this.#host.stop();
    this.#announce();
    const host = this.#host;
    for (const call of this.#calls.values()) {
      host.call(call.name, call.given as never).then(call.resolve, (error: unknown) => call.reject(asIrisError(error)));
    }
    this.#calls.clear();
    this.#options.leaderChanged();
    await new Promise<void>((resolve) => {
      this.#release = resolve;
    });
  }

  async #stopped(error: IrisError): Promise<void> {
    const stopped: State = { status: 'stopped', reason: error.plain(), leads: true };
    await this.#tell({ name: 'state', value: stopped });
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }

  #reason(): IrisError {
    const { reason } = this.#state;
    return reason ? IrisError.from(reason) : new IrisError('closed', 'the client has stopped');
  }

  #announce(): void {
    if (!this.#host) return;
    this.#say({ kind: 'leader', leader: this.#id, state: this.#host.state, offset: this.#host.offset });
  }

  #say(said: Said): void {
    if (!this.#leaving.signal.aborted || said.kind === 'reply') this.#options.channel?.postMessage(said);
  }

  #hear(said: Said): void {
    if (this.#leaving.signal.aborted) return;
    switch (said.kind) {
      case 'join':
        this.#announce();
        break;
      case 'leader':
        this.#follow(said);
        break;
      case 'event':
        if (said.leader === this.#leader) this.#hearEvent(said);
        break;
      case 'call':
        this.#serve(said);
        break;
      case 'reply':
        if (said.tab === this.#id) this.#take(said);
        break;
    }
  }

  #follow({ leader, state, offset }: Extract<Said, { kind: 'leader' }>): void {
    if (this.#leader === leader || this.#host) return;
    this.#leader = leader;
    // What it told before this tab joined is not for this tab; what this tab missed is.
    this.#told.offset ??= offset;
    this.#enqueue({ upTo: offset });
    this.#enqueue({ event: { name: 'state', value: state }, offset: undefined });
    for (const [id, { name, given }] of this.#calls) this.#say({ kind: 'call', tab: this.#id, id, name, given });
    this.#options.leaderChanged();
  }

  #hearEvent({ event, offset }: Extract<Said, { kind: 'event' }>): void {
    if (this.#heard.length < ITERATOR_EVENTS_MAX) this.#enqueue({ event, offset });
    // The application does not keep up: messages are read from the database when it does.
    else if (offset !== undefined) this.#heard[this.#heard.length - 1] = { upTo: offset };
  }

  #enqueue(heard: Heard): void {
    this.#heard.push(heard);
    this.#hearing ??= this.#tellHeard();
  }

  async #tellHeard(): Promise<void> {
    for (let next = this.#heard.shift(); next; next = this.#heard.shift()) {
      if ('upTo' in next) await this.#catchUp(next.upTo);
      else if (next.offset === undefined) await this.#tell(next.event);
      else if (next.offset > (this.#told.offset ?? 0)) {
        this.#told.offset = next.offset;
        await this.#tell(next.event);
      }
    }
    this.#hearing = undefined;
  }

  /** Tells what is in the database and was not told to this tab. */
  async #catchUp(upTo: number): Promise<void> {
    const after = this.#told.offset ?? upTo;
    const missed = await this.#options.database.receivedBetween(after, upTo).catch((): StoredMessage[] => []);
    for (const { offset, ...message } of missed) {
      this.#told.offset = offset ?? after;
      await this.#tell({ name: 'message', value: message });
    }
    this.#told.offset = Math.max(this.#told.offset ?? 0, upTo);
  }

  async #tell(event: NamedEvent): Promise<void> {
    if (event.name === 'sent') rememberOutcome(this.#told.outcomes, event.value.number);
    if (event.name === 'state') {
      const leads = this.#leader === this.#id;
      this.#state = { ...event.value, leads };
      await this.#options.emit({ name: 'state', value: this.#state });
      return;
    }
    await this.#options.emit(event);
  }

  #serve({ tab, id, name, given }: Extract<Said, { kind: 'call' }>): void {
    if (!this.#host) return;
    this.#host.call(name, given as never).then(
      (result) => this.#say({ kind: 'reply', tab, id, result }),
      (error: unknown) => {
        const failure = asIrisError(error);
        // A leader that closes leaves the question to the next one.
        if (failure.code !== 'closed') this.#say({ kind: 'reply', tab, id, error: failure.plain() });
      },
    );
  }

  #take({ id, result, error }: Extract<Said, { kind: 'reply' }>): void {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) call?.reject(IrisError.from(error));
    else call?.resolve(result);
  }
}
