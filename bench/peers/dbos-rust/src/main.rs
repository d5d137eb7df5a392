//! The workloads of `runnel-bench` on DBOS for Rust, one JSON line a figure.
//!
//! Application, engine and load are one process, as DBOS is meant to be used and as `runnel-bench` is built. What counts
//! as a task is chosen with `--mode`, see [`Mode`]. Nothing is changed but the size of the pool and, for the queue, how often
//! it is polled: with the defaults (10 connections, one second) DBOS would only be slower.

mod figures;
mod tasks;
mod workloads;

use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use dbos::{Config, DBOS};

use crate::figures::Figures;
use crate::tasks::Application;

/// The allocator of Runnel, so that it makes no difference.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures DBOS for Rust; prints one JSON line a figure.
#[derive(Debug, Parser)]
struct Options {
    /// Address of an empty PostgreSQL database
    #[arg(long)]
    database: String,
    /// What a task is
    #[arg(long, value_enum)]
    mode: Mode,
    /// Amount of work: 10 is what `runnel-bench` does, 1 what it does with `--quick`
    #[arg(long, default_value_t = 10)]
    scale: u32,
    /// Connections of the pool
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// How often the queue is polled for work, and results for their arrival, in milliseconds
    #[arg(long, default_value_t = 5)]
    poll_ms: u64,
    /// What to measure
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["fan-out", "chain", "diamonds", "submissions"])]
    workloads: Vec<Workload>,
}

/// What a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// A step of the workflow: runs in the process that runs the workflow, and one row is committed after it. Nothing is
    /// recorded before a step, and no other process can take it over while the workflow's process lives.
    Steps,
    /// A child workflow, started where its parent runs: a row is committed before and another after it.
    Children,
    /// A child workflow that is put on a durable queue, from which any process of the application may take it. Of the three
    /// this does what Runnel does with every task.
    Queue,
}

impl Mode {
    /// How the system is called in the figures.
    fn system(self) -> &'static str {
        match self {
            Self::Steps => "dbos-rust-steps",
            Self::Children => "dbos-rust-children",
            Self::Queue => "dbos-rust-queue",
        }
    }
}

/// A shape of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// One task, then 1,000, then one; run after run.
    FanOut,
    /// 200 tasks one after the other.
    Chain,
    /// 1,000 diamonds started by 16 clients.
    Diamonds,
    /// Runs of one task, started by 64 clients.
    Submissions,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let poll_interval = Duration::from_millis(options.poll_ms);
    let dbos = DBOS::new(Config {
        app_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        max_connections: options.connections,
        outcome_poll_interval: Some(poll_interval),
        ..Config::new("bench", &options.database)
    });
    let application = Arc::new(Application::register(&dbos, options.mode)?);
    dbos.launch().await?;
    application.open_queue(poll_interval).await?;
    let figures = Figures::new(options.mode.system());
    for &workload in &options.workloads {
        match workload {
            Workload::FanOut => workloads::fan_out(&application, &figures, options.scale).await?,
            Workload::Chain => workloads::chain(&application, &figures, options.scale).await?,
            Workload::Diamonds => workloads::diamonds(&application, &figures, options.scale).await?,
            Workload::Submissions => workloads::submissions(&application, &figures, options.scale).await?,
        }
    }
    dbos.shutdown().await;
    Ok(())
}
