// Subscriptions that survive: one socket, resumed after the last cursor, with Server-Sent Events where sockets do not pass.
//
// graphql-ws sends the same payload object again when it reconnects, so the cursor is written into that object.
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { createClient } from 'graphql-ws';
import { stringifyDocument } from 'urql';

import { headers, token, type Problem } from './client';
import { heard, idle, lost } from './link';
import { readEvents } from './sse';

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 8_000;
const PING_MS = 10_000;
const PONG_WITHIN_MS = 5_000;
/** A server that answers over HTTP but never over the socket is behind something that refuses sockets. */
const SOCKET_ATTEMPTS = 3;

/** How long to wait before attempt `attempt` (from 0), with jitter so that screens do not come back all at once. */
export function backoff(attempt: number, random = Math.random()): number {
  const full = Math.min(BACKOFF_FIRST_MS * 2 ** attempt, BACKOFF_MAX_MS);
  return full / 2 + (full / 2) * random;
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

let hasConnected = false;
let usesEvents = false;
let socketFailures = 0;
let pongTimer: ReturnType<typeof setTimeout> | undefined;

const socketUrl = () => {
  const url = new URL('/graphql/ws', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return url.href;
};

const socket = createClient({
  url: socketUrl(),
  lazy: true,
  lazyCloseTimeout: 2_000,
  keepAlive: PING_MS,
  retryAttempts: Number.POSITIVE_INFINITY,
  shouldRetry: () => !usesEvents,
  retryWait: (attempt) => sleep(backoff(attempt)),
  connectionParams: () => (token() ? { authorization: `Bearer ${token()}` } : {}),
  on: {
    connected() {
      hasConnected = true;
      socketFailures = 0;
      heard();
    },
    message: heard,
    closed() {
      clearTimeout(pongTimer);
      socketFailures += 1;
      if (open.size > 0) lost();
    },
    ping(received) {
      if (!received) pongTimer = setTimeout(() => socket.terminate(), PONG_WITHIN_MS);
    },
    pong(received) {
      if (received) clearTimeout(pongTimer);
    },
  },
});

export interface Sink<T> {
  onMessage(message: T): void;
  onProblem(problem: Problem): void;
  /** The server has nothing more to say. */
  onEnd?(): void;
}

interface Payload extends Record<string, unknown> {
  query: string;
  variables: Record<string, unknown>;
}

const open = new Set<symbol>();

/** The cursor of a message, whatever its subscription is called. */
export function cursorOf(data: object): string | undefined {
  const [message] = Object.values(data) as { cursor?: unknown }[];
  return typeof message?.cursor === 'string' ? message.cursor : undefined;
}

/** Subscribes until the returned function is called. `variables.after` is kept current. */
export function subscribe<T extends object, V extends object>(
  document: TypedDocumentNode<T, V>,
  variables: V,
  sink: Sink<T>,
): () => void {
  const payload: Payload = { query: stringifyDocument(document), variables: { ...variables } as Record<string, unknown> };
  const id = Symbol();
  open.add(id);
  const next = (result: { data?: T | null; errors?: readonly { message: string; extensions?: unknown }[] }) => {
    heard();
    const error = result.errors?.[0];
    if (error) {
      const { code } = (error.extensions ?? {}) as { code?: string };
      sink.onProblem({ code: code ?? 'ERROR', message: error.message });
    }
    if (!result.data) return;
    const cursor = cursorOf(result.data);
    if (cursor) payload.variables.after = cursor;
    sink.onMessage(result.data);
  };
  const stop = usesEvents ? overEvents(payload, next, sink) : overSocket(payload, next, sink);
  return () => {
    stop();
    open.delete(id);
    // the next screen opens its own before the socket lingers out
    setTimeout(() => {
      if (open.size === 0) idle();
    }, 0);
  };
}

type Next<T> = (result: { data?: T | null; errors?: readonly { message: string; extensions?: unknown }[] }) => void;

function overSocket<T>(payload: Payload, next: Next<T>, sink: Sink<T>): () => void {
  let isStopped = false;
  let stop = socket.subscribe<T>(payload, {
    next: (result) => next(result as Parameters<Next<T>>[0]),
    error(error) {
      if (isStopped) return;
      if (Array.isArray(error)) {
        next({ errors: error as { message: string }[] });
      } else if (error instanceof CloseEvent && (error.code === 4401 || error.code === 4403)) {
        sink.onProblem({ code: 'UNAUTHENTICATED', message: 'The server wants a token.' });
      } else {
        stop = overEvents(payload, next, sink);
      }
    },
    complete() {
      if (!isStopped) sink.onEnd?.();
    },
  });
  if (!hasConnected && !usesEvents) void watchForRefusal();
  return () => {
    isStopped = true;
    stop();
  };
}

let isWatching = false;

/** Changes to Server-Sent Events for good when the server answers but its socket does not. */
async function watchForRefusal(): Promise<void> {
  if (isWatching) return;
  isWatching = true;
  while (!hasConnected && !usesEvents) {
    await sleep(500);
    if (socketFailures < SOCKET_ATTEMPTS || hasConnected) continue;
    const answers = await fetch('/livez').then(
      (response) => response.ok,
      () => false,
    );
    if (answers && !hasConnected) {
      usesEvents = true;
      socket.terminate();
    }
  }
}

function overEvents<T>(payload: Payload, next: Next<T>, sink: Sink<T>): () => void {
  const stop = new AbortController();
  void (async () => {
    for (let attempt = 0; !stop.signal.aborted; attempt += 1) {
      try {
        const response = await fetch('/graphql/stream', {
          method: 'POST',
          headers: { ...headers(), 'content-type': 'application/json', accept: 'text/event-stream' },
          body: JSON.stringify(payload),
          signal: stop.signal,
        });
        if (!response.ok || !response.body) throw new Error(String(response.status));
        for await (const event of readEvents(response.body)) {
          attempt = 0;
          heard();
          if (event.name === 'next') next(JSON.parse(event.data) as Parameters<Next<T>>[0]);
          if (event.name === 'complete') {
            sink.onEnd?.();
            return;
          }
        }
      } catch {
        if (stop.signal.aborted) return;
      }
      lost();
      await sleep(backoff(attempt));
    }
  })();
  return () => stop.abort();
}
