// What the scripts share: the server's address, a workflow to watch, and checks that count.
import { randomUUID } from 'node:crypto';

export const server = (process.argv[2] ?? 'http://127.0.0.1:7420').replace(/\/$/, '');
export const httpUrl = `${server}/graphql`;
export const wsUrl = `${server.replace(/^http/, 'ws')}/graphql/ws`;
export const sseUrl = `${server}/graphql/stream`;

/** Runs one operation over HTTP and answers its data. */
export async function graphql(query, variables) {
  const response = await fetch(httpUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

/** Publishes a workflow that needs no worker; each run has the same events in the same order. */
export async function publish() {
  const source = 'id: external_suite\ntasks:\n  a: { type: pass }\n  b: { type: pass, needs: [a] }\n';
  const { workflowPublish } = await graphql(
    'mutation ($source: String!) { workflowPublish(input: { source: $source }) { userErrors { message } } }',
    { source },
  );
  if (workflowPublish.userErrors.length) throw new Error(JSON.stringify(workflowPublish.userErrors));
}

/** Starts a run of the published workflow and answers its id. */
export async function start() {
  const { runStart } = await graphql(
    `mutation ($key: String!) {
      runStart(input: { workflow: "external_suite", idempotencyKey: $key }) { run { id } userErrors { message } }
    }`,
    { key: randomUUID() },
  );
  if (!runStart.run) throw new Error(JSON.stringify(runStart.userErrors));
  return runStart.run.id;
}

/** Sequence numbers of all events of a run, read over HTTP. */
export async function history(run) {
  const { run: found } = await graphql('query ($id: ID!) { run(id: $id) { events(first: 200) { nodes { seq } } } }', {
    id: run,
  });
  return found.events.nodes.map((event) => event.seq);
}

let failures = 0;
let checks = 0;

/** Runs one named check; it fails when it throws or takes longer than it may. */
export async function check(name, body, seconds = 10) {
  checks += 1;
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${seconds} s`)), seconds * 1_000);
  });
  try {
    await Promise.race([body(), late]);
    console.log(`ok: ${name}`);
  } catch (error) {
    failures += 1;
    console.error(`FAILED: ${name}: ${error.message ?? error}`);
  } finally {
    clearTimeout(timer);
  }
}

export function equal(actual, expected) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`expected ${b}, got ${a}`);
}

/** Prints the sum and ends the process. */
export function finish(suite) {
  console.log(`${suite}: ${checks - failures} of ${checks} checks ok`);
  process.exit(failures === 0 ? 0 : 1);
}
