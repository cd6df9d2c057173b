/**
 * Tabs of one browser profile and user: one of them leads and holds the connection (a Web Lock says which), the
 * others ask it and are told by a BroadcastChannel. When the leader goes, the lock passes on, and nothing is lost or
 * told twice: every tab knows the offset that it was told up to, and what it missed is in the database that they
 * share.
 */
import { asIrisError, IrisError } from './error.js';
import { Host, rememberOutcome } from './host.js';
import { CALLS_MAX, ITERATOR_EVENTS_MAX } from './limits.js';
export class Tab {
    #options;
    #id = crypto.randomUUID();
    #told = { offset: undefined, outcomes: new Set() };
    #calls = new Map();
    #leaving = new AbortController();
    #lastCall = 0;
    #leader;
    #host;
    #state = { status: 'connecting', reason: null, leads: false };
    #heard = [];
    #hearing;
    #release;
    #led = Promise.resolve();
    constructor(options) {
        this.#options = options;
        const { channel, locks, user, device } = options;
        if (channel)
            channel.onmessage = ({ data }) => this.#hear(data);
        this.#say({ kind: 'join' });
        if (!locks) {
            this.#led = this.#lead();
            return;
        }
        const name = `iris:${user}:${device}`;
        this.#led = locks.request(name, { signal: this.#leaving.signal }, () => this.#lead()).catch((error) => {
            // The tab was closed before it was its turn.
            if (!this.#leaving.signal.aborted)
                void this.#stopped(asIrisError(error));
        });
    }
    get state() {
        return this.#state;
    }
    call(name, given) {
        if (this.#leaving.signal.aborted)
            return Promise.reject(new IrisError('closed', 'the client was closed'));
        if (this.#host)
            return this.#host.call(name, given);
        if (this.#state.status === 'stopped' && this.#state.leads)
            return Promise.reject(this.#reason());
        if (this.#calls.size >= CALLS_MAX) {
            return Promise.reject(new IrisError('busy', 'too many calls wait for the tab that leads', true));
        }
        const id = ++this.#lastCall;
        return new Promise((resolve, reject) => {
            this.#calls.set(id, { name, given, resolve: resolve, reject });
            if (this.#leader !== undefined)
                this.#say({ kind: 'call', tab: this.#id, id, name, given });
        });
    }
    /** Waits until nothing is left to be sent, at most until the deadline; how many sends are left. */
    async close(deadlineMs) {
        if (this.#host) {
            let timer;
            const late = new Promise((resolve) => {
                timer = setTimeout(resolve, deadlineMs);
            });
            await Promise.race([this.#host.idle(), late]);
            clearTimeout(timer);
        }
        const unsettled = this.#host?.unsettled() ?? 0;
        this.#leaving.abort();
        await this.#host?.stop();
        for (const { reject } of this.#calls.values())
            reject(new IrisError('closed', 'the client was closed'));
        this.#calls.clear();
        this.#release?.();
        await this.#led;
        this.#options.channel?.close();
        this.#state = { ...this.#state, status: 'closed' };
        await this.#options.emit({ name: 'state', value: this.#state });
        return unsettled;
    }
    /** This tab's turn: leads until it is closed. */
    async #lead() {
        if (this.#leaving.signal.aborted)
            return;
        this.#leader = this.#id;
        // Told first: what the former leader said last.
        await this.#hearing;
        try {
            const tell = (event, offset) => {
                this.#say({ kind: 'event', leader: this.#id, event, offset });
                return this.#tell(event);
            };
            this.#host = await Host.start({ ...this.#options, told: this.#told, tell });
        }
        catch (error) {
            await this.#stopped(asIrisError(error));
            return;
        }
        if (this.#leaving.signal.aborted)
            return this.#host.stop();
        this.#announce();
        const host = this.#host;
        for (const call of this.#calls.values()) {
            host.call(call.name, call.given).then(call.resolve, (error) => call.reject(asIrisError(error)));
        }
        this.#calls.clear();
        this.#options.leaderChanged();
        await new Promise((resolve) => {
            this.#release = resolve;
        });
    }
    async #stopped(error) {
        const stopped = { status: 'stopped', reason: error.plain(), leads: true };
        await this.#tell({ name: 'state', value: stopped });
        for (const { reject } of this.#calls.values())
            reject(error);
        this.#calls.clear();
    }
    #reason() {
        const { reason } = this.#state;
        return reason ? IrisError.from(reason) : new IrisError('closed', 'the client has stopped');
    }
    #announce() {
        if (!this.#host)
            return;
        this.#say({ kind: 'leader', leader: this.#id, state: this.#host.state, offset: this.#host.offset });
    }
    #say(said) {
        if (!this.#leaving.signal.aborted || said.kind === 'reply')
            this.#options.channel?.postMessage(said);
    }
    #hear(said) {
        if (this.#leaving.signal.aborted)
            return;
        switch (said.kind) {
            case 'join':
                this.#announce();
                break;
            case 'leader':
                this.#follow(said);
                break;
            case 'event':
                if (said.leader === this.#leader)
                    this.#hearEvent(said);
                break;
            case 'call':
                this.#serve(said);
                break;
            case 'reply':
                if (said.tab === this.#id)
                    this.#take(said);
                break;
        }
    }
    #follow({ leader, state, offset }) {
        if (this.#leader === leader || this.#host)
            return;
        this.#leader = leader;
        // What it told before this tab joined is not for this tab; what this tab missed is.
        this.#told.offset ??= offset;
        this.#enqueue({ upTo: offset });
        this.#enqueue({ event: { name: 'state', value: state }, offset: undefined });
        for (const [id, { name, given }] of this.#calls)
            this.#say({ kind: 'call', tab: this.#id, id, name, given });
        this.#options.leaderChanged();
    }
    #hearEvent({ event, offset }) {
        if (this.#heard.length < ITERATOR_EVENTS_MAX)
            this.#enqueue({ event, offset });
        // The application does not keep up: messages are read from the database when it does.
        else if (offset !== undefined)
            this.#heard[this.#heard.length - 1] = { upTo: offset };
    }
    #enqueue(heard) {
        this.#heard.push(heard);
        this.#hearing ??= this.#tellHeard();
    }
    async #tellHeard() {
        for (let next = this.#heard.shift(); next; next = this.#heard.shift()) {
            if ('upTo' in next)
                await this.#catchUp(next.upTo);
            else if (next.offset === undefined)
                await this.#tell(next.event);
            else if (next.offset > (this.#told.offset ?? 0)) {
                this.#told.offset = next.offset;
                await this.#tell(next.event);
            }
        }
        this.#hearing = undefined;
    }
    /** Tells what is in the database and was not told to this tab. */
    async #catchUp(upTo) {
        const after = this.#told.offset ?? upTo;
        const missed = await this.#options.database.receivedBetween(after, upTo).catch(() => []);
        for (const { offset, ...message } of missed) {
            this.#told.offset = offset ?? after;
            await this.#tell({ name: 'message', value: message });
        }
        this.#told.offset = Math.max(this.#told.offset ?? 0, upTo);
    }
    async #tell(event) {
        if (event.name === 'sent')
            rememberOutcome(this.#told.outcomes, event.value.number);
        if (event.name === 'state') {
            const leads = this.#leader === this.#id;
            this.#state = { ...event.value, leads };
            await this.#options.emit({ name: 'state', value: this.#state });
            return;
        }
        await this.#options.emit(event);
    }
    #serve({ tab, id, name, given }) {
        if (!this.#host)
            return;
        this.#host.call(name, given).then((result) => this.#say({ kind: 'reply', tab, id, result }), (error) => {
            const failure = asIrisError(error);
            // A leader that closes leaves the question to the next one.
            if (failure.code !== 'closed')
                this.#say({ kind: 'reply', tab, id, error: failure.plain() });
        });
    }
    #take({ id, result, error }) {
        const call = this.#calls.get(id);
        this.#calls.delete(id);
        if (error)
            call?.reject(IrisError.from(error));
        else
            call?.resolve(result);
    }
}
