/** The state of the page and what can be done: between the SDK and the components. */

import { batch, computed, signal } from '@preact/signals';
import { Iris, IrisError, type Entry, type Message, type Outgoing, type Sent, type State } from '@iris/sdk';
import { Chat, directKey, groupKey, type ChatKey } from './chat.js';
import { notify } from './notify.js';
import { Profile, type ChatMemory, type Preferences, type Session } from './profile.js';

/** Entries that one look at the server brings. */
export const PAGE_ENTRIES = 100;
/** Looks at last messages that are under way at once. */
const PEEKS_MAX = 4;
/** Milliseconds that a message may wait for one that was sent before it. */
const HOLE_MS = 1_500;
/** Milliseconds until drafts and marks are written. */
const REMEMBER_MS = 400;

export type Panel = 'none' | 'info' | 'settings' | 'devices';
export type Dialog = 'none' | 'newChat' | 'newGroup';

export class App {
  readonly state = signal<State>({ status: 'connecting', reason: null, leads: false });
  readonly chats = signal<ReadonlyMap<ChatKey, Chat>>(new Map());
  readonly open = signal<Chat | undefined>(undefined);
  readonly panel = signal<Panel>('none');
  readonly dialog = signal<Dialog>('none');
  readonly filter = signal('');
  readonly showArchived = signal(false);
  /** The list came at least once, from the server or from this device. */
  readonly isListed = signal(false);
  readonly preferences = signal<Preferences>({ notifications: false, sendWithEnter: true });
  /** For the live region of screen readers. */
  readonly announcement = signal('');
  readonly toast = signal('');
  readonly list = computed(() => this.#sorted());
  readonly unread = computed(() => {
    const chats = [...this.chats.value.values()].filter((chat) => !chat.muted.value && !chat.archived.value);
    return chats.reduce((sum, chat) => sum + (chat.unread > 0 ? 1 : 0), 0);
  });

  readonly #memory: Map<string, ChatMemory>;
  readonly #remembering = new Map<ChatKey, ReturnType<typeof setTimeout>>();
  #holes: ReturnType<typeof setTimeout> | undefined;
  #peeking = 0;
  #toPeek: Chat[] = [];
  /** Unread as it was when the chat was opened: where the line is drawn. */
  readonly unreadLine = signal(0);

  private constructor(
    readonly iris: Iris,
    readonly session: Session,
    readonly profile: Profile,
    memory: Map<string, ChatMemory>,
    preferences: Preferences,
  ) {
    this.#memory = memory;
    this.preferences.value = preferences;
  }

  static async start(session: Session, profile: Profile): Promise<App> {
    const [memory, preferences] = await Promise.all([
      profile.chats(session.user),
      profile.preferences(session.user),
    ]);
    const url = `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/ws`;
    const token = async () => (await profile.session(session.user))?.token ?? session.token;
    const iris = await Iris.connect({
      url,
      user: session.user,
      device: session.device,
      token,
      wasm: new URL('iris_client_web_bg.wasm', import.meta.url),
    });
    const app = new App(iris, session, profile, memory, preferences);
    await app.#listen();
    return app;
  }

  get user(): string {
    return this.session.user;
  }

  /** Whether this client and server can do something that not all can. */
  can(command: string): boolean {
    return this.iris.can(command);
  }

  async #listen(): Promise<void> {
    const { iris } = this;
    iris.on('state', (state) => this.#stateIs(state));
    iris.on('message', (message) => this.#received(message));
    iris.on('accepted', (outgoing) => this.#waits(outgoing));
    iris.on('sent', (sent) => this.#sent(sent));
    iris.on('discarded', ({ number }) => this.#forget(number));
    iris.on('receipt', ({ conversation, user, delivered, read }) => {
      const chat = this.#byConversation(conversation);
      if (!chat || user === this.user) return void (chat && chat.readUpTo(read));
      chat.delivered.value = Math.max(chat.delivered.value, delivered, read);
      chat.readByOthers.value = Math.max(chat.readByOthers.value, read);
    });
    iris.on('presence', ({ user, online, lastSeen }) => {
      const chat = this.chats.value.get(directKey(user));
      if (!chat) return;
      chat.online.value = online;
      chat.lastSeen.value = lastSeen;
    });
    iris.on('typing', ({ conversation, user, on }) => {
      const chat = this.#byConversation(conversation);
      if (!chat) return;
      const typing = new Set(chat.typing.value);
      if (on) typing.add(user);
      else typing.delete(user);
      chat.typing.value = typing;
    });
    for (const key of this.#memory.keys()) this.#chatOf(key);
    const waiting = await iris.outbox();
    batch(() => waiting.forEach((outgoing) => this.#waits(outgoing)));
    this.#stateIs(iris.state);
  }

  #stateIs(state: State): void {
    const was = this.state.value;
    this.state.value = state;
    if (state.status === 'live' && was.status !== 'live') {
      void this.refresh();
      if (was.status === 'connecting' && was.reason) this.announcement.value = 'Connected again';
    }
  }

  /** Asks for the list of conversations, and for what the open chat has missed. */
  async refresh(): Promise<void> {
    try {
      const items = await this.iris.conversations();
      batch(() => {
        for (const item of items) {
          const chat = item.group === undefined ? this.chatWith(item.with ?? '') : this.chatIn(item.group);
          chat.take(item);
          if (!chat.last.value || chat.last.value.seq < chat.lastSeq.value) this.#toPeek.push(chat);
        }
        this.isListed.value = true;
      });
      this.#peek();
      const open = this.open.value;
      if (open?.timeline.isLoaded && open.timeline.last < open.lastSeq.value) await this.loadNewer(open);
    } catch (error) {
      this.#failed(error);
    }
  }

  chatWith(user: string): Chat {
    return this.#chatOf(directKey(user));
  }

  chatIn(group: string): Chat {
    return this.#chatOf(groupKey(group));
  }

  #chatOf(key: ChatKey): Chat {
    const found = this.chats.value.get(key);
    if (found) return found;
    const name = key.slice(2);
    const chat = key.startsWith('u:') ? new Chat(name, undefined) : new Chat(undefined, name);
    const memory = this.#memory.get(key);
    chat.draft.value = memory?.draft ?? '';
    chat.read.value = memory?.read ?? 0;
    this.chats.value = new Map(this.chats.value).set(key, chat);
    return chat;
  }

  #byConversation(conversation: string): Chat | undefined {
    return [...this.chats.value.values()].find((chat) => chat.conversation === conversation);
  }

  #sorted(): Chat[] {
    const wanted = this.filter.value.trim().toLocaleLowerCase();
    const chats = [...this.chats.value.values()].filter((chat) => {
      if (wanted) return matches(chat, wanted);
      if (chat.archived.value !== this.showArchived.value) return false;
      return chat.lastSeq.value > 0 || chat.openedAt > 0 || chat.waiting.value.length > 0 || chat.draft.value !== '';
    });
    const pinned = (chat: Chat) => Number(chat.pinned.value);
    return chats.sort((one, other) => pinned(other) - pinned(one) || other.activeAt - one.activeAt);
  }

  /** Shows the last message of chats that the list does not tell. */
  #peek(): void {
    while (this.#peeking < PEEKS_MAX) {
      const chat = this.#toPeek.shift();
      if (!chat) return;
      this.#peeking += 1;
      this.#lastOf(chat)
        .catch(() => undefined)
        .finally(() => {
          this.#peeking -= 1;
          this.#peek();
        });
    }
  }

  async #lastOf(chat: Chat): Promise<void> {
    const stored = chat.conversation === undefined ? [] : await this.iris.stored(chat.conversation, undefined, 1);
    let last: Entry | undefined = stored[0];
    if (!last || last.seq < chat.lastSeq.value) last = (await this.iris.page(chat.with, { limit: 1 })).entries[0];
    if (last && last.seq >= (chat.last.value?.seq ?? 0)) chat.last.value = last;
  }

  #received(message: Message): void {
    const chat = this.chatWith(message.with);
    chat.conversation = message.conversation;
    const own = message.from === this.user;
    const isNews = message.seq > chat.lastSeq.value;
    chat.add(message, own);
    chat.typing.value = new Set([...chat.typing.value].filter((user) => user !== message.from));
    if (own) this.#remember(chat);
    this.#mendHoles(chat);
    if (own || !isNews || chat.muted.value) return;
    const isShown = this.open.value === chat && document.visibilityState === 'visible' && document.hasFocus();
    const text = message.body.text ?? 'sent something this client cannot show';
    this.announcement.value = `${message.from}: ${text.slice(0, 200)}`;
    // One tab of the profile tells for all.
    if (!isShown && this.preferences.value.notifications && this.state.value.leads) {
      notify(message.from, text, chat.key, () => void this.openChat(chat));
    }
  }

  #waits(outgoing: Outgoing): void {
    const chat = this.chatWith(outgoing.to);
    const others = chat.waiting.value.filter(({ number }) => number !== outgoing.number);
    chat.waiting.value = [...others, outgoing].sort((one, other) => one.number - other.number);
    chat.touch();
  }

  #sent({ number, to, id, outcome }: Sent): void {
    const chat = this.chatWith(to);
    const outgoing = chat.waiting.value.find((waiting) => waiting.number === number);
    batch(() => {
      if (outcome.type === 'failed') {
        if (outgoing) this.#waits({ ...outgoing, failed: outcome.refusal });
        this.announcement.value = 'A message could not be sent';
        return;
      }
      chat.waiting.value = chat.waiting.value.filter((waiting) => waiting.number !== number);
      chat.conversation = outcome.conversation;
      if (outgoing) {
        const { seq, sentAt } = outcome;
        chat.add({ seq, id: id ?? '', from: this.user, sentAt, body: outgoing.body }, true);
        this.#remember(chat);
      }
      chat.touch();
    });
    this.#mendHoles(chat);
  }

  #forget(number: number): void {
    for (const chat of this.chats.value.values()) {
      const kept = chat.waiting.value.filter((waiting) => waiting.number !== number);
      if (kept.length === chat.waiting.value.length) continue;
      chat.waiting.value = kept;
      chat.touch();
    }
  }

  /** A message came before one that was sent earlier: if that does not follow soon, it is asked for. */
  #mendHoles(chat: Chat): void {
    if (!chat.timeline.hasHole || this.#holes !== undefined) return;
    this.#holes = setTimeout(() => {
      this.#holes = undefined;
      if (chat.timeline.hasHole) void this.loadNewer(chat);
    }, HOLE_MS);
  }

  async openChat(chat: Chat | undefined): Promise<void> {
    if (chat === this.open.value) return;
    batch(() => {
      this.panel.value = 'none';
      this.unreadLine.value = chat && chat.unread > 0 ? chat.read.value + 1 : 0;
      if (chat && chat.lastSeq.value === 0) chat.openedAt ||= Date.now();
      this.open.value = chat;
    });
    if (!chat) return;
    // A part that lies elsewhere is of no use: the line of the unread is wanted.
    const from = this.unreadLine.value;
    const { timeline } = chat;
    const hasLine = from === 0 ? timeline.atEnd : timeline.first <= from && from <= timeline.last;
    if (!timeline.isLoaded || !hasLine) await this.load(chat, from);
    else if (timeline.last < chat.lastSeq.value) await this.loadNewer(chat);
    if (chat.user !== undefined && this.can('presence')) {
      await this.iris.presence.watch([chat.user]).catch((error: unknown) => this.#failed(error));
    }
  }

  /** Loads around a `seq`, or the newest for 0. */
  async load(chat: Chat, around: number): Promise<void> {
    try {
      if (around > 1 && chat.lastSeq.value - around >= PAGE_ENTRIES) {
        const after = Math.max(0, around - 30);
        const page = await this.iris.page(chat.with, { after, limit: PAGE_ENTRIES });
        chat.timeline.reset(page, { atStart: after === 0, atEnd: !page.more });
      } else {
        const page = await this.iris.page(chat.with, { limit: PAGE_ENTRIES + Math.max(0, chat.unread) });
        chat.timeline.reset(page, { atStart: !page.more, atEnd: true });
        const last = page.entries.at(-1);
        if (last) chat.lastSeq.value = Math.max(chat.lastSeq.value, last.seq);
      }
    } catch (error) {
      await this.#loadStored(chat);
      this.#failed(error);
    }
    chat.touch();
  }

  async #loadStored(chat: Chat): Promise<void> {
    if (chat.timeline.isLoaded || chat.conversation === undefined) return;
    const stored = await this.iris.stored(chat.conversation, undefined, PAGE_ENTRIES);
    const dense = stored.filter(({ seq }, at) => seq + stored.length - 1 - at === stored.at(-1)?.seq);
    chat.timeline.reset({ conversation: chat.conversation, entries: dense, more: true }, { atStart: false, atEnd: true });
  }

  async loadOlder(chat: Chat): Promise<void> {
    const { timeline } = chat;
    if (timeline.atStart || !timeline.isLoaded || timeline.entries.length === 0) return;
    try {
      timeline.prepend(await this.iris.page(chat.with, { before: timeline.first, limit: PAGE_ENTRIES }));
      chat.touch();
    } catch (error) {
      this.#failed(error);
    }
  }

  async loadNewer(chat: Chat): Promise<void> {
    const { timeline } = chat;
    if (!timeline.isLoaded) return;
    try {
      timeline.append(await this.iris.page(chat.with, { after: timeline.last, limit: PAGE_ENTRIES }));
      chat.touch();
    } catch (error) {
      this.#failed(error);
    }
  }

  async send(chat: Chat, text: string): Promise<void> {
    try {
      await this.iris.send({ ...chat.target, text });
      this.unreadLine.value = 0;
    } catch (error) {
      // Nothing was taken: it stays in the field.
      this.setDraft(chat, text);
      this.#failed(error);
    }
  }

  async resend(number: number): Promise<void> {
    await this.iris.resend(number).catch((error: unknown) => this.#failed(error));
  }

  async discard(number: number): Promise<void> {
    await this.iris.discard(number).catch((error: unknown) => this.#failed(error));
  }

  /** What is on the screen was read. */
  readUpTo(chat: Chat, seq: number): void {
    if (!chat.readUpTo(seq)) return;
    this.#remember(chat);
    if (this.can('read') && chat.conversation !== undefined) {
      this.iris.read(chat.conversation, seq).catch((error: unknown) => this.#failed(error));
    }
  }

  setDraft(chat: Chat, text: string): void {
    chat.draft.value = text;
    this.#remember(chat);
  }

  async prefer(change: Partial<Preferences>): Promise<void> {
    this.preferences.value = { ...this.preferences.value, ...change };
    await this.profile.prefer(this.user, this.preferences.value);
  }

  async run(work: () => Promise<unknown>, done = ''): Promise<boolean> {
    try {
      await work();
      if (done) this.toast.value = done;
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  #remember(chat: Chat): void {
    clearTimeout(this.#remembering.get(chat.key));
    const write = () => {
      const memory = { draft: chat.draft.value, read: chat.read.value };
      void this.profile.remember(this.user, chat.key, memory).catch(() => undefined);
    };
    this.#remembering.set(chat.key, setTimeout(write, REMEMBER_MS));
  }

  #failed(error: unknown): void {
    if (error instanceof IrisError && (error.code === 'closed' || this.state.value.status === 'stopped')) return;
    this.toast.value = error instanceof Error ? sentence(error.message) : 'Something went wrong';
  }
}

function matches(chat: Chat, wanted: string): boolean {
  const has = (text: string | undefined) => text?.toLocaleLowerCase().includes(wanted) ?? false;
  return has(chat.name.value) || has(chat.user) || has(chat.last.value?.body.text);
}

export function sentence(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
