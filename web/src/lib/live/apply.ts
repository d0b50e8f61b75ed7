import type { Conversation, Counts, Delivery, Message } from '$lib/api/types';
import type { LiveEvent, SharedConversation } from './events';
import { Draft, isTrouble, unreadOf, type HubState } from './state';
import { upsert, withDelivery } from './thread';

/** The state after one event. Pure; repeats change nothing. */
export function apply(state: HubState, event: LiveEvent): HubState {
  return applyAll(state, [event]);
}

/** The state after a run of events, with each map copied once for the whole run. */
export function applyAll(state: HubState, events: readonly LiveEvent[]): HubState {
  const draft = new Draft(state);
  for (const event of events) {
    if (event.seq <= draft.next.seq) continue;
    draft.next.seq = event.seq;
    draft.next.tick += 1;
    if (!event.redacted) applyOne(draft, event);
  }
  return draft.next.tick === state.tick ? state : draft.next;
}

function applyOne(draft: Draft, event: LiveEvent): void {
  switch (event.kind) {
    case 'message.created':
    case 'message.updated':
      return onMessage(draft, event.body.message, event.kind === 'message.created');
    case 'delivery.updated':
      return onDelivery(draft, event.body);
    case 'conversation.created':
    case 'conversation.updated':
      return onConversation(draft, event.body.conversation, event.kind === 'conversation.created');
    case 'contact.updated': {
      const { contact } = event.body;
      for (const conversation of draft.next.conversations.values()) {
        if (conversation.contact.id === contact.id) put(draft, { ...conversation, contact });
      }
      return;
    }
    case 'read.marked':
      return markRead(draft, event.body.chat_id, event.body.read_inbound);
    case 'bot.created':
    case 'bot.updated':
      draft.map('bots').set(event.body.bot.id, event.body.bot);
      return touch(draft, event.body.bot.id);
    case 'bot.removed':
      draft.map('bots').delete(event.body.bot_id);
      return touch(draft, event.body.bot_id);
  }
}

function touch(draft: Draft, id: string): void {
  draft.map('touched').set(id, draft.next.tick);
}

function put(draft: Draft, conversation: Conversation): void {
  draft.map('conversations').set(conversation.id, conversation);
  touch(draft, conversation.id);
}

function onMessage(draft: Draft, message: Message, created: boolean): void {
  const id = message.conversation_id;
  confirm(draft, message);
  if (!id) return;
  const thread = draft.next.threads.get(id);
  if (thread) {
    draft.map('threads').set(id, upsert(thread, message));
    touch(draft, message.id);
  }
  if (created && draft.next.troubles.has(id)) draft.map('troubles').delete(id);
  if (message.delivery) setTrouble(draft, id, message.delivery, message.created_at);
  const conversation = draft.next.conversations.get(id);
  if (conversation) put(draft, withLastMessage(conversation, message));
}

/** The conversation's summary after a message; the server's own summary follows and replaces it. */
function withLastMessage(conversation: Conversation, message: Message): Conversation {
  const { seq, author, text, note, created_at } = message;
  const shown = conversation.last_message?.seq ?? 0;
  if (seq < shown) return conversation;
  const last_message = { seq, author, text: [...text].slice(0, 200).join(''), note, created_at };
  if (seq <= conversation.last_seq) return seq === shown ? { ...conversation, last_message } : conversation;
  const inbound = author.kind === 'contact' ? 1 : 0;
  return {
    ...conversation,
    last_message,
    last_seq: seq,
    last_activity_at: created_at,
    inbound_total: conversation.inbound_total + inbound,
  };
}

/** A confirmed message ends the waiting of its optimistic twin. */
export function confirm(draft: Draft, message: Message): void {
  const key = message.idempotency_key;
  if (!key || !draft.next.pending.some((pending) => pending.key === key)) return;
  draft.next.pending = draft.next.pending.filter((pending) => pending.key !== key);
}

interface DeliveryBody {
  conversation_id?: string | null;
  message_id?: string | null;
  delivery: Delivery;
}

function onDelivery(draft: Draft, body: DeliveryBody): void {
  const { conversation_id: id, message_id, delivery } = body;
  if (!id) return;
  setTrouble(draft, id, delivery, null);
  const thread = draft.next.threads.get(id);
  if (!thread || !message_id) return;
  draft.map('threads').set(id, withDelivery(thread, message_id, delivery));
  touch(draft, message_id);
}

export function setTrouble(draft: Draft, id: string, delivery: Delivery, createdAt: string | null): void {
  const known = draft.next.troubles.get(id);
  if (isTrouble(delivery.state)) {
    draft.map('troubles').set(id, { deliveryId: delivery.id, state: delivery.state, createdAt });
  } else if (known?.deliveryId === delivery.id) {
    draft.map('troubles').delete(id);
  }
}

function onConversation(draft: Draft, shared: SharedConversation, created: boolean): void {
  const before = draft.next.conversations.get(shared.id);
  if (!draft.next.reads.has(shared.chat_id)) {
    if (created) draft.map('reads').set(shared.chat_id, 0);
    else draft.want(shared.id, true);
  }
  countStatus(draft, before, shared, created);
  put(draft, { ...shared, unread: unreadOf(draft.next, shared) });
}

function countStatus(
  draft: Draft,
  before: Conversation | undefined,
  after: SharedConversation,
  created: boolean,
): void {
  if (before?.status === after.status) return;
  draft.next.countsStale = true;
  const counts = draft.next.counts;
  if (!counts || (!before && !created)) return;
  const next: Counts = { ...counts };
  if (before) next[before.status] = Math.max(0, next[before.status] - 1);
  next[after.status] += 1;
  draft.next.counts = next;
}

/** Read marks only ever advance, so two tabs agree whatever the order of their reports. */
export function markRead(draft: Draft, chatId: string, readInbound: number): void {
  const known = draft.next.reads.get(chatId);
  if (known !== undefined && known >= readInbound) return;
  draft.map('reads').set(chatId, readInbound);
}
