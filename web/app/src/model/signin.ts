/** Who is signed in in this tab: from the link's fragment, else as before. */

import type { Profile, Session } from './profile.js';

const TAB_USER = 'iris.user';

/** Reads `#user=…&token=…` and drops it from the address at once: it must not stay in history or be shared. */
export async function signIn(profile: Profile): Promise<Session | undefined> {
  const given = fragment();
  if (given) {
    sessionStorage.setItem(TAB_USER, given.user);
    return profile.signIn(given.user, given.token);
  }
  const user = sessionStorage.getItem(TAB_USER);
  return user === null ? undefined : profile.session(user);
}

export function chooseUser(user: string): void {
  sessionStorage.setItem(TAB_USER, user);
}

export function forgetUser(): void {
  sessionStorage.removeItem(TAB_USER);
}

export function hasLink(): boolean {
  const parameters = new URLSearchParams(location.hash.slice(1));
  return parameters.has('user') && parameters.has('token');
}

function fragment(): { user: string; token: string } | undefined {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const [user, token] = [parameters.get('user'), parameters.get('token')];
  if (!user || !token) return undefined;
  history.replaceState(null, '', location.pathname + location.search);
  return { user, token };
}

/** When a token ends, in milliseconds since 1970; undefined when it does not say. */
export function tokenEnd(token: string): number | undefined {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const { exp } = JSON.parse(atob(payload)) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
