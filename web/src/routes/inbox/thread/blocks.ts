import type { Message } from '$lib/api/types';
import { dayKey } from '$lib/util/time';

/** What stands below a day's heading, top to bottom. */
export type Block =
  | { kind: 'unread'; key: string; count: number }
  | { kind: 'message'; key: string; message: Message; first: boolean };

export interface Day {
  key: string;
  at: string;
  blocks: Block[];
}

interface UnreadFrom {
  /** The first unread message. */
  seq: number;
  count: number;
}

const GROUP_MS = 5 * 60_000;

/**
 * Lays a thread out: days, one divider before the unread messages, and runs of messages of one author within five
 * minutes drawn as a group, whose `first` carries the name.
 */
export function layOut(messages: readonly Message[], unreadFrom: UnreadFrom | null): Day[] {
  const days: Day[] = [];
  messages.forEach((message, i) => {
    const before = messages[i - 1];
    let day = days.at(-1);
    if (!day || !before || dayKey(before.created_at) !== dayKey(message.created_at)) {
      day = { key: `day ${message.id}`, at: message.created_at, blocks: [] };
      days.push(day);
    }
    const divided = unreadFrom?.seq === message.seq;
    if (divided) day.blocks.push({ kind: 'unread', key: 'unread', count: unreadFrom.count });
    const first = divided || !before || !together(before, message);
    day.blocks.push({ kind: 'message', key: message.id, message, first });
  });
  return days;
}

function together(a: Message, b: Message): boolean {
  return (
    a.author.kind === b.author.kind &&
    a.author.id === b.author.id &&
    a.note === b.note &&
    dayKey(a.created_at) === dayKey(b.created_at) &&
    Date.parse(b.created_at) - Date.parse(a.created_at) < GROUP_MS
  );
}

/** The first of the newest `unread` messages of the contact, as far as they are loaded; null when nothing is unread. */
export function firstUnread(messages: readonly Message[], unread: number): UnreadFrom | null {
  let left = unread;
  let seq: number | null = null;
  for (let i = messages.length - 1; i >= 0 && left > 0; i--) {
    const message = messages[i];
    if (message?.author.kind !== 'contact') continue;
    seq = message.seq;
    left -= 1;
  }
  return seq === null ? null : { seq, count: unread };
}
