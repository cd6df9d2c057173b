/** The page: signs in, starts the client, shows the chats. */

import { effect, signal } from '@preact/signals';
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { App } from './model/app.js';
import { Profile, type Session } from './model/profile.js';
import { hasLink, signIn, tokenEnd } from './model/signin.js';
import { Conversation, NoConversation } from './ui/conversation.js';
import { Dialogs } from './ui/dialogs.js';
import { Logo } from './ui/icons.js';
import { Panels } from './ui/panels.js';
import { SignIn, Stopped } from './ui/screens.js';
import { Sidebar } from './ui/sidebar.js';
import { followTheme } from './ui/theme.js';

const TOAST_MS = 4_000;

const root = signal(<Loading />);

function Root() {
  return root.value;
}

function Loading() {
  return (
    <main class="screen" aria-label="Starting" aria-busy="true">
      <Logo size={64} />
    </main>
  );
}

function Page({ app }: { app: App }) {
  const { status, reason } = app.state.value;
  const open = app.open.value;
  const panel = app.panel.value;
  const isOver = status === 'connecting' && reason?.code === 'token_expired';
  useEffect(() => {
    if (app.toast.value === '') return;
    const timer = setTimeout(() => (app.toast.value = ''), TOAST_MS);
    return () => clearTimeout(timer);
  }, [app.toast.value]);
  if (status === 'stopped' || isOver) {
    return <Stopped session={app.session} code={reason?.code ?? ''} profile={app.profile} />;
  }
  return (
    <div class={`page${open ? ' has-open' : ''}${panel === 'none' ? '' : ' has-panel'}`}>
      <Sidebar app={app} />
      {open ? <Conversation app={app} chat={open} /> : <NoConversation app={app} />}
      <Panels app={app} />
      <Dialogs app={app} />
      {app.toast.value !== '' && (
        <div class="toast" role="status">
          {app.toast.value}
        </div>
      )}
      <div class="only-heard" aria-live="polite">
        {app.announcement.value}
      </div>
    </div>
  );
}

async function start(session: Session, profile: Profile): Promise<void> {
  const end = tokenEnd(session.token);
  if (end !== undefined && end <= Date.now()) {
    root.value = <Stopped session={session} code="token_expired" profile={profile} />;
    return;
  }
  const app = await App.start(session, profile);
  root.value = <Page app={app} />;
  effect(() => {
    const { unread } = app;
    const name = app.open.value?.name.value;
    document.title = `${unread.value > 0 ? `(${unread.value}) ` : ''}${name === undefined ? 'Iris' : `${name} · Iris`}`;
  });
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !document.querySelector('dialog[open]')) void app.openChat(undefined);
    if (event.key === 'k' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      document.querySelector<HTMLInputElement>('.search input')?.focus();
    }
  });
}

async function main(): Promise<void> {
  followTheme();
  const container = document.getElementById('app');
  if (container) render(<Root />, container);
  // Another link opened in this tab signs in anew.
  addEventListener('hashchange', () => hasLink() && location.reload());
  const profile = await Profile.open();
  const session = await signIn(profile);
  if (session) return start(session, profile);
  const choose = async (user: string) => {
    const chosen = await profile.session(user);
    if (chosen) await start(chosen, profile);
  };
  root.value = <SignIn users={await profile.users()} choose={(user) => void choose(user)} />;
}

main().catch((error: unknown) => {
  console.error('iris: the page cannot start', error);
  const text = error instanceof Error ? error.message : String(error);
  root.value = (
    <main class="screen">
      <Logo size={64} />
      <h1>Iris cannot start in this browser</h1>
      <p class="hint">{text}</p>
    </main>
  );
});
