import type { Delivery, Message } from '$lib/api/types';
import type { Thread } from './state';

export const unloadedThread: Thread = { messages: [], hasBefore: false, loaded: false };

/** Puts a message where its `seq` belongs, replacing an older version of it. */
export function upsert(thread: Thread, message: Message): Thread {
  const { messages } = thread;
  let at = messages.length;
  while (at > 0 && (messages[at - 1]?.seq ?? 0) > message.seq) at--;
  const replaces = messages[at - 1]?.seq === message.seq;
  // Older than the loaded stretch: it will come with its own page.
  if (at === 0 && thread.loaded && thread.hasBefore) return thread;
  const next = messages.slice();
  if (replaces) next[at - 1] = message;
  else next.splice(at, 0, message);
  return { ...thread, messages: next };
}

export function withDelivery(thread: Thread, messageId: string, delivery: Delivery): Thread {
  const at = thread.messages.findLastIndex((message) => message.id === messageId);
  const found = thread.messages[at];
  if (!found) return thread;
  const messages = thread.messages.slice();
  messages[at] = { ...found, delivery };
  return { ...thread, messages };
}

/**
 * Joins a fetched page with what is loaded. Of a message that both have, the loaded version wins when `keep`
 * says that an event wrote it after the page was asked for.
 */
export function joinPage(
  thread: Thread,
  page: { items: readonly Message[]; has_before: boolean },
  keep: (message: Message) => boolean,
): Thread {
  const bySeq = new Map(page.items.map((message) => [message.seq, message]));
  for (const message of thread.messages) {
    if (!bySeq.has(message.seq) || keep(message)) bySeq.set(message.seq, message);
  }
  const messages = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
  const firstLoaded = thread.messages[0]?.seq ?? Infinity;
  const firstFetched = page.items[0]?.seq ?? Infinity;
  const hasBefore = !thread.loaded || firstFetched <= firstLoaded ? page.has_before : thread.hasBefore;
  return { messages, hasBefore, loaded: true };
}
