//! Ten thousand WebSockets, each on the events of a run of its own, and a thousand events a second: every event comes once and in
//! order, or the benchmark fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use runnel_engine::RunId;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::client::Served;
use crate::meter::Meter;
use crate::process::Process;
use crate::system::System;
use crate::watcher::{Heard, OTHER_FILES, Order};
use crate::{Bench, machine, waiting};

/// Subscribers that are wanted; fewer when the system does not allow so many open files.
const SUBSCRIBERS: u32 = 10_000;
/// Events a second.
const RATE: u32 = 1_000;
/// Callers that make them.
const CALLERS: u32 = 64;
/// Every other event is of one of these, so that some runs have many.
const BUSY_RUNS: u32 = 100;
/// How long events are made.
const TIME: (u32, u32) = (5, 30);
/// After this time without the last event it is lost.
const LOST_AFTER: Duration = Duration::from_secs(20);

/// When all have come, an event that is delivered twice comes within this time.
const TWICE_WITHIN: Duration = Duration::from_millis(500);

/// Opens the sockets, makes events, and looks at what came where.
pub async fn measure(bench: &Bench) -> anyhow::Result<()> {
    let files = machine::raise_open_files(u64::from(SUBSCRIBERS) + OTHER_FILES);
    let subscribers = u32::try_from(files.saturating_sub(OTHER_FILES))?.min(SUBSCRIBERS);
    let runs = Arc::new(waiting::runs(&bench.system, subscribers).await?);
    bench.system.orchestrator.settle().await;
    let figures = &bench.figures;
    figures.print("subscribers", "subscribers", f64::from(subscribers), "1")?;
    let resident = || machine::resident_mib(std::process::id());
    let before = resident()?;
    let served = Served::start(&bench.system).await?;
    let directory = tempfile::tempdir()?;
    let own = std::env::current_exe()?;
    let mut watcher = Process::start("the subscribers", &own, &["watcher"], directory.path())?;
    let order = Order {
        address: served.base.clone(),
        runs: runs.iter().map(|run| format!("run_{}", run.0.simple())).collect(),
    };
    let begun = Instant::now();
    let mut input = watcher.take_input()?;
    input.write_all(format!("{}\n", json!(order)).as_bytes()).await?;
    let line = watcher.line().await?;
    anyhow::ensure!(line == "ready", "the subscribers are not there: {line}");
    let opened = f64::from(subscribers) / begun.elapsed().as_secs_f64();
    figures.print("subscribers", "opened", opened, "1/s")?;
    let per_socket = (resident()? - before) * 1_024.0 / f64::from(subscribers);
    figures.print("subscribers", "resident_per_subscriber", per_socket, "KiB")?;

    let cpu = machine::tree_cpu(watcher.pid()?)?;
    let meter = Meter::begin(bench).await?;
    let plan = plan(subscribers, RATE * bench.pick(TIME.0, TIME.1));
    let expected: u32 = u32::try_from(plan.iter().map(Vec::len).sum::<usize>())?;
    let listening = tokio::spawn(listen(watcher, expected));
    let called = call(&bench.system, &runs, plan).await?;
    let made = meter.read(bench).await?;
    let (heard, watcher) = listening.await??;
    let measured = meter.read(bench).await?;
    let second = made.elapsed.as_secs_f64();
    figures.print("subscribers", "events", f64::from(expected) / second, "1/s")?;
    let each_ms = |cpu: Duration| cpu.as_secs_f64() * 1e3 / f64::from(expected);
    figures.print("subscribers", "cpu_own_per_event", each_ms(measured.own), "ms")?;
    figures.print(
        "subscribers",
        "cpu_database_per_event",
        each_ms(measured.server),
        "ms",
    )?;
    let clients = machine::tree_cpu(watcher.pid()?)?.saturating_sub(cpu);
    figures.print("subscribers", "cpu_clients_per_event", each_ms(clients), "ms")?;
    let mut latencies = compare(&called, &heard)?;
    figures.print_times("subscribers", "latency", &mut latencies)?;
    figures.print("subscribers", "lost", 0.0, "1")?;
    figures.print("subscribers", "sync_p50", bench.system.sync_p50_us()?, "us")?;
    drop(input);
    Ok(())
}

/// What each caller does: after how much time an event is due, and for which run. All events of a run are one caller's, because
/// they take turns.
fn plan(runs: u32, events: u32) -> Vec<Vec<(Duration, u32)>> {
    let mut plan = vec![Vec::new(); CALLERS as usize];
    for event in 0..events {
        let turn = event / 2;
        let run = if event % 2 == 0 {
            turn % BUSY_RUNS
        } else {
            turn % runs
        };
        let due = Duration::from_secs(1) * event / RATE;
        if let Some(caller) = plan.get_mut((run % CALLERS) as usize) {
            caller.push((due, run));
        }
    }
    plan
}

/// Pauses and resumes runs as planned; answers when each of them was called for.
async fn call(
    system: &Arc<System>,
    runs: &Arc<Vec<RunId>>,
    plan: Vec<Vec<(Duration, u32)>>,
) -> anyhow::Result<Vec<Vec<i64>>> {
    let begun = tokio::time::Instant::now();
    let mut callers = Vec::new();
    for due in plan {
        let (system, runs) = (Arc::clone(system), Arc::clone(runs));
        callers.push(tokio::spawn(async move {
            let mut called: Vec<Vec<i64>> = vec![Vec::new(); runs.len()];
            for (after, at) in due {
                tokio::time::sleep_until(begun + after).await;
                let (Some(run), Some(moments)) = (runs.get(at as usize), called.get_mut(at as usize)) else {
                    anyhow::bail!("no run {at}")
                };
                moments.push(machine::shared_clock_us());
                if moments.len() % 2 == 1 {
                    system.orchestrator.pause_run(&system.actor, *run, None).await?;
                } else {
                    system.orchestrator.resume_run(&system.actor, *run).await?;
                }
            }
            Ok(called)
        }));
    }
    let mut all: Vec<Vec<i64>> = vec![Vec::new(); runs.len()];
    for caller in callers {
        for (all, own) in all.iter_mut().zip(caller.await??) {
            all.extend(own);
        }
    }
    Ok(all)
}

/// Takes what subscribers say until nothing comes any more.
async fn listen(mut watcher: Process, expected: u32) -> anyhow::Result<(Vec<Heard>, Process)> {
    let mut heard = Vec::new();
    loop {
        let patience = if heard.len() < expected as usize {
            LOST_AFTER
        } else {
            TWICE_WITHIN
        };
        match tokio::time::timeout(patience, watcher.line()).await {
            Ok(line) => heard.push(Heard::parse(&line?)?),
            Err(_) => return Ok((heard, watcher)),
        }
    }
}

/// Fails unless each subscriber heard all events of its run, once and in order; answers the time from call to receipt of each.
fn compare(called: &[Vec<i64>], heard: &[Heard]) -> anyhow::Result<Vec<Duration>> {
    let expected: usize = called.iter().map(Vec::len).sum();
    let lost = expected.saturating_sub(heard.len());
    anyhow::ensure!(lost == 0, "{lost} of {expected} events were lost");
    let mut seen: Vec<(usize, u64)> = vec![(0, 0); called.len()];
    let mut latencies = Vec::with_capacity(heard.len());
    for event in heard {
        let unknown = || format!("nobody asked for {event:?}");
        let (count, last) = seen.get_mut(event.at).with_context(unknown)?;
        let moment = called[event.at].get(*count).with_context(unknown)?;
        let kind = if *count % 2 == 0 {
            "RUN_PAUSED"
        } else {
            "RUN_RESUMED"
        };
        let is_next = event.kind == kind && (*count == 0 || event.seq == *last + 1);
        anyhow::ensure!(is_next, "{event:?} came instead of {kind} after {last}");
        (*count, *last) = (*count + 1, event.seq);
        latencies.push(Duration::from_micros(
            event.came_us.saturating_sub(*moment).try_into().unwrap_or(0),
        ));
    }
    Ok(latencies)
}
