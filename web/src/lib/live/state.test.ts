import { describe, expect, test } from 'vitest';
import { apply, applyAll } from './apply';
import type { LiveEvent } from './events';
import * as merge from './merge';
import { ModelServer, seeded, type Snapshot } from './model.testkit';
import { emptyState, isTrouble, unreadOf, type HubState } from './state';

const SEEDS = Array.from({ length: 150 }, (_, i) => i + 1);
const COMMANDS = 60;

/** What a person would see, without the bookkeeping. */
function view(state: HubState) {
  const conversations = [...state.conversations.values()]
    .map((one) => ({ ...one, unread: unreadOf(state, one) }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const threads = Object.fromEntries([...state.threads].map(([id, thread]) => [id, thread.messages]));
  return { conversations, threads, bots: [...state.bots.values()] };
}

function bootstrap(base: HubState, snapshot: Snapshot, since: number): HubState {
  let state = merge.mergeCounts(base, snapshot.counts);
  state = merge.mergeConversations(state, snapshot.conversations, since);
  state = merge.mergeBots(state, snapshot.bots, since);
  for (const { id } of snapshot.conversations) {
    state = merge.mergeThread(state, id, { items: snapshot.messages[id] ?? [], has_before: false }, since);
  }
  return state;
}

/** Events of conversations that were not loaded leave no thread; opening all makes the views comparable. */
function openAll(state: HubState, snapshot: Snapshot): HubState {
  return snapshot.conversations.reduce((next, { id }) => merge.openThread(next, id), state);
}

const after = (server: ModelServer, seq: number) => server.events.filter((event) => event.seq > seq);

describe('bootstrap plus events equals a fresh bootstrap', () => {
  test.each(SEEDS)('from any moment of the log (seed %i)', (seed) => {
    const server = new ModelServer(seed, COMMANDS);
    const from = server.at(Math.floor(seeded(seed * 7)() * server.last.seq));
    const started = openAll(bootstrap(emptyState(), from, 0), server.last);
    const live = applyAll(started, after(server, from.seq));
    expect(view(live)).toEqual(view(bootstrap(emptyState(), server.last, 0)));
    expect(live.counts).toEqual(server.last.counts);
  });

  test.each(SEEDS)('when repeats and old events are mixed in (seed %i)', (seed) => {
    const server = new ModelServer(seed, COMMANDS);
    const random = seeded(seed * 11);
    let live = openAll(bootstrap(emptyState(), server.at(0), 0), server.last);
    const seen: LiveEvent[] = [];
    for (const event of server.events) {
      seen.push(event);
      live = apply(live, event);
      const repeat = seen[Math.floor(random() * seen.length)] as LiveEvent;
      expect(apply(live, repeat)).toBe(live);
    }
    expect(view(live)).toEqual(view(bootstrap(emptyState(), server.last, 0)));
  });

  test.each(SEEDS)('when answers and the stream overtake each other (seed %i)', (seed) => {
    const server = new ModelServer(seed, COMMANDS);
    const random = seeded(seed * 13);
    const upTo = (low: number) => low + Math.floor(random() * (server.last.seq - low + 1));
    // The request goes out at `asked`, is answered from `read`, and arrives when the stream is at `arrived`.
    const asked = upTo(0);
    const read = server.at(upTo(asked));
    const arrived = upTo(asked);
    let live = openAll(emptyState(), server.last);
    live = bootstrap(live, server.at(0), 0);
    live = applyAll(live, server.events.slice(0, asked));
    const since = live.tick;
    live = applyAll(live, server.events.slice(asked, arrived));
    live = bootstrap(live, read, since);
    live = openAll(live, server.last);
    live = applyAll(live, server.events.slice(arrived));
    expect(view(live)).toEqual(view(bootstrap(emptyState(), server.last, 0)));
  });
});

describe('applying events', () => {
  test('one by one or all at once makes no difference', () => {
    for (const seed of SEEDS.slice(0, 20)) {
      const server = new ModelServer(seed, COMMANDS);
      const start = openAll(emptyState(), server.last);
      const single = server.events.reduce(apply, start);
      expect(view(applyAll(start, server.events))).toEqual(view(single));
    }
  });

  test('never changes the state it was given', () => {
    const server = new ModelServer(5, COMMANDS);
    const start = openAll(bootstrap(emptyState(), server.at(20), 0), server.last);
    const before = structuredClone(view(start));
    applyAll(start, after(server, 20));
    expect(view(start)).toEqual(before);
  });

  test('shares what did not change', () => {
    const server = new ModelServer(3, COMMANDS);
    const state = bootstrap(emptyState(), server.last, 0);
    const [first] = server.last.conversations;
    const read: LiveEvent = {
      seq: server.last.seq + 1,
      at: '',
      kind: 'read.marked',
      v: 1,
      actor: { kind: 'member' },
      body: { chat_id: first?.chat_id ?? '', read_seq: 99, read_inbound: 99 },
    };
    const next = apply(state, read);
    expect(next.conversations).toBe(state.conversations);
    expect(next.threads).toBe(state.threads);
  });

  test('skips redacted events and kinds it does not know', () => {
    const server = new ModelServer(3, 5);
    const state = bootstrap(emptyState(), server.last, 0);
    const unknown = { seq: server.last.seq + 1, kind: 'weather.changed', body: {} } as unknown as LiveEvent;
    const redacted = {
      ...(server.events[0] as LiveEvent),
      seq: server.last.seq + 2,
      redacted: true,
      body: {},
    } as LiveEvent;
    expect(view(applyAll(state, [unknown, redacted]))).toEqual(view(state));
  });

  test('asks for a conversation whose read mark it does not know', () => {
    const server = new ModelServer(9, COMMANDS);
    const changed = server.events.find((event) => event.kind === 'conversation.updated') as LiveEvent;
    const state = apply(emptyState(), changed);
    const [id] = [...state.conversations.keys()];
    expect([...state.wanted]).toEqual([id]);
    const answered = merge.mergeConversations(
      state,
      server.last.conversations.filter((one) => one.id === id),
      state.tick,
    );
    expect(answered.wanted.size).toBe(0);
  });
});

describe('optimistic sends', () => {
  const pending = {
    key: 'key-1',
    conversationId: 'conversation-1',
    text: 'hello',
    note: false,
    createdAt: '2026-01-01T00:00:00Z',
    lastSeenSeq: 0,
    force: false,
    state: 'sending',
    error: null,
    code: null,
  } as const;

  test.each(['the event first', 'the answer first'])('show the message once, with %s', (order) => {
    const server = new ModelServer(2, COMMANDS);
    const event = server.events.find((one) => one.kind === 'message.created') as LiveEvent;
    if (event.kind !== 'message.created') throw new Error('unreachable');
    const message = { ...event.body.message, idempotency_key: 'key-1' };
    const id = message.conversation_id ?? '';
    const keyed = { ...event, body: { ...event.body, message } };
    let state = merge.addPending(merge.openThread(emptyState(), id), { ...pending, conversationId: id });
    const steps = [(s: HubState) => apply(s, keyed), (s: HubState) => merge.mergeSent(s, message)];
    if (order === 'the answer first') steps.reverse();
    for (const step of steps) state = step(state);
    expect(state.pending).toEqual([]);
    expect(state.threads.get(id)?.messages).toEqual([message]);
  });

  test('survive a complete reload of the state', () => {
    const state = merge.rebased(merge.addPending(emptyState(), pending));
    expect(state.pending).toEqual([pending]);
    expect(state.conversations.size).toBe(0);
  });
});

test('a delivery in trouble marks its conversation until it recovers or something newer is said', () => {
  const server = new ModelServer(4, 200);
  for (const { id } of server.last.conversations) {
    const state = applyAll(openAll(emptyState(), server.last), server.events);
    const trouble = state.troubles.get(id);
    const messages = server.last.messages[id] ?? [];
    const troubled = messages.filter((one) => one.delivery && isTrouble(one.delivery.state));
    if (trouble) expect(troubled.map((one) => one.delivery?.id)).toContain(trouble.deliveryId);
  }
});
