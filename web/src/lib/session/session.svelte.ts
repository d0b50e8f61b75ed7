import { auth } from '$lib/api/calls';
import { useTokens } from '$lib/api/client';
import { ApiProblem } from '$lib/api/problem';
import type { Right, SignedIn } from '$lib/api/types';

/** Renew this long before the access token ends; also the pause before a renewal that failed is tried again. */
const MARGIN_MS = 60_000;
const RETRY_MS = 5_000;

/** What other tabs are told. They share the refresh cookie, so signing out in one signs out all. */
const channel = new BroadcastChannel('switchboard.session');

type Listener = (token: string) => void;

/**
 * Who is signed in. The access token lives in memory only; the refresh token is a cookie this code cannot read.
 * `state` is `unknown` until the first renewal was tried.
 */
class SessionStore {
  state = $state<'unknown' | 'in' | 'out'>('unknown');
  current = $state.raw<SignedIn | null>(null);

  #renewing: Promise<boolean> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #listeners = new Set<Listener>();

  constructor() {
    useTokens({ token: () => this.current?.access_token ?? null, renew: () => this.renew() });
    channel.onmessage = (event) => {
      if (event.data === 'signed-out') this.#clear();
    };
  }

  get user() {
    return this.current?.user ?? null;
  }

  can(right: Right): boolean {
    return this.current?.rights.includes(right) ?? false;
  }

  /** Takes a fresh answer of login, setup, renewal or a change of workspace. */
  accept(answer: SignedIn): void {
    const before = this.current;
    const stranger =
      before && (before.user.id !== answer.user.id || before.workspace.id !== answer.workspace.id);
    if (stranger) {
      // Another tab signed in as someone else, or elsewhere: nothing loaded so far belongs to this person.
      location.reload();
      return;
    }
    this.current = answer;
    this.state = 'in';
    this.#schedule(Math.max(answer.expires_in * 1000 - MARGIN_MS, answer.expires_in * 500));
    for (const listener of this.#listeners) listener(answer.access_token);
  }

  /** Shows the person's new name at once; the next renewal carries it anyway. */
  rename(name: string): void {
    if (this.current) this.current = { ...this.current, user: { ...this.current.user, name } };
  }

  /** Renews the access token; all callers at once share one request. False when the session is over. */
  renew(): Promise<boolean> {
    this.#renewing ??= this.#renewOnce().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #renewOnce(): Promise<boolean> {
    try {
      this.accept(await auth.refresh());
      return true;
    } catch (error) {
      if (error instanceof ApiProblem && (error.status === 401 || error.status === 403)) {
        this.#clear();
        return false;
      }
      if (this.current) this.#schedule(RETRY_MS);
      throw error;
    }
  }

  #schedule(inMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.renew().catch(() => undefined), inMs);
  }

  /** Hears every new access token, to renew it on an open live stream. */
  onToken(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async signOut(): Promise<void> {
    await auth.logout();
    channel.postMessage('signed-out');
    this.#clear();
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.current = null;
    this.state = 'out';
  }
}

export const session = new SessionStore();
