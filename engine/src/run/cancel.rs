//! Cancel: of the run by an operator, of what is left when the run fails fast or times out. These walk over all tasks, once per run.

use super::machine::{Machine, Note};
use super::{CancelMode, Outcome, RecordKind, RunStatus, TaskStatus};
use crate::TaskIx;
use crate::plan::Section;

impl Machine<'_> {
    pub fn on_cancel_requested(&mut self, mode: CancelMode, actor: &str, reason: Option<&str>) -> Outcome {
        if let Err(outcome) = self.standing().cancel(mode) {
            return outcome;
        }
        self.cancel_mode = mode;
        let mode_name = match mode {
            CancelMode::Graceful => "GRACEFUL",
            CancelMode::Now => "NOW",
        };
        let mut data = serde_json::json!({"mode": mode_name, "reason": reason});
        if let Some(outcome) = self.state.extra.outcome {
            // only handlers are left to be cancelled
            data["outcome"] = serde_json::json!(outcome);
        }
        self.run_record(
            RecordKind::RunCancelRequested,
            Note {
                actor: Some(actor),
                ..Note::data(data)
            },
        );
        self.state.is_paused = false;
        if self.state.extra.outcome.is_some() {
            // only compensations and handlers are left; the outcome of the main graph stands
            self.cancel_where("RUN_CANCELLED", |_, _| true);
            return Outcome::Applied;
        }
        if self.state.status == RunStatus::Pending {
            // nothing began, so nothing is to be tidied up either
            self.state.status = RunStatus::Cancelling;
            self.cancel_where("RUN_CANCELLED", |_, _| true);
            return Outcome::Applied;
        }
        self.state.status = RunStatus::Cancelling;
        match mode {
            CancelMode::Graceful => {
                self.state.extra.cancel_deadline = Some(self.now().after(self.plan.workflow().cancel_grace));
                self.cancel_gracefully();
            }
            CancelMode::Now => self.cancel_where("RUN_CANCELLED", |_, _| true),
        }
        Outcome::Applied
    }

    /// Cancels everything, also handlers.
    pub fn cancel_everything(&mut self, reason: &str) {
        self.cancel_where(reason, |_, _| true);
    }

    /// Cancels everything of the main graph that has not ended; handlers still have their turn.
    pub fn cancel_main(&mut self, reason: &str) {
        self.cancel_where(reason, |machine, ix| {
            machine.plan.section(machine.task(ix).template) == Section::Main
        });
    }

    pub fn cancel_task(&mut self, ix: TaskIx, reason: &str) {
        self.stop(ix);
        self.set_status(ix, TaskStatus::Cancelled);
        self.task_record(RecordKind::TaskCancelled, ix, Note::reason(reason));
    }

    fn cancel_where(&mut self, reason: &str, is_meant: impl Fn(&Self, TaskIx) -> bool) {
        for ix in self.all_tasks() {
            if !self.task(ix).status.is_terminal() && is_meant(self, ix) {
                self.cancel_task(ix, reason);
            }
        }
    }

    /// Running attempts and child runs are told, and their tasks keep their status until they report or the grace elapses; a fan-out ends with its last item.
    fn cancel_gracefully(&mut self) {
        for ix in self.all_tasks() {
            let task = self.task(ix);
            let is_handler = self.plan.section(task.template) != Section::Main;
            let live_items = self
                .state
                .extra
                .derived
                .fanouts
                .get(&ix)
                .map_or(0, |fanout| fanout.live);
            if task.status.is_terminal() || is_handler {
                continue;
            }
            if task.status == TaskStatus::Running || self.waits_for_child(ix) {
                self.stop(ix);
            } else if live_items == 0 {
                self.cancel_task(ix, "RUN_CANCELLED");
            }
        }
    }

    pub fn all_tasks(&self) -> impl Iterator<Item = TaskIx> + use<> {
        (0..u32::try_from(self.state.tasks.len()).unwrap_or(u32::MAX)).map(TaskIx)
    }
}
