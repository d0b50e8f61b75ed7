import type { Bot, Conversation, Counts, DeliveryRow, Message } from '$lib/api/types';
import { confirm, markRead, setTrouble } from './apply';
import { Draft, emptyState, type HubState, type Pending } from './state';
import { joinPage, unloadedThread, upsert } from './thread';

/*
 * Joining answers of the server with the stream.
 *
 * An answer was read from the database at some moment, events arrive at others, and either may be the newer one.
 * The rule: `since` is the tick when the request went out. What an event wrote after that stays, because that event
 * is not older than the request; if the answer was newer still, the event that made it so is yet to come. Everything
 * else is taken from the answer. Events carry whole entities, so the state is right as soon as the stream has caught up.
 */

function writtenSince(state: HubState, id: string, since: number): boolean {
  return (state.touched.get(id) ?? -1) > since;
}

export function mergeConversations(state: HubState, items: readonly Conversation[], since: number): HubState {
  const draft = new Draft(state);
  for (const item of items) {
    markRead(draft, item.chat_id, item.inbound_total - item.unread);
    draft.want(item.id, false);
    if (!writtenSince(state, item.id, since)) draft.map('conversations').set(item.id, item);
  }
  draft.next.countsStale = true;
  return draft.next;
}

/** A conversation that turned out not to exist (any more) for this person. */
export function dropConversation(state: HubState, id: string): HubState {
  const draft = new Draft(state);
  draft.want(id, false);
  draft.map('conversations').delete(id);
  draft.map('threads').delete(id);
  return draft.next;
}

/** Prepares to collect a thread's events while its first page is on the way. */
export function openThread(state: HubState, id: string): HubState {
  if (state.threads.has(id)) return state;
  const draft = new Draft(state);
  draft.map('threads').set(id, unloadedThread);
  return draft.next;
}

export function closeThreads(state: HubState, ids: readonly string[]): HubState {
  const draft = new Draft(state);
  for (const id of ids) draft.map('threads').delete(id);
  return draft.next;
}

export function mergeThread(
  state: HubState,
  id: string,
  page: { items: readonly Message[]; has_before: boolean },
  since: number,
): HubState {
  const draft = new Draft(state);
  const thread = state.threads.get(id) ?? unloadedThread;
  draft.map('threads').set(
    id,
    joinPage(thread, page, (message) => writtenSince(state, message.id, since)),
  );
  for (const message of page.items) confirm(draft, message);
  return draft.next;
}

/** The answer to a send: the message, unless its event was faster. */
export function mergeSent(state: HubState, message: Message): HubState {
  const draft = new Draft(state);
  confirm(draft, message);
  const id = message.conversation_id;
  const thread = id ? state.threads.get(id) : undefined;
  if (id && thread && !thread.messages.some((known) => known.id === message.id)) {
    draft.map('threads').set(id, upsert(thread, message));
  }
  return draft.next;
}

export function mergeBots(state: HubState, bots: readonly Bot[], since: number): HubState {
  const draft = new Draft(state);
  for (const bot of bots) {
    if (!writtenSince(state, bot.id, since)) draft.map('bots').set(bot.id, bot);
  }
  return draft.next;
}

export function mergeCounts(state: HubState, counts: Counts): HubState {
  const { open, pending, snoozed, resolved } = counts;
  return { ...state, counts: { open, pending, snoozed, resolved }, countsStale: false };
}

/** Deliveries in trouble, as the list of deliveries tells them; oldest first, so that the newest one stays. */
export function mergeTroubles(state: HubState, rows: readonly DeliveryRow[]): HubState {
  const draft = new Draft(state);
  const ascending = [...rows].sort((a, b) => a.created_at.localeCompare(b.created_at));
  for (const row of ascending) {
    if (row.conversation_id) setTrouble(draft, row.conversation_id, row, row.created_at);
  }
  return draft.next;
}

/** This person's own read mark, shown before the server has confirmed it. */
export function readHere(state: HubState, chatId: string, inbound: number): HubState {
  const draft = new Draft(state);
  markRead(draft, chatId, inbound);
  return draft.next;
}

/** A change shown before the server has confirmed it. */
export function patchConversation(state: HubState, id: string, patch: Partial<Conversation>): HubState {
  const known = state.conversations.get(id);
  if (!known) return state;
  const draft = new Draft(state);
  draft.map('conversations').set(id, { ...known, ...patch });
  return draft.next;
}

export function addPending(state: HubState, pending: Pending): HubState {
  return { ...state, pending: [...state.pending, pending] };
}

export function changePending(state: HubState, key: string, patch: Partial<Pending>): HubState {
  const pending = state.pending.map((one) => (one.key === key ? { ...one, ...patch } : one));
  return { ...state, pending };
}

export function dropPending(state: HubState, key: string): HubState {
  return { ...state, pending: state.pending.filter((one) => one.key !== key) };
}

/** A state to load anew: only what exists nowhere but here survives. */
export function rebased(state: HubState): HubState {
  return { ...emptyState(), pending: state.pending };
}
