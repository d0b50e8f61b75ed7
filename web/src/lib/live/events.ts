import type {
  ApiKey,
  Bot,
  Contact,
  Conversation,
  DeadLetter,
  Delivery,
  Invitation,
  Member,
  Message,
} from '$lib/api/types';

/** What every event carries besides its kind and body. `redacted` events have lost their body and are skipped. */
interface Envelope<K extends string, B> {
  seq: number;
  at: string;
  kind: K;
  v: number;
  actor: { kind: 'member' | 'contact' | 'key' | 'bot' | 'system'; id?: string | null };
  chat_id?: string | null;
  redacted?: boolean;
  body: B;
}

/** A conversation as events carry it: the unread count differs from reader to reader and is left out. */
export type SharedConversation = Omit<Conversation, 'unread'>;

/** The live stream's events. Kinds that are unknown here (a newer server's) pass through without effect. */
export type LiveEvent =
  | Envelope<'message.created' | 'message.updated', { conversation_id?: string | null; message: Message }>
  | Envelope<
      'delivery.updated',
      { conversation_id?: string | null; message_id?: string | null; delivery: Delivery }
    >
  | Envelope<'conversation.created' | 'conversation.updated', { conversation: SharedConversation }>
  | Envelope<'contact.updated', { contact: Contact }>
  | Envelope<
      'read.marked',
      { chat_id: string; conversation_id?: string | null; read_seq: number; read_inbound: number }
    >
  | Envelope<'bot.created' | 'bot.updated', { bot: Bot }>
  | Envelope<'bot.removed', { bot_id: string }>
  | Envelope<'member.joined' | 'member.updated', { member: Member }>
  | Envelope<'member.removed', { user_id: string }>
  | Envelope<'invitation.created' | 'invitation.updated', { invitation: Invitation }>
  | Envelope<'key.created' | 'key.updated', { key: ApiKey }>
  | Envelope<'dead_letter.created', { dead_letter: DeadLetter }>
  | Envelope<'dead_letter.removed', { id: string }>;

/** Who is typing or looking; lossy, never replayed. */
export interface Signal {
  kind: 'typing' | 'viewing';
  chat_id: string;
  user: { id: string; name: string };
  tab?: string | null;
  active: boolean;
}

/** Frames the server sends. */
export type ServerFrame =
  | { type: 'welcome'; cursor: string }
  | { type: 'event'; cursor: string; event: LiveEvent }
  | { type: 'caught_up' | 'progress' | 'reset'; cursor: string }
  | { type: 'signal'; signal: Signal }
  | { type: 'closing'; code: number; reason: string }
  | { type: 'pong' };
