import { conversations as calls } from '$lib/api/calls';
import type { Conversation } from '$lib/api/types';
import type { HubState } from './state';

export type Filter = 'open' | 'resolved' | 'all';
export const filters: readonly Filter[] = ['open', 'resolved', 'all'];

const PAGE = 50;

/**
 * How far one filter's list is loaded. Whatever is at least as recent as the `horizon` is complete; conversations
 * known from elsewhere that are older stay hidden until paging reaches them, so the list has no holes.
 */
export class ListWindow {
  loaded = $state(false);
  loading = $state(false);
  failed = $state<unknown>(null);
  /** Activity time of the oldest loaded row; null when the end is reached. */
  horizon = $state<string | null>(null);
  #next: string | null = null;

  constructor(readonly filter: Filter) {}

  get more(): boolean {
    return this.loaded && this.#next !== null;
  }

  forget(): void {
    this.loaded = false;
    this.failed = null;
    this.horizon = null;
    this.#next = null;
  }

  /** Fetches the first or next page and passes its rows on; null when it failed or one is already on its way. */
  async fetch(): Promise<readonly Conversation[] | null> {
    if (this.loading || (this.loaded && this.#next === null)) return null;
    this.loading = true;
    this.failed = null;
    try {
      const cursor = this.loaded ? (this.#next ?? undefined) : undefined;
      const page = await calls.list({ status: this.filter, limit: PAGE, cursor });
      this.#next = page.next_cursor ?? null;
      this.horizon = this.#next === null ? null : (page.items.at(-1)?.last_activity_at ?? null);
      this.loaded = true;
      return page.items;
    } catch (error) {
      this.failed = error;
      return null;
    } finally {
      this.loading = false;
    }
  }

  /** The rows of this list, latest activity first. */
  rows(state: HubState): Conversation[] {
    const rows: Conversation[] = [];
    for (const one of state.conversations.values()) {
      if (this.#shows(one)) rows.push(one);
    }
    return rows.sort(byActivity);
  }

  #shows(one: Conversation): boolean {
    if (!this.loaded) return false;
    if (this.filter !== 'all' && one.status !== this.filter) return false;
    return this.horizon === null || one.last_activity_at >= this.horizon;
  }
}

/** Times are RFC 3339 with a fixed number of digits, so comparing the text compares the time. */
export function byActivity(a: Conversation, b: Conversation): number {
  if (a.last_activity_at !== b.last_activity_at) return a.last_activity_at < b.last_activity_at ? 1 : -1;
  return a.id < b.id ? 1 : -1;
}
