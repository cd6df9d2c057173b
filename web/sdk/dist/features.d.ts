/** Groups and presence. */
import type { Answer } from './machine.js';
import type { Group, Member, Policy, PresenceState, Role } from './types.js';
type Ask = <Type extends Answer['type']>(type: Type, name: string, command: Record<string, unknown>) => Promise<Extract<Answer, {
    type: Type;
}>>;
export interface NewGroup {
    name: string;
    description?: string;
    /** Members from the start if the policy has `admins_add`, otherwise invited. */
    members?: string[];
    policy?: Policy[];
}
/** Groups and their administration. A change that was made already is no error. */
export declare class Groups {
    #private;
    constructor(ask: Ask);
    /** Makes a group, with its creator as owner; its name for further calls. */
    create(group: NewGroup): Promise<string>;
    invite(group: string, user: string): Promise<void>;
    add(group: string, user: string): Promise<void>;
    remove(group: string, user: string): Promise<void>;
    accept(group: string): Promise<void>;
    leave(group: string): Promise<void>;
    rename(group: string, name: string): Promise<void>;
    describe(group: string, description: string): Promise<void>;
    /** `owner` hands the group over. */
    role(group: string, user: string, role: Role): Promise<void>;
    policy(group: string, policy: Policy[]): Promise<void>;
    get(group: string): Promise<Group>;
    /** Members and invited, ascending by name; `next` is where the following ones begin. */
    roster(group: string, limit: number, after?: string): Promise<{
        members: Member[];
        next: string | null;
    }>;
}
/** Who is there. `group`: one that all of them and the user are in; without it by their direct conversations. */
export declare class Presence {
    #private;
    constructor(ask: Ask);
    /** Tells of these users by `presence` events, until the next call; an empty list ends it. */
    watch(users: string[], group?: string): Promise<void>;
    /** How it is now. */
    look(users: string[], group?: string): Promise<PresenceState[]>;
}
export {};
