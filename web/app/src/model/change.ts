/** What happened to a group, in a sentence. */

import type { Change } from '@iris/sdk';

/** `by`: who did it. `me`: who reads it. */
export function changeText(change: Change, by: string, me: string): string {
  const who = by === me ? 'You' : by;
  const whom = (user: string) => (user === me ? 'you' : user);
  switch (change.type) {
    case 'created':
      return `${who} created the group “${change.title}”`;
    case 'invited':
      return `${who} invited ${whom(change.user)}`;
    case 'added':
      return `${who} added ${whom(change.user)}`;
    case 'joined':
      return `${who} joined`;
    case 'removed':
      return `${who} removed ${whom(change.user)}`;
    case 'left':
      return change.heir === null ? `${who} left` : `${who} left; ${whom(change.heir)} ${change.heir === me ? 'are' : 'is'} the owner now`;
    case 'renamed':
      return `${who} renamed the group to “${change.title}”`;
    case 'described':
      return change.description === '' ? `${who} removed the description` : `${who} changed the description`;
    case 'role':
      return change.user === me ? `${who} made you ${change.role}` : `${who} made ${change.user} ${change.role}`;
    case 'policy':
      return `${who} changed what members may do`;
    default:
      return `${who} changed the group`;
  }
}
