//! Plays seeds, and makes of a failing one the smallest plot that still fails.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::defect::Defect;
use crate::fault::{Fault, Faults};
use crate::reach::Counts;
use crate::world::{Failure, Plot, Tally, World};

/// Steps shown of a failing seed.
const STEPS_SHOWN: usize = 120;

/// Plays one plot.
///
/// # Errors
/// A rule is broken, or the seed makes no workflow.
pub fn play(plot: Plot) -> Result<Tally, Box<Failure>> {
    let mut world = World::new(plot).map_err(|error| {
        Box::new(Failure {
            rule: "script",
            message: error.to_string(),
            steps: Vec::new(),
            script: String::new(),
        })
    })?;
    world.play().map_err(Box::new)
}

/// What a hunt came to.
#[derive(Debug, Default)]
pub struct Bag {
    /// Seeds that hold.
    pub played: u64,
    /// Steps of all of them.
    pub steps: u64,
    /// Transactions of all of them.
    pub commits: u64,
    /// Deaths in all of them.
    pub crashes: u64,
    /// What they came to.
    pub reached: Counts,
    /// The first failing seed, by number.
    pub failure: Option<(Plot, Failure)>,
}

/// Plays `count` seeds from `first` on, on this many threads. Stops at the first failure.
#[must_use]
pub fn hunt(first: u64, count: u64, threads: usize, defect: Option<Defect>) -> Bag {
    let next = AtomicU64::new(first);
    let bag = Mutex::new(Bag::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return;
            }
            let plot = Plot {
                defect,
                ..Plot::of(seed)
            };
            let played = play(plot);
            let mut bag = bag.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match played {
                Ok(tally) => {
                    bag.played += 1;
                    bag.steps += tally.steps;
                    bag.commits += tally.commits;
                    bag.crashes += tally.crashes;
                    bag.reached.merge(&tally.reached);
                }
                Err(failure) => {
                    if bag.failure.as_ref().is_none_or(|(before, _)| before.seed > seed) {
                        bag.failure = Some((plot, *failure));
                    }
                    // the others finish what they are at
                    next.fetch_max(first + count, Ordering::Relaxed);
                    return;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    bag.into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Plays `count` seeds from `first` on, whatever fails: how many break each rule, with the first of them and what it found.
#[must_use]
pub fn survey(first: u64, count: u64) -> BTreeMap<&'static str, (u64, u64, String)> {
    let mut broken: BTreeMap<&'static str, (u64, u64, String)> = BTreeMap::new();
    for seed in first..first + count {
        if let Err(failure) = play(Plot::of(seed)) {
            let entry = broken.entry(failure.rule).or_insert((0, seed, failure.message));
            entry.0 += 1;
        }
    }
    broken
}

/// The smallest plot that breaks the same rule: fewer faults, fewer runs, fewer tasks.
#[must_use]
pub fn shrink(plot: Plot, rule: &str) -> (Plot, Failure) {
    let mut best = plot;
    let fails = |plot: Plot| matches!(play(plot), Err(failure) if failure.rule == rule);
    for runs_max in 1..=3 {
        if fails(Plot { runs_max, ..best }) {
            best.runs_max = runs_max;
            break;
        }
    }
    for tasks_max in 1..=7 {
        if fails(Plot { tasks_max, ..best }) {
            best.tasks_max = tasks_max;
            break;
        }
    }
    for fault in Fault::ALL {
        let mut without = best.without;
        without.add(fault);
        if fails(Plot { without, ..best }) {
            best.without = without;
        }
    }
    let told = Plot {
        is_told: true,
        ..best
    };
    let failure = match play(told) {
        Err(failure) => *failure,
        // a plot that was found failing fails again: everything comes from its seed
        Ok(_) => Failure {
            rule: "deterministic",
            message: "the plot fails only sometimes".to_owned(),
            steps: Vec::new(),
            script: String::new(),
        },
    };
    (best, failure)
}

/// The command that plays a plot again.
#[must_use]
pub fn command(plot: &Plot) -> String {
    let mut command = format!("cargo run --profile fast -p runnel-sim -- --seed {}", plot.seed);
    if plot.without != Faults::default() {
        command.push_str(&format!(" --without {}", plot.without.names().join(",")));
    }
    if plot.runs_max != usize::MAX {
        command.push_str(&format!(" --runs {}", plot.runs_max));
    }
    if plot.tasks_max != usize::MAX {
        command.push_str(&format!(" --tasks {}", plot.tasks_max));
    }
    if let Some(defect) = plot.defect {
        command.push_str(&format!(" --defect {}", defect.name()));
    }
    command
}

/// Everything that a person needs to understand a failing seed.
#[must_use]
pub fn explain(plot: Plot, failure: &Failure) -> String {
    let (small, last) = shrink(plot, failure.rule);
    let skipped = last.steps.len().saturating_sub(STEPS_SHOWN);
    let steps = last.steps[skipped..].join("\n");
    format!(
        "seed {}: {failure}\n\n{}\nsteps (the last {} of {}):\n{steps}\n\n{last}\n\nreproduce with:\n  {}\n",
        plot.seed,
        last.script,
        last.steps.len() - skipped,
        last.steps.len(),
        command(&small),
    )
}
