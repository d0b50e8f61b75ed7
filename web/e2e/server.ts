import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const targetDir = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../target', import.meta.url));
const binary = process.env.SWITCHBOARD_BIN ?? join(targetDir, 'debug', 'switchboard');

export const SETUP_CODE = 'journey-setup-code-0001';

/** How long a server may take until it has said where it listens. */
const START_MS = 30_000;

interface Addresses {
  url: string;
  sandbox: string;
  setup: string | null;
}

/** The real binary in a folder of its own. It can be killed and started again on the same data and ports. */
export class Server {
  readonly data = mkdtempSync(join(tmpdir(), 'switchboard-e2e-'));
  readonly log: string[] = [];
  /** Settings for the next start. Telegram itself is out of reach, so that no test leaves this machine. */
  readonly settings: Record<string, string> = { 'telegram.api_url': 'http://127.0.0.1:9' };
  url = '';
  sandbox = '';
  /** The one-time link; null once the workspace exists. */
  setup: string | null = null;
  #process: ChildProcess | null = null;

  async start(): Promise<void> {
    const listen = this.url ? new URL(this.url).host : '127.0.0.1:0';
    this.settings['sandbox.listen'] = this.sandbox ? new URL(this.sandbox).host : '127.0.0.1:0';
    const set = Object.entries(this.settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
    const child = spawn(binary, ['serve', '--data', this.data, '--listen', listen, '--sandbox', ...set], {
      env: { ...process.env, SWITCHBOARD_SETUP_CODE: SETUP_CODE },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    const found = await this.#read(child, this.url === '');
    this.url = found.url;
    this.sandbox = found.sandbox;
    this.setup = found.setup;
  }

  /** Collects the log and finds the addresses in it; the `first` start of all prints the setup link too. */
  #read(child: ChildProcess, first: boolean): Promise<Addresses> {
    return new Promise((resolve, reject) => {
      const found: Partial<Addresses> = {};
      const timer = setTimeout(
        () => reject(new Error(`no address after ${START_MS} ms\n${this.text}`)),
        START_MS,
      );
      child.on('error', reject);
      child.on('exit', (code) => reject(new Error(`the server ended with ${code}\n${this.text}`)));
      const line = (text: string) => {
        this.log.push(text);
        const [, what, url] = /^(listening on|sandbox on|setup:) (http\S+)/.exec(text) ?? [];
        if (what === 'listening on') found.url = url;
        if (what === 'sandbox on') found.sandbox = url && new URL(url).origin;
        if (what === 'setup:') found.setup = url;
        if (!found.url || !found.sandbox || (first && !found.setup)) return;
        clearTimeout(timer);
        resolve({ setup: null, ...found } as Addresses);
      };
      for (const stream of [child.stdout, child.stderr]) {
        if (stream) createInterface({ input: stream }).on('line', line);
      }
    });
  }

  /** Runs another command on the same data; the embedded database wants the server stopped meanwhile. */
  async command(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(binary, [...args, '--data', this.data]);
    return stdout.trim();
  }

  get text(): string {
    return this.log.join('\n');
  }

  /** As a power cut would: no time to tidy up. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
    rmSync(this.data, { recursive: true, force: true });
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }
}
