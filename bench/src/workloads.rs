//! The loads. Each runs once unmeasured, so that caches, plans and connections are warm, and then measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use runnel_engine::RunId;
use runnel_engine::run::RunStatus;
use runnel_runtime::StartRequest;
use serde_json::{Map, Value, json};

use crate::figures::{Figures, quantile};
use crate::system::{KIND, System};

/// Tasks of the wide wave.
const WIDTH: u32 = 1_000;
/// Tasks of the chain.
const LENGTH: u32 = 200;
/// Clients that start diamonds.
const DIAMOND_CLIENTS: u32 = 16;
/// Clients that start runs of one task.
const SUBMISSION_CLIENTS: u32 = 64;

/// One task, then 1,000, then one: how fast a wave is applied and dispatched.
pub async fn fan_out(system: &Arc<System>, figures: &mut Figures, scale: u32) -> anyhow::Result<()> {
    let wave: Vec<String> = (0..WIDTH).map(|n| format!("w{n}")).collect();
    let mut tasks = Map::from_iter([("first".to_owned(), json!({ "type": KIND }))]);
    for key in &wave {
        tasks.insert(key.clone(), json!({ "type": KIND, "needs": ["first"] }));
    }
    tasks.insert("last".to_owned(), json!({ "type": KIND, "needs": wave }));
    publish(system, "fan-out", tasks).await?;
    ended(system, start(system, "fan-out").await?).await?;

    let runs = 2 * scale;
    let (begun, cpu) = (Instant::now(), system.cpu()?);
    for _ in 0..runs {
        ended(system, start(system, "fan-out").await?).await?;
    }
    rates(system, figures, "fan-out", runs * (WIDTH + 2), begun, cpu)
}

/// 200 tasks one after the other: how long a completion takes to start the next task.
pub async fn chain(system: &Arc<System>, figures: &mut Figures, scale: u32) -> anyhow::Result<()> {
    let task = |n: u32| {
        let needs: Vec<String> = n
            .checked_sub(1)
            .map(|before| format!("c{before}"))
            .into_iter()
            .collect();
        (format!("c{n}"), json!({ "type": KIND, "needs": needs }))
    };
    publish(system, "chain", (0..LENGTH).map(task).collect()).await?;
    ended(system, start(system, "chain").await?).await?;

    let runs = scale;
    let (begun, cpu) = (Instant::now(), system.cpu()?);
    let mut hops = Vec::new();
    for _ in 0..runs {
        let run = start(system, "chain").await?;
        ended(system, run).await?;
        // the handler takes no time: from one begin to the next is the hop
        let moments = system.begun.take(&run.to_string());
        hops.extend(moments.windows(2).map(|pair| pair[1] - pair[0]));
    }
    figures.print("chain", "hop_p50", quantile(&mut hops, 0.5), "us")?;
    figures.print("chain", "hop_p99", quantile(&mut hops, 0.99), "us")?;
    rates(system, figures, "chain", runs * LENGTH, begun, cpu)
}

/// Diamonds from 16 clients, each of which waits for its run before it starts the next one.
pub async fn diamonds(system: &Arc<System>, figures: &mut Figures, scale: u32) -> anyhow::Result<()> {
    let tasks = json!({
        "top": { "type": KIND },
        "left": { "type": KIND, "needs": ["top"] },
        "right": { "type": KIND, "needs": ["top"] },
        "join": { "type": KIND, "needs": ["left", "right"] },
    });
    publish(system, "diamond", tasks.as_object().cloned().unwrap_or_default()).await?;
    from_clients(system, "diamond", DIAMOND_CLIENTS, 2, AndThen::WaitForTheEnd).await?;

    // 1,000 at full scale
    let each = (100 * scale).div_ceil(DIAMOND_CLIENTS);
    let (begun, cpu) = (Instant::now(), system.cpu()?);
    let mut times = from_clients(system, "diamond", DIAMOND_CLIENTS, each, AndThen::WaitForTheEnd).await?;
    figures.print("diamonds", "run_p50", quantile(&mut times, 0.5), "us")?;
    figures.print("diamonds", "run_p99", quantile(&mut times, 0.99), "us")?;
    rates(
        system,
        figures,
        "diamonds",
        DIAMOND_CLIENTS * each * 4,
        begun,
        cpu,
    )
}

/// Starts from 64 clients: accepted means committed.
pub async fn submissions(system: &Arc<System>, figures: &mut Figures, scale: u32) -> anyhow::Result<()> {
    publish(
        system,
        "single",
        Map::from_iter([("only".to_owned(), json!({ "type": KIND }))]),
    )
    .await?;
    from_clients(system, "single", SUBMISSION_CLIENTS, 2, AndThen::GoOn).await?;
    system.orchestrator.settle().await;

    let each = 10 * scale;
    let (begun, cpu) = (Instant::now(), system.cpu()?);
    let mut times = from_clients(system, "single", SUBMISSION_CLIENTS, each, AndThen::GoOn).await?;
    let starts = f64::from(SUBMISSION_CLIENTS * each) / begun.elapsed().as_secs_f64();
    figures.print("submissions", "starts", starts, "1/s")?;
    figures.print("submissions", "start_p50", quantile(&mut times, 0.5), "us")?;
    figures.print("submissions", "start_p99", quantile(&mut times, 0.99), "us")?;
    system.orchestrator.settle().await;
    rates(
        system,
        figures,
        "submissions",
        SUBMISSION_CLIENTS * each,
        begun,
        cpu,
    )
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

fn rates(
    system: &System,
    figures: &mut Figures,
    workload: &str,
    tasks: u32,
    begun: Instant,
    cpu_before: Duration,
) -> anyhow::Result<()> {
    let (elapsed, cpu) = (begun.elapsed(), system.cpu()? - cpu_before);
    figures.print(workload, "tasks", f64::from(tasks) / elapsed.as_secs_f64(), "1/s")?;
    figures.print(
        workload,
        "cpu_per_task",
        cpu.as_secs_f64() * 1e3 / f64::from(tasks),
        "ms",
    )
}
