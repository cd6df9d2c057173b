// A device of the TypeScript SDK that takes the commands of `iris chat --json` and gives its events.
import { IDBFactory } from 'fake-indexeddb';
import { WebSocket } from 'ws';
import { Iris } from '../sdk/dist/index.js';
import { EventQueue } from './eventqueue.mjs';

export class TypeScriptDevice {
  #iris;
  #events = new EventQueue();
  /** How conversations are named in calls. */
  #targets = new Map();

  static async start(server, user, name) {
    const device = new TypeScriptDevice();
    const token = await server.token(user);
    device.#iris = await Iris.connect({
      url: server.socket,
      user,
      device: name,
      token: () => token,
      indexedDB: new IDBFactory(),
      locks: null,
      openSocket: (url) => new WebSocket(url),
    });
    device.#listen();
    await device.#events.next('synced');
    return device;
  }

  next(event) {
    return this.#events.next(event);
  }

  describe() {
    return this.#events.describe();
  }

  async stop() {
    await this.#iris.close(0);
  }

  command({ ref, ...command }) {
    const [[name, fields]] = Object.entries(command);
    const withRef = (more) => (ref === undefined ? more : { ...more, ref });
    this.#carryOut(name, fields, ref).then(
      (answers) => answers.forEach(([event, more]) => this.#events.push(event, withRef(more))),
      ({ code, retryable, retryAfterMs }) => {
        this.#events.push('error', withRef({ name: code, retryable, retry_after_ms: retryAfterMs }));
      },
    );
  }

  #listen() {
    const iris = this.#iris;
    const push = (name, fields) => this.#events.push(name, fields);
    iris.on('state', ({ status, reason }) => {
      if (status === 'live') push('synced', {});
      if (status === 'stopped') push('error', { name: reason.code, retryable: reason.retryable });
    });
    iris.on('message', (message) => {
      const target = message.with === null ? { group: message.conversation } : { to: message.with };
      this.#targets.set(message.conversation, target);
      const group = message.with === null ? { group: message.conversation, group_name: message.title } : {};
      const to = message.from === iris.user && message.with !== null ? { to: message.with } : {};
      push(...told(message.conversation, message, { ...group, ...to }));
    });
    iris.on('sent', ({ reference, to, id, outcome }) => {
      const ref = reference === null ? {} : { ref: JSON.parse(reference) };
      if (outcome.type === 'failed') {
        const { name, retryable } = outcome.refusal;
        return push('error', { name, retryable, id, ...ref });
      }
      const { conversation, seq } = outcome;
      this.#targets.set(conversation, 'user' in to ? { to: to.user } : to);
      return push('sent', { id, conversation, seq, ...ref });
    });
    iris.on('receipt', (receipt) => push('receipt', receipt));
    iris.on('groupReceipt', (receipt) => push('group_receipt', { ...receipt, conversation: receipt.group }));
    iris.on('conversation', ({ conversation, read, unread, flags }) => push('conversation', { conversation, read, unread, ...flags }));
    iris.on('settings', (settings) => push('settings', settingsOf(settings)));
    iris.on('presence', ({ user, online, lastSeen }) => push('presence', { user, online, last_seen: lastSeen }));
    iris.on('typing', (typing) => push('typing', typing));
    iris.on('gap', (gap) => push('gap', gap));
  }

  /** The events that answer a command. */
  async #carryOut(name, fields, ref) {
    const iris = this.#iris;
    const done = async (work) => (await work, [['done', {}]]);
    const target = () => this.#targets.get(fields.conversation) ?? { group: fields.conversation };
    switch (name) {
      case 'send': {
        const { text, ...to } = fields;
        await iris.send({ ...to, text, ...(ref === undefined ? {} : { reference: JSON.stringify(ref) }) });
        return [];
      }
      case 'history': {
        const { with: user, group, ...question } = fields;
        const page = await iris.page(group === undefined ? { with: user } : { group }, question);
        const of = group === undefined ? { with: user } : { group };
        const entries = page.entries.map((entry) => {
          return told(page.conversation, entry, { ...(group === undefined ? {} : { group }), history: true });
        });
        return [...entries, ['history_end', { ...of, count: page.entries.length, more: page.more }]];
      }
      case 'conversations': {
        const items = await iris.conversations();
        return [['conversations', { items: items.map(summaryOf), next: null }]];
      }
      case 'read':
        return done(iris.read(target(), fields.seq));
      case 'receipts':
        return [['receipts', { ...fields, ...(await iris.receipts(target(), fields.seq)) }]];
      case 'flag': {
        const { conversation: _, ...flags } = fields;
        return done(iris.flag(target(), flags));
      }
      case 'typing':
        await iris.typing(target(), fields.on);
        return [];
      case 'group_create':
        return [['group', { group: await iris.groups.create(fields) }]];
      case 'group': {
        const { title, createdAt, lastSeq, role, ...group } = await iris.groups.get(fields.group);
        return [['group', { ...group, name: title, created_at: createdAt, seq: lastSeq, role: role ?? 'invited' }]];
      }
      case 'group_invite':
        return done(iris.groups.invite(fields.group, fields.user));
      case 'group_add':
        return done(iris.groups.add(fields.group, fields.user));
      case 'group_remove':
        return done(iris.groups.remove(fields.group, fields.user));
      case 'group_accept':
        return done(iris.groups.accept(fields.group));
      case 'group_leave':
        return done(iris.groups.leave(fields.group));
      case 'group_rename':
        return done(iris.groups.rename(fields.group, fields.name));
      case 'group_describe':
        return done(iris.groups.describe(fields.group, fields.description));
      case 'group_role':
        return done(iris.groups.role(fields.group, fields.user, fields.role));
      case 'group_policy':
        return done(iris.groups.policy(fields.group, fields.policy));
      case 'roster': {
        const { members, next } = await iris.groups.roster(fields.group, fields.limit, fields.after);
        return [['roster', { group: fields.group, items: members, next }]];
      }
      case 'block':
        return done(iris.block(fields.user));
      case 'unblock':
        return done(iris.unblock(fields.user));
      case 'presence': {
        const found = await iris.presence.look(fields.users, fields.group);
        return found.map(({ user, online, lastSeen }) => ['presence', { user, online, last_seen: lastSeen }]);
      }
      case 'settings': {
        const { read_receipts, last_seen, typing } = fields;
        if (Object.keys(fields).length === 0) return [['settings', settingsOf(await iris.settings())]];
        return done(iris.changeSettings({ readReceipts: read_receipts, lastSeen: last_seen, typing }));
      }
      case 'devices': {
        const items = await iris.devices.list();
        return [['devices', { items: items.map((item) => ({ ...item, current: item.device === iris.device })) }]];
      }
      case 'device_rename':
        return done(iris.devices.rename(fields.device, fields.name));
      case 'device_revoke':
        return done(iris.devices.revoke(fields.device));
      default:
        throw new Error(`no command ${name}`);
    }
  }
}

/** A message, or what became of a group, as one event. */
function told(conversation, { id, seq, from, sentAt, body }, more) {
  const common = { id, conversation, seq, sent_at: sentAt, ...more };
  if (!body.change) return ['message', { ...common, from, text: body.text }];
  const { type, user = from, title, heir, ...rest } = body.change;
  const named = { ...(title === undefined ? {} : { name: title }), ...(heir == null ? {} : { owner: heir }) };
  return ['member', { ...common, by: from, user, change: type, ...named, ...rest }];
}

function summaryOf({ conversation, with: user, title, standing, lastSeq, read, unread, flags, last }) {
  const peer = user === null ? { group: conversation, name: title } : { with: user };
  const { from, sentAt, body } = last;
  return { conversation, ...peer, standing, seq: lastSeq, read, unread, ...flags, last: { from, sent_at: sentAt, text: body.text ?? null } };
}

function settingsOf({ readReceipts, lastSeen, typing }) {
  return { read_receipts: readReceipts, last_seen: lastSeen, typing };
}
