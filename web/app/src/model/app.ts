/** The state of the page and what can be done: between the SDK and the components. */

import { batch, computed, signal } from '@preact/signals';
import { Iris, IrisError, type Message, type Outgoing, type Peer, type Sent, type State } from '@iris/sdk';
import { Chat, directKey, groupKey, type ChatKey } from './chat.js';
import { changeText } from './change.js';
import { notify } from './notify.js';
import { Profile, type ChatMemory, type Preferences, type Session } from './profile.js';

/** Entries that one look at the server brings. */
export const PAGE_ENTRIES = 100;
/** People whose presence is watched at once: those at the top of the list. */
const WATCHED_MAX = 64;
/** Milliseconds that a message may wait for one that was sent before it. */
const HOLE_MS = 1_500;
/** Milliseconds between two drawings of what comes in. */
const SHOW_MS = 30;
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
  readonly hasArchived = computed(() => [...this.chats.value.values()].some((chat) => chat.archived.value));
  readonly unread = computed(() => {
    const chats = [...this.chats.value.values()].filter((chat) => !chat.muted.value && !chat.archived.value);
    return chats.reduce((sum, chat) => sum + (chat.unread > 0 ? 1 : 0), 0);
  });

  readonly #memory: Map<string, ChatMemory>;
  readonly #remembering = new Map<ChatKey, ReturnType<typeof setTimeout>>();
  #holes: ReturnType<typeof setTimeout> | undefined;
  #watched: string | undefined;
  readonly #incoming: Message[] = [];
  #showing: ReturnType<typeof setTimeout> | undefined;
  #refreshing: Promise<void> | undefined;
  #refreshNext: Promise<void> | undefined;
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
      ticker: new URL('ticker.js', import.meta.url),
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
    iris.on('message', (message) => this.#comes(message));
    iris.on('accepted', (outgoing) => this.#waits(outgoing));
    iris.on('sent', (sent) => this.#sent(sent));
    iris.on('discarded', ({ number }) => this.#forget(number));
    iris.on('receipt', ({ conversation, delivered, read }) => this.#marks(conversation, delivered, read));
    iris.on('groupReceipt', ({ group, everybody }) => this.#marks(group, everybody.delivered, everybody.read));
    iris.on('conversation', ({ conversation, read, unread, flags }) => {
      const chat = this.#byConversation(conversation);
      if (!chat) return;
      chat.readUpTo(read);
      chat.unreadTold.value = unread;
      chat.flag(flags);
      this.#remember(chat);
    });
    iris.on('presence', ({ user, online, lastSeen }) => {
      const chat = this.chats.value.get(directKey(user));
      if (!chat) return;
      chat.online.value = online;
      chat.lastSeen.value = lastSeen;
    });
    iris.on('typing', ({ conversation, user, on }) => {
      const chat = this.#byConversation(conversation);
      if (!chat || user === this.user) return;
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
    // Nobody knows who is there, until the server says it again; a tab that takes over has to ask anew.
    if (state.status !== 'live' && state.status !== 'syncing') {
      this.#watched = undefined;
      batch(() => this.chats.value.forEach((chat) => chat.lose()));
    }
    // What waits at the server may take its time to come in: the list is there at once.
    if (state.status === 'syncing' && was.status !== 'syncing') void this.refresh();
    if (state.status === 'live' && was.status !== 'live') {
      void this.refresh().then(() => this.#watch());
      if (was.status === 'connecting' && was.reason) this.announcement.value = 'Connected again';
    }
  }

  /** Asks for the list of conversations, and for what the open chat has missed; one at a time, the last one anew. */
  refresh(): Promise<void> {
    const before = this.#refreshing;
    if (before === undefined) {
      this.#refreshing = this.#refresh().finally(() => {
        this.#refreshing = undefined;
      });
      return this.#refreshing;
    }
    this.#refreshNext ??= before.then(() => {
      this.#refreshNext = undefined;
      return this.refresh();
    });
    return this.#refreshNext;
  }

  async #refresh(): Promise<void> {
    try {
      const items = await this.iris.conversations();
      batch(() => {
        for (const item of items) {
          const chat = item.with === null ? this.chatIn(item.conversation) : this.chatWith(item.with);
          chat.take(item);
        }
        this.isListed.value = true;
      });
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
    chat.marks(memory?.delivered ?? 0, memory?.readByOthers ?? 0);
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
      return chat.lastSeq.value > 0 || chat.standing.value === 'invited' || chat.openedAt > 0 || chat.waiting.value.length > 0 || chat.draft.value !== '';
    });
    const pinned = (chat: Chat) => Number(chat.pinned.value);
    return chats.sort((one, other) => pinned(other) - pinned(one) || other.activeAt - one.activeAt);
  }

  #marks(conversation: string, delivered: number, read: number): void {
    const chat = this.#byConversation(conversation);
    if (chat?.marks(delivered, read)) this.#remember(chat);
  }

  /** Follows who is there, of the people at the top of the list. */
  async #watch(): Promise<void> {
    const users = this.list.value.flatMap((chat) => (chat.user === undefined || chat.blocked.value ? [] : chat.user));
    const open = this.open.value?.user;
    const wanted = [...new Set([...(open === undefined ? [] : [open]), ...users])].slice(0, WATCHED_MAX);
    const key = wanted.join(' ');
    if (key === this.#watched || this.state.value.status !== 'live') return;
    this.#watched = key;
    await this.iris.presence.watch(wanted).catch(() => {
      this.#watched = undefined;
    });
  }

  #of(peer: Peer): Chat {
    return 'user' in peer ? this.chatWith(peer.user) : this.chatIn(peer.group);
  }

  /** Many may come at once: they are shown together, a few times a second. */
  #comes(message: Message): void {
    this.#incoming.push(message);
    this.#showing ??= setTimeout(() => {
      this.#showing = undefined;
      batch(() => this.#incoming.splice(0).forEach((incoming) => this.#received(incoming)));
    }, SHOW_MS);
  }

  #received(message: Message): void {
    const chat = message.with === null ? this.chatIn(message.conversation) : this.chatWith(message.with);
    const isNew = chat.conversation === undefined;
    chat.conversation = message.conversation;
    if (message.title !== null) chat.name.value = message.title;
    const { change } = message.body;
    if (chat.isGroup && (isNew || (change && change.type !== 'renamed'))) void this.refresh();
    const own = message.from === this.user;
    const isNews = message.seq > chat.lastSeq.value;
    chat.add(message, own);
    chat.typing.value = new Set([...chat.typing.value].filter((user) => user !== message.from));
    if (own) this.#remember(chat);
    this.#mendHoles(chat);
    // Who has written is a contact from now on, and may show when they are there.
    if (!own && !chat.isGroup && !chat.online.value && chat.lastSeen.value === null) {
      this.#watched = undefined;
      void this.#watch();
    }
    if (own || !isNews || chat.muted.value) return;
    const isShown = this.open.value === chat && document.visibilityState === 'visible' && document.hasFocus();
    const text = change
      ? changeText(change, message.from, this.user)
      : (message.body.text ?? 'sent something this client cannot show');
    const title = chat.isGroup ? `${chat.name.value}, ${message.from}` : message.from;
    this.announcement.value = `${title}: ${text.slice(0, 200)}`;
    // One tab of the profile tells for all.
    if (!isShown && this.preferences.value.notifications && this.state.value.leads) {
      notify(title, text, chat.key, () => void this.openChat(chat));
    }
  }

  #waits(outgoing: Outgoing): void {
    const chat = this.#of(outgoing.to);
    const others = chat.waiting.value.filter(({ number }) => number !== outgoing.number);
    chat.waiting.value = [...others, outgoing].sort((one, other) => one.number - other.number);
    chat.touch();
  }

  #sent({ number, to, id, outcome }: Sent): void {
    const chat = this.#of(to);
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
    await Promise.all([this.#watch(), this.#lookAtMarks(chat)]);
  }

  /** Asks how far the others are with the user's last message: what was told while this page was away. */
  async #lookAtMarks(chat: Chat): Promise<void> {
    const own = chat.timeline.entries.findLast(({ from, body }) => from === this.user && !body.change);
    if (!own || own.seq <= chat.readByOthers.value || chat.standing.value !== 'member') return;
    try {
      const { by, delivered, read, members } = await this.iris.receipts(chat.target, own.seq);
      const [first] = by;
      const isChanged = chat.isGroup
        ? chat.marks(delivered >= members ? own.seq : 0, read >= members ? own.seq : 0)
        : first !== undefined && chat.marks(first.delivered, first.read);
      if (isChanged) this.#remember(chat);
    } catch {
      // Shown or not: nobody asked for it.
    }
  }

  /** Loads around a `seq`, or the newest for 0. */
  async load(chat: Chat, around: number): Promise<void> {
    try {
      if (around > 0 && chat.lastSeq.value - around >= PAGE_ENTRIES) {
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
    if (chat.conversation !== undefined && chat.standing.value === 'member') {
      // It is kept until the server has heard of it; a refusal concerns nobody.
      this.iris.read(chat.target, seq).catch(() => undefined);
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
      const memory = {
        draft: chat.draft.value,
        read: chat.read.value,
        delivered: chat.delivered.value,
        readByOthers: chat.readByOthers.value,
      };
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
  return has(chat.name.value) || has(chat.last.value?.body.text);
}

export function sentence(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
