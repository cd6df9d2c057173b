/** Members of a group and their administration. */

import { useEffect, useState } from 'preact/hooks';
import type { Member, Role } from '@iris/sdk';
import type { App } from '../model/app.js';
import type { Chat } from '../model/chat.js';
import { Icon } from './icons.js';
import { Avatar } from './parts.js';

/** Members that one look brings. */
const ROSTER_PAGE = 100;

export function GroupInfo({ app, chat }: { app: App; chat: Chat }) {
  const [next, setNext] = useState<string | null>(null);
  const [name, setName] = useState(chat.name.value);
  const [person, setPerson] = useState('');
  const group = chat.group ?? '';
  const members = chat.members.value;
  const load = (after?: string) =>
    app.run(async () => {
      const page = await app.iris.groups.roster(group, ROSTER_PAGE, after);
      chat.members.value = after === undefined ? page.members : [...(chat.members.value ?? []), ...page.members];
      setNext(page.next);
    });
  useEffect(() => void load(), [group, chat.lastSeq.value]);
  const mine = members?.find(({ user }) => user === app.user)?.role;
  const leads = mine === 'owner' || mine === 'admin';
  const act = (work: () => Promise<unknown>, done: string) => void app.run(work, done).then(() => load());
  return (
    <>
      {leads && (
        <form
          class="inline-form"
          onSubmit={(event) => {
            event.preventDefault();
            act(async () => {
              await app.iris.groups.rename(group, name.trim());
              chat.name.value = name.trim();
            }, 'Renamed');
          }}
        >
          <input class="field" aria-label="Name of the group" maxLength={64} value={name} onInput={(event) => setName(event.currentTarget.value)} />
          <button type="submit" class="button" disabled={name.trim() === '' || name.trim() === chat.name.value}>
            Rename
          </button>
        </form>
      )}
      {leads && (
        <form
          class="inline-form"
          onSubmit={(event) => {
            event.preventDefault();
            const user = person.trim();
            setPerson('');
            if (user !== '') act(() => app.iris.groups.invite(group, user), `Invited ${user}`);
          }}
        >
          <input
            class="field"
            placeholder="Name of a person"
            aria-label="Name of a person to invite"
            autocapitalize="off"
            spellcheck={false}
            value={person}
            onInput={(event) => setPerson(event.currentTarget.value)}
          />
          <button type="submit" class="button" disabled={person.trim() === ''}>
            Invite
          </button>
        </form>
      )}
      <section aria-label="Members">
        <h3>{members ? `${members.length}${next === null ? '' : '+'} members` : 'Members'}</h3>
        <ul class="member-list">
          {members?.map((member) => (
            <MemberLine key={member.user} app={app} group={group} member={member} mine={mine} act={act} />
          ))}
        </ul>
        {next !== null && (
          <button type="button" class="link" onClick={() => void load(next)}>
            Show more
          </button>
        )}
      </section>
      <button type="button" class="row-button is-danger" onClick={() => act(() => app.iris.groups.leave(group), 'You left the group')}>
        <Icon name="leave" /> Leave group
      </button>
    </>
  );
}

interface LineProps {
  app: App;
  group: string;
  member: Member;
  mine: Role | undefined;
  act: (work: () => Promise<unknown>, done: string) => void;
}

function MemberLine({ app, group, member, mine, act }: LineProps) {
  const { user, role, state } = member;
  const mayRemove = user !== app.user && (mine === 'owner' || (mine === 'admin' && role === 'member'));
  const choose = (wanted: string) => {
    if (wanted === 'remove') act(() => app.iris.groups.remove(group, user), `Removed ${user}`);
    else act(() => app.iris.groups.role(group, user, wanted as Role), 'Changed');
  };
  return (
    <li class="member">
      <Avatar name={user} size="s" />
      <span class="member-name">
        {user}
        {user === app.user && <small> (you)</small>}
        {state === 'invited' && <small> invited</small>}
      </span>
      {mayRemove ? (
        <select class="field field-small" aria-label={`Role of ${user}`} value={role} onChange={(event) => choose(event.currentTarget.value)}>
          <option value="member">Member</option>
          {(mine === 'owner' || role === 'admin') && <option value="admin">Admin</option>}
          {(mine === 'owner' || role === 'owner') && <option value="owner">Owner</option>}
          <option value="remove">Remove from group</option>
        </select>
      ) : (
        role !== 'member' && <span class="member-role">{role}</span>
      )}
    </li>
  );
}
