/** Every call the app makes, in one list. Each returns the answer's body or throws an `ApiProblem`. */
import { http, idempotencyKey, unwrap } from './client';
import type { BotMode, DeliveryState, Right, Role } from './types';

const write = (key = idempotencyKey()) => ({ header: { 'Idempotency-Key': key } });
const byId = (id: string) => ({ path: { id }, ...write() });

export interface PageQuery {
  cursor?: string;
  limit?: number;
}

export const setup = {
  state: () => unwrap(http.GET('/api/v1/setup')),
  run: (body: {
    code: string;
    workspace: string;
    name: string;
    email: string;
    password: string;
    sandbox: boolean;
  }) => unwrap(http.POST('/api/v1/setup', { body })),
};

export const auth = {
  login: (email: string, password: string) =>
    unwrap(http.POST('/api/v1/auth/login', { body: { email, password } })),
  refresh: () => unwrap(http.POST('/api/v1/auth/refresh')),
  logout: () => unwrap(http.POST('/api/v1/auth/logout')),
  workspace: (workspace: string) => unwrap(http.POST('/api/v1/auth/workspace', { body: { workspace } })),
  password: (current: string, next: string) =>
    unwrap(http.POST('/api/v1/auth/password', { body: { current, new: next } })),
  reset: (token: string, password: string) =>
    unwrap(http.POST('/api/v1/auth/reset', { body: { token, password } })),
  sessions: () => unwrap(http.GET('/api/v1/auth/sessions')),
  endSession: (id: string) => unwrap(http.DELETE('/api/v1/auth/sessions/{id}', { params: { path: { id } } })),
};

export const me = {
  rename: (name: string) => unwrap(http.PATCH('/api/v1/me', { params: write(), body: { name } })),
};

export const members = {
  list: (query: PageQuery) => unwrap(http.GET('/api/v1/members', { params: { query } })),
  setRole: (user_id: string, role: Role) =>
    unwrap(
      http.PATCH('/api/v1/members/{user_id}', { params: { path: { user_id }, ...write() }, body: { role } }),
    ),
  remove: (user_id: string) =>
    unwrap(http.DELETE('/api/v1/members/{user_id}', { params: { path: { user_id }, ...write() } })),
};

export const invitations = {
  list: (query: PageQuery) => unwrap(http.GET('/api/v1/invitations', { params: { query } })),
  create: (email: string, role: Role) =>
    unwrap(http.POST('/api/v1/invitations', { params: write(), body: { email, role } })),
  revoke: (id: string) => unwrap(http.DELETE('/api/v1/invitations/{id}', { params: byId(id) })),
  preview: (token: string) => unwrap(http.POST('/api/v1/invitations/preview', { body: { token } })),
  accept: (body: { token: string; name?: string; password: string }) =>
    unwrap(http.POST('/api/v1/invitations/accept', { body })),
};

export const keys = {
  list: (query: PageQuery) => unwrap(http.GET('/api/v1/keys', { params: { query } })),
  create: (body: { name: string; scopes: Right[]; expires_at?: string }) =>
    unwrap(http.POST('/api/v1/keys', { params: write(), body })),
  revoke: (id: string) => unwrap(http.DELETE('/api/v1/keys/{id}', { params: byId(id) })),
};

export const audit = {
  list: (query: PageQuery) => unwrap(http.GET('/api/v1/audit', { params: { query } })),
};

export const bots = {
  list: (query: PageQuery = { limit: 200 }) => unwrap(http.GET('/api/v1/bots', { params: { query } })),
  connect: (body: { token: string; mode?: BotMode }) =>
    unwrap(http.POST('/api/v1/bots', { params: write(), body })),
  sandbox: (name?: string) =>
    unwrap(http.POST('/api/v1/bots/sandbox', { params: write(), body: name ? { name } : {} })),
  change: (id: string, body: { mode?: BotMode; purpose?: string; token?: string }) =>
    unwrap(http.PATCH('/api/v1/bots/{id}', { params: byId(id), body })),
  check: (id: string) => unwrap(http.POST('/api/v1/bots/{id}/check', { params: byId(id) })),
  remove: (id: string) => unwrap(http.DELETE('/api/v1/bots/{id}', { params: byId(id) })),
};

export const conversations = {
  list: (query: PageQuery & { status: 'open' | 'resolved' | 'all' }) =>
    unwrap(http.GET('/api/v1/conversations', { params: { query } })),
  counts: () => unwrap(http.GET('/api/v1/conversations/counts')),
  one: (id: string) => unwrap(http.GET('/api/v1/conversations/{id}', { params: { path: { id } } })),
  setStatus: (id: string, status: 'open' | 'resolved') =>
    unwrap(http.PATCH('/api/v1/conversations/{id}', { params: byId(id), body: { status } })),
  messages: (id: string, query: { before?: number; limit?: number }) =>
    unwrap(http.GET('/api/v1/conversations/{id}/messages', { params: { path: { id }, query } })),
  send: (
    id: string,
    key: string,
    body: { text: string; note: boolean; last_seen_seq?: number; force?: boolean },
  ) =>
    unwrap(
      http.POST('/api/v1/conversations/{id}/messages', { params: { path: { id }, ...write(key) }, body }),
    ),
  read: (id: string, seq: number) =>
    unwrap(http.POST('/api/v1/conversations/{id}/read', { params: byId(id), body: { seq } })),
};

export const deliveries = {
  list: (query: PageQuery & { state?: DeliveryState }) =>
    unwrap(http.GET('/api/v1/deliveries', { params: { query } })),
  retry: (id: string) => unwrap(http.POST('/api/v1/deliveries/{id}/retry', { params: byId(id) })),
  discard: (id: string) => unwrap(http.POST('/api/v1/deliveries/{id}/discard', { params: byId(id) })),
};

export const deadLetters = {
  list: (query: PageQuery) => unwrap(http.GET('/api/v1/dead-letters', { params: { query } })),
  replay: (id: string) => unwrap(http.POST('/api/v1/dead-letters/{id}/replay', { params: byId(id) })),
};
