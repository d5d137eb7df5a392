//! What starts when: trigger rules, joins, failures, handlers, versions, and what expressions can read.

use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{failed, succeeded};
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};

runnel_tests::on_both_databases!(
    every_trigger_rule_decides_as_its_name_says,
    a_join_starts_with_as_many_upstreams_as_it_asks_for,
    a_condition_of_an_edge_is_not_handed_down,
    branches_that_can_run_do_after_a_failure,
    fail_fast_cancels_what_still_runs,
    handlers_run_after_the_graph_and_do_not_change_its_outcome,
    a_run_keeps_its_version_when_another_is_published,
    expressions_read_every_context,
);

/// Each rule, and whether a task runs after two upstreams that succeeded (s), failed (f) or were skipped (k).
const RULES: [(&str, [bool; 6]); 8] = [
    // ss, sf, sk, ff, fk, kk
    ("all_success", [true, false, false, false, false, false]),
    ("all_failed", [false, false, false, true, false, false]),
    ("all_done", [true, true, true, true, true, true]),
    ("one_success", [true, true, true, false, false, false]),
    ("one_failed", [false, true, false, true, true, false]),
    ("none_failed", [true, false, true, false, false, true]),
    ("none_skipped", [true, true, false, true, false, false]),
    ("always", [true, true, true, true, true, true]),
];

const PAIRS: [[&str; 2]; 6] = [
    ["s1", "s2"],
    ["s1", "f1"],
    ["s1", "k1"],
    ["f1", "f2"],
    ["f1", "k1"],
    ["k1", "k2"],
];

async fn every_trigger_rule_decides_as_its_name_says(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let fails = json!({ "type": "eval", "input": { "n": "${{ int(inputs.word) }}" } });
    let mut tasks = Map::new();
    for n in 1..=2 {
        tasks.insert(format!("s{n}"), json!({ "type": "pass" }));
        tasks.insert(format!("f{n}"), fails.clone());
        tasks.insert(format!("k{n}"), json!({ "type": "pass", "if": "${{ false }}" }));
    }
    for (rule, _) in RULES {
        for [one, two] in PAIRS {
            let task = json!({ "type": "pass", "needs": [one, two], "trigger_rule": rule });
            tasks.insert(format!("{rule}_{one}_{two}"), task);
        }
    }
    let mut file = workflow("rules", Value::Object(tasks));
    file["inputs"] = json!({ "word": { "type": "string", "default": "no number" } });
    let run = cluster.launch(&file).await?;
    cluster.ends(run, RunStatus::Failed).await?;
    for (rule, expected) in RULES {
        for ([one, two], runs) in PAIRS.iter().zip(expected) {
            let key = format!("{rule}_{one}_{two}");
            let expected = if runs {
                TaskStatus::Succeeded
            } else {
                TaskStatus::Skipped
            };
            assert_eq!(cluster.task(run, &key).await?.status, expected, "{key}");
        }
    }
    cluster.finish().await
}

async fn a_join_starts_with_as_many_upstreams_as_it_asks_for(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let needs = ["a", "b", "c"];
    let tasks = json!({
        "a": { "type": "scripted" }, "b": { "type": "scripted" }, "c": { "type": "scripted" },
        "any": { "type": "scripted", "needs": needs, "join": "any" },
        "two": { "type": "scripted", "needs": needs, "join": 2 },
        "all": { "type": "scripted", "needs": needs },
    });
    let run = cluster.launch(&workflow("joins", tasks)).await?;
    let upstreams = worker.take(3).await?;
    worker.delete(&upstreams).await?;
    for (upstream, starts) in upstreams.iter().zip(["any", "two", "all"]) {
        worker.report(vec![succeeded(&upstream.at(), &json!(1))]).await?;
        let started = worker.succeed_next(1).await?;
        assert_eq!(started[0].message.key, starts);
    }
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn a_condition_of_an_edge_is_not_handed_down(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let tasks = json!({
        "no": { "type": "pass", "if": "${{ false }}" },
        "anyway": { "type": "pass", "needs": { "no": "done" } },
        "skipped": { "type": "pass", "needs": ["no"] },
        "after": { "type": "pass", "needs": ["anyway"] },
        "after_skipped": { "type": "pass", "needs": { "skipped": ["succeeded", "skipped"] } },
    });
    let run = cluster.launch(&workflow("edges", tasks)).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    for (key, expected) in [
        ("anyway", TaskStatus::Succeeded),
        ("skipped", TaskStatus::Skipped),
        ("after", TaskStatus::Succeeded),
        ("after_skipped", TaskStatus::Succeeded),
    ] {
        assert_eq!(cluster.task(run, key).await?.status, expected, "{key}");
    }
    cluster.finish().await
}

fn two_branches() -> Value {
    json!({
        "bad": { "type": "scripted" },
        "after_bad": { "type": "scripted", "needs": ["bad"] },
        "good": { "type": "scripted" },
        "after_good": { "type": "scripted", "needs": ["good"] },
    })
}

async fn branches_that_can_run_do_after_a_failure(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&workflow("branches", two_branches())).await?;
    let mut held = worker.take(2).await?;
    worker.delete(&held).await?;
    held.sort_by(|one, two| one.message.key.cmp(&two.message.key));
    worker.report(vec![failed(&held[0].at(), false)]).await?;
    cluster
        .until_task(run, "after_bad", |task| task.status == TaskStatus::Skipped)
        .await?;
    worker.report(vec![succeeded(&held[1].at(), &json!(1))]).await?;
    assert_eq!(worker.succeed_next(1).await?[0].message.key, "after_good");
    cluster.ends(run, RunStatus::Failed).await?;
    cluster.finish().await
}

async fn fail_fast_cancels_what_still_runs(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let mut file = workflow("fast", two_branches());
    file["fail_fast"] = json!(true);
    let run = cluster.launch(&file).await?;
    let mut held = worker.take(2).await?;
    worker.delete(&held).await?;
    held.sort_by(|one, two| one.message.key.cmp(&two.message.key));
    worker.report(vec![failed(&held[0].at(), false)]).await?;
    cluster.orchestrator().settle().await;
    assert_eq!(
        cluster.orchestrator().unwanted(&[held[1].at()]).await,
        [held[1].at()],
        "the other worker is not told"
    );
    worker.report(vec![succeeded(&held[1].at(), &json!(1))]).await?;
    cluster.ends(run, RunStatus::Failed).await?;
    assert_ne!(
        cluster.task(run, "after_good").await?.status,
        TaskStatus::Succeeded
    );
    cluster.finish().await
}

async fn handlers_run_after_the_graph_and_do_not_change_its_outcome(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let told = json!({ "type": "pass", "input": { "status": "${{ run.status }}" } });
    let breaks = json!({ "type": "eval", "input": { "n": "${{ int(run.status) }}" } });
    for (id, word, outcome, runs) in [
        ("well", "7", RunStatus::Succeeded, "thank"),
        ("badly", "no number", RunStatus::Failed, "alert"),
    ] {
        let mut file = workflow(
            id,
            json!({ "only": { "type": "eval", "input": { "n": "${{ int(inputs.word) }}" } } }),
        );
        file["inputs"] = json!({ "word": { "type": "string", "default": word } });
        file["on_success"] = json!({ "thank": told });
        file["on_failure"] = json!({ "alert": told });
        file["finally"] = json!({ "sweep": told, "break": breaks });
        let run = cluster.launch(&file).await?;
        let ended = cluster.ends(run, outcome).await?;
        for key in ["thank", "alert"] {
            let expected = if key == runs {
                TaskStatus::Succeeded
            } else {
                TaskStatus::Skipped
            };
            assert_eq!(cluster.task(run, key).await?.status, expected, "{id}: {key}");
        }
        let swept = cluster.task(run, "sweep").await?;
        let said: Value = serde_json::from_str(swept.output.as_deref().unwrap_or_default())?;
        assert_eq!(said, json!({ "status": ended.status }), "{id}");
        assert_eq!(
            cluster.task(run, "break").await?.status,
            TaskStatus::Failed,
            "{id}"
        );
    }
    cluster.finish().await
}

async fn a_run_keeps_its_version_when_another_is_published(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let version = |word: &str| {
        workflow(
            "versions",
            json!({
                "hold": { "type": "scripted" },
                "say": { "type": "pass", "needs": ["hold"], "input": { "word": word } },
            }),
        )
    };
    let first = cluster.launch(&version("first")).await?;
    let held = worker.take(1).await?;
    let second = cluster.launch(&version("second")).await?;
    worker.delete(&held).await?;
    worker.report(vec![succeeded(&held[0].at(), &json!(1))]).await?;
    worker.succeed_next(1).await?;
    for (run, number, word) in [(first, 1, "first"), (second, 2, "second")] {
        let ended = cluster.ends(run, RunStatus::Succeeded).await?;
        assert_eq!(ended.workflow_version, number);
        let said = cluster.task(run, "say").await?;
        assert_eq!(
            said.output.as_deref(),
            Some(format!(r#"{{"word":"{word}"}}"#).as_str())
        );
    }
    cluster.finish().await
}

async fn expressions_read_every_context(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let mut file = workflow(
        "contexts",
        json!({
            "bad": { "type": "eval", "input": { "n": "${{ int(inputs.word) }}" }, "continue_on_error": true },
            "all": {
                "type": "pass",
                "needs": { "bad": "done" },
                "input": {
                    "input": "${{ inputs.word }}",
                    "status": "${{ tasks.bad.status }}",
                    "category": "${{ tasks.bad.error.category }}",
                    "attempt": "${{ tasks.bad.attempt }}",
                    "run": "${{ run.id }}",
                    "workflow": "${{ workflow.id }}",
                    "region": "${{ vars.region }}",
                },
            },
            "each": {
                "type": "pass",
                "for_each": ["x", "y"],
                "input": { "item": "${{ each.item }}", "index": "${{ each.index }}" },
            },
            "grid": {
                "type": "pass",
                "matrix": { "os": ["a"], "size": [1, 2] },
                "input": { "os": "${{ matrix.os }}", "size": "${{ matrix.size }}" },
            },
        }),
    );
    file["inputs"] = json!({ "word": { "type": "string", "default": "w" } });
    let run = cluster.launch(&file).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let output = async |key: &str| {
        let task = cluster.task(run, key).await?;
        anyhow::Ok(serde_json::from_str::<Value>(
            task.output.as_deref().unwrap_or_default(),
        )?)
    };
    assert_eq!(
        output("all").await?,
        json!({
            // what runs inside the engine makes no attempt
            "input": "w", "status": "FAILED", "category": "EXPRESSION", "attempt": 0,
            "run": run.0.to_string(), "workflow": "contexts", "region": "eu",
        })
    );
    assert_eq!(
        output("each").await?,
        json!([{ "item": "x", "index": 0 }, { "item": "y", "index": 1 }])
    );
    assert_eq!(
        output("grid").await?,
        json!([{ "os": "a", "size": 1 }, { "os": "a", "size": 2 }])
    );
    cluster.finish().await
}
