import { conversations as calls } from '$lib/api/calls';
import { sentence } from '$lib/api/problem';
import type { Conversation } from '$lib/api/types';
import { t } from '$lib/i18n/t';
import { hub } from '$lib/live/hub.svelte';
import * as merge from '$lib/live/merge';
import { toasts } from '$lib/ui/toast.svelte';

/** Resolves or reopens: shown at once, taken back with a reason if the server refuses. */
export async function setStatus(conversation: Conversation, status: 'open' | 'resolved'): Promise<void> {
  const { id, status: before } = conversation;
  const since = hub.state.tick;
  hub.update((state) => merge.patchConversation(state, id, { status }));
  try {
    const answer = await calls.setStatus(id, status);
    hub.update((state) => merge.mergeConversations(state, [answer], since));
    toasts.show(t(status === 'resolved' ? 'thread.resolved' : 'thread.reopened'));
  } catch (error) {
    hub.update((state) => merge.patchConversation(state, id, { status: before }));
    toasts.show(sentence(error), 'danger');
  }
}
