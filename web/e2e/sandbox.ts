import { expect } from '@playwright/test';

interface Call {
  n: number;
  method: string;
  params: Record<string, unknown>;
  outcome: string;
}

export interface Fault {
  kind: '429' | '403' | '500' | 'cut_before' | 'cut_after' | 'hang' | 'down';
  method?: string;
  times?: number;
  retry_after?: number;
}

/** The other side of the conversation: people who write to the bot, and what Telegram saw of us. */
export class Sandbox {
  constructor(
    readonly url: string,
    readonly bot: { id: number; username: string },
  ) {}

  /** Finds the bot that the setup made. */
  static async of(url: string): Promise<Sandbox> {
    const answer: unknown = await (await fetch(`${url}/control/bots`)).json();
    const bots = (
      Array.isArray(answer) ? answer : ((answer as { bots?: unknown }).bots ?? [])
    ) as Sandbox['bot'][];
    const bot = bots[0];
    if (!bot) throw new Error(`the sandbox has no bot: ${JSON.stringify(answer)}`);
    return new Sandbox(url, bot);
  }

  async #post<T>(path: string, body: unknown): Promise<T> {
    const response = await fetch(`${this.url}/control/${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  async person(name: string, username?: string): Promise<Person> {
    const { id } = await this.#post<{ id: number }>('people', { name, username });
    return new Person(this, id, name);
  }

  say(from: number, text: string): Promise<unknown> {
    return this.#post('messages', { bot: this.bot.username, from, text });
  }

  fault(fault: Fault): Promise<unknown> {
    return this.#post('faults', { method: 'sendMessage', ...fault });
  }

  async lift(): Promise<void> {
    await fetch(`${this.url}/control/faults`, { method: 'DELETE' });
  }

  /** Texts that Telegram was asked to send, in order, with what became of the calls. */
  async sent(): Promise<{ text: string; outcome: string }[]> {
    const response = await fetch(`${this.url}/control/journal?method=sendMessage`);
    const { calls } = (await response.json()) as { calls: Call[] };
    return calls.map((call) => ({ text: String(call.params.text), outcome: call.outcome }));
  }

  /** Waits until Telegram was asked to send this text exactly so many times. */
  async expectSent(text: string, times = 1): Promise<void> {
    await expect
      .poll(async () => (await this.sent()).filter((call) => call.text === text).length, { timeout: 20_000 })
      .toBe(times);
  }
}

/** A customer. */
export class Person {
  constructor(
    private readonly sandbox: Sandbox,
    readonly id: number,
    readonly name: string,
  ) {}

  says(text: string): Promise<unknown> {
    return this.sandbox.say(this.id, text);
  }
}
