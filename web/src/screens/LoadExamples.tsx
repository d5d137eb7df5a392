// Three workflows to begin with: a chain, a fan-out, and one that waits for a person.
import { useState } from 'react';

import { change } from '../api/hooks';
import { WorkflowPublishDocument } from '../gql/graphql';
import { isFine, say } from '../ui/toast';

export const EXAMPLES: readonly string[] = [
  `id: hello
name: Hello
inputs:
  name: { type: string, default: world }
tasks:
  greet:
    env: { NAME: "\${{ inputs.name }}" }
    run: |
      echo "hello $NAME"
      echo '{"length": '\${#NAME}'}'
  wait: { type: wait, input: { for: 2s }, needs: [greet] }
  done: { type: eval, needs: [wait], input: { length: "\${{ tasks.greet.output.length }}" } }
outputs:
  length: \${{ tasks.done.output.length }}
`,
  `id: squares
name: Squares
inputs:
  numbers: { type: array, items: { type: integer }, default: [1, 2, 3, 4, 5, 6, 7, 8] }
tasks:
  square:
    for_each: { items: "\${{ inputs.numbers }}", max_parallel: 4 }
    env: { N: "\${{ each.item }}" }
    run: printf '{"square":%s}\\n' $((N * N))
  collect:
    needs: [square]
    type: eval
    input: { squares: "\${{ tasks.square.output.map(one, one.square) }}" }
outputs:
  squares: \${{ tasks.collect.output.squares }}
`,
  `id: release
name: Release with an approval
tasks:
  build: { run: echo built }
  test: { run: echo tested, needs: [build], retry: 2 }
  ask:
    needs: [test]
    type: approval
    input: { message: "Release this build?", expires: 2d, on_expire: reject }
  ship: { run: echo shipped, needs: [ask] }
`,
];

export function LoadExamples({ onLoaded }: { onLoaded: () => void }) {
  const [isBusy, setBusy] = useState(false);
  const load = async () => {
    setBusy(true);
    let stored = 0;
    for (const source of EXAMPLES) {
      const answer = await change(WorkflowPublishDocument, { source });
      if (!isFine(answer, answer.data?.workflowPublish.userErrors)) break;
      stored += 1;
    }
    setBusy(false);
    if (stored === EXAMPLES.length) say('Loaded three examples.');
    onLoaded();
  };
  return (
    <button type="button" className="button primary" disabled={isBusy} onClick={() => void load()}>
      {isBusy ? 'Loading…' : 'Load 3 examples'}
    </button>
  );
}
