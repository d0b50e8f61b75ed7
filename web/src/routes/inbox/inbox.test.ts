import { describe, expect, test } from 'vitest';
import type { Message } from '$lib/api/types';
import { joinPage, unloadedThread, upsert } from '$lib/live/thread';
import { holdOrder } from './order';
import { firstUnread, layOut } from './thread/blocks';

function message(seq: number, from: 'contact' | 'me', minutes = seq): Message {
  return {
    id: `m${seq}`,
    chat_id: 'chat',
    conversation_id: 'conversation',
    seq,
    author: { kind: from === 'me' ? 'member' : 'contact', id: from, name: from },
    text: `text ${seq}`,
    note: false,
    delivery: null,
    idempotency_key: null,
    created_at: new Date(2026, 10, 20, 12, minutes).toISOString(),
  };
}

describe('the list under the pointer', () => {
  const hold = (previous: string, live: string, held = true) => {
    const shown = holdOrder([...previous], [...live], held);
    return `${shown.ids.join('')} ${shown.news}`;
  };

  test.each([
    ['ABC', 'ABC', 'ABC 0'],
    ['ABC', 'NABC', 'ABC 1'],
    ['ABC', 'BAC', 'ABC 1'],
    ['ABC', 'CNBA', 'ABC 3'],
    ['ABC', 'AC', 'AC 0'],
    ['ABC', 'ABCDE', 'ABCDE 0'],
    ['ABC', 'NCABDE', 'ABCDE 2'],
    ['', 'AB', 'AB 0'],
    ['ABC', '', ' 0'],
  ])('shows %j as %j comes in: %j', (previous, live, expected) =>
    expect(hold(previous, live)).toBe(expected),
  );

  test('follows the live order when nobody points at it', () => {
    expect(hold('ABC', 'NCAB', false)).toBe('NCAB 0');
  });
});

describe('the layout of a thread', () => {
  test('has a heading per day and groups what one author says in a row', () => {
    const days = layOut(
      [
        message(1, 'contact'),
        message(2, 'contact'),
        message(3, 'me'),
        message(4, 'me', 30),
        message(5, 'me', 60 * 24),
      ],
      null,
    );
    const shape = days.map((day) =>
      day.blocks.map((block) => (block.kind === 'message' ? block.first : block.kind)),
    );
    expect(shape).toEqual([[true, false, true, true], [true]]);
  });

  test('puts the divider before the first unread message and splits its group there', () => {
    const messages = [message(1, 'contact'), message(2, 'contact'), message(3, 'me'), message(4, 'contact')];
    expect(firstUnread(messages, 2)).toEqual({ seq: 2, count: 2 });
    const [day] = layOut(messages, firstUnread(messages, 2));
    expect(day?.blocks.map((block) => block.kind)).toEqual([
      'message',
      'unread',
      'message',
      'message',
      'message',
    ]);
    expect(day?.blocks[2]).toMatchObject({ first: true });
  });

  test('has no divider when everything is read', () =>
    expect(firstUnread([message(1, 'contact')], 0)).toBe(null));

  test('starts the unread part at the top when more is unread than loaded', () => {
    expect(firstUnread([message(7, 'contact'), message(8, 'contact')], 30)).toEqual({ seq: 7, count: 30 });
  });
});

describe('a thread in memory', () => {
  const seqs = (thread: { messages: readonly Message[] }) => thread.messages.map((one) => one.seq);
  const page = (from: number, to: number, has_before: boolean) => ({
    items: Array.from({ length: to - from + 1 }, (_, i) => message(from + i, 'contact')),
    has_before,
  });
  const never = () => false;

  test('keeps its order whatever order messages come in', () => {
    const thread = [3, 1, 2, 2].reduce((next, seq) => upsert(next, message(seq, 'me')), unloadedThread);
    expect(seqs(thread)).toEqual([1, 2, 3]);
  });

  test('leaves out what is older than its loaded stretch, for that comes with its page', () => {
    const thread = joinPage(unloadedThread, page(10, 12, true), never);
    expect(seqs(upsert(thread, message(4, 'me')))).toEqual([10, 11, 12]);
    expect(seqs(joinPage(thread, page(4, 9, false), never))).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test('knows after each page whether there is more before it', () => {
    const newest = joinPage(unloadedThread, page(10, 12, true), never);
    const older = joinPage(newest, page(1, 9, false), never);
    expect([newest.hasBefore, older.hasBefore]).toEqual([true, false]);
    expect(joinPage(older, page(10, 12, true), never).hasBefore).toBe(false);
  });
});
