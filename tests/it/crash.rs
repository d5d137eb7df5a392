//! `kill -9` at every crash point of the sources: whatever was accepted is still there, nothing is stuck, no invariant is
//! broken.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use anyhow::Context as _;
use runnel_tests::fleet::{Fault, Fleet};
use runnel_tests::programs::workspace;
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

/// Whose crash it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Server,
    Worker,
}

/// Makes, of each point, one test per stack and passage, and the list of all points.
macro_rules! crash_points {
    ($($test:ident: $name:literal in $victim:ident),+ $(,)?) => {
        const EXERCISED: &[&str] = &[$($name),+];

        mod postgres_sqs { $(mod $test { crate::crash::at_point!(PostgresSqs, $name, $victim); })+ }
        mod sqlite_embedded { $(mod $test { crate::crash::at_point!(SqliteEmbedded, $name, $victim); })+ }
    };
}

macro_rules! at_point {
    ($stack:ident, $name:literal, $victim:ident) => {
        #[test]
        fn first_passage() {
            runnel_tests::stack::play(crate::crash::survives(
                runnel_tests::stack::Stack::$stack,
                crate::crash::Victim::$victim,
                $name,
                1,
            ));
        }

        #[test]
        fn second_passage() {
            runnel_tests::stack::play(crate::crash::survives(
                runnel_tests::stack::Stack::$stack,
                crate::crash::Victim::$victim,
                $name,
                2,
            ));
        }
    };
}
use at_point;

crash_points! {
    before_commit_of_a_start: "start.before_commit" in Server,
    after_commit_of_a_start: "start.after_commit" in Server,
    before_send: "relay.before_send" in Server,
    after_send: "relay.after_send" in Server,
    before_commit_of_a_completion: "complete.before_commit" in Server,
    after_commit_of_a_completion: "complete.after_commit" in Server,
    after_grant: "gate.after_grant" in Server,
    after_receive: "worker.after_receive" in Worker,
    before_report: "worker.before_report" in Worker,
    after_report: "worker.after_report" in Worker,
}

/// A crash point that no test passes proves nothing.
#[test]
fn every_crash_point_of_the_sources_is_exercised() {
    let mut found = BTreeSet::new();
    for part in ["runtime", "queue", "worker", "api", "cli"] {
        collect(&workspace().join(part).join("src"), &mut found).expect("readable sources");
    }
    let exercised: BTreeSet<String> = EXERCISED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, exercised);
}

fn collect(directory: &Path, found: &mut BTreeSet<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let source = std::fs::read_to_string(&path)?;
            // a name in a comment or in the macro's own definition has no literal behind the bracket
            for rest in source.split("crash_point!(\"").skip(1) {
                found.extend(rest.split_once('"').map(|(name, _)| name.to_owned()));
            }
        }
    }
    Ok(())
}

/// Four tasks one after the other, so that every point is passed more than once; with gates before each where they are meant.
fn chain(name: &str) -> String {
    let is_gated = name.starts_with("gate.");
    let task = |n: u32| {
        let needs: Vec<String> = (1..n)
            .last()
            .map(|before| format!("t{before}"))
            .into_iter()
            .collect();
        let mut task = json!({ "run": "echo \"{\\\"ok\\\": true}\"", "needs": needs });
        if is_gated {
            task["concurrency"] = json!(1);
        }
        (format!("t{n}"), task)
    };
    let tasks: serde_json::Map<String, Value> = (1..=4).map(task).collect();
    json!({ "version": 1, "id": "chain", "tasks": tasks }).to_string()
}

/// Starts a run as a careful client does: with a key, again when the server went away.
async fn start(fleet: &mut Fleet, key: &str) -> anyhow::Result<(String, bool)> {
    let input = json!({ "workflow": "chain", "idempotencyKey": key });
    let first = fleet
        .client
        .mutate("runStart", input.clone(), "run { id } isReplay")
        .await;
    let payload = match first {
        Ok(payload) => payload,
        Err(_) => {
            fleet
                .server
                .wait()
                .await
                .context("the server refused a start without having crashed")?;
            fleet.restart_server().await?;
            fleet
                .client
                .mutate("runStart", input, "run { id } isReplay")
                .await?
        }
    };
    let run = payload["run"]["id"]
        .as_str()
        .with_context(|| format!("refused: {payload:#}"))?;
    Ok((run.to_owned(), payload["isReplay"] == true))
}

async fn survives(stack: Stack, victim: Victim, name: &str, nth: u32) -> anyhow::Result<()> {
    let fault = Fault::CrashAt(name.to_owned(), nth);
    // with SQLite there is one process, and every crash is its crash
    let victim = if stack == Stack::PostgresSqs {
        victim
    } else {
        Victim::Server
    };
    let (server_fault, worker_fault) = match victim {
        Victim::Server => (fault, Fault::None),
        Victim::Worker => (Fault::None, fault),
    };
    let mut fleet = Fleet::start(stack, &server_fault).await?;
    fleet.client.publish(&chain(name)).await?;
    fleet.add_worker(&worker_fault)?;

    let mut runs = Vec::new();
    let mut server_crashed = None;
    for key in ["first", "second"] {
        let before = fleet.server.id();
        let (run, is_replay) = start(&mut fleet, key).await?;
        if fleet.server.id() != before {
            server_crashed = Some(is_replay);
        }
        runs.push(run);
    }
    match victim {
        Victim::Server => {
            if let Some(is_replay) = server_crashed {
                if name == "start.before_commit" {
                    assert!(!is_replay, "a start that was not committed is there");
                }
                if name == "start.after_commit" {
                    assert!(is_replay, "a committed start is gone");
                }
            } else {
                let status = fleet
                    .server
                    .wait()
                    .await
                    .with_context(|| format!("{name} was not passed {nth} times"))?;
                assert_eq!(status.signal(), Some(9), "{name}: {}", fleet.output());
                fleet.restart_server().await?;
            }
        }
        Victim::Worker => {
            let mut crashed = fleet.workers.remove(0);
            let status = crashed
                .wait()
                .await
                .with_context(|| format!("{name} was not passed {nth} times"))?;
            assert_eq!(status.signal(), Some(9), "{name}: {}", crashed.output());
            fleet.add_worker(&Fault::None)?;
        }
    }
    for run in runs {
        let ended = fleet.ended(&run).await?;
        assert_eq!(
            ended["status"],
            "SUCCEEDED",
            "{name}: {ended:#}\n{}",
            fleet.output()
        );
        let history = fleet.client.history(&run).await?;
        let accepted = history
            .iter()
            .filter(|(kind, _)| kind == "TASK_SUCCEEDED")
            .count();
        assert_eq!(accepted, 4, "{name}: {history:?}");
    }
    fleet.finish().await
}
