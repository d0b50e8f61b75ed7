import type { components } from './schema';

type Schemas = components['schemas'];

/** The nouns of the API under short names; the shapes come from the generated description. */
export type Role = Schemas['Role'];
export type Right = Schemas['Right'];
export type SignedIn = Schemas['SignedIn'];
export type Session = Schemas['Session'];
export type Member = Schemas['Member'];
export type Invitation = Schemas['Invitation'];
export type ApiKey = Schemas['ApiKey'];
export type AuditEntry = Schemas['AuditEntry'];
export type Bot = Schemas['Bot'];
export type BotMode = Schemas['Mode'];
export type Contact = Schemas['Contact'];
export type Author = Schemas['Author'];
export type Delivery = Schemas['Delivery'];
export type DeliveryState = Schemas['DeliveryState'];
export type DeliveryRow = Schemas['DeliveryRow'];
export type Message = Schemas['Message'];
export type Conversation = Schemas['Conversation'];
export type ConversationStatus = Schemas['ConversationStatus'];
export type DeadLetter = Schemas['DeadLetter'];

/** One page of a list; `live_cursor` names the point of the live stream the page was read at. */
export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
  live_cursor: string;
}

export interface Counts {
  open: number;
  pending: number;
  snoozed: number;
  resolved: number;
}
