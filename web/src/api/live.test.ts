import { afterEach, describe, expect, it, vi } from 'vitest';

import { clock, heard, idle, isTicking, link, lost, OFFLINE_AFTER_MS } from './link';
import { backoff, cursorOf } from './live';
import { readEvents, type ServerEvent } from './sse';

describe('coming back', () => {
  it('waits longer each time, up to a limit, and never the same for all', () => {
    expect(backoff(0, 1)).toBe(250);
    expect(backoff(3, 1)).toBe(2_000);
    expect(backoff(30, 1)).toBe(8_000);
    expect(backoff(3, 0)).toBe(1_000);
  });

  it('resumes after the cursor of the message, whatever the subscription is called', () => {
    expect(cursorOf({ runUpdates: { cursor: 'c7', kind: 'PATCH' } })).toBe('c7');
    expect(cursorOf({ other: {} })).toBeUndefined();
  });
});

describe('the link', () => {
  afterEach(() => {
    idle();
    vi.useRealTimers();
  });

  it('stops timers while it is down, and is offline when it stays down', () => {
    vi.useFakeTimers();
    heard();
    expect(isTicking()).toBe(true);
    lost();
    expect(link.get().state).toBe('reconnecting');
    expect(isTicking()).toBe(false);
    const before = clock.get();
    vi.advanceTimersByTime(OFFLINE_AFTER_MS);
    expect(link.get().state).toBe('offline');
    expect(clock.get()).toBe(before);
    lost();
    expect(link.get().state).toBe('offline');
    heard();
    expect(link.get().state).toBe('live');
  });

  it('a screen that follows nothing is not offline', () => {
    lost();
    expect(link.get().state).toBe('idle');
  });
});

describe('server-sent events', () => {
  async function read(chunks: string[]): Promise<ServerEvent[]> {
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(encoder.encode(chunk));
        controller.close();
      },
    });
    const found = [];
    for await (const event of readEvents(body)) found.push(event);
    return found;
  }

  it('are put together from pieces, with heartbeats between', async () => {
    const events = await read(['event: next\nda', 'ta: {"a":1}\n\n', ': \n\nevent: complete\ndata:\n\n']);
    expect(events).toEqual([
      { name: 'next', data: '{"a":1}' },
      { name: 'comment', data: '' },
      { name: 'complete', data: '' },
    ]);
  });
});
