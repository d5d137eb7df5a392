//! What people look at while the machine works: the pages of the API over HTTP at a steady rate, while sixteen clients run diamonds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::Bench;
use crate::client::{Client, Served};
use crate::system::{KIND, System};
use crate::workloads::{
    DIAMOND_CLIENTS, DIAMOND_TASKS, ended, publish, publish_diamond, run_diamonds, start,
};

/// Time between two requests.
const EVERY: Duration = Duration::from_millis(20);
/// How long pages are read.
const TIME: (Duration, Duration) = (Duration::from_secs(6), Duration::from_secs(30));
/// Diamonds of each client that are there before.
const BEFORE: u32 = 20;
/// Tasks of the run that is looked at.
const TASKS: u32 = 100;

/// Pages as a client with screens asks for them.
const PAGES: [(&str, &str); 5] = [
    (
        "overview",
        "{ all: runs(first: 1) { totalCount { value isExact } } \
        failed: runs(first: 5, filter: { status: { in: [FAILED, TIMED_OUT] } }) { totalCount { value } nodes { id error { message } } } \
        live: runs(first: 5, filter: { status: { in: [RUNNING, PENDING] } }) { totalCount { value } nodes { id status } } \
        workflows(first: 100) { totalCount { value } nodes { key recentRuns(first: 5) { id status duration } } } }",
    ),
    (
        "runs",
        "{ runs(first: 100) { totalCount { value isExact } pageInfo { hasNextPage endCursor } nodes { id status isPaused \
        workflow { key name } version { number } counts { total succeeded failed } startedAt duration canCancel canPause } } }",
    ),
    (
        "run",
        "query($run: ID!) { run(id: $run) { id status inputs outputs workflow { key } version { number taskCount } counts { total } \
        tasks(first: 100) { totalCount { value } nodes { key type status attempt needs waitingFor startedAt duration error { message } canRetry canSkip } } \
        events(first: 100) { totalCount { value } nodes { seq kind task at actor } } } }",
    ),
    (
        "workflow",
        "{ workflow(key: \"diamond\") { key versions(first: 50) { totalCount { value } nodes { number hash workflow { key } } } \
        runs(first: 100) { totalCount { value } nodes { id status version { number } counts { total } } } } }",
    ),
    (
        "task",
        "query($run: ID!) { run(id: $run) { task(key: \"t0\") { key status input output needs run { id workflow { key } } \
        attempts { number status worker timeInQueue duration error { code message } } } } }",
    ),
];

/// Reads pages and prints how long each took, from the moment at which it was due.
pub async fn measure(bench: &Bench) -> anyhow::Result<()> {
    let system = &bench.system;
    let task = |n| (format!("t{n}"), json!({ "type": KIND, "input": { "n": n } }));
    publish(system, "looked-at", (0..TASKS).map(task).collect()).await?;
    let run = start(system, "looked-at").await?;
    ended(system, run).await?;
    publish_diamond(system).await?;
    run_diamonds(system, BEFORE).await?;
    let served = Served::start(system).await?;
    let client = Client::new(&served.base)?;
    let variables = json!({ "run": format!("run_{}", run.0.simple()) });
    for (_, page) in PAGES {
        client.data(page, &variables_of(page, &variables)).await?;
    }

    let (stop, done) = (CancellationToken::new(), Arc::new(AtomicU32::new(0)));
    let load = tokio::spawn(work(Arc::clone(system), stop.clone(), Arc::clone(&done)));
    let begun = Instant::now();
    let (mut times, failed) = read(bench.pick(TIME.0, TIME.1), &client, &variables).await?;
    let tasks = f64::from(done.load(Ordering::Relaxed) * DIAMOND_TASKS);
    let figures = &bench.figures;
    figures.print("pages", "tasks", tasks / begun.elapsed().as_secs_f64(), "1/s")?;
    stop.cancel();
    load.await??;
    let mut all = Vec::new();
    for ((name, _), times) in PAGES.iter().zip(&mut times) {
        figures.print_times("pages", name, times)?;
        all.append(times);
    }
    figures.print_times("pages", "page", &mut all)?;
    figures.print("pages", "failed", f64::from(failed), "1")?;
    figures.print("pages", "sync_p50", system.sync_p50_us()?, "us")
}

/// Sixteen clients, each with its diamonds one after the other.
async fn work(system: Arc<System>, stop: CancellationToken, done: Arc<AtomicU32>) -> anyhow::Result<()> {
    let clients = (0..DIAMOND_CLIENTS).map(|_| {
        let (system, stop, done) = (Arc::clone(&system), stop.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            while !stop.is_cancelled() {
                let run = start(&system, "diamond").await?;
                ended(&system, run).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await??;
    }
    Ok(())
}

/// Asks for one page after the other at a steady rate, whether or not those before were answered; answers the times of each page,
/// and how many requests were refused: a server that has more to do than it can says so.
async fn read(
    time: Duration,
    client: &Client,
    variables: &Value,
) -> anyhow::Result<([Vec<Duration>; PAGES.len()], u32)> {
    let end = Instant::now() + time;
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = Vec::new();
    for (at, (_, page)) in PAGES.iter().enumerate().cycle() {
        let due = every.tick().await;
        if due >= end {
            break;
        }
        let (client, variables) = (client.clone(), variables_of(page, variables));
        asked.push(tokio::spawn(async move {
            let answer = client.data(page, &variables).await;
            (at, answer.map(|_| due.elapsed()))
        }));
    }
    let mut times: [Vec<Duration>; PAGES.len()] = Default::default();
    let mut failed = 0;
    for answer in asked {
        let (at, answer) = answer.await?;
        match answer {
            Ok(time) => times[at].push(time),
            Err(error) => {
                if failed == 0 {
                    eprintln!("the first page that failed: {error:#}");
                }
                failed += 1;
            }
        }
    }
    Ok((times, failed))
}

/// Those variables that the page declares: others are refused.
fn variables_of(page: &str, variables: &Value) -> Value {
    if page.starts_with("query") {
        variables.clone()
    } else {
        Value::Object(Map::new())
    }
}
