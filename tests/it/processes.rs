//! The product as processes: kill -9 of a worker and of a server in the middle of a task, drains, refusals to start.

use runnel_tests::cluster::repository_file;
use runnel_tests::fleet::{Fault, Fleet};
use runnel_tests::origin::Origin;
use runnel_tests::process;
use runnel_tests::programs;
use runnel_tests::stack::{Stack, play};
use serde_json::{Value, json};

runnel_tests::on_stack!(
    postgres_sqs,
    PostgresSqs,
    two_workers_run_a_workflow_to_its_end,
    a_worker_killed_in_a_task_is_replaced_and_nothing_is_accepted_twice,
    a_server_killed_in_a_run_goes_on_after_its_restart,
    a_worker_that_is_told_to_stop_finishes_its_task
);
runnel_tests::on_stack!(
    sqlite_embedded,
    SqliteEmbedded,
    a_server_killed_in_a_run_goes_on_after_its_restart
);

/// A fan-out, a gate in the middle of it, a join.
fn gated(origin: &Origin) -> String {
    let tasks = json!({
        "before": { "run": "echo before" },
        "held": { "needs": ["before"], "type": "http", "input": { "url": format!("{}/gate/held", origin.url()) } },
        "side": {
            "needs": ["before"],
            "for_each": { "items": (0..20).collect::<Vec<u32>>() },
            "run": "echo \"{\\\"n\\\": $N}\"", "env": { "N": "${{ each.item }}" },
        },
        "after": { "needs": ["held", "side"], "type": "python", "input": { "script": "print('{\"ok\": true}')" } },
    });
    json!({ "version": 1, "id": "gated", "tasks": tasks }).to_string()
}

async fn begin(fleet: &Fleet, origin: &Origin) -> anyhow::Result<String> {
    let workflow = fleet.client.publish(&gated(origin)).await?;
    fleet
        .client
        .start(json!({ "workflow": workflow, "idempotencyKey": "once" }))
        .await
}

/// The run succeeded, and each of its tasks was accepted once.
async fn succeeded(fleet: &Fleet, run: &str) -> anyhow::Result<Value> {
    let ended = fleet.ended(run).await?;
    anyhow::ensure!(ended["status"] == "SUCCEEDED", "{ended:#}\n{}", fleet.output());
    let history = fleet.client.history(run).await?;
    let mut accepted: Vec<&str> = history
        .iter()
        .filter(|(kind, _)| kind == "TASK_SUCCEEDED")
        .map(|(_, task)| task.as_str())
        .collect();
    let count = accepted.len();
    accepted.sort_unstable();
    accepted.dedup();
    anyhow::ensure!(accepted.len() == count, "a task was accepted twice: {history:?}");
    Ok(ended)
}

async fn two_workers_run_a_workflow_to_its_end(stack: Stack) -> anyhow::Result<()> {
    let origin = Origin::start().await?;
    origin.open_gate();
    let mut fleet = Fleet::start(stack, &Fault::None).await?;
    fleet.add_worker(&Fault::None)?;
    fleet.add_worker(&Fault::None)?;
    let run = begin(&fleet, &origin).await?;
    succeeded(&fleet, &run).await?;
    assert_eq!(origin.hits("held"), 1);
    fleet.finish().await
}

async fn a_worker_killed_in_a_task_is_replaced_and_nothing_is_accepted_twice(
    stack: Stack,
) -> anyhow::Result<()> {
    let origin = Origin::start().await?;
    let mut fleet = Fleet::start(stack, &Fault::None).await?;
    fleet.add_worker(&Fault::None)?;
    let run = begin(&fleet, &origin).await?;
    origin.until_hit("held", 1).await?;
    // the only worker has the task in its hands
    let mut killed = fleet.workers.remove(0);
    killed.kill().await?;
    fleet.add_worker(&Fault::None)?;
    origin.until_hit("held", 2).await?;
    origin.open_gate();
    succeeded(&fleet, &run).await?;
    fleet.finish().await
}

async fn a_server_killed_in_a_run_goes_on_after_its_restart(stack: Stack) -> anyhow::Result<()> {
    let origin = Origin::start().await?;
    let mut fleet = Fleet::start(stack, &Fault::None).await?;
    fleet.add_worker(&Fault::None)?;
    fleet.add_worker(&Fault::None)?;
    let run = begin(&fleet, &origin).await?;
    origin.until_hit("held", 1).await?;
    fleet.server.kill().await?;
    origin.open_gate();
    fleet.restart_server().await?;
    succeeded(&fleet, &run).await?;
    // an accepted start stays accepted
    let again = fleet
        .client
        .mutate(
            "runStart",
            json!({ "workflow": "gated", "idempotencyKey": "once" }),
            "run { id } isReplay",
        )
        .await?;
    assert_eq!(
        (again["run"]["id"].as_str(), &again["isReplay"]),
        (Some(run.as_str()), &json!(true))
    );
    fleet.finish().await
}

async fn a_worker_that_is_told_to_stop_finishes_its_task(stack: Stack) -> anyhow::Result<()> {
    let origin = Origin::start().await?;
    let mut fleet = Fleet::start(stack, &Fault::None).await?;
    fleet.add_worker(&Fault::None)?;
    let run = begin(&fleet, &origin).await?;
    origin.until_hit("held", 1).await?;
    let mut leaving = fleet.workers.remove(0);
    let (status, ()) = tokio::join!(leaving.terminate(), async { origin.open_gate() });
    assert!(status?.success(), "{}", leaving.output());
    fleet.add_worker(&Fault::None)?;
    succeeded(&fleet, &run).await?;
    assert_eq!(origin.hits("held"), 1, "the drained task was run again");
    fleet.finish().await
}

/// Nobody but this machine may reach a server that asks nobody who he is.
#[test]
fn an_unprotected_server_does_not_start() {
    play(async {
        let runnel = programs::runnel()?;
        let directory = tempfile::tempdir()?;
        let database = format!(
            "sqlite://{}?mode=rwc",
            directory.path().join("runnel.db").display()
        );
        for verb in ["dev", "serve"] {
            let mut command = process::command(
                &runnel,
                &[verb, "--listen", "0.0.0.0:0", "--database-url", &database],
            );
            command.arg("--data-dir").arg(directory.path().join("data"));
            if verb == "serve" {
                command.args(["--queue", "embedded"]);
            }
            let ended = process::finish(command).await?;
            assert_eq!(
                ended.status.code(),
                Some(2),
                "{verb}: {}{}",
                ended.stdout,
                ended.stderr
            );
            assert!(
                ended.stderr.contains("RUNNEL_API_TOKEN"),
                "{verb} does not say what to do: {}",
                ended.stderr
            );
        }
        Ok(())
    });
}

/// Two servers on one SQLite file would each believe that the other's work is lost.
#[test]
fn a_second_server_on_one_data_directory_is_refused() {
    play(async {
        let runnel = programs::runnel()?;
        let directory = tempfile::tempdir()?;
        let data = directory.path().join("data");
        let start = || {
            let mut command = process::command(&runnel, &["dev", "--listen", "127.0.0.1:0", "--data-dir"]);
            command.arg(&data);
            command
        };
        let mut first = process::Process::start("runnel dev", start())?;
        first.client().await?;
        let second = process::finish(start()).await?;
        assert!(!second.status.success(), "{}", second.stdout);
        assert!(first.terminate().await?.success());
        Ok(())
    });
}

/// What clients generate their types from is what the server answers.
#[test]
fn the_committed_schema_is_the_served_one() {
    play(async {
        let ended = process::finish(process::command(&programs::runnel()?, &["schema", "graphql"])).await?;
        assert!(ended.status.success(), "{}", ended.stderr);
        assert_eq!(
            ended.stdout.trim(),
            repository_file("schema.graphql")?.trim(),
            "run `make schema` and commit schema.graphql"
        );
        Ok(())
    });
}
