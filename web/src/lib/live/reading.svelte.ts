import { conversations as calls } from '$lib/api/calls';
import type { Conversation } from '$lib/api/types';
import { hub } from './hub.svelte';
import * as merge from './merge';
import { unreadOf } from './state';

/** By conversation, the `seq` that was last reported as read; repeats are not worth a request. */
const reported = new Map<string, number>();

/** Marks a conversation as read up to `seq`: here at once, on the server and this person's other tabs shortly after. */
export function markRead(conversation: Conversation, seq: number): void {
  if (unreadOf(hub.state, conversation) === 0) return;
  if ((reported.get(conversation.id) ?? 0) >= seq) return;
  reported.set(conversation.id, seq);
  hub.update((state) => merge.readHere(state, conversation.chat_id, conversation.inbound_total));
  calls.read(conversation.id, seq).catch(() => {
    // Not lost, only later: the next message or visit reports again.
    reported.delete(conversation.id);
  });
}
