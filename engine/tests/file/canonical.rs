//! The stored form and the hash of a workflow, and its way back to a file.

use runnel_engine::Workflow;
use runnel_engine::source::to_v1_yaml;

use crate::support::accepted;

const FULL: &str = r#"
version: 1
id: full
name: Everything that is supported
description: "two\nlines"
labels: { team: data }
tags: [a, b c]
inputs: { n: { type: integer, default: 3 }, o: { type: object, required: [id], properties: { id: { type: string } } } }
outputs: { result: "${{ tasks.last.output }}" }
env: { LEVEL: debug, N: 5, B: true }
priority: 80
timeout: 2h
sla: { finish_within: 90m }
fail_fast: true
cancel_grace: 1500ms
additional_inputs: true
tasks:
  first:
    name: The first one
    description: runs a script
    run: |
      set -e
      echo "a: b # c"   
      printf '\t%s\n' "$NAME"
    env: { NAME: "${{ inputs.n }}", QUOTE: "it's \"quoted\" \\ é \u0007" }
    retry: { limit: 2, backoff: linear, delay: 250ms, factor: 1.5, max_delay: 10s, jitter: equal, on: [timeout], not_on: [4xx] }
    timeout: 90s
    start_within: 1h
    complete_within: 2d
    heartbeat: 30s
    queue: gpu
    priority: 0
    max_losses: 0
    continue_on_error: true
    idempotency_key: "key-${{ run.id }}"
    metadata: { owner: { name: x } }
    tags: [slow]
  fan:
    needs: { first: [succeeded, failed, skipped] }
    if: ${{ size(tasks.first.output) > 0 && inputs.n != 4 }}
    for_each: { items: [1, "2", { a: [b, [c]] }], key: "${{ each.index }}", max_parallel: 2, tolerate: 12.5% }
    type: python
    input: { callable: "m:f", args: { list: [], map: {}, none: null, text: "", number: 1.5, big: 12345678901 } }
  batches:
    for_each: { items: [1, 2, 3], batch: 2, tolerate: 1 }
    sla: { start_within: 1m, finish_within: 1h }
    labels: { team: data }
    run: x
  grid:
    matrix: { zone: [b, a], model: "${{ inputs.n > 0 ? ['x'] : [] }}", include: [{ zone: c }], exclude: [{ zone: a }], max_parallel: 2, tolerate: 50% }
    repeat: { until: "${{ each.previous.done }}", max: 5, every: 10s }
    type: pass
    input: { zone: "${{ matrix.zone }}" }
  child:
    type: workflow
    input: { workflow: other, version: 2, inputs: { a: 1 }, wait: false }
  block:
    needs: [first, fan]
    trigger_rule: one_failed
    type: http
    input: { url: "http://127.0.0.1/${{ inputs.n }}", json: [{ a: 1, b: [x] }, {}] }
  last:
    needs: [block, fan, first]
    join: 2
    type: pass
    input: ${{ inputs }}
"#;

#[test]
fn a_workflow_survives_the_way_through_a_file() {
    let workflow = accepted(FULL);
    let yaml = to_v1_yaml(&workflow);
    assert_eq!(accepted(&yaml), workflow, "{yaml}");
    assert_eq!(to_v1_yaml(&accepted(&yaml)), yaml);
}

#[test]
fn a_workflow_survives_the_way_through_its_stored_form() {
    let workflow = accepted(FULL);
    let stored: Workflow = serde_json::from_value(workflow.to_json()).unwrap();
    assert_eq!(stored, workflow);
    assert_eq!(stored.hash(), workflow.hash());
}

#[test]
fn layout_comments_and_format_do_not_change_the_hash() {
    let yaml = "id: a # comment\ntasks:\n  t: { run: x, env: { A: '1', B: \"2\" }, timeout: 60s }\n";
    let same = "name: a\ntasks: { t: { timeout: 1m, env: { B: '2', A: '1' }, run: x } }\nid: a\nversion: 1\n";
    let json = r#"{"id": "a", "tasks": {"t": {"run": "x", "env": {"A": "1", "B": "2"}, "timeout": "PT1M"}}}"#;
    let hash = accepted(yaml).hash();
    assert_eq!(hash.len(), 64);
    assert_eq!(
        (accepted(same).hash(), accepted(json).hash()),
        (hash.clone(), hash)
    );
}

#[test]
fn what_a_run_does_differently_changes_the_hash() {
    let base = "id: a\ntasks: { s: { run: x }, t: { run: x } }\n";
    for other in [
        "id: b\ntasks: { s: { run: x }, t: { run: x } }\n",
        "id: a\ntasks: { s: { run: x }, t: { run: y } }\n",
        "id: a\ntasks: { s: { run: x }, t: { run: x, needs: s } }\n",
        "id: a\ntasks: { s: { run: x }, t: { run: x, retry: 1 } }\n",
        "id: a\nadditional_inputs: true\ntasks: { s: { run: x }, t: { run: x } }\n",
    ] {
        assert_ne!(accepted(base).hash(), accepted(other).hash(), "{other}");
    }
}

#[test]
fn a_key_too_long_for_plain_yaml_survives() {
    let key = "k".repeat(2_000);
    let workflow = accepted(&format!(
        r#"{{"id": "a", "tasks": {{"t": {{"type": "pass", "input": {{"{key}": {{"{key}": [1]}}, "b": 2}}}}}}}}"#
    ));
    assert_eq!(accepted(&to_v1_yaml(&workflow)), workflow);
}
