//! `runnel-bench`: how fast and how large Runnel is on this machine, one JSON line a figure.
//!
//! Orchestrator, worker and load are one process on an embedded queue; the handler does nothing, so that every microsecond
//! is Runnel's own. Databases run with their default durability. Nothing here passes or fails: figures are compared by
//! people, beside the sync time of the disk that is printed with them.

mod figures;
mod items;
mod machine;
mod services;
mod system;
mod workloads;

use std::sync::Arc;

use clap::{Parser, ValueEnum};

use crate::figures::Figures;
use crate::system::System;

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Runnel on this machine; prints one JSON line a figure.
#[derive(Debug, Parser)]
struct Options {
    /// Databases to measure on
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["sqlite", "postgres"])]
    databases: Vec<Database>,
    /// What to measure
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["fan-out", "chain", "diamonds", "submissions", "items"])]
    workloads: Vec<Workload>,
    /// A tenth of the work: seconds instead of a minute, and figures that vary more
    #[arg(long)]
    quick: bool,
    /// PostgreSQL without syncing, to tell its own cost from the disk's; never a figure to publish
    #[arg(long)]
    no_sync: bool,
}

/// A database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Database {
    /// A file, WAL, `synchronous=FULL`.
    Sqlite,
    /// A private cluster with its defaults.
    Postgres,
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
    /// One `for_each` over 10,000, 30,000 and 100,000 items.
    Items,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // an error means that there is a TLS provider already
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let options = Options::parse();
    for &database in &options.databases {
        let system = Arc::new(System::start(database, options.no_sync).await?);
        let mut figures = Figures::new(database, options.no_sync);
        machine::forget_resident_peak()?;
        figures.print("machine", "sync_p50", system.sync_p50_us()?, "us")?;
        for &workload in &options.workloads {
            let scale = if options.quick { 1 } else { 10 };
            match workload {
                Workload::FanOut => workloads::fan_out(&system, &mut figures, scale).await?,
                Workload::Chain => workloads::chain(&system, &mut figures, scale).await?,
                Workload::Diamonds => workloads::diamonds(&system, &mut figures, scale).await?,
                Workload::Submissions => workloads::submissions(&system, &mut figures, scale).await?,
                Workload::Items => items::measure(&system, &mut figures, scale).await?,
            }
        }
        figures.print("machine", "resident_peak", machine::resident_peak_mib()?, "MiB")?;
        system.stop().await?;
    }
    Ok(())
}
