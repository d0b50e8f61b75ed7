/**
 * A small model of the server for property tests: it runs random commands, writes the events the real one would
 * write, and can be asked for the state at any moment. Seeded, so that a failure can be repeated.
 */
import type { Author, Bot, Conversation, Counts, DeliveryState, Message } from '$lib/api/types';
import type { LiveEvent, SharedConversation } from './events';

/** A generator of numbers in [0, 1) that depends on nothing but its seed (mulberry32). */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export interface Snapshot {
  seq: number;
  conversations: Conversation[];
  messages: Record<string, Message[]>;
  bots: Bot[];
  counts: Counts;
}

const ME: Author = { kind: 'member', id: 'me', name: 'Me' };

/** The body that belongs to a kind of event. */
type BodyOf<K> = LiveEvent extends infer E
  ? E extends { kind: infer Kinds; body: infer Body }
    ? K extends Kinds
      ? Body
      : never
    : never
  : never;

export class ModelServer {
  readonly events: LiveEvent[] = [];
  readonly snapshots: Snapshot[] = [];
  #random: () => number;
  #now: Snapshot = {
    seq: 0,
    conversations: [],
    messages: {},
    bots: [],
    counts: { open: 0, pending: 0, snoozed: 0, resolved: 0 },
  };
  #ids = 0;

  constructor(seed: number, commands: number) {
    this.#random = seeded(seed);
    this.#now.bots.push(bot('bot', 'Support'));
    this.snapshots.push(structuredClone(this.#now));
    for (let i = 0; i < commands; i++) this.#command();
  }

  /** The state after the event with this `seq`. Only command boundaries are observable, as in the real server. */
  at(seq: number): Snapshot {
    let found = this.snapshots[0] as Snapshot;
    for (const snapshot of this.snapshots) if (snapshot.seq <= seq) found = snapshot;
    return found;
  }

  get last(): Snapshot {
    return this.snapshots.at(-1) as Snapshot;
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  #command(): void {
    const existing = this.#pick(this.#now.conversations);
    const roll = this.#random();
    if (!existing || roll < 0.15) this.#firstMessage();
    else if (roll < 0.4)
      this.#say(existing, { kind: 'contact', id: existing.contact.id, name: existing.contact.name });
    else if (roll < 0.55) this.#say(existing, ME);
    else if (roll < 0.7) this.#settle(existing);
    else if (roll < 0.82) this.#read(existing);
    else if (roll < 0.92) this.#status(existing, existing.status === 'open' ? 'resolved' : 'open');
    else if (roll < 0.97) this.#rename(existing);
    else this.#renameBot();
    this.snapshots.push(structuredClone(this.#now));
  }

  #emit<K extends LiveEvent['kind']>(kind: K, body: BodyOf<K>): void {
    this.#now.seq += 1;
    const event = { seq: this.#now.seq, at: this.#time(), kind, v: 1, actor: { kind: 'system' }, body };
    this.events.push(structuredClone(event) as unknown as LiveEvent);
  }

  #time(): string {
    return new Date(1_700_000_000_000 + (this.#now.seq + 1) * 1000).toISOString();
  }

  #firstMessage(): void {
    const n = ++this.#ids;
    const conversation: Conversation = {
      id: `conversation-${n}`,
      chat_id: `chat-${n}`,
      bot_id: 'bot',
      status: 'open',
      contact: {
        id: `contact-${n}`,
        name: `Contact ${n}`,
        username: null,
        language: null,
        unreachable: false,
      },
      assignee: null,
      last_message: null,
      unread: 0,
      inbound_total: 0,
      last_seq: 0,
      last_activity_at: this.#time(),
      created_at: this.#time(),
    };
    this.#now.conversations.push(conversation);
    this.#now.messages[conversation.id] = [];
    this.#now.counts.open += 1;
    this.#emit('conversation.created', { conversation: shared(conversation) });
    this.#say(conversation, {
      kind: 'contact',
      id: conversation.contact.id,
      name: conversation.contact.name,
    });
  }

  #say(conversation: Conversation, author: Author): void {
    const inbound = author.kind === 'contact';
    const note = !inbound && this.#random() < 0.3;
    const message: Message = {
      id: `message-${++this.#ids}`,
      chat_id: conversation.chat_id,
      conversation_id: conversation.id,
      seq: conversation.last_seq + 1,
      author,
      text: `text ${this.#ids}`,
      note,
      delivery:
        inbound || note
          ? null
          : { id: `delivery-${this.#ids}`, state: 'queued', attempts: 0, error: null, next_at: null },
      idempotency_key: null,
      created_at: this.#time(),
    };
    this.#now.messages[conversation.id]?.push(message);
    conversation.last_seq = message.seq;
    conversation.last_activity_at = message.created_at;
    const { seq, text, created_at } = message;
    conversation.last_message = { seq, author, text, note, created_at };
    if (inbound) {
      conversation.inbound_total += 1;
      conversation.unread += 1;
      this.#move(conversation, 'open');
    }
    this.#emit('message.created', { conversation_id: conversation.id, message });
    this.#emit('conversation.updated', { conversation: shared(conversation) });
  }

  #settle(conversation: Conversation): void {
    const sent = this.#now.messages[conversation.id]?.filter((one) => one.delivery);
    const message = this.#pick(sent ?? []);
    const states: DeliveryState[] = ['sending', 'sent', 'retrying', 'failed', 'unknown'];
    if (!message?.delivery) return;
    message.delivery = { ...message.delivery, state: this.#pick(states) ?? 'sent' };
    const { delivery } = message;
    this.#emit('delivery.updated', { conversation_id: conversation.id, message_id: message.id, delivery });
  }

  #read(conversation: Conversation): void {
    conversation.unread = 0;
    this.#emit('read.marked', {
      chat_id: conversation.chat_id,
      conversation_id: conversation.id,
      read_seq: conversation.last_seq,
      read_inbound: conversation.inbound_total,
    });
  }

  #move(conversation: Conversation, status: 'open' | 'resolved'): void {
    this.#now.counts[conversation.status] -= 1;
    this.#now.counts[status] += 1;
    conversation.status = status;
  }

  #status(conversation: Conversation, status: 'open' | 'resolved'): void {
    this.#move(conversation, status);
    this.#emit('conversation.updated', { conversation: shared(conversation) });
  }

  #rename(conversation: Conversation): void {
    conversation.contact = { ...conversation.contact, name: `Renamed ${++this.#ids}` };
    this.#emit('contact.updated', { contact: conversation.contact });
  }

  #renameBot(): void {
    const renamed = bot('bot', `Support ${++this.#ids}`);
    this.#now.bots = [renamed];
    this.#emit('bot.updated', { bot: renamed });
  }
}

function shared(conversation: Conversation): SharedConversation {
  const { unread: _mine, ...rest } = conversation;
  return rest;
}

function bot(id: string, name: string): Bot {
  return {
    id,
    name,
    username: 'support_bot',
    telegram_id: '1',
    api: 'sandbox',
    mode: 'polling',
    purpose: null,
    status: 'connected',
    status_detail: null,
    checked_at: null,
    created_at: '2026-01-01T00:00:00.000000Z',
    play_url: null,
  };
}
