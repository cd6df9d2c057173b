/**
 * Groups and presence, in the vocabulary of `iris chat --json`. Whether the client knows a command says
 * `Iris.can`; one that it does not know fails with `unsupported`.
 */

import type { Answer } from './machine.js';
import type { Member, Role } from './types.js';

type Ask = (name: string, command: Record<string, unknown>) => Promise<Answer>;

/** Groups and their administration. */
export class Groups {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Makes a group, with its creator as owner; its conversation. */
  async create(name: string, members: string[] = [], policy?: string): Promise<string> {
    const answer = await this.#ask('groupCreate', policy === undefined ? { name, members } : { name, members, policy });
    return (answer as unknown as { group: string }).group;
  }

  async invite(group: string, user: string): Promise<void> {
    await this.#ask('groupInvite', { group, user });
  }

  async add(group: string, user: string): Promise<void> {
    await this.#ask('groupAdd', { group, user });
  }

  async remove(group: string, user: string): Promise<void> {
    await this.#ask('groupRemove', { group, user });
  }

  async accept(group: string): Promise<void> {
    await this.#ask('groupAccept', { group });
  }

  async leave(group: string): Promise<void> {
    await this.#ask('groupLeave', { group });
  }

  async rename(group: string, name: string): Promise<void> {
    await this.#ask('groupRename', { group, name });
  }

  /** `owner` hands the group over. */
  async role(group: string, user: string, role: Role): Promise<void> {
    await this.#ask('groupRole', { group, user, role });
  }

  /** One page of members, ascending by name; `next` is where the following one begins. */
  async roster(group: string, limit: number, after?: string): Promise<{ members: Member[]; next: string | null }> {
    const answer = await this.#ask('roster', after === undefined ? { group, limit } : { group, limit, after });
    return answer as unknown as { members: Member[]; next: string | null };
  }
}

/** Who is there. */
export class Presence {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Tells of these users by `presence` events, until the next call; an empty list ends it. */
  async watch(users: string[]): Promise<void> {
    await this.#ask('presence', { users, watch: true });
  }

  /** Tells of these users once, by `presence` events. */
  async look(users: string[]): Promise<void> {
    await this.#ask('presence', { users, watch: false });
  }
}
