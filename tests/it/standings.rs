//! Every operation on runs and tasks in every status, over the API: done, or refused with its type, as the tables of
//! docs/semantics.md say; and `canX` says it before.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use anyhow::Context as _;
use runnel_engine::RunId;
use runnel_engine::plan::Section;
use runnel_engine::run::{CancelMode, Outcome, RunStanding, RunStatus, TaskStanding, TaskStatus};
use runnel_queue::Report;
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, PATIENCE, repository_file, workflow};
use runnel_tests::scripted::{Held, ScriptedWorker, failed, succeeded};
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};

runnel_tests::on_both_databases!(
    every_status_of_a_run_answers_each_operation_as_the_table_says,
    every_status_of_a_task_answers_each_operation_as_the_table_says,
);

/// The answer, and beside it what only refusals for the state have.
const ANSWER: &str = "run { id } problems: userErrors { __typename code message path ... on RunStateConflict { status allowed } }";

/// The cells of the rows of the table of the reference whose head begins with these words.
fn table(head: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let text = repository_file("docs/semantics.md")?;
    let lines = text.lines().skip_while(|line| !line.starts_with(head));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    anyhow::ensure!(!rows.is_empty(), "no table {head}");
    Ok(rows)
}

/// The operations on a run, in the order of the table.
fn run_operations() -> [(&'static str, Value); 5] {
    [
        ("runCancel", json!({ "mode": "GRACEFUL" })),
        ("runCancel", json!({ "mode": "NOW" })),
        ("runPause", json!({})),
        ("runResume", json!({})),
        ("runRerun", json!({ "from": "START" })),
    ]
}

/// The operations on a task, in the order of the table.
fn task_operations() -> [(&'static str, Value); 4] {
    let failure = json!({ "message": "by hand" });
    [
        ("taskRetry", json!({})),
        ("taskSkip", json!({})),
        ("taskOverride", json!({ "result": "SUCCEED" })),
        ("taskOverride", json!({ "result": "FAIL", "error": failure })),
    ]
}

fn id(run: RunId) -> String {
    format!("run_{}", run.0.simple())
}

struct Desk {
    cluster: Cluster,
    client: Client,
    worker: ScriptedWorker,
    /// Messages that came before they were asked for.
    held: HashMap<(RunId, String), Held>,
    has_holder: bool,
}

impl Desk {
    async fn start(stack: Stack) -> anyhow::Result<Self> {
        let mut cluster = Cluster::start(stack).await?;
        let client = cluster.serve().await?;
        let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
        Ok(Self {
            cluster,
            client,
            worker,
            held: HashMap::new(),
            has_holder: false,
        })
    }

    /// The message of a task of the run.
    async fn take(&mut self, run: RunId, key: &str) -> anyhow::Result<Held> {
        let wanted = (run, key.to_owned());
        let taken = async {
            loop {
                if let Some(held) = self.held.remove(&wanted) {
                    return anyhow::Ok(held);
                }
                for held in self.worker.receive(100, Duration::from_secs(1)).await? {
                    self.worker.delete(std::slice::from_ref(&held)).await?;
                    let at = (RunId(held.message.at.run), held.message.key.clone());
                    self.held.insert(at, held);
                }
            }
        };
        let taken = tokio::time::timeout(PATIENCE, taken).await;
        taken.with_context(|| format!("no message of {key}"))?
    }

    async fn succeed(&mut self, run: RunId, key: &str) -> anyhow::Result<()> {
        let held = self.take(run, key).await?;
        self.worker.report(vec![succeeded(&held.at(), &json!(1))]).await
    }

    async fn fail(&mut self, run: RunId, key: &str) -> anyhow::Result<()> {
        let held = self.take(run, key).await?;
        self.worker.report(vec![failed(&held.at(), false)]).await
    }

    async fn until(&self, run: RunId, status: RunStatus) -> anyhow::Result<()> {
        self.cluster
            .until(run, "in the status", |run| run.status == status)
            .await?;
        self.cluster.orchestrator().settle().await;
        Ok(())
    }

    async fn until_task(&self, run: RunId, key: &str, status: TaskStatus) -> anyhow::Result<()> {
        self.cluster
            .until_task(run, key, |task| task.status == status)
            .await?;
        Ok(())
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
        self.cluster.launch(&file).await
    }

    /// A run that waits for the place that another one holds for good.
    async fn launch_pending(&mut self) -> anyhow::Result<RunId> {
        let mut tasks = Map::new();
        for nth in 0..task_operations().len() {
            tasks.insert(format!("blocked_{nth}"), json!({ "type": "scripted" }));
        }
        let mut file = workflow("one_at_a_time", Value::Object(tasks));
        file["concurrency"] = json!(1);
        if !self.has_holder {
            let holder = self.cluster.launch(&file).await?;
            self.until(holder, RunStatus::Running).await?;
            self.has_holder = true;
        }
        self.cluster.launch(&file).await
    }

    /// A new run in the status, paused when the name says so.
    async fn run_in(&mut self, name: &str) -> anyhow::Result<RunId> {
        let (name, is_paused) = match name.strip_suffix(" paused") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let status: RunStatus = serde_json::from_value(json!(name))?;
        let run = match status {
            RunStatus::Pending => self.launch_pending().await?,
            RunStatus::Running => self.launch(false).await?,
            RunStatus::Cancelling => {
                let run = self.launch(false).await?;
                let at = self.take(run, "a").await?.at();
                self.worker
                    .report(vec![Report::Started { at, started_us: 1 }])
                    .await?;
                self.until_task(run, "a", TaskStatus::Running).await?;
                self.cancel(run, "GRACEFUL").await?;
                run
            }
            RunStatus::Compensating | RunStatus::Compensated | RunStatus::CompensationFailed => {
                let run = self.launch(true).await?;
                self.succeed(run, "a").await?;
                self.fail(run, "b").await?;
                match status {
                    RunStatus::Compensated => self.succeed(run, "a.compensate").await?,
                    RunStatus::CompensationFailed => self.fail(run, "a.compensate").await?,
                    _ => {}
                }
                run
            }
            RunStatus::Failed => {
                let run = self.launch(false).await?;
                self.fail(run, "a").await?;
                run
            }
            RunStatus::Succeeded => {
                let run = self.launch(false).await?;
                self.succeed(run, "a").await?;
                self.succeed(run, "b").await?;
                run
            }
            RunStatus::Cancelled => {
                let run = self.launch(false).await?;
                self.cancel(run, "NOW").await?;
                run
            }
            RunStatus::TimedOut => {
                let mut file = workflow("brief", json!({ "a": { "type": "scripted" } }));
                file["timeout"] = json!("5s");
                let run = self.cluster.launch(&file).await?;
                self.until(run, RunStatus::Running).await?;
                self.cluster.clock.advance(Duration::from_secs(6));
                run
            }
        };
        self.until(run, status).await?;
        if is_paused {
            self.operate(run, "runPause", &json!({})).await?;
        }
        Ok(run)
    }

    async fn cancel(&self, run: RunId, mode: &str) -> anyhow::Result<()> {
        let answer = self.operate(run, "runCancel", &json!({ "mode": mode })).await?;
        anyhow::ensure!(answer["problems"] == json!([]), "{answer:#}");
        Ok(())
    }

    async fn operate(&self, run: RunId, mutation: &str, input: &Value) -> anyhow::Result<Value> {
        let mut input = input.clone();
        let of = if mutation.starts_with("task") { "run" } else { "id" };
        input[of] = id(run).into();
        self.client.mutate(mutation, input, ANSWER).await
    }

    /// A run as the API shows it, with what it says is allowed.
    async fn see_run(&self, run: RunId) -> anyhow::Result<Value> {
        let query = "query($id: ID!) { run(id: $id) { status isPaused canCancel canPause canResume canRerun
            events(first: 200) { nodes { seq } } } }";
        let mut data = self.client.data(query, json!({ "id": id(run) })).await?;
        Ok(data["run"].take())
    }

    /// A task as the API shows it, with what it says is allowed.
    async fn see_task(&self, run: RunId, key: &str) -> anyhow::Result<Value> {
        let query = "query($id: ID!, $key: String!) { run(id: $id) { status
            task(key: $key) { status attempt canRetry canSkip canOverride } } }";
        let variables = json!({ "id": id(run), "key": key });
        let mut data = self.client.data(query, variables).await?;
        Ok(data["run"].take())
    }
}

/// What the engine says of an operation that is not carried out: its sentence, and what is allowed instead.
fn refusal(outcome: Result<(), Outcome>) -> anyhow::Result<(String, Vec<&'static str>)> {
    match outcome {
        Err(Outcome::Refused(refusal)) => Ok((refusal.message, refusal.allowed)),
        Err(Outcome::Ignored(_)) => Ok(("the run has ended".to_owned(), vec!["runRerun", "taskRetry"])),
        other => anyhow::bail!("{other:?} is no refusal"),
    }
}

/// Asserts that the answer holds exactly this refusal.
fn assert_refused(
    answer: &Value,
    path: &str,
    status: &Value,
    expected: (String, Vec<&'static str>),
    what: &str,
) {
    let (message, allowed) = expected;
    let expected = json!([{
        "__typename": "RunStateConflict", "code": "RUN_STATE_CONFLICT", "message": message,
        "path": ["input", path], "status": status, "allowed": allowed,
    }]);
    assert_eq!(answer["problems"], expected, "{what}");
}

fn engine_on_run(status: RunStatus, is_paused: bool, nth: usize) -> Result<(), Outcome> {
    let standing = RunStanding::of_status(status, is_paused);
    match nth {
        0 => standing.cancel(CancelMode::Graceful),
        1 => standing.cancel(CancelMode::Now),
        2 => standing.pause(),
        3 => standing.resume(),
        _ => standing.rerun().map_err(Outcome::Refused),
    }
}

fn engine_on_task(run: RunStatus, task: TaskStatus, nth: usize) -> Result<(), Outcome> {
    let mut of_run = RunStanding::of_status(run, false);
    if run == RunStatus::Compensating {
        of_run.outcome = Some(RunStatus::Failed);
    }
    let standing = TaskStanding {
        run: of_run,
        section: Section::Main,
        status: task,
        fanout: None,
    };
    match nth {
        0 => standing.retry().map_err(Outcome::Refused),
        1 => standing.skip(),
        2 => standing.set_result(true).map_err(Outcome::Refused),
        _ => standing.set_result(false).map_err(Outcome::Refused),
    }
}

async fn every_status_of_a_run_answers_each_operation_as_the_table_says(stack: Stack) -> anyhow::Result<()> {
    let mut desk = Desk::start(stack).await?;
    let mut seen = BTreeSet::new();
    for row in table("| run |")? {
        for name in row[0].split(", ") {
            let (status, is_paused) = match name.strip_suffix(" paused") {
                Some(status) => (status, true),
                None => (name, false),
            };
            seen.insert(status.to_owned());
            let run = desk.run_in(name).await?;
            let before = desk.see_run(run).await?;
            assert_eq!(
                (&before["status"], &before["isPaused"]),
                (&json!(status), &json!(is_paused))
            );
            let is_yes = |column: usize| row[column] == "yes";
            let can = json!([is_yes(1) || is_yes(2), is_yes(3), is_yes(4), is_yes(5)]);
            let said = ["canCancel", "canPause", "canResume", "canRerun"].map(|field| before[field].clone());
            assert_eq!(json!(said), can, "{name}");
            for (nth, (mutation, input)) in run_operations().into_iter().enumerate() {
                let what = format!("{mutation} {input} of a run that is {name}");
                if row[nth + 1] == "yes" {
                    let fresh = desk.run_in(name).await?;
                    assert_done(&desk, fresh, mutation, &input, &what).await?;
                    continue;
                }
                let answer = desk.operate(run, mutation, &input).await?;
                if row[nth + 1] == "in force" {
                    assert_eq!(answer["problems"], json!([]), "{what}");
                } else {
                    let engine: RunStatus = serde_json::from_value(json!(status))?;
                    let expected = refusal(engine_on_run(engine, is_paused, nth))?;
                    assert_refused(&answer, "id", &before["status"], expected, &what);
                }
                assert_eq!(desk.see_run(run).await?, before, "{what} changed something");
            }
        }
    }
    assert_eq!(seen.len(), RunStatus::ALL.len(), "{seen:?}");
    desk.cluster.finish().await
}

async fn assert_done(
    desk: &Desk,
    run: RunId,
    mutation: &str,
    input: &Value,
    what: &str,
) -> anyhow::Result<()> {
    let before = desk.see_run(run).await?;
    let answer = desk.operate(run, mutation, input).await?;
    assert_eq!(answer["problems"], json!([]), "{what}");
    let after = desk.see_run(run).await?;
    match mutation {
        "runPause" => assert_eq!(after["isPaused"], true, "{what}"),
        "runResume" => assert_eq!(after["isPaused"], false, "{what}"),
        "runCancel" => assert_ne!(after["status"], before["status"], "{what}"),
        _ => {
            assert_ne!(answer["run"]["id"], id(run), "{what}");
            assert_eq!(after["status"], before["status"], "{what}");
        }
    }
    Ok(())
}

/// For every status of a task a root that is brought to it, one for each operation.
fn wide() -> Value {
    let group = json!({ "group": "wide", "limit": 1 });
    let mut tasks = Map::from_iter([
        ("gate".to_owned(), json!({ "type": "scripted" })),
        (
            "holder".to_owned(),
            json!({ "type": "scripted", "concurrency": group }),
        ),
        ("opener".to_owned(), json!({ "type": "scripted" })),
    ]);
    let retry = json!({ "limit": 1, "delay": "10m", "max_delay": "10m", "jitter": "none" });
    let kinds = [
        ("blocked", json!({ "type": "scripted", "needs": ["gate"] })),
        (
            "ready",
            json!({ "type": "scripted", "needs": ["opener"], "concurrency": group }),
        ),
        ("queued", json!({ "type": "scripted" })),
        ("running", json!({ "type": "scripted" })),
        ("waiting", json!({ "type": "wait", "input": { "for": "30d" } })),
        ("retry_wait", json!({ "type": "scripted", "retry": retry })),
        ("succeeded", json!({ "type": "scripted" })),
        (
            "cached",
            json!({ "type": "scripted", "cache": { "key": "day", "ttl": "1h" } }),
        ),
        ("failed", json!({ "type": "scripted", "retry": 0 })),
        (
            "timed_out",
            json!({ "type": "scripted", "retry": 0, "timeout": "5s" }),
        ),
        ("skipped", json!({ "type": "scripted", "if": "${{ false }}" })),
    ];
    for (kind, mut task) in kinds {
        task["continue_on_error"] = json!(true);
        for nth in 0..task_operations().len() {
            tasks.insert(format!("{kind}_{nth}"), task.clone());
        }
    }
    let mut file = workflow("wide", Value::Object(tasks));
    file["cancel_grace"] = json!("10m");
    file
}

const KINDS: [&str; 11] = [
    "blocked",
    "ready",
    "queued",
    "running",
    "waiting",
    "retry_wait",
    "succeeded",
    "cached",
    "failed",
    "timed_out",
    "skipped",
];

impl Desk {
    /// A result for every `cached_n` of later runs.
    async fn fill_cache(&mut self) -> anyhow::Result<()> {
        let run = self.cluster.launch(&wide()).await?;
        for nth in 0..task_operations().len() {
            let key = format!("cached_{nth}");
            self.succeed(run, &key).await?;
            self.until_task(run, &key, TaskStatus::Succeeded).await?;
        }
        self.cancel(run, "NOW").await
    }

    /// A run of [`wide`] with every root in its status.
    async fn launch_wide(&mut self) -> anyhow::Result<RunId> {
        let run = self.cluster.launch(&wide()).await?;
        self.take(run, "holder").await?;
        self.succeed(run, "opener").await?;
        let mut reports = Vec::new();
        for nth in 0..task_operations().len() {
            for kind in ["running", "timed_out"] {
                let at = self.take(run, &format!("{kind}_{nth}")).await?.at();
                reports.push(Report::Started { at, started_us: 1 });
            }
            let at = self.take(run, &format!("succeeded_{nth}")).await?.at();
            reports.push(succeeded(&at, &json!(1)));
            for (kind, is_retryable) in [("failed", false), ("retry_wait", true)] {
                let at = self.take(run, &format!("{kind}_{nth}")).await?.at();
                reports.push(failed(&at, is_retryable));
            }
        }
        self.worker.report(reports).await?;
        for nth in 0..task_operations().len() {
            let key = format!("timed_out_{nth}");
            self.until_task(run, &key, TaskStatus::Running).await?;
        }
        self.cluster.clock.advance(Duration::from_secs(6));
        for kind in KINDS {
            for nth in 0..task_operations().len() {
                let status = serde_json::from_value(json!(kind.to_uppercase()))?;
                self.until_task(run, &format!("{kind}_{nth}"), status).await?;
            }
        }
        self.cluster.orchestrator().settle().await;
        Ok(run)
    }

    /// Does each operation to a task of each kind; answers the statuses that were met. A run that was opened again by one
    /// is cancelled again.
    async fn answers_of_tasks(
        &self,
        run: RunId,
        phase: &str,
        kinds: &[&str],
    ) -> anyhow::Result<BTreeSet<String>> {
        let rows = table("| task of the main graph |")?;
        let is_in = |cell: &str, name: &str| cell.split(", ").any(|one| one == name || one == "any");
        let mut met = BTreeSet::new();
        for kind in kinds {
            for (nth, (mutation, mut input)) in task_operations().into_iter().enumerate() {
                let key = format!("{kind}_{nth}");
                let before = self.see_task(run, &key).await?;
                let status = before["task"]["status"].as_str().context("a status")?.to_owned();
                let what = format!("{mutation} {input} of {key}, {status} in {}", before["status"]);
                let row = rows
                    .iter()
                    .find(|row| is_in(&row[0], &status) && is_in(&row[1], phase));
                let row = row.with_context(|| format!("no row for {what}"))?;
                let is_yes = |column: usize| row[column] == "yes";
                let can = json!([is_yes(2), is_yes(3), is_yes(4) || is_yes(5)]);
                let said = ["canRetry", "canSkip", "canOverride"].map(|field| before["task"][field].clone());
                assert_eq!(json!(said), can, "{what}");
                input["task"] = key.as_str().into();
                let answer = self.operate(run, mutation, &input).await?;
                let after = self.see_task(run, &key).await?;
                if is_yes(nth + 2) {
                    assert_eq!(answer["problems"], json!([]), "{what}");
                    assert_ne!(after["task"]["status"], status, "{what} did nothing");
                    if phase == "ended" {
                        self.cancel_again(run).await?;
                    }
                } else {
                    let of_run = serde_json::from_value(before["status"].clone())?;
                    let of_task = serde_json::from_value(json!(status))?;
                    let expected = refusal(engine_on_task(of_run, of_task, nth))?;
                    assert_refused(&answer, "run", &before["status"], expected, &what);
                    assert_eq!(after, before, "{what} changed something");
                }
                met.insert(status);
            }
        }
        Ok(met)
    }

    /// Ends the run again: what was done has opened it, and all that its end had cancelled is to be done.
    async fn cancel_again(&self, run: RunId) -> anyhow::Result<()> {
        self.cancel(run, "NOW").await?;
        self.until(run, RunStatus::Cancelled).await
    }

    /// A run whose results are being undone.
    async fn launch_compensating(&mut self) -> anyhow::Result<RunId> {
        let undoable = json!({ "type": "scripted", "compensate": { "type": "scripted" } });
        let mut tasks = Map::new();
        for nth in 0..task_operations().len() {
            tasks.insert(format!("succeeded_{nth}"), undoable.clone());
            tasks.insert(format!("failed_{nth}"), json!({ "type": "scripted", "retry": 0 }));
            let skipped = json!({ "type": "scripted", "if": "${{ false }}" });
            tasks.insert(format!("skipped_{nth}"), skipped);
        }
        let run = self
            .cluster
            .launch(&workflow("undone", Value::Object(tasks)))
            .await?;
        let mut reports = Vec::new();
        for nth in 0..task_operations().len() {
            let at = self.take(run, &format!("succeeded_{nth}")).await?.at();
            reports.push(succeeded(&at, &json!(1)));
        }
        for nth in 0..task_operations().len() {
            let at = self.take(run, &format!("failed_{nth}")).await?.at();
            reports.push(failed(&at, false));
        }
        self.worker.report(reports).await?;
        self.until(run, RunStatus::Compensating).await?;
        Ok(run)
    }
}

fn names(statuses: &[&str]) -> BTreeSet<String> {
    statuses.iter().map(|&name| name.to_owned()).collect()
}

async fn every_status_of_a_task_answers_each_operation_as_the_table_says(stack: Stack) -> anyhow::Result<()> {
    let mut desk = Desk::start(stack).await?;
    let pending = desk.launch_pending().await?;
    desk.until(pending, RunStatus::Pending).await?;
    desk.answers_of_tasks(pending, "PENDING", &["blocked"]).await?;

    desk.fill_cache().await?;
    let run = desk.launch_wide().await?;
    let met = desk.answers_of_tasks(run, "RUNNING", &KINDS).await?;
    let all: Vec<String> = KINDS.iter().map(|kind| kind.to_uppercase()).collect();
    assert_eq!(met, all.into_iter().collect());
    desk.cancel(run, "NOW").await?;

    let run = desk.launch_wide().await?;
    desk.cancel(run, "GRACEFUL").await?;
    desk.until(run, RunStatus::Cancelling).await?;
    let kinds = ["running", "blocked", "succeeded", "failed", "skipped"];
    let met = desk.answers_of_tasks(run, "CANCELLING", &kinds).await?;
    let over = ["SUCCEEDED", "FAILED", "SKIPPED", "CANCELLED"];
    assert_eq!(met, &names(&over) | &names(&["RUNNING"]));
    desk.cancel_again(run).await?;
    let kinds = ["blocked", "cached", "failed", "timed_out", "skipped"];
    let met = desk.answers_of_tasks(run, "ended", &kinds).await?;
    let over = ["CANCELLED", "CACHED", "FAILED", "TIMED_OUT", "SKIPPED"];
    assert_eq!(met, names(&over));

    let run = desk.launch_compensating().await?;
    let kinds = ["succeeded", "failed", "skipped"];
    let met = desk.answers_of_tasks(run, "COMPENSATING", &kinds).await?;
    assert_eq!(met, names(&["SUCCEEDED", "FAILED", "SKIPPED"]));
    desk.cluster.finish().await
}
