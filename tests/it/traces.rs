//! The trace of a run over processes: one tree with the right parents, and links over what is no cause or takes long.

use std::collections::HashMap;

use anyhow::Context as _;
use runnel_tests::fleet::{Fault, Fleet};
use runnel_tests::otlp::{Received, Receiver};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_stack!(
    postgres_sqs,
    PostgresSqs,
    a_run_over_server_and_worker_is_one_connected_tree
);
runnel_tests::on_stack!(
    sqlite_embedded,
    SqliteEmbedded,
    a_run_over_server_and_worker_is_one_connected_tree,
    a_child_run_is_a_trace_of_its_own_that_is_linked_to_its_parent,
    a_receiver_that_is_away_holds_nothing_up
);

const CALLER_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER_SPAN: &str = "b7ad6b7169203331";

/// Starts a run as somebody who is traced does.
async fn start(fleet: &Fleet, workflow: &str) -> anyhow::Result<String> {
    let query = "mutation Begin($input: RunStartInput!) { runStart(input: $input) { run { id } userErrors { message } } }";
    let answer: Value = fleet
        .client
        .http
        .post(fleet.client.at("/graphql"))
        .header("traceparent", format!("00-{CALLER_TRACE}-{CALLER_SPAN}-01"))
        .json(&json!({
            "query": query, "operationName": "Begin", "variables": { "input": { "workflow": workflow } },
        }))
        .send()
        .await?
        .json()
        .await?;
    let run = answer["data"]["runStart"]["run"]["id"].as_str();
    run.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("{answer}"))
}

/// The spans of one trace, found by name, key of the task and attempt.
struct Tree(Vec<Received>);

impl Tree {
    fn of(receiver: &Receiver, trace: &str) -> Self {
        let all = receiver.spans();
        Self(all.into_iter().filter(|span| span.trace == trace).collect())
    }

    fn span(&self, begin: &str, task: &str, attempt: u32) -> &Received {
        let attempt = attempt.to_string();
        let is_it = |span: &&Received| {
            span.name.starts_with(begin)
                && span.attribute("runnel.task.key") == task
                && (task.is_empty() || span.attribute("runnel.task.attempt") == attempt)
        };
        let found: Vec<_> = self.0.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{begin} of {task} {attempt}: {:#?}", self.0);
        found[0]
    }

    /// Every span is reached from the head, whose parent is the caller's.
    fn assert_connected(&self, caller: &str) {
        let by_id: HashMap<&str, &Received> = self.0.iter().map(|span| (span.id.as_str(), span)).collect();
        assert_eq!(by_id.len(), self.0.len(), "ids are used twice: {:#?}", self.0);
        for span in &self.0 {
            let mut at = span;
            let mut steps = 0;
            while at.parent != caller {
                at = by_id
                    .get(at.parent.as_str())
                    .unwrap_or_else(|| panic!("`{}` hangs in the air: {:#?}", at.name, self.0));
                steps += 1;
                assert!(steps <= self.0.len(), "a circle at {}", at.name);
            }
        }
    }
}

fn links_to(span: &Received, to: &Received) -> bool {
    span.links.contains(&(to.trace.clone(), to.id.clone()))
}

/// Three waves, of which one has a retry and one a wait, and a join.
fn waves(receiver: &Receiver) -> String {
    let tasks = json!({
        "call": { "type": "http", "input": { "url": format!("{}/called", receiver.base) } },
        "flaky": {
            "needs": ["call"], "run": "test \"$RUNNEL_ATTEMPT\" -gt 1",
            "retry": { "limit": 1, "delay": "10ms" },
        },
        "pause": { "needs": ["flaky"], "type": "wait", "input": { "for": "20ms" } },
        "last": { "needs": ["pause"], "run": "true" },
        "join": { "needs": ["call", "flaky"], "run": "true" },
    });
    json!({ "version": 1, "id": "waves", "tasks": tasks }).to_string()
}

async fn a_run_over_server_and_worker_is_one_connected_tree(stack: Stack) -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let mut fleet = Fleet::start_in(stack, &Fault::None, receiver.environment()).await?;
    fleet.add_worker(&Fault::None)?;
    let workflow = fleet.client.publish(&waves(&receiver)).await?;
    let run = start(&fleet, &workflow).await?;
    let ended = fleet.ended(&run).await?;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}\n{}", fleet.output());
    // both send what they have before they end
    fleet.finish().await?;

    let tree = Tree::of(&receiver, CALLER_TRACE);
    tree.assert_connected(CALLER_SPAN);
    let request = tree.span("mutation Begin", "", 0);
    let of_run = tree.span("run waves", "", 0);
    assert_eq!(request.parent, CALLER_SPAN);
    assert_eq!(of_run.parent, request.id);
    assert_eq!(of_run.attribute("runnel.run.status"), "succeeded");

    // the first wave hangs below the run, each next one below the end that let it go
    assert_eq!(tree.span("create default", "call", 1).parent, of_run.id);
    let first = tree.span("apply http", "call", 1);
    assert_eq!(first.parent, tree.span("create default", "call", 1).id);
    let flaky = tree.span("create default", "flaky", 1);
    assert_eq!(flaky.parent, first.id);
    for (task, attempt) in [("call", 1), ("flaky", 1), ("flaky", 2), ("last", 1), ("join", 1)] {
        let (create, process) = (
            tree.span("create", task, attempt),
            tree.span("process", task, attempt),
        );
        assert_eq!(process.parent, create.id, "{task}");
        assert_eq!((create.kind, process.kind), (4, 5), "producer and consumer");
        let apply = tree.span("apply", task, attempt);
        assert_eq!(apply.parent, create.id, "{task}");
        assert!(links_to(apply, process), "{apply:#?}");
        assert!(process.times.0 <= process.times.1 && create.times.0 <= apply.times.1);
    }
    // another attempt is linked to the one before, what follows a wait to the wait
    let (failed, again) = (tree.span("apply", "flaky", 1), tree.span("create", "flaky", 2));
    assert_eq!((failed.status, failed.attribute("error.type")), (2, "EXIT_CODE"));
    assert!(again.parent == of_run.id && links_to(again, failed), "{again:#?}");
    let (wait, last) = (
        tree.0.iter().find(|span| span.name == "wait wait"),
        tree.span("create", "last", 1),
    );
    let wait = wait.context("the span of the wait")?;
    assert!(last.parent == of_run.id && links_to(last, wait), "{last:#?}");
    // of two upstreams the last one is the cause, the other one is linked
    let join = tree.span("create", "join", 1);
    assert_eq!(join.parent, tree.span("apply", "flaky", 2).id);
    assert!(links_to(join, first), "{join:#?}");

    // what the handler called was told where it is
    let process = tree.span("process", "call", 1);
    assert_eq!(receiver.calls(), [format!("00-{CALLER_TRACE}-{}-01", process.id)]);
    if stack == Stack::PostgresSqs {
        assert_eq!(process.service, "runnel-worker");
        assert_eq!(of_run.service, "runnel-serve");
        assert_eq!(join.attribute("messaging.system"), "aws_sqs");
    }
    Ok(())
}

async fn a_child_run_is_a_trace_of_its_own_that_is_linked_to_its_parent(stack: Stack) -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let fleet = Fleet::start_in(stack, &Fault::None, receiver.environment()).await?;
    let child = json!({ "version": 1, "id": "child", "tasks": { "only": { "type": "pass" } } });
    let parent = json!({
        "version": 1, "id": "parent",
        "tasks": {
            "below": { "type": "workflow", "input": { "workflow": "child" } },
            "then": { "needs": ["below"], "run": "true" },
        },
    });
    fleet.client.publish(&child.to_string()).await?;
    let workflow = fleet.client.publish(&parent.to_string()).await?;
    let run = start(&fleet, &workflow).await?;
    fleet.ended(&run).await?;
    fleet.finish().await?;

    let tree = Tree::of(&receiver, CALLER_TRACE);
    tree.assert_connected(CALLER_SPAN);
    let wait = tree.span("wait workflow", "below", 1);
    let spans = receiver.spans();
    let of_child = spans
        .iter()
        .find(|span| span.name == "run child")
        .context("the child's span")?;
    assert_ne!(of_child.trace, CALLER_TRACE);
    assert_eq!(of_child.parent, "");
    assert_eq!(
        of_child.trace,
        of_child.attribute("runnel.run.id").replace('-', ""),
        "found by the id of the run"
    );
    assert!(links_to(of_child, wait), "{of_child:#?}");
    Ok(())
}

async fn a_receiver_that_is_away_holds_nothing_up(stack: Stack) -> anyhow::Result<()> {
    let away = format!("http://127.0.0.1:{}", runnel_tests::services::free_port()?);
    let environment = vec![("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), away)];
    let fleet = Fleet::start_in(stack, &Fault::None, environment).await?;
    let workflow = json!({ "version": 1, "id": "one", "tasks": { "a": { "run": "true" } } });
    let workflow = fleet.client.publish(&workflow.to_string()).await?;
    for _ in 0..3 {
        let run = start(&fleet, &workflow).await?;
        assert_eq!(fleet.ended(&run).await?["status"], "SUCCEEDED");
    }
    fleet.finish().await
}
