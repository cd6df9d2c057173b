// A device of the Rust SDK: `iris chat --json` as a child process.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { EventQueue } from './eventqueue.mjs';
import { BINARY } from './server.mjs';

export class RustDevice {
  #child;
  #events = new EventQueue();

  static async start(server, user, name) {
    const device = new RustDevice();
    const state = join(server.directory, `state-${user}-${name}`);
    const options = ['chat', '--json', '--as', user, '--device', name, '--dir', server.directory, '--state', state];
    device.#child = spawn(BINARY, options, { stdio: ['pipe', 'pipe', 'ignore'] });
    createInterface({ input: device.#child.stdout }).on('line', (line) => {
      const [[event, fields]] = Object.entries(JSON.parse(line));
      device.#events.push(event, fields);
    });
    await device.#events.next('synced');
    return device;
  }

  command(command) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  next(event) {
    return this.#events.next(event);
  }

  describe() {
    return this.#events.describe();
  }

  stop() {
    return new Promise((resolve) => {
      this.#child.once('exit', resolve);
      this.#child.kill('SIGKILL');
    });
  }
}
