//! Live wake-ups: who waits for news of a run, of a log or of everything is told *that* there is news, and reads it from the table.
//!
//! A doorbell, never data: nothing is lost when one is missed, because the reader always continues from its cursor.

use runnel_engine::RunId;

use crate::orchestrator::Orchestrator;

/// What a doorbell rings for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Any event.
    All,
    /// Events of one run.
    Run(RunId),
    /// Log lines of one run.
    Log(RunId),
}

/// Waits for news. Rings coalesce: one wake-up may stand for many commits.
#[derive(Debug)]
pub struct Doorbell {
    _private: (),
}

impl Doorbell {
    /// Resolves at the next news since the last call, or after the poll interval (a missed doorbell delays, never loses).
    /// `false` when the orchestrator has stopped.
    pub async fn rung(&mut self) -> bool {
        unimplemented!()
    }
}

impl Orchestrator {
    /// Subscribes to a topic. Read from the table after this call, then wait.
    #[must_use]
    pub fn doorbell(&self, topic: Topic) -> Doorbell {
        let _ = topic;
        unimplemented!()
    }
}
