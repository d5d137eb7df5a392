//! The simulator as a program: plays many seeds, or one again.

use std::process::ExitCode;

use clap::Parser;
use runnel_sim::defect::Defect;
use runnel_sim::fault::{Fault, Faults};
use runnel_sim::hunt;
use runnel_sim::world::Plot;

/// Simulates orchestrators, queues, workers and operators under every kind of fault, and checks each rule after each step.
#[derive(Debug, Parser)]
#[command(name = "runnel-sim")]
struct Args {
    /// How many seeds are played.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Plays this one seed and tells its steps.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Faults that are left out, as `crash,duplicate`.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// Most runs of a simulation.
    #[arg(long)]
    runs: Option<usize>,
    /// Most tasks of a workflow.
    #[arg(long)]
    tasks: Option<usize>,
    /// Plays all seeds, also after one has failed, and says how many break each rule.
    #[arg(long)]
    survey: bool,
    /// A deliberate defect, as `fence-open`.
    #[arg(long)]
    defect: Option<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let defect = match &args.defect {
        Some(name) => Some(Defect::find(name).ok_or_else(|| anyhow::anyhow!("there is no defect `{name}`"))?),
        None => None,
    };
    if args.survey {
        return Ok(survey(&args));
    }
    match args.seed {
        Some(seed) => play_one(&args, seed, defect),
        None => Ok(play_many(&args, defect)),
    }
}

fn play_one(args: &Args, seed: u64, defect: Option<Defect>) -> anyhow::Result<ExitCode> {
    let mut without = Faults::default();
    for name in &args.without {
        let fault = Fault::ALL.into_iter().find(|fault| fault.name() == *name);
        without.add(fault.ok_or_else(|| anyhow::anyhow!("there is no fault `{name}`"))?);
    }
    let plot = Plot {
        without,
        runs_max: args.runs.unwrap_or(usize::MAX),
        tasks_max: args.tasks.unwrap_or(usize::MAX),
        defect,
        is_told: true,
        ..Plot::of(seed)
    };
    match hunt::play(plot) {
        Ok(tally) => {
            println!("seed {seed} holds: {tally:?}");
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            println!("{}\n{}\n\n{failure}", failure.script, failure.steps.join("\n"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn survey(args: &Args) -> ExitCode {
    let broken = hunt::survey(args.from, args.seeds);
    for (rule, (count, seed, message)) in &broken {
        println!("{count} seeds break `{rule}`, the first is {seed}: {message}");
    }
    if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn play_many(args: &Args, defect: Option<Defect>) -> ExitCode {
    let bag = hunt::hunt(args.from, args.seeds, args.threads, defect);
    println!(
        "{} seeds hold: {} steps, {} transactions, {} deaths",
        bag.played, bag.steps, bag.commits, bag.crashes
    );
    let missing = bag.reached.missing();
    if !missing.is_empty() {
        println!("never reached: {missing:?}");
    }
    match bag.failure {
        None => ExitCode::SUCCESS,
        Some((plot, failure)) => {
            println!("{}", hunt::explain(plot, &failure));
            ExitCode::FAILURE
        }
    }
}
