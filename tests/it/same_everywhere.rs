//! The same workflow gives the same result, whatever carries its tasks and whatever executes them.

use runnel_tests::fleet::{Fault, Fleet};
use runnel_tests::function::{Deploy, Function};
use runnel_tests::origin::Origin;
use runnel_tests::programs;
use runnel_tests::stack::{Stack, play, unique};
use serde_json::{Value, json};

/// Fan-out, a choice, a retry, a failure that is tolerated, a skipped branch, a value too large for a row, a handler at the end.
fn file(origin: &Origin) -> String {
    let tasks = json!({
        "begin": { "run": "echo '{\"numbers\": [3, 1, 2]}'" },
        "each": {
            "needs": ["begin"], "for_each": { "items": "${{ tasks.begin.output.numbers }}" },
            "run": "echo \"{\\\"square\\\": $((N * N))}\"", "env": { "N": "${{ each.item }}" },
        },
        "flaky": { "type": "http", "input": { "url": format!("{}/flaky/same/1", origin.url()) }, "retry": { "limit": 2, "delay": "0s" } },
        "broken": { "type": "python", "input": { "script": "raise ValueError('on purpose')" }, "retry": 1, "continue_on_error": true },
        "never": { "needs": ["begin"], "if": "size(tasks.begin.output.numbers) > 3", "run": "echo never" },
        "large": { "type": "python", "input": { "script": "import json; print(json.dumps({'text': 'x' * 100000}))" } },
        "sum": {
            "needs": ["each", "flaky", "broken", "large"], "type": "python",
            "input": {
                "script": "import json\nprint(json.dumps({'sum': sum(inputs['squares']), 'letters': len(inputs['text'])}))",
                "args": { "squares": "${{ tasks.each.output.map(e, e.square) }}", "text": "${{ tasks.large.output.text }}" },
            },
        },
    });
    let file = json!({
        "version": 1, "id": "same", "tasks": tasks,
        "outputs": { "sum": "${{ tasks.sum.output.sum }}", "letters": "${{ tasks.sum.output.letters }}" },
    });
    file.to_string()
}

/// What may not differ: how the run and its tasks ended, with what, and at which attempt.
async fn result(fleet: &Fleet) -> anyhow::Result<Value> {
    let origin = Origin::start().await?;
    let key = fleet.client.publish(&file(&origin)).await?;
    let run = fleet.client.start(json!({ "workflow": key })).await?;
    let mut ended = fleet.ended(&run).await?;
    let tasks = ended["tasks"]["nodes"].as_array_mut();
    for task in tasks.into_iter().flatten() {
        if task["key"] == "flaky" {
            // its output holds the headers of a server, and so a time
            task["output"] = task["output"]["body"].take();
        }
    }
    Ok(ended)
}

#[test]
fn a_workflow_ends_the_same_in_one_process_with_containers_and_with_functions() {
    play(async {
        let fleet = Fleet::start(Stack::SqliteEmbedded, &Fault::None).await?;
        let embedded = result(&fleet).await?;
        fleet.finish().await?;

        // one directory of large values stands for the bucket that server, containers and functions share
        let payloads = tempfile::tempdir()?;
        let place = payloads.path().display().to_string();
        let shared = ["--payloads", place.as_str()];
        let mut fleet =
            Fleet::start_with(Stack::PostgresSqs, &Fault::None, &unique("same-"), &shared).await?;
        fleet.add_worker_with(&Fault::None, &shared)?;
        let containers = result(&fleet).await?;
        fleet.finish().await?;

        let (prefix, bootstrap) = (unique("same-"), programs::bootstrap()?);
        let env = [("RUNNEL_PAYLOADS", place.as_str())];
        let function = Function::deploy(&Deploy {
            env: &env,
            ..Deploy::new(&bootstrap, &prefix)
        })
        .await?;
        let options = ["--functions", "default", "--payloads", &place];
        let fleet = Fleet::start_with(Stack::PostgresSqs, &Fault::None, &prefix, &options).await?;
        let functions = result(&fleet).await?;
        function.until_queue_is_empty().await?;
        fleet.finish().await?;

        assert_eq!(embedded["status"], "SUCCEEDED", "{embedded:#}");
        assert_eq!(embedded["outputs"], json!({ "sum": 14, "letters": 100_000 }));
        assert_eq!(embedded, containers);
        assert_eq!(embedded, functions);
        Ok(())
    });
}
