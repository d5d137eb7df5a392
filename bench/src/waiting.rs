//! Ten thousand runs that are active at once and wait: they may cost rows, and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use runnel_engine::RunId;
use serde_json::{Map, json};

use crate::figures::count;
use crate::meter::Meter;
use crate::system::System;
use crate::workloads::{publish, start};
use crate::{Bench, machine};

/// Runs that wait, in the short form too: the number is the point.
pub const RUNS: u32 = 10_000;
/// Clients that start them.
const CLIENTS: u32 = 64;
/// How long the waiting is watched.
const WATCHED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(10));
/// After the starts: what they have left to do in the background is not the waiting's.
const CALM: Duration = Duration::from_secs(1);

/// Starts the runs, then watches them wait.
pub async fn measure(bench: &Bench) -> anyhow::Result<()> {
    let figures = &bench.figures;
    let before = machine::resident_mib(std::process::id())?;
    let begun = Instant::now();
    runs(&bench.system, RUNS).await?;
    figures.print(
        "waiting",
        "starts",
        f64::from(RUNS) / begun.elapsed().as_secs_f64(),
        "1/s",
    )?;
    bench.system.orchestrator.settle().await;
    tokio::time::sleep(CALM).await;

    let meter = Meter::begin(bench).await?;
    tokio::time::sleep(bench.pick(WATCHED.0, WATCHED.1)).await;
    let measured = meter.read(bench).await?;
    let second = measured.elapsed.as_secs_f64();
    let percent = |cpu: Duration| cpu.as_secs_f64() * 100.0 / second;
    figures.print("waiting", "cpu_own", percent(measured.own), "% of a core")?;
    figures.print("waiting", "cpu_database", percent(measured.server), "% of a core")?;
    figures.print(
        "waiting",
        "statements",
        count(measured.statements) / second,
        "1/s",
    )?;
    let resident = machine::resident_mib(std::process::id())?;
    figures.print("waiting", "resident", resident, "MiB")?;
    figures.print("waiting", "resident_of_runs", resident - before, "MiB")?;
    figures.print("waiting", "sync_p50", bench.system.sync_p50_us()?, "us")
}

/// Starts so many runs that wait for a day.
pub async fn runs(system: &Arc<System>, wanted: u32) -> anyhow::Result<Vec<RunId>> {
    let pause = json!({ "type": "wait", "input": { "for": "1d" } });
    publish(system, "waiting", Map::from_iter([("pause".to_owned(), pause)])).await?;
    let client = |at: u32| {
        let system = Arc::clone(system);
        let share = wanted / CLIENTS + u32::from(at < wanted % CLIENTS);
        tokio::spawn(async move {
            let mut runs = Vec::new();
            for _ in 0..share {
                runs.push(start(&system, "waiting").await?);
            }
            anyhow::Ok(runs)
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(client).collect();
    let mut runs = Vec::new();
    for client in clients {
        runs.extend(client.await??);
    }
    Ok(runs)
}
