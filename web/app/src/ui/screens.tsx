/** What is shown in place of the chats: signing in, and why it cannot go on. */

import type { Profile, Session } from '../model/profile.js';
import { chooseUser } from '../model/signin.js';
import { Icon, Logo } from './icons.js';
import { Avatar } from './parts.js';

export function SignIn({ users, choose }: { users: string[]; choose: (user: string) => void }) {
  return (
    <main class="screen">
      <Logo size={64} />
      <h1>Welcome to Iris</h1>
      {users.length > 0 ? (
        <>
          <p>Go on as</p>
          <div class="screen-users">
            {users.map((user) => (
              <button
                key={user}
                type="button"
                class="pick"
                onClick={() => {
                  chooseUser(user);
                  choose(user);
                }}
              >
                <Avatar name={user} />
                {user}
              </button>
            ))}
          </div>
          <p class="hint">For somebody else, open their sign-in link.</p>
        </>
      ) : (
        <>
          <p>Open the sign-in link that you were given: it ends with your name and a token.</p>
          <p class="hint">
            If you run this server yourself, <code>iris dev</code> prints such links when it starts.
          </p>
        </>
      )}
    </main>
  );
}

/** Why nothing more is tried, and what to do about it. */
export function Stopped(props: { session: Session; code: string; profile: Profile }) {
  const { session, code, profile } = props;
  const again = async () => {
    await profile.renewDevice(session);
    location.reload();
  };
  const { title, text } = explanation(code, session.user);
  return (
    <main class="screen" aria-live="assertive">
      <span class="screen-icon">
        <Icon name={code.startsWith('token') || code === 'bad_token' ? 'key' : 'alert'} size={36} />
      </span>
      <h1>{title}</h1>
      <p>{text}</p>
      {(code === 'device_revoked' || code === 'invalid_name') && (
        <button type="button" class="button" onClick={() => void again()}>
          Sign in as a new device
        </button>
      )}
      {(code === 'replaced' || code === 'database_failed') && (
        <button type="button" class="button" onClick={() => location.reload()}>
          Use it here
        </button>
      )}
      <p class="hint">{code}</p>
    </main>
  );
}

function explanation(code: string, user: string): { title: string; text: string } {
  switch (code) {
    case 'token_expired':
      return {
        title: 'Your sign-in link has run out',
        text: `Links last at most a day. Open a new one for ${user}: whoever runs the server makes it, and iris dev prints some when it starts. Your messages are kept.`,
      };
    case 'bad_token':
    case 'token_revoked':
      return {
        title: 'Your sign-in link is not valid any more',
        text: `Open a new one for ${user}: whoever runs the server makes it. Your messages are kept.`,
      };
    case 'device_revoked':
      return { title: 'This browser was signed out', text: `${user} revoked it from another device. It can sign in again as a new one.` };
    case 'too_many_devices':
      return { title: 'Too many devices', text: `${user} has as many devices as allowed. Revoke one that is not used any more, then load this page again.` };
    case 'replaced':
      return { title: 'Open elsewhere', text: 'This device is connected from another place.' };
    case 'database_failed':
      return { title: 'This browser could not keep your messages', text: 'Its storage is full or switched off. Make room, then load the page again. Nothing that was sent is lost.' };
    default:
      return { title: 'Iris had to stop', text: 'Load the page again. If that does not help, tell whoever runs the server the word below.' };
  }
}
