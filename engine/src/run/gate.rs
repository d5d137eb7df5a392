//! Gates: what a run or an attempt must be let through before it may begin (concurrency, rate, breaker, result cache).
//!
//! The run asks; whoever holds the gates for all runs answers with an input. Until then the task is `READY`, the run `PENDING`.
//!
//! Guarantees: what an attempt was given is given back in the same step in which the attempt ends, however it ends, because
//! every change of a status passes [`Machine::settle_gate`]; a task asks at most once at a time; an answer to a question that
//! is no longer asked changes nothing.

mod request;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::extra::TaskExtra;
use super::machine::{Machine, Note};
use super::{Command, Outcome, RecordKind, RunStatus, Stale, TaskStatus};
use crate::gate::{GateRequest, GroupRequest, counts_as_failure};
use crate::{RunId, TaskIx, Timestamp};

/// What the gates answered.
#[derive(Debug, Clone, PartialEq)]
pub enum GateInput {
    /// The attempt may begin; it holds its slots until it ends.
    Admitted {
        /// The task.
        task: TaskIx,
        /// The attempt that is to begin.
        attempt: u32,
    },
    /// A kept result of an earlier run is good.
    Cached {
        /// The task.
        task: TaskIx,
        /// The attempt that was to begin.
        attempt: u32,
        /// JSON text of the output.
        output: Arc<str>,
        /// The run that made it.
        source: RunId,
        /// When it was made.
        kept_at: Timestamp,
    },
    /// The task's group is full, and its policy is to skip then.
    Turned {
        /// The task.
        task: TaskIx,
        /// The attempt that was to begin.
        attempt: u32,
    },
    /// The run may begin.
    RunAdmitted,
    /// The run's group is full, and its policy is to give up then.
    RunTurned,
}

/// What the shell must tell the gates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateCommand {
    /// The attempt asks to begin.
    Request {
        /// The task.
        task: TaskIx,
        /// The attempt that is to begin.
        attempt: u32,
        /// Since when it asks: a pause in between does not cost it its place.
        since: Timestamp,
        /// What it asks for.
        request: Box<GateRequest>,
    },
    /// The attempt has begun: the question is answered, what it holds stays held.
    Taken {
        /// The task.
        task: TaskIx,
        /// The attempt.
        attempt: u32,
    },
    /// The attempt ended, or no longer asks: whatever it holds is free.
    Release {
        /// The task.
        task: TaskIx,
        /// The attempt.
        attempt: u32,
        /// The breaker that let it pass, or may be about to.
        circuit: Option<String>,
        /// Whether it ended well, where that says something about the breaker.
        verdict: Option<bool>,
    },
    /// The run asks to begin.
    RequestRun {
        /// Since when.
        since: Timestamp,
        /// What it asks for.
        request: Box<GateRequest>,
    },
    /// The run has begun: the question is answered, its place stays held.
    TakenRun,
    /// The run ended, or no longer asks.
    ReleaseRun,
    /// The task's output is good for later runs.
    Keep {
        /// The task.
        task: TaskIx,
        /// Under which key.
        key: String,
        /// Until when.
        until: Timestamp,
    },
}

/// What a task has asked for or holds; kept with the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hold {
    /// The attempt that it is for.
    pub attempt: u32,
    /// Since when it asks.
    pub since: Timestamp,
    pub phase: HoldPhase,
    /// The breaker that it passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<String>,
    /// Under which key a good result is kept, and for how many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<(String, u64)>,
}

/// How far a question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HoldPhase {
    /// No answer yet.
    Asking,
    /// Taken back while nothing may start; asked again later, in the old place.
    Withdrawn,
    /// The attempt was admitted.
    Held,
}

impl Machine<'_> {
    pub fn on_gate_input(&mut self, input: &GateInput) -> Outcome {
        match input {
            GateInput::Admitted { task, attempt } => self.on_admitted(*task, *attempt),
            GateInput::Cached {
                task,
                attempt,
                output,
                source,
                kept_at,
            } => {
                if self.asking(*task, *attempt).is_none() {
                    return Outcome::Ignored(Stale::OldAttempt);
                }
                let now = self.now();
                let state = self.task_mut(*task);
                state.output = Some(Arc::clone(output));
                state.error = None;
                // the answer may come after the round that asked for it
                state.ready_at = state.ready_at.or(Some(now));
                self.set_status(*task, TaskStatus::Cached);
                let data = json!({"sourceRun": source, "keptAt": kept_at.to_rfc3339()});
                self.task_record(RecordKind::TaskCached, *task, Note::data(data));
                Outcome::Applied
            }
            GateInput::Turned { task, attempt } => {
                if self.asking(*task, *attempt).is_none() {
                    return Outcome::Ignored(Stale::OldAttempt);
                }
                self.skip(*task, Note::reason("GROUP_FULL"));
                Outcome::Applied
            }
            GateInput::RunAdmitted => {
                if self.state.status != RunStatus::Pending {
                    return Outcome::Ignored(Stale::AlreadyInForce);
                }
                self.command(Command::Gate(GateCommand::TakenRun));
                self.begin_run();
                Outcome::Applied
            }
            GateInput::RunTurned => {
                if self.state.status != RunStatus::Pending {
                    return Outcome::Ignored(Stale::AlreadyInForce);
                }
                self.run_record(RecordKind::RunTurned, Note::reason("GROUP_FULL"));
                self.state.is_paused = false;
                self.state.extra.pause = None;
                self.state.status = RunStatus::Cancelling;
                // nothing began, so nothing is to be tidied up either
                self.cancel_everything("RUN_TURNED");
                Outcome::Applied
            }
        }
    }

    fn on_admitted(&mut self, ix: TaskIx, attempt: u32) -> Outcome {
        let Some(hold) = self.asking(ix, attempt) else {
            return Outcome::Ignored(Stale::OldAttempt);
        };
        if !self.may_start() {
            self.withdraw(ix, hold);
            return Outcome::Applied;
        }
        self.keep_hold(
            ix,
            Some(Hold {
                phase: HoldPhase::Held,
                ..hold
            }),
        );
        self.command(Command::Gate(GateCommand::Taken { task: ix, attempt }));
        self.launch(ix);
        Outcome::Applied
    }

    /// Whether the next attempt needs an answer of the gates that it does not have. A fan-out asks for each item.
    pub fn must_ask(&self, ix: TaskIx) -> bool {
        let task = self.task(ix);
        if self.plan.compiled(task.template).gate.is_none() {
            return false;
        }
        TaskExtra::of(task).gate.is_none_or(|hold| {
            hold.phase != HoldPhase::Held || hold.attempt != task.attempt.saturating_add(1)
        })
    }

    /// Asks for the next attempt; the task is `READY` until the answer.
    pub fn ask(&mut self, ix: TaskIx) {
        let request = match self.render_request(ix) {
            Ok(request) => request,
            Err(failure) => return self.fail_task(ix, *failure),
        };
        let attempt = self.task(ix).attempt.saturating_add(1);
        let before = TaskExtra::of(self.task(ix)).gate;
        if let Some(hold) = before.as_ref().filter(|hold| hold.phase == HoldPhase::Held) {
            // the attempt before was lost, or ended without another status in between
            self.release(ix, hold, None);
        }
        let since = before
            .filter(|hold| hold.attempt == attempt)
            .map_or(self.now(), |hold| hold.since);
        let hold = Hold {
            attempt,
            since,
            phase: HoldPhase::Asking,
            circuit: request.circuit.as_ref().map(|circuit| circuit.key.clone()),
            cache: request.cache.as_ref().map(|cache| {
                let ttl_ms = u64::try_from(cache.ttl.as_millis()).unwrap_or(u64::MAX);
                (cache.key.clone(), ttl_ms)
            }),
        };
        self.keep_hold(ix, Some(hold));
        if self.task(ix).status != TaskStatus::Ready {
            self.set_status(ix, TaskStatus::Ready);
        }
        self.task_record(RecordKind::TaskReady, ix, Note::reason("GATES"));
        self.command(Command::Gate(GateCommand::Request {
            task: ix,
            attempt,
            since,
            request: Box::new(request),
        }));
    }

    /// Called at every change of a status: gives back what the new status does not hold any more.
    pub fn settle_gate(&mut self, ix: TaskIx, before: TaskStatus) {
        let task = self.task(ix);
        let status = task.status;
        if self.plan.compiled(task.template).gate.is_none() {
            return;
        }
        let Some(hold) = TaskExtra::of(task).gate else {
            return;
        };
        let is_kept = match hold.phase {
            HoldPhase::Asking | HoldPhase::Withdrawn => status == TaskStatus::Ready,
            HoldPhase::Held => matches!(
                status,
                TaskStatus::Queued | TaskStatus::Running | TaskStatus::Waiting
            ),
        };
        if is_kept {
            return;
        }
        let verdict = self.verdict(ix, before, &hold);
        if status == TaskStatus::Succeeded
            && let (HoldPhase::Held, Some((key, ttl_ms))) = (hold.phase, &hold.cache)
        {
            let until = self.now().after(std::time::Duration::from_millis(*ttl_ms));
            let key = key.clone();
            self.command(Command::Gate(GateCommand::Keep { task: ix, key, until }));
        }
        self.release(ix, &hold, verdict);
        self.keep_hold(ix, None);
    }

    /// What the end of an attempt says about the breaker that had let it pass.
    fn verdict(&self, ix: TaskIx, before: TaskStatus, hold: &Hold) -> Option<bool> {
        let has_run = hold.phase == HoldPhase::Held
            && matches!(
                before,
                TaskStatus::Running | TaskStatus::Waiting | TaskStatus::Ready
            );
        let task = self.task(ix);
        match task.status {
            TaskStatus::Succeeded if hold.phase == HoldPhase::Held => Some(true),
            TaskStatus::Failed | TaskStatus::TimedOut | TaskStatus::RetryWait if has_run => task
                .error
                .as_ref()
                .filter(|error| counts_as_failure(error))
                .map(|_| false),
            TaskStatus::Failed
            | TaskStatus::TimedOut
            | TaskStatus::RetryWait
            | TaskStatus::Succeeded
            | TaskStatus::Blocked
            | TaskStatus::Ready
            | TaskStatus::Queued
            | TaskStatus::Running
            | TaskStatus::Waiting
            | TaskStatus::Cancelled
            | TaskStatus::Skipped
            | TaskStatus::Cached => None,
        }
    }

    /// An attempt ended and its task goes on with another: what it held is free at once.
    pub fn give_back(&mut self, ix: TaskIx, verdict: Option<bool>) {
        let hold = TaskExtra::of(self.task(ix)).gate;
        if let Some(hold) = hold.filter(|hold| hold.phase == HoldPhase::Held) {
            self.release(ix, &hold, verdict);
            self.keep_hold(ix, None);
        }
    }

    fn release(&mut self, ix: TaskIx, hold: &Hold, verdict: Option<bool>) {
        if hold.phase == HoldPhase::Withdrawn {
            return;
        }
        self.command(Command::Gate(GateCommand::Release {
            task: ix,
            attempt: hold.attempt,
            // also of one that still asks: a grant that is on its way may have made it the probe
            circuit: hold.circuit.clone(),
            verdict,
        }));
    }

    /// Nothing may start: what asks steps back, or places would be held by what cannot use them.
    pub fn withdraw_all(&mut self) {
        let ready: Vec<TaskIx> = self.state.extra.derived.ready.iter().copied().collect();
        for ix in ready {
            let hold = TaskExtra::of(self.task(ix)).gate;
            if let Some(hold) = hold.filter(|hold| hold.phase == HoldPhase::Asking) {
                self.withdraw(ix, hold);
            }
        }
    }

    fn withdraw(&mut self, ix: TaskIx, hold: Hold) {
        self.command(Command::Gate(GateCommand::Release {
            task: ix,
            attempt: hold.attempt,
            // as in `release`
            circuit: hold.circuit.clone(),
            verdict: None,
        }));
        self.keep_hold(
            ix,
            Some(Hold {
                phase: HoldPhase::Withdrawn,
                ..hold
            }),
        );
    }

    /// The question of this attempt, if it is asked now.
    fn asking(&self, ix: TaskIx, attempt: u32) -> Option<Hold> {
        let task = self.state.tasks.get(ix.at())?;
        if task.status != TaskStatus::Ready {
            return None;
        }
        TaskExtra::of(task)
            .gate
            .filter(|hold| hold.attempt == attempt && hold.phase == HoldPhase::Asking)
    }

    fn keep_hold(&mut self, ix: TaskIx, hold: Option<Hold>) {
        let mut extra = TaskExtra::of(self.task(ix));
        extra.gate = hold;
        self.task_mut(ix).extra = extra.store();
    }

    /// The run asks to begin. A name that cannot be made fails the run, as it would fail a task.
    pub fn ask_for_run(&mut self) {
        let Some(concurrency) = &self.plan.workflow().concurrency else {
            return;
        };
        let name = match self.plan.run_group() {
            Some(template) => self
                .name_of(None, template, "concurrency.group")
                .map(|name| format!("run:{name}")),
            None => Ok(format!("run/{}", self.plan.workflow().id)),
        };
        match name {
            Ok(name) => {
                let group = GroupRequest {
                    name,
                    limit: concurrency.limit,
                    on_conflict: concurrency.on_conflict,
                };
                self.command(Command::Gate(GateCommand::RequestRun {
                    since: self.now(),
                    request: Box::new(GateRequest {
                        group: Some(group),
                        ..GateRequest::default()
                    }),
                }));
            }
            Err(failure) => {
                self.state.error = Some(*failure);
                self.state.status = RunStatus::Running;
                self.state.started_at = Some(self.now());
                self.run_record(RecordKind::RunStarted, Note::default());
                self.cancel_main("RUN_FAILED");
            }
        }
    }

    /// The run has ended: its place is free.
    pub fn release_run(&mut self) {
        if self.plan.workflow().concurrency.is_some() {
            self.command(Command::Gate(GateCommand::ReleaseRun));
        }
    }
}
