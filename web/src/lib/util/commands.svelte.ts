import { SvelteMap } from 'svelte/reactivity';

export interface Command {
  id: string;
  title: string;
  /** Heading in the palette and the overview of shortcuts. */
  group: string;
  /** `e`, `?`, `mod k`; shown with each entry, so that the palette teaches the keys. */
  keys?: string;
  /** Left out of the palette: for keys that only make sense where the focus is. */
  hidden?: boolean;
  run: () => void;
}

/** What can be done right now; components add their commands while they are on the page. */
class Commands {
  #all = new SvelteMap<string, Command>();

  get all(): Command[] {
    return [...this.#all.values()];
  }

  /** Adds commands; the returned function removes them, as an effect's clean-up expects. */
  add(...commands: Command[]): () => void {
    for (const command of commands) this.#all.set(command.id, command);
    return () => {
      for (const command of commands) {
        if (this.#all.get(command.id) === command) this.#all.delete(command.id);
      }
    };
  }

  /** Runs the command of a key press, if there is one and the press was not meant for a control. */
  handle(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing || event.repeat) return;
    const pressed = keysOf(event);
    const single = !pressed.startsWith('mod ');
    if (single && busyElsewhere(event.target)) return;
    const command = this.all.find((one) => one.keys === pressed);
    if (!command) return;
    event.preventDefault();
    command.run();
  }
}

/** The press in the notation of `Command.keys`. On a non-Latin layout the key's place counts, not its letter. */
export function keysOf(event: KeyboardEvent): string {
  const latin = /^[\x21-\x7e]$/.test(event.key) || event.key.length > 1;
  const byPlace = /^Key([A-Z])$/.exec(event.code)?.[1];
  const key = latin ? event.key : (byPlace ?? event.key);
  const name = key.length === 1 ? key.toLowerCase() : key;
  if (event.altKey) return 'alt ' + name;
  return event.ctrlKey || event.metaKey ? 'mod ' + name : name;
}

/** Typing, menus and dialogs keep their keys to themselves. */
function busyElsewhere(target: EventTarget | null): boolean {
  if (document.querySelector('[role="dialog"], [role="menu"], [role="listbox"]')) return true;
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches('input, textarea, select');
}

export const commands = new Commands();
