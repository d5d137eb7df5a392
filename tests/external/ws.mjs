// graphql-transport-ws: every MUST of the protocol over a bare socket, then the graphql-ws client with cuts.
// usage: node ws.mjs <server url>; exit 0 = all pass.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { check, equal, finish, graphql, history, publish, server, start, wsUrl } from './server.mjs';

const PROTOCOL = 'graphql-transport-ws';

/** A bare socket whose messages are awaited one by one. */
class Socket {
  constructor(options = {}) {
    this.messages = [];
    this.waiters = [];
    this.socket = new WebSocket(options.url ?? wsUrl, options.protocol ?? PROTOCOL, { headers: options.headers });
    this.opened = new Promise((resolve, reject) => {
      this.socket.on('open', resolve);
      this.socket.on('error', reject);
      this.socket.on('unexpected-response', (_, response) => reject(new Error(`status ${response.statusCode}`)));
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code) => resolve(code));
    });
    this.socket.on('message', (data) => {
      const message = JSON.parse(data.toString());
      if (message.type === 'ping') return;
      const waiter = this.waiters.shift();
      if (waiter) waiter(message);
      else this.messages.push(message);
    });
  }

  static async open(options) {
    const socket = new Socket(options);
    await socket.opened;
    return socket;
  }

  static async ready(options) {
    const socket = await Socket.open(options);
    socket.send({ type: 'connection_init' });
    equal((await socket.next()).type, 'connection_ack');
    return socket;
  }

  send(message) {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  subscribe(id, query, variables) {
    this.send({ id, type: 'subscribe', payload: { query, variables } });
  }

  next() {
    if (this.messages.length) return Promise.resolve(this.messages.shift());
    return new Promise((resolve) => {
      this.waiters.push(resolve);
    });
  }

  close() {
    this.socket.close();
  }
}

async function closesWith(code, socket, message) {
  if (message !== undefined) socket.send(message);
  equal(await socket.closed, code);
}

async function refused(options) {
  try {
    (await Socket.open(options)).close();
  } catch (error) {
    return error.message;
  }
  throw new Error('the connection was accepted');
}

await publish();
const EVENTS = 'subscription ($after: String, $run: ID) { events(after: $after, filter: { run: $run }) { kind cursor event { seq } } }';

await check('a socket without the subprotocol is refused', async () => {
  await refused({ protocol: 'graphql-ws' });
});
await check('a socket of a foreign origin is refused', async () => {
  equal(await refused({ headers: { origin: 'http://evil.example' } }), 'status 403');
});
await check('a socket of the own origin is accepted', async () => {
  (await Socket.ready({ headers: { origin: server } })).close();
});
await check('a second connection_init closes with 4429', async () => {
  await closesWith(4429, await Socket.ready(), { type: 'connection_init' });
});
await check('subscribe before the acknowledgement closes with 4401', async () => {
  const message = { id: 'a', type: 'subscribe', payload: { query: '{ __typename }' } };
  await closesWith(4401, await Socket.open(), message);
});
await check('no connection_init closes with 4408', async () => {
  await closesWith(4408, await Socket.open());
});
await check('an invalid token closes with 4403', async () => {
  const message = { type: 'connection_init', payload: { authorization: 'Bearer nothing' } };
  await closesWith(4403, await Socket.open(), message);
});
for (const message of ['not json', '[]', { type: 'unknown' }, { type: 'subscribe' }, { id: '', type: 'complete' }]) {
  await check(`${JSON.stringify(message)} closes with 4400`, async () => {
    await closesWith(4400, await Socket.ready(), message);
  });
}
await check('a binary message closes with 4400', async () => {
  const socket = await Socket.ready();
  socket.socket.send(Buffer.from([1, 2, 3]));
  equal(await socket.closed, 4400);
});
await check('a live id used twice closes with 4409', async () => {
  const socket = await Socket.ready();
  socket.subscribe('a', EVENTS);
  equal((await socket.next()).type, 'next');
  socket.subscribe('a', EVENTS);
  equal(await socket.closed, 4409);
});
await check('a ping is answered with a pong and its payload', async () => {
  const socket = await Socket.open();
  socket.send({ type: 'ping', payload: { mark: 1 } });
  equal(await socket.next(), { type: 'pong', payload: { mark: 1 } });
  socket.close();
});
await check('a pong is accepted at any time', async () => {
  const socket = await Socket.ready();
  socket.send({ type: 'pong' });
  socket.send({ type: 'ping' });
  equal((await socket.next()).type, 'pong');
  socket.close();
});
await check('a query gives one next and one complete', async () => {
  const socket = await Socket.ready();
  socket.subscribe('q', '{ __typename }');
  equal(await socket.next(), { id: 'q', type: 'next', payload: { data: { __typename: 'Query' } } });
  equal(await socket.next(), { id: 'q', type: 'complete' });
  socket.close();
});
await check('an id may be used again after its operation has ended', async () => {
  const socket = await Socket.ready();
  for (let round = 0; round < 3; round += 1) {
    socket.subscribe('same', '{ __typename }');
    equal((await socket.next()).type, 'next');
    equal((await socket.next()).type, 'complete');
  }
  socket.subscribe('same', EVENTS);
  equal((await socket.next()).payload.data.events.kind, 'SYNC');
  socket.send({ id: 'same', type: 'complete' });
  socket.subscribe('same', '{ __typename }');
  equal((await socket.next()).payload.data.__typename, 'Query');
  socket.close();
});
await check('a document that is not valid gives an error and no complete', async () => {
  const socket = await Socket.ready();
  socket.subscribe('bad', '{ nope }');
  const message = await socket.next();
  equal([message.type, message.id, message.payload[0].extensions.code], ['error', 'bad', 'GRAPHQL_VALIDATION_FAILED']);
  socket.subscribe('worse', '{');
  equal((await socket.next()).payload[0].extensions.code, 'GRAPHQL_PARSE_FAILED');
  socket.close();
});
await check('a subscription to what does not exist gives an error', async () => {
  const socket = await Socket.ready();
  socket.subscribe('none', 'subscription { runUpdates(id: "run_none") { kind } }');
  const message = await socket.next();
  equal([message.type, message.payload[0].extensions.code], ['error', 'NOT_FOUND']);
  socket.close();
});
await check('the 65th operation of a connection is refused, the others go on', async () => {
  const socket = await Socket.ready();
  for (let n = 0; n < 64; n += 1) socket.subscribe(`s${n}`, EVENTS);
  for (let n = 0; n < 64; n += 1) equal((await socket.next()).type, 'next');
  socket.subscribe('over', EVENTS);
  const message = await socket.next();
  equal([message.type, message.payload[0].extensions.code], ['error', 'TOO_MANY_OPERATIONS']);
  socket.send({ id: 's0', type: 'complete' });
  socket.subscribe('again', EVENTS);
  equal((await socket.next()).id, 'again');
  socket.close();
});
await check('a message over 256 KiB ends the connection', async () => {
  const socket = await Socket.ready();
  socket.send({ type: 'ping', payload: { text: 'x'.repeat(300_000) } });
  const code = await socket.closed;
  if (![1006, 1009].includes(code)) throw new Error(`closed with ${code}`);
});
await check('a document over the limits is refused before it runs', async () => {
  const socket = await Socket.ready();
  socket.subscribe('deep', `{ ${'a { '.repeat(40)} a ${'}'.repeat(40)} }`);
  equal((await socket.next()).payload[0].extensions.code, 'QUERY_TOO_COMPLEX');
  socket.close();
});
await check('runUpdates begins with a snapshot and ends', async () => {
  const run = await start();
  const socket = await Socket.ready();
  socket.subscribe('r', 'subscription ($id: ID!) { runUpdates(id: $id) { kind cursor run { status } tasks { key status } } }', {
    id: run,
  });
  const kinds = [];
  let last;
  for (let message = await socket.next(); message.type === 'next'; message = await socket.next()) {
    last = message.payload.data.runUpdates;
    kinds.push(last.kind);
  }
  equal([kinds[0], kinds.at(-1), last.run.status], ['SNAPSHOT', 'END', 'SUCCEEDED']);
  socket.close();
});

await check('the graphql-ws client resumes after cuts without a gap or a repeat', async () => {
  const sockets = new Set();
  const client = createClient({
    url: wsUrl,
    retryAttempts: 100,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
    shouldRetry: () => true,
    webSocketImpl: class extends WebSocket {
      constructor(...args) {
        super(...args);
        sockets.add(this);
        this.on('close', () => sockets.delete(this));
      }
    },
  });
  const head = await graphql('{ events(first: 1) { pageInfo { endCursor } } }');
  const variables = { after: head.events.pageInfo.endCursor };
  const seen = new Map();
  let cuts = 0;
  let synced;
  const ready = new Promise((resolve) => {
    synced = resolve;
  });
  const query = 'subscription ($after: String) { events(after: $after) { kind cursor event { seq run { id } } } }';
  client.subscribe(
    // the client sends this very object again after a cut: the cursor in it is kept current
    { query, variables },
    {
      next: ({ data }) => {
        const { kind, cursor, event } = data.events;
        variables.after = cursor;
        if (kind === 'SYNC') synced();
        if (!event) return;
        const list = seen.get(event.run.id) ?? [];
        list.push(event.seq);
        seen.set(event.run.id, list);
        if (list.length === 3) {
          cuts += 1;
          for (const socket of sockets) socket.terminate();
        }
      },
      error: (error) => {
        throw error;
      },
      complete: () => {},
    },
  );
  await ready;
  const runs = [];
  for (let n = 0; n < 5; n += 1) runs.push(await start());
  for (const run of runs) {
    for (;;) {
      const [got, want] = [seen.get(run) ?? [], await history(run)];
      const { run: found } = await graphql('query ($id: ID!) { run(id: $id) { finishedAt } }', { id: run });
      if (found.finishedAt && got.length >= want.length) {
        equal(got, want);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  if (cuts < 5) throw new Error(`only ${cuts} cuts`);
  await client.dispose();
});

finish('ws');
