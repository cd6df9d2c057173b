/** The list of chats. */

import { useRef } from 'preact/hooks';
import type { App } from '../model/app.js';
import { changeText } from '../model/change.js';
import type { Chat } from '../model/chat.js';
import { shortTime } from '../model/format.js';
import { Icon, Logo, Ticks } from './icons.js';
import { Avatar, IconButton } from './parts.js';

export function Sidebar({ app }: { app: App }) {
  const list = useRef<HTMLDivElement>(null);
  const chats = app.list.value;
  const move = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const rows = [...(list.current?.querySelectorAll<HTMLElement>('.chat-row') ?? [])];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    rows[at < 0 ? 0 : at + step]?.focus();
    event.preventDefault();
  };
  return (
    <nav class="sidebar" aria-label="Chats" onKeyDown={move}>
      <header class="bar sidebar-head">
        <Logo />
        <h1>{app.showArchived.value ? 'Archived' : 'Chats'}</h1>
        <IconButton icon="devices" label="Devices" onClick={() => (app.panel.value = 'devices')} />
        <IconButton icon="settings" label="Settings" onClick={() => (app.panel.value = 'settings')} />
        <IconButton icon="compose" label="New chat" class="accent" onClick={() => (app.dialog.value = 'newChat')} />
      </header>
      <label class="search">
        <Icon name="search" size={17} />
        <input
          type="search"
          placeholder="Search"
          aria-label="Search chats"
          autocomplete="off"
          spellcheck={false}
          value={app.filter.value}
          onInput={(event) => (app.filter.value = event.currentTarget.value)}
        />
      </label>
      <Banner app={app} />
      <div class="chat-list" role="list" ref={list}>
        {chats.map((chat) => (
          <Row key={chat.key} app={app} chat={chat} />
        ))}
        {chats.length === 0 && <Nothing app={app} />}
      </div>
      {(app.hasArchived.value || app.showArchived.value) && (
        <button type="button" class="archive-link" onClick={() => (app.showArchived.value = !app.showArchived.value)}>
          <Icon name={app.showArchived.value ? 'back' : 'archive'} size={18} />
          {app.showArchived.value ? 'All chats' : 'Archived'}
        </button>
      )}
    </nav>
  );
}

/** Says when there is no connection. */
function Banner({ app }: { app: App }) {
  const { status, reason } = app.state.value;
  if (status !== 'connecting') return null;
  const text = reason || !navigator.onLine ? 'Offline. Messages are sent when you are back.' : 'Connecting…';
  return (
    <p class="banner" role="status">
      <span class="spinner" aria-hidden="true" />
      {text}
    </p>
  );
}

function Row({ app, chat }: { app: App; chat: Chat }) {
  const { unread } = chat;
  const name = chat.name.value;
  const isOpen = app.open.value === chat;
  return (
    <div role="listitem">
      <button
        type="button"
        class={`chat-row${isOpen ? ' is-open' : ''}${unread > 0 ? ' has-unread' : ''}`}
        aria-current={isOpen ? 'true' : undefined}
        onClick={() => void app.openChat(chat)}
      >
        <Avatar name={name} group={chat.isGroup} online={chat.online.value} />
        <span class="chat-row-text">
          <span class="chat-row-line">
            <span class="chat-row-name">{name}</span>
            {chat.muted.value && <Icon name="mute" size={14} />}
            {chat.pinned.value && <Icon name="pin" size={14} />}
            {chat.last.value && <time class="chat-row-time">{shortTime(chat.last.value.sentAt)}</time>}
          </span>
          <span class="chat-row-line">
            <Preview app={app} chat={chat} />
            {unread > 0 && (
              <span class={`badge${chat.muted.value ? ' badge-quiet' : ''}`} aria-label={`${unread} unread`}>
                {unread > 99 ? '99+' : unread}
              </span>
            )}
          </span>
        </span>
      </button>
    </div>
  );
}

function Preview({ app, chat }: { app: App; chat: Chat }) {
  const last = chat.last.value;
  const waiting = chat.waiting.value.at(-1);
  if (chat.typing.value.size > 0) return <span class="chat-row-preview is-typing">typing…</span>;
  if (chat.draft.value !== '' && app.open.value !== chat) {
    return (
      <span class="chat-row-preview">
        <em>Draft:</em> {chat.draft.value}
      </span>
    );
  }
  if (waiting) {
    return (
      <span class={`chat-row-preview${waiting.failed ? ' is-failed' : ''}`}>
        <Ticks state={waiting.failed ? 'failed' : 'waiting'} />
        {waiting.failed ? 'Not sent' : waiting.body.text}
      </span>
    );
  }
  if (!last) return <span class="chat-row-preview">{chat.lastSeq.value > 0 ? <span class="skeleton" /> : 'No messages yet'}</span>;
  const own = last.from === app.user;
  if (chat.standing.value === 'invited') return <span class="chat-row-preview">You are invited</span>;
  if (last.body.change) return <span class="chat-row-preview">{changeText(last.body.change, last.from, app.user)}</span>;
  return (
    <span class="chat-row-preview">
      {own && <Ticks state={tickOf(chat, last.seq)} />}
      {chat.isGroup && !own && <span class="chat-row-from">{last.from}: </span>}
      {last.body.text ?? 'Message of another kind'}
    </span>
  );
}

export function tickOf(chat: Chat, seq: number): 'sent' | 'delivered' | 'read' {
  if (seq <= chat.readByOthers.value) return 'read';
  return seq <= chat.delivered.value ? 'delivered' : 'sent';
}

function Nothing({ app }: { app: App }) {
  if (app.filter.value.trim()) {
    return (
      <div class="list-empty">
        <p>Nothing found for “{app.filter.value.trim()}”.</p>
      </div>
    );
  }
  if (!app.isListed.value) {
    return (
      <div class="list-skeleton" aria-label="Loading chats" role="status">
        {[0, 1, 2, 3, 4].map((at) => (
          <span key={at} class="row-skeleton">
            <span class="skeleton skeleton-round" />
            <span class="row-skeleton-text">
              <span class="skeleton" />
              <span class="skeleton" />
            </span>
          </span>
        ))}
      </div>
    );
  }
  return (
    <div class="list-empty">
      <p>{app.showArchived.value ? 'No archived chats.' : 'No chats yet.'}</p>
      {!app.showArchived.value && (
        <button type="button" class="button" onClick={() => (app.dialog.value = 'newChat')}>
          Start a chat
        </button>
      )}
    </div>
  );
}
