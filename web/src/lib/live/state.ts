import type { Bot, Conversation, Counts, DeliveryState, Message } from '$lib/api/types';

/** The loaded stretch of one conversation's messages, ascending by `seq`. */
export interface Thread {
  messages: readonly Message[];
  hasBefore: boolean;
  /** False while the first page is on its way; events are collected meanwhile. */
  loaded: boolean;
}

/** A message that this browser has sent and the server has not confirmed yet. */
export interface Pending {
  /** The idempotency key: the confirmed message carries the same one, and a repeat under it is harmless. */
  key: string;
  conversationId: string;
  text: string;
  note: boolean;
  createdAt: string;
  lastSeenSeq: number;
  force: boolean;
  state: 'sending' | 'failed' | 'moved';
  /** Why it failed, as a sentence. */
  error: string | null;
  /** The server's stable code for the failure. */
  code: string | null;
}

/** A delivery that did not arrive for certain, as the list of conversations marks it. */
export interface Trouble {
  deliveryId: string;
  state: DeliveryState;
  /** When the message was written; null when it is newer than everything loaded. */
  createdAt: string | null;
}

/**
 * Everything the inbox knows. Immutable: `apply` and the merges return a new value that shares what did not change.
 * The server's snapshots and the stream may overtake each other; `touched` settles who is newer (see `merge.ts`).
 */
export interface HubState {
  /** `seq` of the newest applied event; repeats are at or below it. */
  seq: number;
  /** Counts applied events: this page's own clock for "an event came after the request went out". */
  tick: number;
  /** By entity id, the tick at which an event last wrote it. */
  touched: ReadonlyMap<string, number>;
  conversations: ReadonlyMap<string, Conversation>;
  /** By chat id, how many of the contact's messages this person has read. */
  reads: ReadonlyMap<string, number>;
  threads: ReadonlyMap<string, Thread>;
  bots: ReadonlyMap<string, Bot>;
  /** By conversation id. */
  troubles: ReadonlyMap<string, Trouble>;
  pending: readonly Pending[];
  counts: Counts | null;
  /** The counts may be off by now and should be asked for again. */
  countsStale: boolean;
  /** Conversations that events mentioned but whose read mark is not known yet; to be fetched. */
  wanted: ReadonlySet<string>;
}

export function emptyState(): HubState {
  return {
    seq: 0,
    tick: 0,
    touched: new Map(),
    conversations: new Map(),
    reads: new Map(),
    threads: new Map(),
    bots: new Map(),
    troubles: new Map(),
    pending: [],
    counts: null,
    countsStale: false,
    wanted: new Set(),
  };
}

/** Messages of the contact that this person has not read. */
export function unreadOf(
  state: HubState,
  conversation: Pick<Conversation, 'chat_id' | 'inbound_total'>,
): number {
  const read = state.reads.get(conversation.chat_id);
  return read === undefined ? 0 : Math.max(0, conversation.inbound_total - read);
}

/** Open conversations with something unread, among those that are loaded. */
export function unreadConversations(state: HubState): number {
  let count = 0;
  for (const one of state.conversations.values()) {
    if (one.status === 'open' && unreadOf(state, one) > 0) count += 1;
  }
  return count;
}

const TROUBLED: readonly DeliveryState[] = ['failed', 'unknown', 'dead'];

/** Whether a person should look at a delivery in this state. */
export function isTrouble(state: DeliveryState): boolean {
  return TROUBLED.includes(state);
}

/** The trouble of a conversation's newest message, if any; older trouble is told in the thread. */
export function troubleOf(state: HubState, conversation: Conversation): Trouble | null {
  const trouble = state.troubles.get(conversation.id);
  if (!trouble) return null;
  const last = conversation.last_message?.created_at;
  if (trouble.createdAt !== null && last !== undefined && trouble.createdAt < last) return null;
  return trouble;
}

/** A state under change: each map is copied at most once, however many events are applied. */
export class Draft {
  readonly next: { -readonly [K in keyof HubState]: HubState[K] };
  #own = new Set<keyof HubState>();

  constructor(base: HubState) {
    this.next = { ...base };
  }

  /** The map under a name, safe to change. */
  map<K extends 'touched' | 'conversations' | 'reads' | 'threads' | 'bots' | 'troubles'>(
    name: K,
  ): HubState[K] extends ReadonlyMap<infer I, infer V> ? Map<I, V> : never {
    if (!this.#own.has(name)) {
      // The generic index is beyond the checker; the names above are all maps.
      (this.next as Record<K, unknown>)[name] = new Map(this.next[name] as ReadonlyMap<string, unknown>);
      this.#own.add(name);
    }
    return this.next[name] as never;
  }

  want(id: string, wanted: boolean): void {
    if (this.next.wanted.has(id) === wanted) return;
    const copy = new Set(this.next.wanted);
    if (wanted) copy.add(id);
    else copy.delete(id);
    this.next.wanted = copy;
  }
}
