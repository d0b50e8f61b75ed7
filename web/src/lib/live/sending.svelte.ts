import { conversations as calls } from '$lib/api/calls';
import { idempotencyKey } from '$lib/api/client';
import { ApiProblem, sentence } from '$lib/api/problem';
import { t } from '$lib/i18n/t';
import { backoff } from './backoff';
import { hub } from './hub.svelte';
import * as merge from './merge';
import type { Pending } from './state';

const ATTEMPTS = 5;
const STORE = 'sb.unsent';

/** Sends of one conversation go out one after the other, so that they arrive in the order they were written. */
const lines = new Map<string, Promise<void>>();

/** Ends the pauses between attempts. */
const resting = new Set<() => void>();

/** Shows the message at once and sends it; the confirmed one takes its place by the idempotency key. */
export function send(conversationId: string, text: string, note: boolean, force = false): void {
  const messages = hub.state.threads.get(conversationId)?.messages ?? [];
  const pending: Pending = {
    key: idempotencyKey(),
    conversationId,
    text,
    note,
    createdAt: new Date().toISOString(),
    lastSeenSeq: messages.at(-1)?.seq ?? 0,
    force,
    state: 'sending',
    error: null,
    code: null,
  };
  hub.update((state) => merge.addPending(state, pending));
  enqueue(pending.conversationId, pending.key);
}

/** Sends again under the same key: if the first attempt did get through, nothing happens twice. */
export function sendAgain(pending: Pending): void {
  hub.update((state) =>
    merge.changePending(state, pending.key, { state: 'sending', error: null, code: null }),
  );
  enqueue(pending.conversationId, pending.key);
}

/** Sends although newer messages exist. A new key, because it is another request than the refused one. */
export function sendAnyway(pending: Pending): void {
  discard(pending.key);
  send(pending.conversationId, pending.text, pending.note, true);
}

export function discard(key: string): void {
  hub.update((state) => merge.dropPending(state, key));
}

function enqueue(conversationId: string, key: string): void {
  const before = lines.get(conversationId) ?? Promise.resolve();
  lines.set(
    conversationId,
    before.then(() => deliver(key)),
  );
}

async function deliver(key: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const pending = hub.state.pending.find((one) => one.key === key);
    if (!pending || pending.state !== 'sending') return;
    try {
      return await post(pending);
    } catch (error) {
      const problem = error instanceof ApiProblem ? error : null;
      if (problem?.transient && attempt < ATTEMPTS) {
        const pause = problem.retryAfter ? problem.retryAfter * 1000 : backoff(attempt, Math.random);
        await rest(pause);
        continue;
      }
      return fail(pending, error);
    }
  }
}

/** Waits, but no longer than until the stream is back: then the server is there again. */
function rest(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      resting.delete(wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    resting.add(wake);
  });
}

async function post(pending: Pending): Promise<void> {
  const message = await calls.send(pending.conversationId, pending.key, {
    text: pending.text,
    note: pending.note,
    last_seen_seq: pending.lastSeenSeq,
    force: pending.force,
  });
  hub.update((state) => {
    // What we wrote ourselves is nothing new to us: messages waiting behind this one have "seen" it.
    const waiting = state.pending.filter(
      (one) => one.conversationId === pending.conversationId && one.lastSeenSeq === message.seq - 1,
    );
    const seen = waiting.reduce(
      (next, one) => merge.changePending(next, one.key, { lastSeenSeq: message.seq }),
      state,
    );
    return merge.mergeSent(seen, message);
  });
}

function fail(pending: Pending, error: unknown): void {
  const code = error instanceof ApiProblem ? error.code : 'unexpected';
  const moved = code === 'conversation_moved';
  hub.update((state) =>
    merge.changePending(state, pending.key, {
      state: moved ? 'moved' : 'failed',
      error: sentence(error),
      code,
    }),
  );
  if (moved) void hub.refreshThread(pending.conversationId);
}

/** Keeps what is not confirmed across a reload of this tab, and repeats what only the network had stopped. */
export function keepUnsent(): () => void {
  restore();
  const offLive = hub.onLiveAgain(() => {
    for (const wake of resting) wake();
    for (const pending of hub.state.pending) {
      if (pending.state === 'failed' && pending.code === 'network') sendAgain(pending);
    }
  });
  const offStore = $effect.root(() => {
    $effect(() => sessionStorage.setItem(STORE, JSON.stringify(hub.state.pending)));
  });
  return () => {
    offLive();
    offStore();
    sessionStorage.removeItem(STORE);
  };
}

function restore(): void {
  const stored = sessionStorage.getItem(STORE);
  if (!stored) return;
  for (const pending of JSON.parse(stored) as Pending[]) {
    if (hub.state.pending.some((known) => known.key === pending.key)) continue;
    const interrupted = { state: 'failed', error: t('send.interrupted'), code: 'interrupted' } as const;
    hub.update((state) =>
      merge.addPending(state, pending.state === 'sending' ? { ...pending, ...interrupted } : pending),
    );
  }
}
