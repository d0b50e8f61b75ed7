import createClient from 'openapi-fetch';
import { ApiProblem } from './problem';
import type { paths } from './schema';

/** What the transport needs from the session: the access token and one way to renew it. */
export interface TokenSource {
  token(): string | null;
  /** Renews once for all callers; false when the session is over. */
  renew(): Promise<boolean>;
}

let source: TokenSource = { token: () => null, renew: async () => false };

/** Called once by the session module; a parameter instead of an import keeps the two free of a cycle. */
export function useTokens(tokens: TokenSource): void {
  source = tokens;
}

/** Sends with the access token; an expired one is renewed once and the request repeated. */
async function send(request: Request): Promise<Response> {
  const authless = request.url.includes('/api/v1/auth/refresh') || request.url.includes('/api/v1/auth/login');
  const repeat = request.clone();
  const used = source.token();
  const first = await attempt(request, used);
  if (first.status !== 401 || authless || used === null) return first;
  if (!(await source.renew())) return first;
  return attempt(repeat, source.token());
}

async function attempt(request: Request, token: string | null): Promise<Response> {
  if (token) request.headers.set('Authorization', `Bearer ${token}`);
  try {
    return await fetch(request);
  } catch {
    throw ApiProblem.network();
  }
}

export const http = createClient<paths>({ baseUrl: location.origin, fetch: send });

/** Turns the client's `{data, error}` into the data, or throws the problem. */
export async function unwrap<T>(
  answer: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw ApiProblem.from(response, error);
  return data as T;
}

/** A fresh key under which a write can be repeated safely. */
export function idempotencyKey(): string {
  // randomUUID exists only in secure contexts; a plain-http host in a LAN is none.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
