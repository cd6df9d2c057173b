/** Groups and presence. */
/** Groups and their administration. A change that was made already is no error. */
export class Groups {
    #ask;
    constructor(ask) {
        this.#ask = ask;
    }
    /** Makes a group, with its creator as owner; its name for further calls. */
    async create(group) {
        return (await this.#ask('groupCreated', 'groupCreate', { ...group })).group;
    }
    invite(group, user) {
        return this.#change('groupInvite', { group, user });
    }
    add(group, user) {
        return this.#change('groupAdd', { group, user });
    }
    remove(group, user) {
        return this.#change('groupRemove', { group, user });
    }
    accept(group) {
        return this.#change('groupAccept', { group });
    }
    leave(group) {
        return this.#change('groupLeave', { group });
    }
    rename(group, name) {
        return this.#change('groupRename', { group, name });
    }
    describe(group, description) {
        return this.#change('groupDescribe', { group, description });
    }
    /** `owner` hands the group over. */
    role(group, user, role) {
        return this.#change('groupRole', { group, user, role });
    }
    policy(group, policy) {
        return this.#change('groupPolicy', { group, policy });
    }
    async get(group) {
        return (await this.#ask('group', 'group', { group })).group;
    }
    /** Members and invited, ascending by name; `next` is where the following ones begin. */
    async roster(group, limit, after) {
        const { items, next } = await this.#ask('roster', 'roster', { group, limit, after });
        return { members: items, next };
    }
    async #change(name, command) {
        await this.#ask('groupChanged', name, command);
    }
}
/** Who is there. `group`: one that all of them and the user are in; without it by their direct conversations. */
export class Presence {
    #ask;
    constructor(ask) {
        this.#ask = ask;
    }
    /** Tells of these users by `presence` events, until the next call; an empty list ends it. */
    async watch(users, group) {
        await this.#ask('done', 'presence', { users, group, watch: true });
    }
    /** How it is now. */
    async look(users, group) {
        return (await this.#ask('presences', 'presence', { users, group, watch: false })).items;
    }
}
