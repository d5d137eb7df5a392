//! Every operation on a run in every status: done, or refused with a type, and `canX` says which before.

use std::time::Duration;

use anyhow::Context as _;
use runnel_engine::RunId;
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_queue::Report;
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{Held, ScriptedWorker, failed, succeeded};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_stack!(
    sqlite_embedded,
    SqliteEmbedded,
    every_operation_is_done_or_refused_with_a_type_in_every_status
);
runnel_tests::on_stack!(
    postgres_embedded,
    PostgresEmbedded,
    every_operation_is_done_or_refused_with_a_type_in_every_status
);

const STATUSES: [RunStatus; 10] = RunStatus::ALL;

/// Operations: the field that says whether it is allowed, the mutation, and its input beside the run.
fn operations() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("canCancel", "runCancel", json!({ "mode": "NOW" })),
        ("canPause", "runPause", json!({})),
        ("canResume", "runResume", json!({})),
        ("canRerun", "runRerun", json!({ "from": "START" })),
        ("canRetry", "taskRetry", json!({ "task": "b" })),
        ("canSkip", "taskSkip", json!({ "task": "b" })),
        (
            "canOverride",
            "taskOverride",
            json!({ "task": "b", "result": "SUCCEED" }),
        ),
    ]
}

struct Desk {
    cluster: Cluster,
    client: Client,
    worker: ScriptedWorker,
}

impl Desk {
    /// The message of a task of the run; those of runs that a test is done with are dropped.
    async fn take(&self, run: RunId, key: &str) -> anyhow::Result<Held> {
        loop {
            for held in self.worker.take(1).await? {
                self.worker.delete(std::slice::from_ref(&held)).await?;
                if held.message.at.run == run.0 && held.message.key == key {
                    return Ok(held);
                }
            }
        }
    }

    async fn until(&self, run: RunId, status: RunStatus) -> anyhow::Result<()> {
        self.cluster
            .until(run, "in the status", |run| run.status == status)
            .await?;
        self.cluster.orchestrator().settle().await;
        Ok(())
    }

    async fn report(&self, report: Report) -> anyhow::Result<()> {
        self.worker.report(vec![report]).await
    }

    /// A run of `a → b`, where `a` can be undone when that is asked for.
    async fn launch(&self, is_undoable: bool) -> anyhow::Result<RunId> {
        let mut first = json!({ "type": "scripted" });
        if is_undoable {
            first["compensate"] = json!({ "type": "scripted" });
        }
        let second = json!({ "type": "scripted", "needs": ["a"] });
        let mut file = workflow("standing", json!({ "a": first, "b": second }));
        file["cancel_grace"] = json!("10m");
        file["timeout"] = json!("1d");
        self.cluster.launch(&file).await
    }

    /// `a` has succeeded, and the message of `b` is here.
    async fn half(&self, is_undoable: bool) -> anyhow::Result<(RunId, Held)> {
        let run = self.launch(is_undoable).await?;
        let held = self.take(run, "a").await?;
        self.report(succeeded(&held.at(), &json!(1))).await?;
        let held = self.take(run, "b").await?;
        Ok((run, held))
    }

    /// A new run in the status.
    async fn run_in(&self, status: RunStatus) -> anyhow::Result<RunId> {
        let cancel = async |run, mode| {
            let input = json!({ "id": id(run), "mode": mode });
            self.client.mutate("runCancel", input, "run { id }").await
        };
        let run = match status {
            RunStatus::Pending => {
                let mut file = workflow("standing", json!({ "b": { "type": "scripted" } }));
                file["concurrency"] = json!(1);
                let first = self.cluster.launch(&file).await?;
                self.take(first, "b").await?;
                self.cluster.launch(&file).await?
            }
            RunStatus::Running => self.half(false).await?.0,
            RunStatus::Cancelling => {
                let (run, held) = self.half(false).await?;
                let started = Report::Started {
                    at: held.at(),
                    started_us: 1,
                };
                self.report(started).await?;
                self.cluster
                    .until_task(run, "b", |task| task.status == TaskStatus::Running)
                    .await?;
                cancel(run, "GRACEFUL").await?;
                run
            }
            RunStatus::Compensating | RunStatus::Failed => {
                let (run, held) = self.half(status == RunStatus::Compensating).await?;
                self.report(failed(&held.at(), false)).await?;
                run
            }
            RunStatus::Compensated | RunStatus::CompensationFailed => {
                let (run, held) = self.half(true).await?;
                self.report(failed(&held.at(), false)).await?;
                let held = self.take(run, "a.compensate").await?;
                self.report(if status == RunStatus::Compensated {
                    succeeded(&held.at(), &json!(1))
                } else {
                    failed(&held.at(), false)
                })
                .await?;
                run
            }
            RunStatus::Succeeded => {
                let (run, held) = self.half(false).await?;
                self.report(succeeded(&held.at(), &json!(1))).await?;
                run
            }
            RunStatus::Cancelled => {
                let (run, _) = self.half(false).await?;
                cancel(run, "NOW").await?;
                run
            }
            RunStatus::TimedOut => {
                let (run, _) = self.half(false).await?;
                self.cluster.clock.advance(Duration::from_secs(2 * 24 * 3_600));
                self.until(run, status).await?;
                self.worker.hello().await?;
                run
            }
        };
        self.until(run, status).await?;
        Ok(run)
    }

    /// What the API says is allowed now.
    async fn allowed(&self, run: RunId) -> anyhow::Result<Value> {
        let query = "query($id: ID!) { run(id: $id) { status isPaused canCancel canPause canResume canRerun
            task(key: \"b\") { status canRetry canSkip canOverride } } }";
        let mut data = self.client.data(query, json!({ "id": id(run) })).await?;
        let mut run = data["run"].take();
        let task = run["task"].take();
        for field in ["canRetry", "canSkip", "canOverride"] {
            run[field] = task[field].clone();
        }
        run["task"] = task["status"].clone();
        Ok(run)
    }

    async fn operate(&self, run: RunId, mutation: &str, input: &Value) -> anyhow::Result<Vec<Value>> {
        let mut input = input.clone();
        let of = if mutation.starts_with("task") { "run" } else { "id" };
        input[of] = id(run).into();
        let payload = self.client.mutate(mutation, input, "run { id }").await?;
        payload["userErrors"].as_array().cloned().context("a payload")
    }
}

fn id(run: RunId) -> String {
    format!("run_{}", run.0.simple())
}

async fn every_operation_is_done_or_refused_with_a_type_in_every_status(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let desk = Desk {
        cluster,
        client,
        worker,
    };
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for status in STATUSES {
        let run = desk.run_in(status).await?;
        let allowed = desk.allowed(run).await?;
        for (field, mutation, input) in operations() {
            if allowed[field] == true {
                continue;
            }
            let errors = desk.operate(run, mutation, &input).await?;
            for error in &errors {
                assert_eq!(
                    error["code"], "RUN_STATE_CONFLICT",
                    "{status:?} {mutation}: {error}"
                );
            }
            // what is in force already is no error, and changes as little
            assert!(
                !errors.is_empty() || mutation == "runResume",
                "{status:?}: {mutation} was done, and {field} said no"
            );
            assert_eq!(
                desk.allowed(run).await?,
                allowed,
                "{status:?}: {mutation} changed something"
            );
            refused.push(mutation);
        }
        for (field, mutation, input) in operations() {
            if allowed[field] != true {
                continue;
            }
            let run = desk.run_in(status).await?;
            let errors = desk.operate(run, mutation, &input).await?;
            assert!(
                errors.is_empty(),
                "{status:?} {mutation}: {errors:?}, and {field} said yes"
            );
            done.push(mutation);
        }
    }
    for (_, mutation, _) in operations() {
        let is_both = refused.contains(&mutation) && (done.contains(&mutation) || mutation == "runResume");
        assert!(is_both, "{mutation} was never done, or never refused");
    }
    desk.cluster.finish().await
}
