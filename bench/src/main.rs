//! `runnel-bench`: how fast and how large Runnel is on this machine, one JSON line a figure.
//!
//! Orchestrator, worker and load are one process on an embedded queue, and the handler does nothing, so that every microsecond
//! is Runnel's own; `sqs` and `idle` start the product's processes instead. Databases run with their default durability, and
//! what the same database can do at most is measured in the same run. Nothing here passes or fails, except that an event that a
//! subscriber misses is an error: figures are compared by people, beside the sync time of the disk that is printed with them.

mod client;
mod figures;
mod floor;
mod growth;
mod idle;
mod items;
mod machine;
mod meter;
mod mixed;
mod options;
mod pages;
mod process;
mod rows;
mod services;
mod sql;
mod sqs;
mod subscribers;
mod system;
mod waiting;
mod watcher;
mod workloads;

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;

use crate::figures::Figures;
use crate::floor::Floor;
use crate::options::{Database, Options, Role, Workload};
use crate::system::{Server, System};

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long each limit of the database is measured.
const FLOOR_TIME: (Duration, Duration) = (Duration::from_millis(700), Duration::from_secs(4));

/// What a workload is given.
pub struct Bench {
    /// The database server.
    pub server: Arc<Server>,
    /// The system under load, on a database of its own.
    pub system: Arc<System>,
    /// Where figures go.
    pub figures: Figures,
    /// What the database can do, where it was measured.
    pub floor: Option<Floor>,
    /// Seconds instead of minutes.
    pub is_quick: bool,
    /// How often the work of the four plain loads.
    pub times: u32,
}

impl Bench {
    /// How much there is to do: 1 in the short form, 10 in the long one.
    pub fn scale(&self) -> u32 {
        self.pick(1, 10)
    }

    /// [`Self::scale`], as often as was asked for.
    pub fn load(&self) -> u32 {
        self.scale() * self.times
    }

    /// The value for the short form, or the one for the long form.
    pub fn pick<T>(&self, quick: T, long: T) -> T {
        if self.is_quick { quick } else { long }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // an error means that there is a TLS provider already
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let options = Options::parse();
    match &options.role {
        Some(Role::SqsWorker(worker)) => return sqs::work(worker).await,
        Some(Role::Watcher) => return watcher::watch().await,
        None => {}
    }
    for &database in &options.databases {
        let server = Arc::new(Server::start(database, options.no_sync).await?);
        let figures = Figures::new(database, options.no_sync);
        let is_limit_wanted = [Workload::Floor, Workload::FanOut, Workload::Diamonds]
            .iter()
            .any(|workload| options.workloads.contains(workload));
        let floor = if is_limit_wanted {
            let time = if options.quick { FLOOR_TIME.0 } else { FLOOR_TIME.1 };
            Some(floor::measure(&server, &figures, time).await?)
        } else {
            None
        };
        for &workload in &options.workloads {
            machine::forget_resident_peak()?;
            measure(workload, &server, &options, floor).await?;
        }
    }
    Ok(())
}

/// Runs one workload. Those of processes of their own start their own system.
async fn measure(
    workload: Workload,
    server: &Arc<Server>,
    options: &Options,
    floor: Option<Floor>,
) -> anyhow::Result<()> {
    let figures = Figures::new(server.database(), options.no_sync);
    match (workload, server.database()) {
        (Workload::Floor, _) => return Ok(()), // measured before everything else
        (Workload::Idle, Database::Sqlite) => return idle::measure(&figures, options).await,
        (Workload::Sqs, Database::Postgres) => return sqs::measure(server, &figures, options).await,
        // `runnel dev` is on SQLite, and a fleet is on PostgreSQL
        (Workload::Idle | Workload::Sqs, _) => return Ok(()),
        _ => {}
    }
    let bench = Bench {
        server: Arc::clone(server),
        system: Arc::new(System::start(server).await?),
        figures,
        floor,
        is_quick: options.quick,
        times: options.times,
    };
    match workload {
        Workload::FanOut => workloads::fan_out(&bench).await?,
        Workload::Chain => workloads::chain(&bench).await?,
        Workload::Diamonds => workloads::diamonds(&bench).await?,
        Workload::Submissions => workloads::submissions(&bench).await?,
        Workload::Mixed => mixed::measure(&bench).await?,
        Workload::Items => items::measure(&bench).await?,
        Workload::Waiting => waiting::measure(&bench).await?,
        Workload::Subscribers => subscribers::measure(&bench).await?,
        Workload::Pages => pages::measure(&bench).await?,
        Workload::Growth => growth::measure(&bench).await?,
        Workload::Floor | Workload::Idle | Workload::Sqs => {}
    }
    let peak = machine::resident_peak_mib()?;
    // `items` looks at it anew for each size, and prints it so
    if workload != Workload::Items {
        bench
            .figures
            .print(workload.name(), "resident_peak", peak, "MiB")?;
    }
    bench.system.stop().await
}
