//! The loads. Each runs once unmeasured, so that caches, plans and connections are warm, and then measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use runnel_engine::RunId;
use runnel_engine::run::RunStatus;
use runnel_runtime::StartRequest;
use serde_json::{Map, Value, json};

use crate::meter::Meter;
use crate::system::{KIND, System};
use crate::{Bench, rows};

/// Tasks of the wide wave.
const WIDTH: u32 = 1_000;
/// Tasks of the chain.
const LENGTH: u32 = 200;
/// Tasks of a diamond.
pub const DIAMOND_TASKS: u32 = 4;
/// Clients that start diamonds.
pub const DIAMOND_CLIENTS: u32 = 16;
/// Clients that start runs of one task.
const SUBMISSION_CLIENTS: u32 = 64;

/// One task, then 1,000, then one: how fast a wave is applied and dispatched.
pub async fn fan_out(bench: &Bench) -> anyhow::Result<()> {
    let system = &bench.system;
    let wave: Vec<String> = (0..WIDTH).map(|n| format!("w{n}")).collect();
    let mut tasks = Map::from_iter([("first".to_owned(), json!({ "type": KIND }))]);
    for key in &wave {
        tasks.insert(key.clone(), json!({ "type": KIND, "needs": ["first"] }));
    }
    tasks.insert("last".to_owned(), json!({ "type": KIND, "needs": wave }));
    publish(system, "fan-out", tasks).await?;
    one_after_the_other(system, "fan-out", 1).await?;

    let (runs, size) = (2 * bench.load(), WIDTH + 2);
    let meter = Meter::begin(bench).await?;
    one_after_the_other(system, "fan-out", runs).await?;
    let measured = meter.end(bench, "fan-out", runs * size).await?;
    let again = one_after_the_other(system, "fan-out", 2);
    rows::print(bench, "fan-out", (measured, runs * size), 2 * size, again).await
}

/// 200 tasks one after the other: how long a completion takes to start the next task.
pub async fn chain(bench: &Bench) -> anyhow::Result<()> {
    let system = &bench.system;
    let task = |n: u32| {
        let needs: Vec<String> = n
            .checked_sub(1)
            .map(|before| format!("c{before}"))
            .into_iter()
            .collect();
        (format!("c{n}"), json!({ "type": KIND, "needs": needs }))
    };
    publish(system, "chain", (0..LENGTH).map(task).collect()).await?;
    one_after_the_other(system, "chain", 1).await?;

    let runs = bench.load();
    let meter = Meter::begin(bench).await?;
    let mut hops = Vec::new();
    for _ in 0..runs {
        let run = start(system, "chain").await?;
        ended(system, run).await?;
        // the handler takes no time: from one begin to the next is the hop
        let moments = system.begun.take(&run.to_string());
        hops.extend(moments.windows(2).map(|pair| pair[1] - pair[0]));
    }
    let measured = meter.end(bench, "chain", runs * LENGTH).await?;
    bench.figures.print_times("chain", "hop", &mut hops)?;
    let again = one_after_the_other(system, "chain", 1);
    rows::print(bench, "chain", (measured, runs * LENGTH), LENGTH, again).await
}

/// Diamonds from 16 clients, each of which waits for its run before it starts the next one.
pub async fn diamonds(bench: &Bench) -> anyhow::Result<()> {
    let system = &bench.system;
    publish_diamond(system).await?;
    run_diamonds(system, 2).await?;

    // 1,000 at full scale
    let each = (100 * bench.load()).div_ceil(DIAMOND_CLIENTS);
    let tasks = DIAMOND_CLIENTS * each * DIAMOND_TASKS;
    let meter = Meter::begin(bench).await?;
    let mut times = run_diamonds(system, each).await?;
    let measured = meter.end(bench, "diamonds", tasks).await?;
    bench.figures.print_times("diamonds", "run", &mut times)?;
    let again = async { run_diamonds(system, each).await.map(drop) };
    rows::print(bench, "diamonds", (measured, tasks), tasks, again).await
}

/// Starts from 64 clients: accepted means committed.
pub async fn submissions(bench: &Bench) -> anyhow::Result<()> {
    let system = &bench.system;
    let only = Map::from_iter([("only".to_owned(), json!({ "type": KIND }))]);
    publish(system, "single", only).await?;
    from_clients(system, "single", SUBMISSION_CLIENTS, 2, AndThen::GoOn).await?;
    system.orchestrator.settle().await;

    let each = 10 * bench.load();
    let meter = Meter::begin(bench).await?;
    let mut times = from_clients(system, "single", SUBMISSION_CLIENTS, each, AndThen::GoOn).await?;
    let starts = meter.read(bench).await?;
    system.orchestrator.settle().await;
    let tasks = SUBMISSION_CLIENTS * each;
    let measured = meter.end(bench, "submissions", tasks).await?;
    let rate = f64::from(tasks) / starts.elapsed.as_secs_f64();
    bench.figures.print("submissions", "starts", rate, "1/s")?;
    bench.figures.print_times("submissions", "start", &mut times)?;
    let again = async {
        from_clients(system, "single", SUBMISSION_CLIENTS, 10, AndThen::GoOn).await?;
        system.orchestrator.settle().await;
        Ok(())
    };
    let counted = SUBMISSION_CLIENTS * 10;
    rows::print(bench, "submissions", (measured, tasks), counted, again).await
}

/// Stores the diamond.
pub async fn publish_diamond(system: &System) -> anyhow::Result<()> {
    let tasks = json!({
        "top": { "type": KIND },
        "left": { "type": KIND, "needs": ["top"] },
        "right": { "type": KIND, "needs": ["top"] },
        "join": { "type": KIND, "needs": ["left", "right"] },
    });
    publish(system, "diamond", tasks.as_object().cloned().unwrap_or_default()).await
}

/// Runs so many diamonds from each of the 16 clients; answers how long each took.
pub async fn run_diamonds(system: &Arc<System>, each: u32) -> anyhow::Result<Vec<Duration>> {
    from_clients(system, "diamond", DIAMOND_CLIENTS, each, AndThen::WaitForTheEnd).await
}

/// Runs a workflow so often, each run after the end of the one before.
pub async fn one_after_the_other(system: &System, workflow: &str, runs: u32) -> anyhow::Result<()> {
    for _ in 0..runs {
        ended(system, start(system, workflow).await?).await?;
    }
    Ok(())
}

/// Stores a workflow of these tasks.
pub async fn publish(system: &System, id: &str, tasks: Map<String, Value>) -> anyhow::Result<()> {
    system
        .publish(&json!({ "version": 1, "id": id, "tasks": tasks }))
        .await
}

/// Starts a run.
pub async fn start(system: &System, workflow: &str) -> anyhow::Result<RunId> {
    let request = StartRequest {
        workflow: workflow.to_owned(),
        ..StartRequest::default()
    };
    Ok(system
        .orchestrator
        .start_run(&system.actor, request)
        .await?
        .run
        .id)
}

/// Waits until a run has succeeded.
pub async fn ended(system: &System, run: RunId) -> anyhow::Result<()> {
    let ended = system.orchestrator.ended(&system.actor, run).await?;
    let ended = ended.context("the run is gone")?;
    anyhow::ensure!(
        ended.status == RunStatus::Succeeded,
        "a run ended as {:?}: {:?}",
        ended.status,
        ended.error
    );
    Ok(())
}

/// What a client does after a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AndThen {
    WaitForTheEnd,
    GoOn,
}

/// Each of the clients starts `each` runs; answers how long each took, with its end where that is waited for.
async fn from_clients(
    system: &Arc<System>,
    workflow: &'static str,
    clients: u32,
    each: u32,
    then: AndThen,
) -> anyhow::Result<Vec<Duration>> {
    let client = |_| {
        let system = Arc::clone(system);
        tokio::spawn(async move {
            let mut times = Vec::new();
            for _ in 0..each {
                let begun = Instant::now();
                let run = start(&system, workflow).await?;
                if then == AndThen::WaitForTheEnd {
                    ended(&system, run).await?;
                }
                times.push(begun.elapsed());
            }
            anyhow::Ok(times)
        })
    };
    let clients: Vec<_> = (0..clients).map(client).collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await??);
    }
    Ok(times)
}
