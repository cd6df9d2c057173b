/** Events that wait to be looked at: each is taken once, in order among those of its name. */
export class EventQueue {
  #events = [];
  #waiting = [];

  push(name, fields) {
    const at = this.#waiting.findIndex((waiting) => waiting.name === name);
    if (at < 0) this.#events.push({ name, fields });
    else this.#waiting.splice(at, 1)[0].resolve(fields);
  }

  next(name) {
    const at = this.#events.findIndex((event) => event.name === name);
    if (at >= 0) return Promise.resolve(this.#events.splice(at, 1)[0].fields);
    return new Promise((resolve) => this.#waiting.push({ name, resolve }));
  }

  describe() {
    return JSON.stringify(this.#events);
  }
}
