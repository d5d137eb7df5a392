//! What an operator may do to a run or a task, decided from as little of their state as the answer needs.
//!
//! Guarantees: there is one place that says no. The machine asks here before it carries an operation out, and whoever shows
//! what is allowed (`canCancel`, `canRetry`) asks the same functions with what is stored of the run and the task. What these
//! cannot see is the rest of the graph: a retry or a rerun whose fan-outs would have to be made anew, and an override in a run
//! that was compensated, are refused by the machine alone.

use super::{CancelMode, Outcome, Refusal, RunExtra, RunStatus, Stale, TaskStatus};
use crate::plan::Section;

/// A run, as far as operations on it ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunStanding {
    /// Its status.
    pub status: RunStatus,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Outcome of the main graph, once it is decided.
    pub outcome: Option<RunStatus>,
    /// Result of the compensation, once it is over.
    pub compensation: Option<RunStatus>,
}

/// A task, as far as operations on it ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskStanding {
    /// Its run.
    pub run: RunStanding,
    /// Where it stands in the file.
    pub section: Section,
    /// Its status.
    pub status: TaskStatus,
    /// The status of its fan-out, when it is an item.
    pub fanout: Option<TaskStatus>,
}

fn refuse(message: &str, allowed: &[&'static str]) -> Refusal {
    Refusal {
        message: message.to_owned(),
        allowed: allowed.to_vec(),
    }
}

impl RunStanding {
    /// Of a run as it is stored.
    #[must_use]
    pub fn new(status: RunStatus, is_paused: bool, extra: &RunExtra) -> Self {
        Self {
            status,
            is_paused,
            outcome: extra.outcome,
            compensation: extra.compensation,
        }
    }

    /// Of a run of which only the status is known: enough for everything that is asked of a run, not for its tasks.
    #[must_use]
    pub fn of_status(status: RunStatus, is_paused: bool) -> Self {
        Self {
            status,
            is_paused,
            outcome: None,
            compensation: None,
        }
    }

    /// Whether the run is being cancelled and its main graph has not ended yet.
    #[must_use]
    pub fn is_ending(self) -> bool {
        self.status == RunStatus::Cancelling && self.outcome.is_none()
    }

    /// Whether what was done is being undone now.
    #[must_use]
    pub fn is_compensating(self) -> bool {
        self.status == RunStatus::Compensating && self.compensation.is_none()
    }

    fn live(self) -> Result<(), Outcome> {
        if self.status.is_terminal() {
            return Err(Outcome::Ignored(Stale::RunIsTerminal));
        }
        Ok(())
    }

    /// Whether a cancel changes something.
    ///
    /// # Errors
    /// What the run answers instead.
    pub fn cancel(self, mode: CancelMode) -> Result<(), Outcome> {
        self.live()?;
        match mode {
            CancelMode::Now => Ok(()),
            CancelMode::Graceful if self.status == RunStatus::Cancelling => {
                Err(Outcome::Ignored(Stale::AlreadyInForce))
            }
            // a graceful cancel promises the rollback that is already going on
            CancelMode::Graceful if self.is_compensating() => Err(Outcome::Refused(refuse(
                "the run is being compensated; only `NOW` stops the rollback",
                &["runCancel", "runPause", "taskRetry", "taskSkip"],
            ))),
            CancelMode::Graceful => Ok(()),
        }
    }

    /// Whether a pause changes something.
    ///
    /// # Errors
    /// What the run answers instead.
    pub fn pause(self) -> Result<(), Outcome> {
        self.live()?;
        if self.status == RunStatus::Cancelling {
            let message = "the run is being cancelled and cannot be paused";
            return Err(Outcome::Refused(refuse(message, &["runCancel"])));
        }
        if self.is_paused {
            return Err(Outcome::Ignored(Stale::AlreadyInForce));
        }
        Ok(())
    }

    /// Whether a resume changes something.
    ///
    /// # Errors
    /// What the run answers instead.
    pub fn resume(self) -> Result<(), Outcome> {
        self.live()?;
        if self.is_paused {
            Ok(())
        } else {
            Err(Outcome::Ignored(Stale::AlreadyInForce))
        }
    }

    /// Whether the run can be run again.
    ///
    /// # Errors
    /// Why not.
    pub fn rerun(self) -> Result<(), Refusal> {
        if self.status.is_terminal() {
            Ok(())
        } else {
            Err(refuse("the run has not ended", &["taskRetry", "runCancel"]))
        }
    }
}

impl TaskStanding {
    /// Whether the task can be retried.
    ///
    /// # Errors
    /// Why not.
    pub fn retry(self) -> Result<(), Refusal> {
        let (run, is_over) = (self.run, self.run.status.is_terminal());
        let has_failed = matches!(self.status, TaskStatus::Failed | TaskStatus::TimedOut);
        if !(has_failed || self.status == TaskStatus::Cancelled && is_over) {
            let allowed: &[_] = if self.status.is_terminal() {
                &[]
            } else {
                &["taskSkip"]
            };
            return Err(refuse("only a failed task can be retried", allowed));
        }
        match self.section {
            Section::Main if run.is_compensating() => {
                return Err(refuse(
                    "the run is being compensated; retry the task when that has ended",
                    &["runCancel", "runPause"],
                ));
            }
            Section::Main => {}
            Section::Compensation => {
                if !run.is_compensating() && run.status != RunStatus::CompensationFailed {
                    return Err(refuse("the run is not being compensated", &[]));
                }
            }
            Section::OnFailure | Section::OnSuccess | Section::Finally => {
                return Err(refuse("a handler task cannot be retried", &[]));
            }
        }
        if self.fanout.is_some_and(|fanout| fanout != TaskStatus::Waiting) {
            return Err(refuse(
                "the fan-out of this item has ended; retry the fan-out instead",
                &["taskRetry"],
            ));
        }
        if run.is_ending() {
            return Err(refuse("the run is being cancelled", &["runCancel"]));
        }
        if !is_over && run.outcome.is_some() && !run.is_compensating() {
            return Err(refuse(
                "the run's handler tasks are running; retry when the run has ended",
                &["runCancel"],
            ));
        }
        Ok(())
    }

    /// Whether the task can be skipped.
    ///
    /// # Errors
    /// What the task answers instead.
    pub fn skip(self) -> Result<(), Outcome> {
        self.run.live()?;
        let allowed: &[_] = match self.status {
            TaskStatus::Failed | TaskStatus::TimedOut => &["taskRetry"],
            _ => &[],
        };
        if self.status.is_terminal() {
            return Err(Outcome::Refused(refuse("the task has ended", allowed)));
        }
        if self.run.status == RunStatus::Pending || self.run.is_ending() {
            let message = "the run has not started or is being cancelled";
            return Err(Outcome::Refused(refuse(message, &["runCancel"])));
        }
        Ok(())
    }

    /// Whether the task can be given a result by hand: a success, or a failure.
    ///
    /// # Errors
    /// Why not.
    pub fn set_result(self, is_success: bool) -> Result<(), Refusal> {
        let (run, is_over) = (self.run, self.run.status.is_terminal());
        if run.status == RunStatus::Pending || run.is_ending() {
            return Err(refuse(
                "the run has not started or is being cancelled",
                &["runCancel"],
            ));
        }
        if !is_over && !self.status.is_terminal() {
            let is_open = self.fanout.is_some() || super::finish::is_section_open(self.section, run);
            return if is_open {
                Ok(())
            } else {
                Err(refuse(
                    "the task cannot begin in this phase of the run",
                    &["runCancel"],
                ))
            };
        }
        if matches!(self.status, TaskStatus::Succeeded | TaskStatus::Cached) {
            return Err(refuse(
                "the task has succeeded; run it again instead",
                &["runRerun"],
            ));
        }
        if !is_success {
            return Err(refuse(
                "the task has ended without success already",
                &["taskRetry"],
            ));
        }
        if self.fanout.is_some() {
            return Err(refuse(
                "the item has ended; override its fan-out instead",
                &["taskOverride"],
            ));
        }
        if self.section != Section::Main {
            return Err(refuse(
                "only a task of the main graph can be set to succeeded once it has ended",
                &["taskRetry"],
            ));
        }
        if run.is_compensating() || (!is_over && run.outcome.is_some()) {
            return Err(refuse(
                "the main graph has ended; override when the run has ended",
                &["runCancel"],
            ));
        }
        Ok(())
    }
}
