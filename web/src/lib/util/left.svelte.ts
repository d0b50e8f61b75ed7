import { SvelteSet } from 'svelte/reactivity';

const STORE = 'sb.left';
/** Enough for months; older entries belong to messages nobody looks at any more. */
const KEPT = 500;

/** Deliveries in state `unknown` that somebody at this browser has looked at and decided to leave as they are. */
class Left {
  #ids = new SvelteSet<string>(load());

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(id: string): void {
    this.#ids.add(id);
    localStorage.setItem(STORE, JSON.stringify([...this.#ids].slice(-KEPT)));
  }
}

function load(): string[] {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? '[]') as string[];
  } catch {
    return [];
  }
}

export const left = new Left();
