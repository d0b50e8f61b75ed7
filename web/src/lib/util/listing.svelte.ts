import type { Page } from '$lib/api/types';

/** A list that is fetched page by page. Pages of settings keep one each and patch it from events. */
export class Listing<T> {
  items = $state.raw<T[]>([]);
  loaded = $state(false);
  loading = $state(false);
  error = $state<unknown>(null);
  #next = $state<string | null>(null);
  #fetch: (cursor: string | undefined) => Promise<Page<T>>;
  #run = 0;

  constructor(fetch: (cursor: string | undefined) => Promise<Page<T>>) {
    this.#fetch = fetch;
  }

  get more(): boolean {
    return this.#next !== null;
  }

  /** The first page, replacing what is there. */
  load(): Promise<void> {
    return this.#page(undefined);
  }

  loadMore(): Promise<void> {
    return this.#page(this.#next ?? undefined);
  }

  async #page(cursor: string | undefined): Promise<void> {
    const run = ++this.#run;
    this.loading = true;
    this.error = null;
    try {
      const page = await this.#fetch(cursor);
      // A newer request (another filter, say) has made this answer pointless.
      if (run !== this.#run) return;
      this.items = cursor ? [...this.items, ...page.items] : page.items;
      this.#next = page.next_cursor ?? null;
      this.loaded = true;
    } catch (error) {
      if (run === this.#run) this.error = error;
    } finally {
      if (run === this.#run) this.loading = false;
    }
  }

  /** Puts an item in the place of the one it is a newer version of, or on top when it is new. */
  put(item: T, same: (other: T) => boolean): void {
    const at = this.items.findIndex(same);
    this.items = at < 0 ? [item, ...this.items] : this.items.with(at, item);
  }

  drop(gone: (item: T) => boolean): void {
    this.items = this.items.filter((item) => !gone(item));
  }
}
