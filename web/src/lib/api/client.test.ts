import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { conversations, members } from './calls';
import { useTokens } from './client';
import { ApiProblem } from './problem';

let token: string;
let renewals: number;
let renewable: boolean;
let answer: (request: Request) => Response;

const json = (status: number, body: unknown) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json' },
  });

beforeEach(() => {
  token = 'old';
  renewals = 0;
  renewable = true;
  useTokens({
    token: () => token,
    renew: async () => {
      renewals += 1;
      if (renewable) token = 'new';
      return renewable;
    },
  });
  vi.stubGlobal('fetch', async (request: Request) => answer(request));
});
afterEach(() => vi.unstubAllGlobals());

describe('calls', () => {
  test('renew an expired token once and repeat the request with body and key', async () => {
    const seen: { auth: string | null; key: string | null; body: string }[] = [];
    vi.stubGlobal('fetch', async (request: Request) => {
      seen.push({
        auth: request.headers.get('Authorization'),
        key: request.headers.get('Idempotency-Key'),
        body: await request.text(),
      });
      return seen.length === 1 ? json(401, { code: 'token_expired' }) : json(201, { id: 'm' });
    });
    await conversations.send('c', 'key', { text: 'hi', note: false });
    expect(renewals).toBe(1);
    expect(seen.map((one) => one.auth)).toEqual(['Bearer old', 'Bearer new']);
    expect(seen[0]?.body).toBe(seen[1]?.body);
    expect(seen.map((one) => one.key)).toEqual(['key', 'key']);
  });

  test('give up when the session is over', async () => {
    renewable = false;
    answer = () => json(401, { code: 'session_ended', detail: 'Sign in again.' });
    await expect(members.list({})).rejects.toMatchObject({ status: 401, code: 'session_ended' });
    expect(renewals).toBe(1);
  });

  test('carry the sentence, the fields and the request id of a problem', async () => {
    answer = () =>
      json(422, {
        code: 'validation_failed',
        detail: 'Some fields are wrong.',
        request_id: 'r-1',
        errors: [{ field: 'name', code: 'too_long', detail: 'At most 80 characters.' }],
      });
    const problem = await members.list({}).catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(ApiProblem);
    expect(problem).toMatchObject({
      message: 'Some fields are wrong.',
      fields: { name: 'At most 80 characters.' },
      requestId: 'r-1',
      transient: false,
    });
  });

  test('say so when no answer came, and that it may be tried again', async () => {
    vi.stubGlobal('fetch', async () => {
      throw new TypeError('Failed to fetch');
    });
    await expect(members.list({})).rejects.toMatchObject({ code: 'network', transient: true });
  });

  test('know how long to wait when the server says so', async () => {
    answer = () => new Response('{}', { status: 429, headers: { 'Retry-After': '7' } });
    await expect(members.list({})).rejects.toMatchObject({ retryAfter: 7, transient: true });
  });
});
