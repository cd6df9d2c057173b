/** Members of a group and their administration. */

import { useEffect, useState } from 'preact/hooks';
import type { Group, Member, Policy, Role } from '@iris/sdk';
import type { App } from '../model/app.js';
import type { Chat } from '../model/chat.js';
import { Icon } from './icons.js';
import { Avatar } from './parts.js';

/** Members that one look brings. */
const ROSTER_PAGE = 100;

export function GroupInfo({ app, chat }: { app: App; chat: Chat }) {
  const [next, setNext] = useState<string | null>(null);
  const [about, setGroup] = useState<Group>();
  const [title, setTitle] = useState(chat.name.value);
  const [person, setPerson] = useState('');
  const name = chat.group ?? '';
  const members = chat.members.value;
  const load = (after?: string) =>
    app.run(async () => {
      const page = await app.iris.groups.roster(name, ROSTER_PAGE, after);
      chat.members.value = after === undefined ? page.members : [...(chat.members.value ?? []), ...page.members];
      setNext(page.next);
      const group = await app.iris.groups.get(name);
      setGroup(group);
      chat.size.value = group.members;
    });
  useEffect(() => void load(), [name, chat.lastSeq.value]);
  const mine = members?.find(({ user }) => user === app.user)?.role;
  const leads = mine === 'owner' || mine === 'admin';
  const allows = (policy: Policy) => about?.policy.includes(policy) ?? false;
  const mayAdd = (leads && allows('admins_add')) || allows('members_add');
  const mayInvite = leads || allows('members_invite') || mayAdd;
  const bring = (user: string) => (mayAdd ? app.iris.groups.add(name, user) : app.iris.groups.invite(name, user));
  if (chat.standing.value === 'gone') return null;
  const act = (work: () => Promise<unknown>, done: string) => void app.run(work, done).then(() => load());
  return (
    <>
      {leads && (
        <form
          class="inline-form"
          onSubmit={(event) => {
            event.preventDefault();
            act(async () => {
              await app.iris.groups.rename(name, title.trim());
            }, 'Renamed');
          }}
        >
          <input class="field" aria-label="Name of the group" maxLength={100} value={title} onInput={(event) => setTitle(event.currentTarget.value)} />
          <button type="submit" class="button" disabled={title.trim() === '' || title.trim() === chat.name.value}>
            Rename
          </button>
        </form>
      )}
      {about?.description && <p class="hint">{about.description}</p>}
      {mayInvite && (
        <form
          class="inline-form"
          onSubmit={(event) => {
            event.preventDefault();
            const user = person.trim();
            setPerson('');
            if (user !== '') act(() => bring(user), mayAdd ? `Added ${user}` : `Invited ${user}`);
          }}
        >
          <input
            class="field"
            placeholder="Name of a person"
            aria-label="Name of a person to bring in"
            autocapitalize="off"
            spellcheck={false}
            value={person}
            onInput={(event) => setPerson(event.currentTarget.value)}
          />
          <button type="submit" class="button" disabled={person.trim() === ''}>
            {mayAdd ? 'Add' : 'Invite'}
          </button>
        </form>
      )}
      <section aria-label="Members">
        <h3>{members ? `${members.length}${next === null ? '' : '+'} members` : 'Members'}</h3>
        <ul class="member-list">
          {members?.map((member) => (
            <MemberLine key={member.user} app={app} group={name} member={member} mine={mine ?? undefined} act={act} />
          ))}
        </ul>
        {next !== null && (
          <button type="button" class="link" onClick={() => void load(next)}>
            Show more
          </button>
        )}
      </section>
      <button type="button" class="row-button is-danger" onClick={() => act(() => app.iris.groups.leave(name), 'You left the group')}>
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
  const { user, role } = member;
  const mayRemove = user !== app.user && (mine === 'owner' || (mine === 'admin' && (role === 'member' || role === null)));
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
        {role === null && <small> invited</small>}
      </span>
      {mayRemove && role === null ? (
        <button type="button" class="link" onClick={() => choose('remove')}>
          Withdraw
        </button>
      ) : mayRemove && role !== null ? (
        <select class="field field-small" aria-label={`Role of ${user}`} value={role} onChange={(event) => choose(event.currentTarget.value)}>
          <option value="member">Member</option>
          {(mine === 'owner' || role === 'admin') && <option value="admin">Admin</option>}
          {(mine === 'owner' || role === 'owner') && <option value="owner">Owner</option>}
          <option value="remove">Remove from group</option>
        </select>
      ) : (
        role !== 'member' && role !== null && <span class="member-role">{role}</span>
      )}
    </li>
  );
}
