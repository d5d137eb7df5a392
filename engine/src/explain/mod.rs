//! Why something does not run now, and where its time went: pure functions over what is stored.
//!
//! Guarantees: an unfinished task that does not run always has at least one blocker; the parts of a task's time add up to the
//! time between its run's acceptance (or its fan-out's expansion) and its end.

mod blockers;
mod time;

#[cfg(test)]
mod tests;

pub use blockers::{
    Blocker, GateFacts, GroupFacts, Holder, QueueFacts, RunFacts, TaskFacts, UpstreamFact, gate_blockers,
    run_blockers, task_blockers,
};
pub use time::{Stopwatch, TimeSpent};
