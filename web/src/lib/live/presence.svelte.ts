import { SvelteMap } from 'svelte/reactivity';
import type { Signal } from './events';

/** How long a signal holds when nothing repeats it (the server's own limits). */
const HOLDS_MS = { typing: 10_000, viewing: 45_000 } as const;

interface Present {
  chatId: string;
  kind: Signal['kind'];
  user: { id: string; name: string };
}

/** Colleagues who are typing or looking right now. Lossy by nature; nothing depends on it. */
export class Presence {
  #present = new SvelteMap<string, Present>();
  #timers = new Map<string, ReturnType<typeof setTimeout>>();

  receive(signal: Signal): void {
    const key = [signal.kind, signal.chat_id, signal.user.id, signal.tab ?? ''].join(' ');
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    if (!signal.active) {
      this.#present.delete(key);
      return;
    }
    this.#present.set(key, { chatId: signal.chat_id, kind: signal.kind, user: signal.user });
    this.#timers.set(
      key,
      setTimeout(() => this.#present.delete(key), HOLDS_MS[signal.kind]),
    );
  }

  /** Other people at a chat, each once. */
  at(chatId: string, kind: Signal['kind'], exceptUser: string | undefined): { id: string; name: string }[] {
    const people = new Map<string, { id: string; name: string }>();
    for (const one of this.#present.values()) {
      if (one.chatId === chatId && one.kind === kind && one.user.id !== exceptUser) {
        people.set(one.user.id, one.user);
      }
    }
    return [...people.values()];
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#present.clear();
  }
}
