/** Groups and presence. */

import type { Answer } from './machine.js';
import type { Group, Member, Policy, PresenceState, Role } from './types.js';

type Ask = <Type extends Answer['type']>(
  type: Type,
  name: string,
  command: Record<string, unknown>,
) => Promise<Extract<Answer, { type: Type }>>;

export interface NewGroup {
  name: string;
  description?: string;
  /** Members from the start if the policy has `admins_add`, otherwise invited. */
  members?: string[];
  policy?: Policy[];
}

/** Groups and their administration. A change that was made already is no error. */
export class Groups {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Makes a group, with its creator as owner; its name for further calls. */
  async create(group: NewGroup): Promise<string> {
    return (await this.#ask('groupCreated', 'groupCreate', { ...group })).group;
  }

  invite(group: string, user: string): Promise<void> {
    return this.#change('groupInvite', { group, user });
  }

  add(group: string, user: string): Promise<void> {
    return this.#change('groupAdd', { group, user });
  }

  remove(group: string, user: string): Promise<void> {
    return this.#change('groupRemove', { group, user });
  }

  accept(group: string): Promise<void> {
    return this.#change('groupAccept', { group });
  }

  leave(group: string): Promise<void> {
    return this.#change('groupLeave', { group });
  }

  rename(group: string, name: string): Promise<void> {
    return this.#change('groupRename', { group, name });
  }

  describe(group: string, description: string): Promise<void> {
    return this.#change('groupDescribe', { group, description });
  }

  /** `owner` hands the group over. */
  role(group: string, user: string, role: Role): Promise<void> {
    return this.#change('groupRole', { group, user, role });
  }

  policy(group: string, policy: Policy[]): Promise<void> {
    return this.#change('groupPolicy', { group, policy });
  }

  async get(group: string): Promise<Group> {
    return (await this.#ask('group', 'group', { group })).group;
  }

  /** Members and invited, ascending by name; `next` is where the following ones begin. */
  async roster(group: string, limit: number, after?: string): Promise<{ members: Member[]; next: string | null }> {
    const { items, next } = await this.#ask('roster', 'roster', { group, limit, after });
    return { members: items, next };
  }

  async #change(name: string, command: Record<string, unknown>): Promise<void> {
    await this.#ask('groupChanged', name, command);
  }
}

/** Who is there. `group`: one that all of them and the user are in; without it by their direct conversations. */
export class Presence {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Tells of these users by `presence` events, until the next call; an empty list ends it. */
  async watch(users: string[], group?: string): Promise<void> {
    await this.#ask('done', 'presence', { users, group, watch: true });
  }

  /** How it is now. */
  async look(users: string[], group?: string): Promise<PresenceState[]> {
    return (await this.#ask('presences', 'presence', { users, group, watch: false })).items;
  }
}
