//! Begin and end of a run: outcome of the main graph, handler tasks, outputs.

use std::sync::Arc;

use super::machine::{Machine, Note};
use super::output::VALUE_BYTES_MAX;
use super::readiness::expression_failure;
use super::scope::RunScope;
use super::{Outcome, RecordKind, RunStanding, RunStatus, Stale, TaskStatus};
use crate::TaskIx;
use crate::plan::Section;

impl Machine<'_> {
    pub fn on_started(&mut self, actor: &str) -> Outcome {
        if self.state.status != RunStatus::Pending {
            return Outcome::Ignored(Stale::AlreadyInForce);
        }
        let created_at = self.state.context.created_at;
        self.run_record(
            RecordKind::RunCreated,
            Note {
                actor: Some(actor),
                at: Some(created_at),
                ..Note::default()
            },
        );
        if self.plan.workflow().concurrency.is_some() {
            self.ask_for_run();
        } else {
            self.begin_run();
        }
        Outcome::Applied
    }

    /// The first tasks begin.
    pub fn begin_run(&mut self) {
        self.state.status = RunStatus::Running;
        self.state.started_at = Some(self.now());
        self.run_record(RecordKind::RunStarted, Note::default());
        self.take_over_results();
        for ix in self.plan.section_tasks(Section::Main) {
            if self.plan.upstreams(ix).is_empty() {
                self.consider(ix);
            }
        }
    }

    /// Whether the run is being cancelled and its main graph has not ended yet.
    pub fn is_ending(&self) -> bool {
        self.standing().is_ending()
    }

    /// Whether tasks of this one's section may begin in this phase of the run.
    pub fn is_section_open(&self, ix: TaskIx) -> bool {
        is_section_open(self.plan.section(ix), self.standing())
    }

    /// Ends the main graph when nothing of it is open, then the compensation, then the run when no handler is open.
    pub fn finish_if_decided(&mut self) {
        let is_main_open = matches!(self.state.status, RunStatus::Running | RunStatus::Cancelling);
        if is_main_open && self.state.extra.outcome.is_none() && self.state.extra.derived.open_main == 0 {
            let outcome = self.decide();
            self.conclude_main(outcome);
        }
        if self.is_compensating() && self.state.extra.derived.open_compensations == 0 {
            self.end_compensation();
        }
        let has_begun = self.state.status != RunStatus::Pending && !self.state.status.is_terminal();
        if let Some(outcome) = self.state.extra.outcome
            && has_begun
            && !self.is_compensating()
            && self.state.extra.derived.open_handlers == 0
        {
            self.end_run(self.state.extra.compensation.unwrap_or(outcome));
        }
    }

    fn decide(&mut self) -> RunStatus {
        if self.state.status == RunStatus::Cancelling {
            return RunStatus::Cancelled;
        }
        if self.state.error.is_some() {
            return RunStatus::Failed;
        }
        let scope = RunScope::new(self.plan, self.state, None);
        match self.plan.outputs().render_within(&scope, VALUE_BYTES_MAX) {
            Ok(outputs) => {
                self.state.outputs = Some(Arc::from(outputs.to_string()));
                RunStatus::Succeeded
            }
            Err(error) => {
                self.state.error = Some(expression_failure("outputs", &error));
                RunStatus::Failed
            }
        }
    }

    /// The main graph is decided: handler tasks for this outcome begin, the others are skipped.
    pub fn begin_handlers(&mut self, outcome: RunStatus) {
        for section in Section::HANDLERS {
            for ix in self.plan.section_tasks(section) {
                if self.task(ix).status != TaskStatus::Blocked {
                    continue;
                }
                if applies(section, outcome) {
                    self.consider(ix);
                } else {
                    self.skip(ix, Note::reason("NOT_APPLICABLE"));
                }
            }
        }
    }

    fn end_run(&mut self, outcome: RunStatus) {
        self.state.status = outcome;
        self.state.is_paused = false;
        self.state.finished_at = Some(self.now());
        self.release_run();
        let error = self.state.error.clone();
        let kind = match outcome {
            RunStatus::Failed => RecordKind::RunFailed,
            RunStatus::Cancelled => RecordKind::RunCancelled,
            RunStatus::TimedOut => RecordKind::RunTimedOut,
            RunStatus::Compensated => RecordKind::RunCompensated,
            RunStatus::CompensationFailed => RecordKind::RunCompensationFailed,
            RunStatus::Succeeded
            | RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Cancelling
            | RunStatus::Compensating => RecordKind::RunSucceeded,
        };
        let mut note = error.as_ref().map(Note::failure).unwrap_or_default();
        if self.state.has_tolerated_failures {
            note.data.get_or_insert_with(|| serde_json::json!({}))["hasToleratedFailures"] = true.into();
        }
        self.run_record(kind, note);
    }
}

/// Whether tasks of the section may begin in this phase of the run.
pub(super) fn is_section_open(section: Section, run: RunStanding) -> bool {
    match (section, run.outcome) {
        (Section::Main, outcome) => outcome.is_none(),
        (Section::Compensation, _) => run.is_compensating(),
        (section, Some(outcome)) => applies(section, outcome) && !run.is_compensating(),
        (Section::OnFailure | Section::OnSuccess | Section::Finally, None) => false,
    }
}

fn applies(section: Section, outcome: RunStatus) -> bool {
    match section {
        Section::Main | Section::Compensation => false,
        Section::OnFailure => matches!(outcome, RunStatus::Failed | RunStatus::TimedOut),
        Section::OnSuccess => outcome == RunStatus::Succeeded,
        Section::Finally => true,
    }
}
