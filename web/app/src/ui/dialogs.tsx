/** Begin a chat or a group. */

import { useState } from 'preact/hooks';
import type { Policy } from '@iris/sdk';
import type { App } from '../model/app.js';
import { Icon } from './icons.js';
import { Avatar, Dialog, IconButton, Switch } from './parts.js';

/** What the protocol calls a name. */
const NAME = /^[A-Za-z0-9._@+-]{1,64}$/;
const NAME_RULE = 'Names have 1 to 64 letters, digits or . _ @ + -';

export function Dialogs({ app }: { app: App }) {
  const close = () => (app.dialog.value = 'none');
  switch (app.dialog.value) {
    case 'newChat':
      return <NewChat app={app} close={close} />;
    case 'newGroup':
      return <NewGroup app={app} close={close} />;
    default:
      return null;
  }
}

function people(app: App): string[] {
  const users = [...app.chats.value.values()].flatMap((chat) => chat.user ?? []);
  return users.filter((user) => user !== app.user).sort((one, other) => one.localeCompare(other));
}

function NewChat({ app, close }: { app: App; close: () => void }) {
  const [name, setName] = useState('');
  const wanted = name.trim();
  const isName = NAME.test(wanted);
  const known = people(app).filter((user) => user.toLocaleLowerCase().includes(wanted.toLocaleLowerCase()));
  const open = (user: string) => {
    close();
    void app.openChat(app.chatWith(user));
  };
  return (
    <Dialog title="New chat" close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isName) open(wanted);
        }}
      >
        <input
          class="field"
          autofocus
          placeholder="Name of a person"
          aria-label="Name of a person"
          aria-describedby="name-rule"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <p id="name-rule" class={`hint${wanted !== '' && !isName ? ' is-wrong' : ''}`}>
          {NAME_RULE}
        </p>
        <div class="pick-list">
          {app.can('groupCreate') && wanted === '' && (
            <button type="button" class="pick" onClick={() => (app.dialog.value = 'newGroup')}>
              <span class="avatar avatar-m avatar-icon">
                <Icon name="people" />
              </span>
              New group
            </button>
          )}
          {isName && !known.includes(wanted) && (
            <button type="submit" class="pick">
              <Avatar name={wanted} />
              <span>
                Chat with <strong>{wanted}</strong>
              </span>
            </button>
          )}
          {known.map((user) => (
            <button key={user} type="button" class="pick" onClick={() => open(user)}>
              <Avatar name={user} />
              {user}
            </button>
          ))}
        </div>
      </form>
    </Dialog>
  );
}

/** What the switches of a new group say. */
function policy(isAdding: boolean, isOpen: boolean): Policy[] {
  return [...(isAdding ? (['admins_add'] as const) : []), ...(isOpen ? (['open_history'] as const) : [])];
}

function NewGroup({ app, close }: { app: App; close: () => void }) {
  const [name, setName] = useState('');
  const [person, setPerson] = useState('');
  const [members, setMembers] = useState<string[]>([]);
  const [isBusy, setBusy] = useState(false);
  const [isAdding, setAdding] = useState(true);
  const [isOpen, setOpen] = useState(false);
  const wanted = person.trim();
  const add = (user: string) => {
    if (NAME.test(user) && user !== app.user && !members.includes(user)) setMembers([...members, user]);
    setPerson('');
  };
  const create = async () => {
    setBusy(true);
    let group = '';
    const isDone = await app.run(async () => {
      group = await app.iris.groups.create({ name: name.trim(), members, policy: policy(isAdding, isOpen) });
    });
    setBusy(false);
    if (!isDone) return;
    close();
    await app.refresh();
    await app.openChat(app.chatIn(group));
  };
  return (
    <Dialog title="New group" close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim() !== '' && !isBusy) void create();
        }}
      >
        <input
          class="field"
          autofocus
          placeholder="Name of the group"
          aria-label="Name of the group"
          maxLength={64}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <div class="chips">
          {members.map((user) => (
            <span key={user} class="chip">
              {user}
              <IconButton icon="close" label={`Leave out ${user}`} onClick={() => setMembers(members.filter((member) => member !== user))} />
            </span>
          ))}
        </div>
        <input
          class="field"
          placeholder="Add people"
          aria-label="Add people"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={person}
          onInput={(event) => setPerson(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || wanted === '') return;
            event.preventDefault();
            add(wanted);
          }}
        />
        <p class={`hint${wanted !== '' && !NAME.test(wanted) ? ' is-wrong' : ''}`}>{NAME_RULE}</p>
        <div class="pick-list">
          {people(app)
            .filter((user) => !members.includes(user) && user.includes(wanted))
            .map((user) => (
              <button key={user} type="button" class="pick" onClick={() => add(user)}>
                <Avatar name={user} />
                {user}
                <Icon name="plus" size={18} />
              </button>
            ))}
        </div>
        <Switch label="Add people without asking them" hint="Off: they are invited." on={isAdding} set={setAdding} />
        <Switch label="New members see older messages" on={isOpen} set={setOpen} />
        <button type="submit" class="button button-wide" disabled={name.trim() === '' || isBusy}>
          Create group
        </button>
      </form>
    </Dialog>
  );
}
