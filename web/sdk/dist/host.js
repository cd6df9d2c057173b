/** The tab that holds the connection: answers what all tabs ask, and tells all tabs what happens, in order. */
import { Driver } from './driver.js';
import { IrisError } from './error.js';
import { PASSING_EVENTS_MAX, TOLD_OUTCOMES_MAX } from './limits.js';
import { Machine, } from './machine.js';
import { joinReference, splitReference } from './reference.js';
import { outgoing } from './types.js';
export class Host {
    #options;
    #driver;
    #questions = new Map();
    #accepting = new Map();
    #queue = [];
    #idling = [];
    #passing = 0;
    #isTelling = false;
    #state = { status: 'connecting', reason: null, leads: true };
    constructor(options, machine) {
        this.#options = options;
        this.#driver = new Driver({
            ...options,
            machine,
            event: (event, mark) => this.#take(event, mark),
            turned: () => this.#turned(),
            connectFailed: (error) => this.#change({ reason: error.plain() }),
            databaseFailed: (error) => this.#stopped(error),
        });
    }
    /** Goes on where the former leader ended. */
    static async start(options) {
        const { database, told } = options;
        const restored = await database.restore();
        const seed = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
        const machine = new Machine(options.user, options.device, restored, seed);
        const host = new Host(options, machine);
        host.#queueEvent({ name: 'state', value: host.#state }, undefined, null);
        // Everything up to here was taken by an application: this one, or one before it.
        const first = restored.unreported[0];
        const taken = first ? (first.type === 'gap' ? first.last : first.offset) - 1 : restored.cursor;
        if (told.offset === undefined)
            told.offset = taken;
        // What the former leader's application took, and this tab was not told any more.
        const missed = await database.receivedBetween(told.offset, taken);
        for (const { offset, ...message } of missed)
            host.#tellMessage(offset ?? 0, message, null);
        host.#driver.start();
        return host;
    }
    get state() {
        return this.#state;
    }
    /** The offset of the last message that was told. */
    get offset() {
        return this.#options.told.offset ?? 0;
    }
    async call(name, given) {
        switch (name) {
            case 'send':
                return this.#send(given);
            case 'history':
                return this.#history(given.command);
            case 'ask': {
                const { name: command, command: fields } = given;
                return this.#ask(command, fields);
            }
            case 'say': {
                const { name: command, command: fields } = given;
                this.#driver.command({ [command]: fields });
                return null;
            }
            case 'resend':
                return this.#resend(given.number);
            case 'discard':
                await this.#takeFailed(given.number);
                return null;
            case 'nudge':
                this.#driver.nudge();
                return null;
            default:
                throw new IrisError('unsupported', 'no such call');
        }
    }
    /** Resolves when nothing is left to be sent, stored, answered or told. */
    idle() {
        if (this.#isIdle())
            return Promise.resolve();
        return new Promise((resolve) => this.#idling.push(resolve));
    }
    unsettled() {
        return this.#driver.unsettled();
    }
    async stop() {
        this.#rejectAll(new IrisError('closed', 'the client was closed', true));
        await this.#driver.stop();
    }
    async #send({ key, target, body, reference }) {
        // Asked for twice when the leader changed in between: it is taken once.
        const known = await this.#options.database.sendOf(key);
        if (known)
            return known.number;
        const number = this.#driver.command({ send: { ...target, body, reference: joinReference(key, reference) } });
        await new Promise((resolve, reject) => this.#accepting.set(number, { resolve, reject }));
        const to = 'to' in target ? { user: target.to } : target;
        const value = outgoing({ number, to, body, id: null, idGiven: false, reference: null }, reference, null);
        this.#queueEvent({ name: 'accepted', value }, undefined, null);
        return number;
    }
    /** One page of at most as many entries as fit one. */
    async #history(command) {
        const page = { conversation: null, entries: [], more: false };
        const end = await this.#ask('history', command, (part) => {
            page.conversation = part.conversation;
            page.entries.push(...part.entries);
        });
        if (end.type === 'historyEnd')
            page.more = end.more;
        return page;
    }
    #ask(name, fields, page) {
        if (this.#state.status === 'stopped')
            return Promise.reject(this.#reason());
        const number = this.#driver.command({ [name]: fields });
        return new Promise((resolve, reject) => this.#questions.set(number, { resolve, reject, page }));
    }
    async #resend(number) {
        const failed = await this.#options.database.failedSend(number);
        // The key makes that it is sent once, however often it is asked for.
        const key = `resend:${number}`;
        if (!failed)
            return (await this.#options.database.sendOf(key))?.number ?? null;
        const { to, body, reference } = failed.unsent;
        const again = await this.#send({
            key,
            target: 'user' in to ? { to: to.user } : to,
            body,
            reference: splitReference(reference)?.reference ?? null,
        });
        await this.#takeFailed(number);
        return again;
    }
    async #takeFailed(number) {
        const failed = await this.#options.database.takeFailed(number);
        if (failed)
            this.#queueEvent({ name: 'discarded', value: { number } }, undefined, null);
        return failed;
    }
    #turned() {
        if (this.#idling.length === 0 || !this.#isIdle())
            return;
        for (const resolve of this.#idling.splice(0))
            resolve();
    }
    #isIdle() {
        return !this.#isTelling && this.#driver.isIdle();
    }
    #take(event, mark) {
        if ('query' in event) {
            this.#answer(event, mark);
            return;
        }
        switch (event.type) {
            case 'ready':
                this.#change({ status: 'syncing', reason: null });
                break;
            case 'synced':
                this.#change({ status: 'live' });
                break;
            case 'disconnected':
                this.#change({ status: 'connecting' });
                break;
            case 'refused':
                this.#change({ reason: IrisError.refused(event.refusal).plain() });
                break;
            case 'stopped':
                this.#stopped(IrisError.refused(event.refusal));
                break;
            case 'accepted':
                this.#accepting.get(event.number)?.resolve(event.number);
                this.#accepting.delete(event.number);
                break;
            case 'entry':
                this.#tellItem(event.offset, event.item, mark);
                break;
            case 'presence':
                this.#queueEvent({ name: 'presence', value: event.presence }, undefined, mark);
                break;
            case 'typing': {
                const { type: _, ...value } = event;
                this.#queueEvent({ name: 'typing', value }, undefined, mark);
                break;
            }
            case 'gap':
                this.#tellGap(event.first, event.last, mark);
                break;
            case 'settled':
                this.#tellSettled(event.settled, mark);
                break;
        }
    }
    #answer(answer, mark) {
        const question = this.#questions.get(answer.query);
        if (answer.type === 'historyPage') {
            question?.page?.(answer);
            if (mark)
                this.#driver.handedOver(mark);
            return;
        }
        this.#questions.delete(answer.query);
        if (answer.type === 'queryFailed')
            question?.reject(IrisError.refused(answer.refusal));
        else
            question?.resolve(answer);
    }
    #tellMessage(offset, message, mark) {
        this.#tellEntry({ name: 'message', value: message }, offset, mark);
    }
    #tellItem(offset, item, mark) {
        switch (item.type) {
            case 'message':
                this.#tellMessage(offset, item.message, mark);
                break;
            case 'receipt': {
                const { conversation, user, marks } = item;
                this.#tellEntry({ name: 'receipt', value: { conversation, user, ...marks } }, offset, mark);
                break;
            }
            case 'groupReceipt': {
                const { type: _, at: __, ...value } = item;
                this.#tellEntry({ name: 'groupReceipt', value }, offset, mark);
                break;
            }
            case 'state': {
                const { type: _, at: __, ...value } = item;
                this.#tellEntry({ name: 'conversation', value }, offset, mark);
                break;
            }
            case 'settings':
                this.#tellEntry({ name: 'settings', value: item.settings }, offset, mark);
                break;
        }
    }
    #tellEntry(event, offset, mark) {
        const { told } = this.#options;
        const isTold = told.offset !== undefined && offset <= told.offset;
        if (!isTold)
            told.offset = offset;
        this.#queueEvent(isTold ? undefined : event, offset, mark);
    }
    #tellGap(first, last, mark) {
        const { told } = this.#options;
        const isTold = told.offset !== undefined && last <= told.offset;
        if (!isTold)
            told.offset = last;
        this.#queueEvent(isTold ? undefined : { name: 'gap', value: { first, last } }, last, mark);
    }
    #tellSettled(settled, mark) {
        const { outcomes } = this.#options.told;
        const { number, to, id, outcome } = settled;
        const isTold = outcomes.has(number);
        rememberOutcome(outcomes, number);
        const reference = splitReference(settled.reference)?.reference ?? null;
        const value = { number, to, id, reference, outcome };
        this.#queueEvent(isTold ? undefined : { name: 'sent', value }, undefined, mark);
    }
    #change(change) {
        if (this.#state.status === 'stopped')
            return;
        this.#state = { ...this.#state, ...change };
        this.#queueEvent({ name: 'state', value: this.#state }, undefined, null);
    }
    #stopped(error) {
        this.#change({ status: 'stopped', reason: error.plain() });
        this.#rejectAll(error);
    }
    #reason() {
        const { reason } = this.#state;
        return reason ? IrisError.from(reason) : new IrisError('closed', 'the client has stopped');
    }
    #rejectAll(error) {
        for (const { reject } of [...this.#questions.values(), ...this.#accepting.values()])
            reject(error);
        this.#questions.clear();
        this.#accepting.clear();
    }
    #queueEvent(event, offset, mark) {
        if (isPassing({ offset, mark }) && ++this.#passing > PASSING_EVENTS_MAX) {
            const oldest = this.#queue.findIndex(isPassing);
            if (oldest >= 0)
                this.#queue.splice(oldest, 1);
            this.#passing -= 1;
        }
        this.#queue.push({ event, offset, mark });
        if (!this.#isTelling)
            void this.#tellQueued();
    }
    /** Only what the application is done with is handed over. */
    async #tellQueued() {
        this.#isTelling = true;
        for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
            if (isPassing(next))
                this.#passing -= 1;
            if (next.event)
                await this.#options.tell(next.event, next.offset);
            if (next.mark)
                this.#driver.handedOver(next.mark);
        }
        this.#isTelling = false;
        this.#turned();
    }
}
/** News of the moment; everything else is told whatever happens. */
function isPassing({ offset, mark }) {
    return offset === undefined && !mark;
}
/** The oldest are forgotten: numbers ascend. */
export function rememberOutcome(outcomes, number) {
    outcomes.add(number);
    for (const oldest of outcomes) {
        if (outcomes.size <= TOLD_OUTCOMES_MAX)
            break;
        outcomes.delete(oldest);
    }
}
