// GraphQL over SSE, distinct connections mode: the protocol over fetch, then the graphql-sse client with cuts.
// usage: node sse.mjs <server url>; exit 0 = all pass.
import { createClient } from 'graphql-sse';

import { check, equal, finish, graphql, history, publish, sseUrl, start } from './server.mjs';

/** Opens a stream and answers its response and an iterator over its events. */
async function open(body, headers = {}, method = 'POST') {
  const abort = new AbortController();
  const isPost = method === 'POST';
  const url = isPost ? sseUrl : `${sseUrl}?${new URLSearchParams(body)}`;
  const response = await fetch(url, {
    method,
    headers: { accept: 'text/event-stream', ...(isPost ? { 'content-type': 'application/json' } : {}), ...headers },
    body: isPost ? JSON.stringify(body) : undefined,
    signal: abort.signal,
  });
  return { response, events: events(response), close: () => abort.abort() };
}

async function* events(response) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const block = rest.slice(0, end);
      rest = rest.slice(end + 2);
      const event = {};
      for (const line of block.split('\n')) {
        const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
        if (name) event[name] = name === 'data' && event.data !== undefined ? `${event.data}\n${value}` : value;
      }
      if (Object.keys(event).length) yield event;
    }
  }
}

async function all({ events: stream }) {
  const list = [];
  for await (const event of stream) {
    list.push(event);
    if (event.event === 'complete') break;
  }
  return list;
}

const next = async (stream) => (await stream.events.next()).value;
const EVENTS = 'subscription ($after: String, $run: ID) { events(after: $after, filter: { run: $run }) { kind cursor event { seq } } }';

await publish();

await check('the content type is text/event-stream', async () => {
  const stream = await open({ query: '{ __typename }' });
  equal(stream.response.status, 200);
  equal(stream.response.headers.get('content-type').split(';')[0], 'text/event-stream');
  await all(stream);
});
for (const method of ['POST', 'GET']) {
  await check(`a query over ${method} gives one next and one complete`, async () => {
    const list = await all(await open({ query: '{ __typename }' }, {}, method));
    equal(list.map((event) => event.event), ['next', 'complete']);
    equal(JSON.parse(list[0].data), { data: { __typename: 'Query' } });
    equal(list[1].data.trim(), '');
  });
}
await check('errors of the document arrive as next', async () => {
  for (const [query, code] of [['{ nope }', 'GRAPHQL_VALIDATION_FAILED'], ['{', 'GRAPHQL_PARSE_FAILED']]) {
    const stream = await open({ query });
    equal(stream.response.status, 200);
    const list = await all(stream);
    equal(list.map((event) => event.event), ['next', 'complete']);
    equal(JSON.parse(list[0].data).errors[0].extensions.code, code);
  }
});
await check('a mutation over GET is refused', async () => {
  const list = await all(await open({ query: 'mutation { runPause(input: { id: "x" }) { run { id } } }' }, {}, 'GET'));
  equal(JSON.parse(list[0].data).errors[0].extensions.code, 'METHOD_NOT_ALLOWED');
});
await check('other methods, content types and accepts are refused', async () => {
  equal((await fetch(sseUrl, { method: 'PUT', headers: { accept: 'text/event-stream' } })).status, 405);
  const text = { accept: 'text/event-stream', 'content-type': 'text/plain' };
  equal((await fetch(sseUrl, { method: 'POST', headers: text, body: '{"query":"{ __typename }"}' })).status, 415);
  equal((await fetch(`${sseUrl}?query={__typename}`, { headers: { accept: 'application/json' } })).status, 406);
});
await check('the event id is the cursor, and Last-Event-ID resumes after it', async () => {
  await start(); // so that the first event of all is not one of the run that is looked at
  const run = await start();
  const [first] = (await graphql('{ events(first: 1) { nodes { cursor } } }')).events.nodes;
  const body = { query: EVENTS, variables: { run, after: first.cursor } };
  const stream = await open(body);
  const sync = await next(stream);
  equal(JSON.parse(sync.data).data.events.kind, 'SYNC');
  equal(sync.id, JSON.parse(sync.data).data.events.cursor);
  const want = await history(run);
  const got = [];
  let last;
  for (let n = 0; n < 3; n += 1) {
    const event = await next(stream);
    last = event.id;
    got.push(JSON.parse(event.data).data.events.event.seq);
  }
  stream.close();
  const resumed = await open(body, { 'last-event-id': last });
  equal(JSON.parse((await next(resumed)).data).data.events.kind, 'SYNC');
  while (got.length < want.length) got.push(JSON.parse((await next(resumed)).data).data.events.event.seq);
  resumed.close();
  equal(got, want);
});
await check('an unknown cursor gives EXPIRED and ends', async () => {
  const list = await all(await open({ query: EVENTS, variables: { after: 'bm9uZQ' } }));
  equal(list.map((event) => event.event), ['next', 'complete']);
  equal(JSON.parse(list[0].data).data.events.kind, 'EXPIRED');
});
await check('runUpdates ends with END and complete', async () => {
  const run = await start();
  const query = 'subscription ($id: ID!) { runUpdates(id: $id) { kind cursor run { status } } }';
  const list = await all(await open({ query, variables: { id: run } }));
  equal(list.at(-1).event, 'complete');
  equal(JSON.parse(list.at(-2).data).data.runUpdates.kind, 'END');
});
await check('taskLogs of an ended task ends', async () => {
  const run = await start();
  const query = 'subscription ($id: ID!) { taskLogs(run: $id, task: "a") { kind cursor lines { text } } }';
  const list = await all(await open({ query, variables: { id: run } }));
  equal(JSON.parse(list.at(-2).data).data.taskLogs.kind, 'END');
});

await check('the graphql-sse client reads to the end and resumes after cuts', async () => {
  const client = createClient({ url: sseUrl });
  const run = await start();
  const [first] = (await graphql('{ events(first: 1) { nodes { cursor } } }')).events.nodes;
  let after = first.cursor;
  const got = [];
  const want = await history(run);
  while (got.length < want.length) {
    // every iteration is a new connection that is cut after two events
    const iterator = client.iterate({ query: EVENTS, variables: { run, after } });
    let count = 0;
    for await (const { data } of iterator) {
      after = data.events.cursor;
      if (data.events.event) {
        got.push(data.events.event.seq);
        count += 1;
      }
      if (count === 2 || got.length === want.length) break;
    }
  }
  equal(got, want);
  client.dispose();
});

finish('sse');
