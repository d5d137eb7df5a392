// Workflows that the checks use, and runs in numbers, through the API.
import { graphql } from '../server.mjs';

export async function publish(source) {
  const { workflowPublish } = await graphql(
    'mutation ($source: String!) { workflowPublish(input: { source: $source }) { userErrors { message } } }',
    { source },
  );
  if (workflowPublish.userErrors.length) throw new Error(JSON.stringify(workflowPublish.userErrors));
}

export async function start(workflow, inputs = {}) {
  const { runStart } = await graphql(
    'mutation ($input: RunStartInput!) { runStart(input: $input) { run { id } userErrors { message } } }',
    { input: { workflow, inputs } },
  );
  if (!runStart.run) throw new Error(JSON.stringify(runStart.userErrors));
  return runStart.run.id;
}

const AT_ONCE = 20;

/** Starts many runs, twenty in a request. */
export async function startMany(workflow, count, tag) {
  for (let begun = 0; begun < count; begun += AT_ONCE) {
    const size = Math.min(AT_ONCE, count - begun);
    const fields = Array.from({ length: size }, (_, at) => `r${at}: runStart(input: { workflow: "${workflow}", tags: ["${tag}"] }) { userErrors { message } }`);
    await graphql(`mutation { ${fields.join(' ')} }`);
  }
}

export async function countRuns(query) {
  const { runs } = await graphql('query ($query: String) { runs(first: 1, query: $query) { totalCount { value } } }', { query });
  return runs.totalCount.value;
}

export async function status(run) {
  return (await graphql('query ($run: ID!) { run(id: $run) { status } }', { run })).run.status;
}

/** Asks until it holds; the check that waits for it has a limit. */
export async function until(condition) {
  for (;;) {
    const found = await condition();
    if (found) return found;
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}

export const LONG = 'id: long\nname: Long nap\ntasks:\n  nap: { type: wait, input: { for: 1h } }\n  after: { type: pass, needs: [nap] }\n';

export const FLAKY = `id: flaky
name: Flaky load
tasks:
  load:
    run: |
      if [ "$RUNNEL_ATTEMPT" -lt 2 ]; then echo "the source is away" >&2; exit 2; fi
      echo '{"rows": 7}'
  store: { needs: [load], type: eval, input: { rows: "\${{ tasks.load.output.rows }}" } }
`;

export const LETTER = FLAKY.replace('id: flaky', 'id: letter').replace('Flaky load', 'Dead letter').replace('    run: |', '    on_exhausted: dead_letter\n    run: |');

export const RELEASE = `id: release_now
name: Release now
tasks:
  build: { type: pass }
  ask:
    needs: [build]
    type: approval
    input:
      message: "Release to production?"
      form: { type: object, required: [percent], properties: { percent: { type: integer, minimum: 1, maximum: 100 } } }
  ship: { needs: [ask], type: eval, input: { percent: "\${{ tasks.ask.output.form.percent }}" } }
`;

/** Fails at once, without a worker. */
export const BROKEN = 'id: broken\nname: Broken\ninputs:\n  item: { default: {} }\ntasks:\n  read: { type: eval, input: { value: "${{ inputs.item.missing }}" } }\n';

export const BAD = `id: bad
tasks:
  extract: { type: pass }
  transform:
    needs: [extrct]
    type: pass
  load:
    needs: [transform]
    retries_max: 3
    type: pass
`;

/** A layered graph of ranks × width tasks. */
export function layered(id, ranks, width, body = 'type: pass') {
  const lines = [`id: ${id}`, `name: ${id}`, 'tasks:'];
  for (let rank = 0; rank < ranks; rank += 1) {
    for (let at = 0; at < width; at += 1) {
      const needs = rank === 0 ? '' : `, needs: [t${rank - 1}_${at}${at % 3 === 0 && width > 1 ? `, t${rank - 1}_${(at * 7 + 3) % width === at ? (at + 1) % width : (at * 7 + 3) % width}` : ''}]`;
      lines.push(`  t${rank}_${at}: { ${body}${needs} }`);
    }
  }
  return `${lines.join('\n')}\n`;
}
