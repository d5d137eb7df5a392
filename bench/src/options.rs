//! What can be asked of the benchmark.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures Runnel on this machine; prints one JSON line a figure.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Options {
    /// Databases to measure on
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["sqlite", "postgres"])]
    pub databases: Vec<Database>,
    /// What to measure
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Workload::value_variants().to_vec())]
    pub workloads: Vec<Workload>,
    /// A tenth of the work: seconds instead of minutes, and figures that vary more
    #[arg(long)]
    pub quick: bool,
    /// So many times the work of fan-out, chain, diamonds and submissions: for profiles, and for figures that vary less
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub times: u32,
    /// PostgreSQL without syncing, to tell its own cost from the disk's; never a figure to publish
    #[arg(long)]
    pub no_sync: bool,
    /// The built `runnel` program, for `idle` and `sqs` [default: beside this program]
    #[arg(long, value_name = "PATH")]
    pub runnel: Option<PathBuf>,
    /// The SQS emulator, for `sqs` [default: RUNNEL_TEST_MINISTACK, else where `make setup-tests` installs it]
    #[arg(long, value_name = "PATH")]
    pub ministack: Option<PathBuf>,
    /// A part that the benchmark runs in a process of its own
    #[command(subcommand)]
    pub role: Option<Role>,
}

impl Options {
    /// The product's program, or why there is none.
    pub fn find_runnel(&self) -> Result<PathBuf, String> {
        let beside = || {
            let own = std::env::current_exe().ok()?;
            Some(own.parent()?.join("runnel"))
        };
        let program = self
            .runnel
            .clone()
            .or_else(beside)
            .ok_or("this program does not know where it is")?;
        if program.exists() {
            Ok(program)
        } else {
            Err(format!(
                "{} is missing: build it with `cargo build --profile fast -p runnel-cli`, or name another with --runnel",
                program.display()
            ))
        }
    }
}

/// A part of a workload that is a process of its own.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// A worker of `sqs`
    #[command(hide = true)]
    SqsWorker(SqsWorker),
    /// The clients of `subscribers`
    #[command(hide = true)]
    Watcher,
}

/// What a worker of `sqs` is told.
#[derive(Debug, Args)]
pub struct SqsWorker {
    /// Its name
    #[arg(long)]
    pub name: String,
    /// Address of the emulator
    #[arg(long)]
    pub endpoint: String,
    /// Begin of the names of the queues
    #[arg(long)]
    pub prefix: String,
}

/// A database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Database {
    /// A file, WAL, `synchronous=FULL`.
    Sqlite,
    /// A private cluster with its defaults.
    Postgres,
}

/// A shape of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// What the database itself can do.
    Floor,
    /// One task, then 1,000, then one; run after run.
    FanOut,
    /// 200 tasks one after the other.
    Chain,
    /// 1,000 diamonds started by 16 clients.
    Diamonds,
    /// Runs of one task, started by 64 clients.
    Submissions,
    /// Ten tasks of a second beside forty pairs of tasks of ten milliseconds.
    Mixed,
    /// One `for_each` over 10,000, 30,000 and 100,000 items.
    Items,
    /// 10,000 runs that wait.
    Waiting,
    /// 10,000 WebSockets that each watch a run, and 1,000 events a second.
    Subscribers,
    /// Pages of the API while diamonds run.
    Pages,
    /// Diamonds in a database with few and with many finished runs.
    Growth,
    /// `runnel dev` with nothing to do.
    Idle,
    /// `runnel serve` and two worker processes on an SQS emulator.
    Sqs,
}

impl Workload {
    /// As figures and options name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::FanOut => "fan-out",
            Self::Chain => "chain",
            Self::Diamonds => "diamonds",
            Self::Submissions => "submissions",
            Self::Mixed => "mixed",
            Self::Items => "items",
            Self::Waiting => "waiting",
            Self::Subscribers => "subscribers",
            Self::Pages => "pages",
            Self::Growth => "growth",
            Self::Idle => "idle",
            Self::Sqs => "sqs",
        }
    }
}
