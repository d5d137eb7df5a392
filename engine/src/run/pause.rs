//! Pause and resume: running attempts finish, nothing new starts, timers may elapse.

use super::machine::{Machine, Note};
use super::{Outcome, Pause, RecordKind, TaskStatus};
use crate::TaskIx;

impl Machine<'_> {
    pub fn on_pause_requested(&mut self, actor: &str, reason: Option<&str>) -> Outcome {
        if let Err(outcome) = self.standing().pause() {
            return outcome;
        }
        self.state.is_paused = true;
        self.state.extra.pause = Some(Pause {
            by: actor.to_owned(),
            at: self.now(),
            reason: reason.map(str::to_owned),
        });
        let data = reason.map(|reason| serde_json::json!({"reason": reason}));
        self.run_record(
            RecordKind::RunPaused,
            Note {
                actor: Some(actor),
                data,
                ..Note::default()
            },
        );
        self.withdraw_all();
        Outcome::Applied
    }

    pub fn on_resume_requested(&mut self, actor: &str) -> Outcome {
        if let Err(outcome) = self.standing().resume() {
            return outcome;
        }
        self.state.is_paused = false;
        self.state.extra.pause = None;
        self.run_record(
            RecordKind::RunResumed,
            Note {
                actor: Some(actor),
                ..Note::default()
            },
        );
        let ready: Vec<TaskIx> = self.state.extra.derived.ready.iter().copied().collect();
        for ix in ready {
            if self.task(ix).status == TaskStatus::Ready {
                self.start(ix);
            }
        }
        let fanouts: Vec<TaskIx> = self.state.extra.derived.fanouts.keys().copied().collect();
        for ix in fanouts {
            self.continue_fanout(ix);
        }
        Outcome::Applied
    }
}
