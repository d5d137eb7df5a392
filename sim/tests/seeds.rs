//! Seeds that must hold, and defects that must not.

use std::thread::available_parallelism;

use runnel_sim::chance::hash;
use runnel_sim::defect::Defect;
use runnel_sim::hunt;
use runnel_sim::world::Plot;

/// Seeds of every test run.
const SEEDS: u64 = 2_000;

/// A defect must be caught within so many seeds.
const SEEDS_PER_DEFECT: u64 = 1_000;

/// One test, because only all seeds together reach everything.
#[test]
fn every_rule_holds_and_everything_is_reached() {
    let threads = available_parallelism().map_or(1, usize::from);
    let bag = hunt::hunt(0, SEEDS, threads, None);
    if let Some((plot, failure)) = bag.failure {
        panic!("{}", hunt::explain(plot, &failure));
    }
    assert_eq!(bag.played, SEEDS);
    assert!(bag.crashes > SEEDS, "hardly anything went wrong: {bag:?}");
    assert_eq!(bag.reached.missing(), [], "what is never reached is not tested");
}

/// How many seeds it takes to catch a defect, and the rule that it breaks.
fn caught(defect: Defect) -> Option<(u64, &'static str)> {
    let first = hash(&defect.name()) % 1_000_000;
    (first..first + SEEDS_PER_DEFECT).find_map(|seed| {
        let plot = Plot {
            defect: Some(defect),
            ..Plot::of(seed)
        };
        hunt::play(plot)
            .err()
            .map(|failure| (seed - first + 1, failure.rule))
    })
}

#[test]
fn each_deliberate_defect_is_caught_by_the_rule_that_names_it() {
    let mut missed = Vec::new();
    for (defect, rules) in Defect::ALL {
        match caught(defect) {
            Some((seeds, rule)) if rules.contains(&rule) => {
                println!("{} is caught by `{rule}` within {seeds} seeds", defect.name());
            }
            other => missed.push(format!("{}: {other:?}, expected {rules:?}", defect.name())),
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn the_same_seed_takes_the_same_steps() {
    for seed in 0..30 {
        let steps = || {
            let tally = hunt::play(Plot::of(seed)).expect("the seed holds");
            (tally.steps, tally.commits, tally.crashes)
        };
        assert_eq!(steps(), steps(), "seed {seed}");
    }
}

#[test]
fn a_failing_seed_shrinks_to_a_smaller_one_with_its_steps() {
    let plot = |seed| Plot {
        defect: Some(Defect::VersionUnguarded),
        ..Plot::of(seed)
    };
    let (plot, failure) = (0..1_000)
        .find_map(|seed| hunt::play(plot(seed)).err().map(|failure| (plot(seed), failure)))
        .expect("the defect is caught");
    let (small, last) = hunt::shrink(plot, failure.rule);
    assert_eq!(last.rule, failure.rule);
    assert!(small.runs_max <= 3 && !last.steps.is_empty());
    assert!(hunt::command(&small).contains(&format!("--seed {}", plot.seed)));
}
