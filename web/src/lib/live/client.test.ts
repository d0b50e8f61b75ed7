import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { backoff } from './backoff';
import { LiveClient, type LiveStatus, type Socket } from './client';
import type { ServerFrame } from './events';

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  sent: Record<string, unknown>[] = [];
  closed = false;

  send(text: string) {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close() {
    this.closed = true;
  }
  says(frame: ServerFrame | { type: string; [key: string]: unknown }) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

function setUp(cursor: string | null = 'c0') {
  const sockets: FakeSocket[] = [];
  const statuses: LiveStatus[] = [];
  const calls = { events: 0, resets: 0, caughtUp: 0, renewals: 0 };
  const control = { renewal: async () => true, token: 'token-1' as string | null };
  const client = new LiveClient(
    {
      connect: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket;
      },
      token: () => control.token,
      renew: () => {
        calls.renewals += 1;
        return control.renewal();
      },
      random: () => 1,
      tab: 'tab',
      onEvents: (events) => (calls.events += events.length),
      onSignal: () => undefined,
      onStatus: (status) => statuses.push(status),
      onCaughtUp: () => (calls.caughtUp += 1),
      onReset: () => (calls.resets += 1),
    },
    cursor,
  );
  client.start();
  const newest = () => sockets.at(-1) as FakeSocket;
  const welcome = () => {
    newest().onopen?.();
    newest().says({ type: 'welcome', cursor: 'head' });
  };
  return { client, sockets, statuses, calls, control, newest, welcome };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('the live client', () => {
  test('says hello with the token and the cursor it was given', () => {
    const { newest, welcome, statuses } = setUp();
    welcome();
    expect(newest().sent[0]).toEqual({ type: 'hello', token: 'token-1', tab: 'tab', cursor: 'c0' });
    expect(statuses).toEqual(['connecting', 'live']);
  });

  test('continues after the last event it has seen', async () => {
    const { newest, welcome, sockets, calls } = setUp();
    welcome();
    newest().says({ type: 'event', cursor: 'c7', event: { seq: 7 } });
    newest().says({ type: 'progress', cursor: 'c9' });
    newest().onclose?.({ code: 1006 });
    await vi.runOnlyPendingTimersAsync();
    expect(sockets).toHaveLength(2);
    welcome();
    expect(newest().sent[0]).toMatchObject({ cursor: 'c9' });
    expect(calls.events).toBe(1);
  });

  test('takes the cursor of the welcome when it had none, and never replaces one it had', async () => {
    const { newest, welcome } = setUp(null);
    welcome();
    newest().onclose?.({ code: 1012 });
    await vi.runOnlyPendingTimersAsync();
    newest().onopen?.();
    expect(newest().sent[0]).toMatchObject({ cursor: 'head' });
  });

  test('waits longer after each failed attempt and starts over once it was welcomed', async () => {
    const { newest, sockets, welcome } = setUp();
    for (const pause of [400, 800, 1600]) {
      newest().onclose?.({ code: 1006 });
      const count = sockets.length;
      await vi.advanceTimersByTimeAsync(pause - 1);
      expect(sockets).toHaveLength(count);
      await vi.advanceTimersByTimeAsync(1);
      expect(sockets).toHaveLength(count + 1);
    }
    welcome();
    newest().onclose?.({ code: 1006 });
    await vi.advanceTimersByTimeAsync(400);
    expect(sockets).toHaveLength(5);
  });

  test('renews the token before it reconnects when the server no longer accepts it', async () => {
    const { newest, welcome, calls, control } = setUp();
    welcome();
    control.renewal = async () => {
      control.token = 'token-2';
      return true;
    };
    newest().onclose?.({ code: 4001 });
    await vi.runOnlyPendingTimersAsync();
    newest().onopen?.();
    expect(calls.renewals).toBe(1);
    expect(newest().sent[0]).toMatchObject({ token: 'token-2' });
  });

  test('stops when the session is over', async () => {
    const { newest, welcome, statuses, sockets, control } = setUp();
    welcome();
    control.renewal = async () => false;
    newest().onclose?.({ code: 4001 });
    await vi.runAllTimersAsync();
    expect(statuses.at(-1)).toBe('stopped');
    expect(sockets).toHaveLength(1);
  });

  test('keeps trying when the renewal gets no answer', async () => {
    const { newest, welcome, control, sockets } = setUp();
    welcome();
    let failures = 2;
    control.renewal = async () => {
      if (failures-- > 0) throw new Error('no network');
      return true;
    };
    newest().onclose?.({ code: 4001 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sockets).toHaveLength(2);
  });

  test('hands a renewed token to the open stream', () => {
    const { client, newest, welcome } = setUp();
    welcome();
    client.renewed('token-3');
    expect(newest().sent.at(-1)).toEqual({ type: 'token', token: 'token-3' });
  });

  test('reports a reset once per frame and continues from its cursor', async () => {
    const { newest, welcome, calls } = setUp();
    welcome();
    newest().says({ type: 'reset', cursor: 'c50' });
    expect(calls.resets).toBe(1);
    newest().onclose?.({ code: 1006 });
    await vi.runOnlyPendingTimersAsync();
    newest().onopen?.();
    expect(newest().sent[0]).toMatchObject({ cursor: 'c50' });
  });

  test('asks after a silence and gives up on a connection that does not answer', async () => {
    const { newest, welcome, sockets, statuses } = setUp();
    welcome();
    const first = newest();
    await vi.advanceTimersByTimeAsync(25_000);
    expect(first.sent.at(-1)).toEqual({ type: 'ping' });
    first.says({ type: 'pong' });
    await vi.advanceTimersByTimeAsync(25_000 + 8_000);
    expect(first.closed).toBe(true);
    expect(statuses.at(-1)).toBe('waiting');
    await vi.advanceTimersByTimeAsync(400);
    expect(sockets).toHaveLength(2);
  });

  test('ignores what a replaced connection still says', async () => {
    const { newest, welcome, calls } = setUp();
    welcome();
    const first = newest();
    first.onclose?.({ code: 1006 });
    await vi.runOnlyPendingTimersAsync();
    first.says({ type: 'event', cursor: 'c1', event: { seq: 1 } });
    first.onclose?.({ code: 1006 });
    expect(calls.events).toBe(0);
  });

  test('reconnects at once when it is nudged', async () => {
    const { client, newest, welcome, sockets } = setUp();
    welcome();
    newest().onclose?.({ code: 1006 });
    client.nudge();
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets).toHaveLength(2);
  });

  test('stays closed after it was stopped', async () => {
    const { client, newest, welcome, sockets } = setUp();
    welcome();
    client.stop();
    newest().onclose?.({ code: 1006 });
    client.nudge();
    await vi.runAllTimersAsync();
    expect(sockets).toHaveLength(1);
  });
});

test('the pause doubles up to a cap and at least half of it is kept', () => {
  expect(backoff(1, () => 0)).toBe(200);
  expect(backoff(1, () => 1)).toBe(400);
  expect(backoff(4, () => 1)).toBe(3200);
  expect(backoff(20, () => 1)).toBe(15_000);
});
