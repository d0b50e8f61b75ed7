import { backoff } from './backoff';
import type { LiveEvent, ServerFrame, Signal } from './events';

/** Silence after which the client asks, and how long it then waits for an answer. */
const PING_AFTER_MS = 25_000;
const PONG_WITHIN_MS = 8_000;
/** The access token is no longer accepted; a fresh one may be. */
const UNAUTHENTICATED = 4001;
const FORBIDDEN = 4003;

export type LiveStatus = 'connecting' | 'live' | 'waiting' | 'stopped';

/** The part of `WebSocket` that is used, so that tests can play the server. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface LiveOptions {
  connect(): Socket;
  token(): string | null;
  /** Gets a fresh access token; false when the session is over. */
  renew(): Promise<boolean>;
  random(): number;
  tab: string;
  onEvents(events: LiveEvent[]): void;
  onSignal(signal: Signal): void;
  onStatus(status: LiveStatus): void;
  /** The backlog is delivered. */
  onCaughtUp(): void;
  /** The cursor is unknown to the server: everything has to be fetched again. */
  onReset(): void;
}

/**
 * One live stream that survives everything: it reconnects with the last cursor, backs off with jitter,
 * renews its token on the open stream, and notices a connection that died without saying so.
 */
export class LiveClient {
  #options: LiveOptions;
  #socket: Socket | null = null;
  #cursor: string | null;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #renewNext = false;

  constructor(options: LiveOptions, cursor: string | null) {
    this.#options = options;
    this.#cursor = cursor;
  }

  start(): void {
    this.#stopped = false;
    void this.#open();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#drop();
    this.#options.onStatus('stopped');
  }

  /** Tries at once instead of waiting out the pause, for instance when the network came back. */
  nudge(): void {
    if (this.#stopped || this.#socket) return;
    clearTimeout(this.#retry);
    void this.#open();
  }

  /** Hands a fresh access token to the open stream. */
  renewed(token: string): void {
    this.#send({ type: 'token', token });
  }

  signal(kind: Signal['kind'], chatId: string, active: boolean): void {
    this.#send({ type: 'signal', kind, chat_id: chatId, active });
  }

  async #open(): Promise<void> {
    this.#options.onStatus('connecting');
    if (this.#renewNext && !(await this.#renew())) return;
    const token = this.#options.token();
    if (this.#stopped || this.#socket || token === null) return;
    const socket = this.#options.connect();
    this.#socket = socket;
    socket.onopen = () => {
      this.#send({ type: 'hello', token, tab: this.#options.tab, cursor: this.#cursor ?? undefined });
      this.#heard();
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#receive(JSON.parse(data) as ServerFrame);
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#closed(code);
    };
  }

  /** A renewal that gets no answer counts as one more failed attempt. */
  async #renew(): Promise<boolean> {
    try {
      const renewed = await this.#options.renew();
      this.#renewNext = false;
      if (!renewed) this.stop();
      return renewed;
    } catch {
      this.#later();
      return false;
    }
  }

  #receive(frame: ServerFrame): void {
    this.#heard();
    if ('cursor' in frame && frame.type !== 'welcome') this.#cursor = frame.cursor;
    switch (frame.type) {
      case 'welcome':
        this.#cursor ??= frame.cursor;
        this.#attempt = 0;
        return this.#options.onStatus('live');
      case 'event':
        return this.#options.onEvents([frame.event]);
      case 'caught_up':
        return this.#options.onCaughtUp();
      case 'reset':
        return this.#options.onReset();
      case 'signal':
        return this.#options.onSignal(frame.signal);
    }
  }

  #closed(code: number): void {
    this.#socket = null;
    clearTimeout(this.#watch);
    if (this.#stopped) return;
    // A role that changed closes the stream too: the renewed session carries the new rights.
    this.#renewNext ||= code === UNAUTHENTICATED || code === FORBIDDEN;
    this.#later();
  }

  #later(): void {
    if (this.#stopped) return;
    this.#attempt += 1;
    this.#options.onStatus('waiting');
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#open(), backoff(this.#attempt, this.#options.random));
  }

  /** Something arrived: the connection lives. Ask again after a silence, and give up on one that does not answer. */
  #heard(): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      this.#send({ type: 'ping' });
      this.#watch = setTimeout(() => {
        this.#drop();
        this.#later();
      }, PONG_WITHIN_MS);
    }, PING_AFTER_MS);
  }

  #send(frame: object): void {
    try {
      this.#socket?.send(JSON.stringify(frame));
    } catch {
      // Not open yet or already closing: `hello` carries what matters when it opens.
    }
  }

  #drop(): void {
    clearTimeout(this.#watch);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
