// The real server, started by the tests in a directory of its own.
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const BINARY = process.env.IRIS_BINARY ?? new URL('../../target/release/iris', import.meta.url).pathname;
const START_MS_MAX = 30_000;

export class Server {
  #child;
  #endsWithUs;
  directory = mkdtempSync(join(tmpdir(), 'iris-web-'));
  ready;

  static async start() {
    const server = new Server();
    await server.start();
    return server;
  }

  /** Starts it, or starts it again where it was. */
  async start() {
    const { address = '127.0.0.1:0', web_address, web_https_address = '127.0.0.1:0' } = this.ready ?? {};
    const ports = ['--listen', address, '--web-listen', web_https_address, '--http-port', web_address?.split(':').at(-1) ?? '0'];
    this.#child = spawn(BINARY, ['dev', '--dir', this.directory, ...ports], { stdio: ['ignore', 'ignore', 'inherit'] });
    this.#endsWithUs ??= process.on('exit', () => this.#child.kill('SIGKILL'));
    this.ready = await this.#announced();
    return this.ready;
  }

  /** As a power cut would. */
  async kill() {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await exited;
    rmSync(join(this.directory, 'ready.json'), { force: true });
  }

  async stop() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  get origin() {
    return `http://${this.ready.web_address}`;
  }

  get socket() {
    return `ws://${this.ready.web_address}/ws`;
  }

  async token(user, seconds = 3600) {
    const run = promisify(execFile);
    const { stdout } = await run(BINARY, ['token', '--user', user, '--dir', this.directory, '--seconds', String(seconds)]);
    return stdout.trim();
  }

  #announced() {
    const file = join(this.directory, 'ready.json');
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!existsSync(file)) return false;
        // Written beside its place and renamed: whoever sees it sees all of it.
        resolve(JSON.parse(readFileSync(file, 'utf8')));
        watcher.close();
        clearTimeout(limit);
        return true;
      };
      const watcher = watch(this.directory, look);
      const limit = setTimeout(() => {
        watcher.close();
        reject(new Error('the server does not start'));
      }, START_MS_MAX);
      this.#child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
      look();
    });
  }
}
