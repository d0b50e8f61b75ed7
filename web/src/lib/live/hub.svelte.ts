import * as api from '$lib/api/calls';
import { idempotencyKey } from '$lib/api/client';
import { ApiProblem } from '$lib/api/problem';
import { session } from '$lib/session/session.svelte';
import { applyAll } from './apply';
import { backoff } from './backoff';
import { LiveClient, type LiveStatus, type Socket } from './client';
import type { LiveEvent } from './events';
import { ListWindow, type Filter } from './lists.svelte';
import * as merge from './merge';
import { Presence } from './presence.svelte';
import { emptyState, type HubState } from './state';

const THREAD_PAGE = 50;
/** Threads kept up to date in memory, so that going back to one needs no request. */
const KEPT_THREADS = 24;
const COUNTS_PAUSE_MS = 400;

/** The live picture of the workspace: one state, one stream, and the requests that fill it. */
class Hub {
  state = $state.raw<HubState>(emptyState());
  status = $state<LiveStatus>('connecting');
  filter = $state<Filter>('open');
  /** How often everything was fetched again because the stream could not be continued. */
  resets = $state(0);
  readonly lists: Record<Filter, ListWindow> = {
    open: new ListWindow('open'),
    resolved: new ListWindow('resolved'),
    all: new ListWindow('all'),
  };
  readonly presence = new Presence();
  /** Thread ids whose last load failed, with the reason. */
  threadErrors = $state.raw<ReadonlyMap<string, unknown>>(new Map());

  #live: LiveClient | null = null;
  #queue: LiveEvent[] = [];
  #holding = false;
  #flushing = false;
  #listeners = new Set<(event: LiveEvent) => void>();
  #liveAgain = new Set<() => void>();
  #recent: string[] = [];
  #openId: string | null = null;
  /** False until the state is ready to take answers; what is opened before that is fetched with the rest. */
  #based = false;
  #countsTimer: ReturnType<typeof setTimeout> | undefined;
  #fetching = new Set<string>();
  #running = false;
  #failures = 0;
  #again: ReturnType<typeof setTimeout> | undefined;

  /** Starts the stream and fills the inbox; returns how to stop it. */
  start(): () => void {
    this.#running = true;
    const offToken = session.onToken((token) => this.#live?.renewed(token));
    const nudge = () => document.visibilityState === 'visible' && this.#live?.nudge();
    addEventListener('online', nudge);
    document.addEventListener('visibilitychange', nudge);
    void this.#load();
    return () => {
      this.#running = false;
      offToken();
      removeEventListener('online', nudge);
      document.removeEventListener('visibilitychange', nudge);
      clearTimeout(this.#countsTimer);
      clearTimeout(this.#again);
      this.#live?.stop();
      this.#live = null;
      this.#based = false;
      this.presence.clear();
      this.state = emptyState();
      for (const list of Object.values(this.lists)) list.forget();
    };
  }

  /** Hears every event as it is applied; for pages that keep lists of their own. */
  onEvent(listener: (event: LiveEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called when the stream is up to date again after an interruption. */
  onLiveAgain(listener: () => void): () => void {
    this.#liveAgain.add(listener);
    return () => this.#liveAgain.delete(listener);
  }

  /** Changes the state by a pure step. */
  update(step: (state: HubState) => HubState): void {
    this.state = step(this.state);
    if (this.state.countsStale) this.#countSoon();
  }

  signal(kind: 'typing' | 'viewing', chatId: string, active: boolean): void {
    this.#live?.signal(kind, chatId, active);
  }

  /**
   * Fetches everything the view needs. The stream starts at the cursor of the first answer, so all later answers are
   * at least as new, and events are held back until they are in.
   */
  async #load(): Promise<void> {
    this.#holding = true;
    try {
      const counts = session.can('conversations.read') ? await api.conversations.counts() : null;
      if (!this.#running) return;
      this.#connect(counts?.live_cursor ?? null);
      this.state = merge.rebased(this.state);
      this.#based = true;
      for (const list of Object.values(this.lists)) list.forget();
      if (counts) this.state = merge.mergeCounts(this.state, counts);
      const openId = this.#openId;
      await Promise.all([
        this.#loadBots(),
        counts && this.loadList(this.filter),
        counts && openId && this.openThread(openId),
      ]);
      if (this.lists[this.filter].failed) throw this.lists[this.filter].failed;
      this.#failures = 0;
      void this.#loadTroubles();
    } catch (error) {
      if (!this.#running) return;
      this.lists[this.filter].failed = error;
      if (this.#openId) this.threadErrors = new Map([[this.#openId, error]]);
      this.#failures += 1;
      this.#again = setTimeout(() => this.reload(), backoff(this.#failures, Math.random));
    } finally {
      this.#holding = false;
      this.#flushSoon();
    }
  }

  /** Loads all again after a failure: by itself after a pause, or at once when a person asks. */
  reload(): void {
    clearTimeout(this.#again);
    this.threadErrors = new Map();
    void this.#load();
  }

  #connect(cursor: string | null): void {
    if (this.#live) return;
    this.#live = new LiveClient(
      {
        connect: openSocket,
        token: () => session.current?.access_token ?? null,
        renew: () => session.renew(),
        random: Math.random,
        tab: idempotencyKey().slice(0, 8),
        onEvents: (events) => {
          this.#queue.push(...events);
          this.#flushSoon();
        },
        onSignal: (signal) => this.presence.receive(signal),
        onStatus: (status) => (this.status = status),
        onCaughtUp: () => {
          this.#countSoon();
          for (const listener of this.#liveAgain) listener();
        },
        onReset: () => {
          this.resets += 1;
          this.#queue = [];
          void this.#load();
        },
      },
      cursor,
    );
    this.#live.start();
  }

  /** Applies what has arrived, at most once per frame; in a hidden tab, where frames stop, by a timer. */
  #flushSoon(): void {
    if (this.#flushing || this.#holding) return;
    this.#flushing = true;
    const flush = () => {
      this.#flushing = false;
      if (!this.#holding) this.#flush();
    };
    if (document.visibilityState === 'visible') requestAnimationFrame(flush);
    else setTimeout(flush, 50);
  }

  #flush(): void {
    const events = this.#queue;
    this.#queue = [];
    if (events.length === 0) return;
    this.update((state) => applyAll(state, events));
    for (const event of events) {
      for (const listener of this.#listeners) listener(event);
    }
    for (const id of this.state.wanted) void this.loadConversation(id);
  }

  async loadList(filter: Filter): Promise<void> {
    const since = this.state.tick;
    const items = await this.lists[filter].fetch();
    if (items) this.update((state) => merge.mergeConversations(state, items, since));
  }

  async loadConversation(id: string): Promise<void> {
    if (this.#fetching.has(id)) return;
    this.#fetching.add(id);
    const since = this.state.tick;
    try {
      const conversation = await api.conversations.one(id);
      this.update((state) => merge.mergeConversations(state, [conversation], since));
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
      this.update((state) => merge.dropConversation(state, id));
    } finally {
      this.#fetching.delete(id);
    }
  }

  /** Shows a conversation: from memory when it is there, otherwise with its newest page. */
  async openThread(id: string): Promise<void> {
    this.#openId = id;
    if (!this.#based) return;
    this.#remember(id);
    const known = this.state.threads.get(id)?.loaded && this.state.conversations.has(id);
    if (known) return;
    this.update((state) => merge.openThread(state, id));
    await this.#try(id, async () => {
      const missing = this.state.conversations.has(id) ? null : this.loadConversation(id);
      await Promise.all([missing, this.#page(id, {})]);
    });
  }

  closeThread(): void {
    this.#openId = null;
  }

  /** The newest page again, for instance to show what came between. */
  refreshThread(id: string): Promise<void> {
    return this.#try(id, () => this.#page(id, {}));
  }

  async loadBefore(id: string): Promise<void> {
    const thread = this.state.threads.get(id);
    const first = thread?.messages[0];
    if (!thread?.hasBefore || !first || this.#fetching.has('before ' + id)) return;
    this.#fetching.add('before ' + id);
    try {
      await this.#try(id, () => this.#page(id, { before: first.seq }));
    } finally {
      this.#fetching.delete('before ' + id);
    }
  }

  async #page(id: string, query: { before?: number }): Promise<void> {
    const since = this.state.tick;
    const page = await api.conversations.messages(id, { ...query, limit: THREAD_PAGE });
    this.update((state) => merge.mergeThread(state, id, page, since));
  }

  async #try(id: string, work: () => Promise<void>): Promise<void> {
    const errors = new Map(this.threadErrors);
    try {
      await work();
      if (!errors.delete(id)) return;
    } catch (error) {
      errors.set(id, error);
    }
    this.threadErrors = errors;
  }

  #remember(id: string): void {
    this.#recent = [id, ...this.#recent.filter((other) => other !== id)];
    const dropped = this.#recent.splice(KEPT_THREADS);
    if (dropped.length > 0) this.update((state) => merge.closeThreads(state, dropped));
  }

  async #loadBots(): Promise<void> {
    if (!session.can('bots.read')) return;
    const since = this.state.tick;
    const page = await api.bots.list();
    this.update((state) => merge.mergeBots(state, page.items, since));
  }

  async #loadTroubles(): Promise<void> {
    if (!session.can('deliveries.read')) return;
    const states = ['failed', 'unknown', 'dead'] as const;
    const pages = await Promise.allSettled(states.map((state) => api.deliveries.list({ state, limit: 50 })));
    const rows = pages.flatMap((page) => (page.status === 'fulfilled' ? page.value.items : []));
    this.update((state) => merge.mergeTroubles(state, rows));
  }

  /** Asks for the counts once the dust has settled; they are moved by hand in the meantime. */
  #countSoon(): void {
    if (!session.can('conversations.read')) return;
    clearTimeout(this.#countsTimer);
    this.#countsTimer = setTimeout(async () => {
      const tick = this.state.tick;
      const counts = await api.conversations.counts().catch(() => null);
      if (counts && this.state.tick === tick) this.state = merge.mergeCounts(this.state, counts);
      else if (counts) this.#countSoon();
    }, COUNTS_PAUSE_MS);
  }
}

function openSocket(): Socket {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return new WebSocket(`${scheme}//${location.host}/api/v1/live`) as Socket;
}

export const hub = new Hub();
