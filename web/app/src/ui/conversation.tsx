/** The chat that is open: head, messages, field. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { App } from '../model/app.js';
import type { Chat } from '../model/chat.js';
import { lastSeen } from '../model/format.js';
import { Composer } from './composer.js';
import { Icon, Logo } from './icons.js';
import { Avatar, IconButton } from './parts.js';
import { Timeline } from './timeline.js';

export function Conversation({ app, chat }: { app: App; chat: Chat }) {
  const [isSearching, setSearching] = useState(false);
  const [query, setQuery] = useState('');
  useEffect(() => {
    setSearching(false);
    setQuery('');
  }, [chat.key]);
  return (
    <main class="conversation" aria-label={`Chat with ${chat.name.value}`}>
      <header class="bar">
        <IconButton icon="back" label="All chats" class="only-phone" onClick={() => void app.openChat(undefined)} />
        <button type="button" class="bar-person" onClick={() => (app.panel.value = 'info')} aria-label={`About ${chat.name.value}`}>
          <Avatar name={chat.name.value} size="s" group={chat.isGroup} online={chat.online.value} />
          <span class="bar-text">
            <h2>{chat.name.value}</h2>
            <Presence chat={chat} />
          </span>
        </button>
        <IconButton icon="search" label="Search in this chat" pressed={isSearching} onClick={() => setSearching(!isSearching)} />
        <IconButton icon="info" label="Info" onClick={() => (app.panel.value = app.panel.value === 'info' ? 'none' : 'info')} />
      </header>
      {isSearching && <Search chat={chat} query={query} set={setQuery} close={() => (setSearching(false), setQuery(''))} />}
      <Timeline key={chat.key} app={app} chat={chat} query={query.trim().toLocaleLowerCase()} />
      <Foot app={app} chat={chat} />
    </main>
  );
}

/** Where one writes, or why one cannot. */
function Foot({ app, chat }: { app: App; chat: Chat }) {
  const group = chat.group ?? '';
  const answer = (work: () => Promise<void>) => void app.run(work).then(() => app.refresh());
  if (chat.standing.value === 'invited') {
    return (
      <div class="composer-note">
        <p>You are invited to this group.</p>
        <button type="button" class="button" onClick={() => answer(() => app.iris.groups.accept(group))}>
          Join
        </button>
        <button type="button" class="link" onClick={() => answer(() => app.iris.groups.leave(group))}>
          Decline
        </button>
      </div>
    );
  }
  if (chat.standing.value === 'gone') return <p class="composer-note">You are not in this group any more.</p>;
  if (chat.blocked.value) {
    return (
      <p class="composer-note">
        You blocked {chat.name.value}.
        <button type="button" class="link" onClick={() => answer(() => app.iris.unblock(chat.user ?? ''))}>
          Unblock
        </button>
      </p>
    );
  }
  return <Composer app={app} chat={chat} />;
}

function Presence({ chat }: { chat: Chat }) {
  if (chat.typing.value.size > 0) {
    return <span class="bar-status is-typing">{chat.isGroup ? `${[...chat.typing.value].join(', ')} typing…` : 'typing…'}</span>;
  }
  if (chat.isGroup) {
    const { value } = chat.size;
    return value === undefined ? null : <span class="bar-status">{value === 1 ? '1 member' : `${value} members`}</span>;
  }
  if (chat.online.value) return <span class="bar-status is-online">online</span>;
  if (chat.lastSeen.value !== null) return <span class="bar-status">{lastSeen(chat.lastSeen.value)}</span>;
  return null;
}

/** Search in what is loaded; older messages come by scrolling. */
function Search(props: { chat: Chat; query: string; set: (query: string) => void; close: () => void }) {
  const { chat, query, set, close } = props;
  const field = useRef<HTMLInputElement>(null);
  const [at, setAt] = useState(0);
  chat.changed.value;
  const words = query.trim().toLocaleLowerCase();
  const found = words === '' ? [] : chat.timeline.entries.filter(({ body }) => body.text?.toLocaleLowerCase().includes(words));
  const shown = found[found.length - 1 - Math.min(at, found.length - 1)];
  useEffect(() => field.current?.focus(), []);
  useEffect(() => setAt(0), [words]);
  useEffect(() => {
    if (shown) document.dispatchEvent(new CustomEvent('iris:show', { detail: shown.seq }));
  }, [shown?.seq]);
  const step = (by: number) => setAt((at + by + found.length) % Math.max(1, found.length));
  return (
    <div class="find" role="search">
      <Icon name="search" size={17} />
      <input
        ref={field}
        type="search"
        placeholder="Search in loaded messages"
        aria-label="Search in loaded messages"
        value={query}
        onInput={(event) => set(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') step(event.shiftKey ? -1 : 1);
          if (event.key === 'Escape') close();
        }}
      />
      <span class="find-count" role="status">
        {words === '' ? '' : found.length === 0 ? 'None' : `${Math.min(at, found.length - 1) + 1} of ${found.length}`}
      </span>
      <IconButton icon="down" label="Older" class="turned" disabled={found.length === 0} onClick={() => step(1)} />
      <IconButton icon="down" label="Newer" disabled={found.length === 0} onClick={() => step(-1)} />
      <IconButton icon="close" label="End search" onClick={close} />
    </div>
  );
}

export function NoConversation({ app }: { app: App }) {
  const hasChats = app.list.value.length > 0;
  return (
    <main class="conversation nothing-open">
      <Logo size={72} />
      <h2>{hasChats ? 'Pick a chat' : `Hello, ${app.user}`}</h2>
      <p>{hasChats ? 'Your conversations are on the left.' : 'Write to anybody on this server by their name.'}</p>
      <button type="button" class="button" onClick={() => (app.dialog.value = 'newChat')}>
        <Icon name="compose" size={18} /> New chat
      </button>
    </main>
  );
}
