import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Conversation, SignedIn } from '$lib/api/types';
import { hub } from '$lib/live/hub.svelte';
import { emptyState } from '$lib/live/state';
import { session } from '$lib/session/session.svelte';
import Composer from './Composer.svelte';

const conversation: Conversation = {
  id: 'conversation-1',
  chat_id: 'chat-1',
  bot_id: 'bot',
  status: 'open',
  contact: { id: 'c', name: 'Amira', username: null, language: null, unreachable: false },
  assignee: null,
  last_message: null,
  unread: 0,
  inbound_total: 1,
  last_seq: 1,
  last_activity_at: '2026-01-01T00:00:00Z',
  created_at: '2026-01-01T00:00:00Z',
};

const operator: SignedIn = {
  access_token: 'token',
  expires_in: 900,
  user: { id: 'me', name: 'Me', email: 'me@team.example' },
  workspace: { id: 'w', name: 'Team' },
  role: 'operator',
  rights: ['conversations.read', 'conversations.reply'],
  workspaces: [],
};

let requests: Request[];
const field = () => screen.getByRole('textbox');

beforeEach(() => {
  localStorage.clear();
  requests = [];
  hub.state = emptyState();
  session.accept(operator);
  vi.stubGlobal('fetch', async (request: Request) => {
    requests.push(request.clone());
    return new Response(null, { status: 503 });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

describe('the composer', () => {
  test('sends with Enter, shows the message at once and empties itself', async () => {
    render(Composer, { conversation });
    await fireEvent.input(field(), { target: { value: '  Hello  ' } });
    await fireEvent.keyDown(field(), { key: 'Enter' });
    expect(hub.state.pending).toMatchObject([{ text: 'Hello', note: false, state: 'sending' }]);
    expect(field()).toHaveProperty('value', '');
  });

  test('sends under an idempotency key', async () => {
    render(Composer, { conversation });
    await fireEvent.input(field(), { target: { value: 'Hello' } });
    await fireEvent.keyDown(field(), { key: 'Enter', ctrlKey: true });
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    expect(requests[0]?.headers.get('Idempotency-Key')).toBe(hub.state.pending[0]?.key);
    expect(await requests[0]?.json()).toMatchObject({ text: 'Hello', note: false });
  });

  test('does not send on Shift and Enter, nor while a character is being composed', async () => {
    render(Composer, { conversation });
    await fireEvent.input(field(), { target: { value: 'Hello' } });
    await fireEvent.keyDown(field(), { key: 'Enter', shiftKey: true });
    await fireEvent.keyDown(field(), { key: 'Enter', isComposing: true });
    expect(hub.state.pending).toEqual([]);
  });

  test('sends nothing that is empty or longer than Telegram takes', async () => {
    render(Composer, { conversation });
    await fireEvent.input(field(), { target: { value: '   ' } });
    await fireEvent.keyDown(field(), { key: 'Enter' });
    await fireEvent.input(field(), { target: { value: 'x'.repeat(4097) } });
    await fireEvent.keyDown(field(), { key: 'Enter' });
    expect(hub.state.pending).toEqual([]);
    expect(screen.getByText('1 character too long')).toBeTruthy();
  });

  test('takes a longer text as a note', async () => {
    render(Composer, { conversation });
    await fireEvent.click(screen.getByRole('tab', { name: 'Note' }));
    await fireEvent.input(field(), { target: { value: 'x'.repeat(5000) } });
    await fireEvent.keyDown(field(), { key: 'Enter' });
    expect(hub.state.pending).toMatchObject([{ note: true }]);
  });

  test('keeps a draft per conversation', async () => {
    const first = render(Composer, { conversation });
    await fireEvent.input(field(), { target: { value: 'Half a sen' } });
    first.unmount();
    const other = render(Composer, { conversation: { ...conversation, id: 'conversation-2' } });
    expect(field()).toHaveProperty('value', '');
    other.unmount();
    render(Composer, { conversation });
    expect(field()).toHaveProperty('value', 'Half a sen');
  });

  test('is absent for a role that only reads', () => {
    session.accept({ ...operator, role: 'moderator', rights: ['conversations.read'] });
    render(Composer, { conversation });
    expect(screen.queryByRole('textbox')).toBe(null);
  });
});
