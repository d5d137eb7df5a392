//! Operators: they intervene at any moment, also in runs that have ended.

use std::sync::Arc;

use runnel_engine::definition::Tolerate;
use runnel_engine::plan::Section;
use runnel_engine::run::{
    CancelMode, Category, Input, Keep, Outcome, RerunInput, RunStatus, TaskFailure, TaskStatus, kept_results,
};
use runnel_engine::{RunId, TaskIx};
use runnel_runtime::offline::{Answer, Attempt, Item};

use crate::chance::Chance;
use crate::defect::Defect;
use crate::errand::end_of;
use crate::reach::Reach;
use crate::world::World;

/// A record of a task that failed for good.
#[derive(Debug, Clone, Copy)]
pub struct Letter {
    /// The attempt that failed.
    pub at: Attempt,
    /// Nobody has replayed it.
    pub is_open: bool,
}

/// What an operator does, and when.
#[derive(Debug)]
pub struct Operation {
    /// Not before.
    pub due: i64,
    /// Picks the run.
    run: u64,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Cancel(CancelMode),
    Pause,
    Resume,
    Retry(u64),
    Skip(u64),
    Override(u64),
    Limits(u64),
    Replay(u64),
    RerunFailed,
    RerunTasks(u64),
    RerunAsNew,
    Send,
}

impl Operation {
    /// One of those that the seed allows: in a settled script only what changes nothing about the end.
    pub fn drawn(chance: &mut Chance, is_settled: bool, due: i64) -> Self {
        let run = chance.bits();
        let what = match chance.below(if is_settled { 5 } else { 26 }) {
            0 | 1 => What::Pause,
            2 | 3 => What::Resume,
            4 => What::Send,
            5 | 6 => What::Cancel(CancelMode::Graceful),
            7 => What::Cancel(CancelMode::Now),
            8..=11 => What::Retry(chance.bits()),
            12 | 13 => What::Skip(chance.bits()),
            14 | 15 => What::Override(chance.bits()),
            16 | 17 => What::Limits(chance.bits()),
            18..=20 => What::Replay(chance.bits()),
            21 | 22 => What::RerunFailed,
            23 | 24 => What::RerunTasks(chance.bits()),
            _ => What::RerunAsNew,
        };
        Self { due, run, what }
    }

    /// What is done to a run: a rollback has the attention that it gets from people.
    fn what_about(&self, status: Option<RunStatus>, is_settled: bool) -> What {
        match (status, self.run % 5) {
            (Some(RunStatus::Compensating), 0 | 1) => What::Pause,
            (Some(RunStatus::CompensationFailed), 0..=2) if !is_settled => What::Retry(self.run),
            _ => self.what,
        }
    }
}

fn pick<T: Copy>(from: &[T], bits: u64) -> Option<T> {
    let at = (bits >> 8).checked_rem(from.len() as u64)?;
    from.get(usize::try_from(at).ok()?).copied()
}

impl World {
    /// An operator does something to a run.
    pub(crate) fn operate(&mut self, operation: &Operation) {
        let runs: Vec<RunId> = self.store.runs.keys().copied().collect();
        // what is short is found more often than by chance: a rollback, an end that a parent has not heard of
        let is_short = |run: &RunId| {
            let status = self.store.status(*run);
            let undoing = [RunStatus::Compensating, RunStatus::CompensationFailed];
            let is_undoing = status.is_some_and(|status| undoing.contains(&status));
            is_undoing || self.store.errands.contains_key(&end_of(*run))
        };
        let short = runs.iter().copied().find(is_short);
        let short = short.filter(|_| operation.run.is_multiple_of(2));
        let Some(run) = short.or_else(|| pick(&runs, operation.run)) else {
            return;
        };
        let (actor, reason): (Arc<str>, _) = ("operator".into(), None);
        let input = match operation.what_about(self.store.status(run), self.script.is_settled) {
            What::Cancel(mode) => Some(Input::CancelRequested { mode, actor, reason }),
            What::Pause => Some(Input::PauseRequested { actor, reason }),
            What::Resume => Some(Input::ResumeRequested { actor }),
            What::Retry(bits) => {
                let task = self.some_task(run, bits, has_failed);
                task.or_else(|| self.some_task(run, bits, |_| true))
                    .map(|task| Input::TaskRetryRequested { task, actor })
            }
            What::Skip(bits) => {
                let task = self.some_task(run, bits, |_| true);
                task.map(|task| Input::TaskSkipRequested { task, actor, reason })
            }
            What::Override(bits) => self.override_of(run, bits, actor),
            What::Limits(bits) => self.limits_of(run, bits, actor),
            What::Replay(bits) => return self.replay_letter(bits, actor),
            What::RerunFailed => Some(Input::Rerun(RerunInput::Failed {
                actor,
                reason,
                key: Some(format!("rerun-{}", operation.run % 3).into()),
            })),
            What::RerunTasks(bits) => self.some_main_task(run, bits).map(|task| {
                Input::Rerun(RerunInput::Tasks {
                    tasks: vec![task],
                    actor,
                    reason,
                    key: None,
                })
            }),
            What::RerunAsNew => return self.rerun_as_new(run),
            What::Send => return self.send_unasked(run),
        };
        if let Some(input) = input {
            self.order(run, input);
        }
    }

    /// A task of the run, first one of those that are meant.
    fn some_task(&self, run: RunId, bits: u64, is_meant: impl Fn(TaskStatus) -> bool) -> Option<TaskIx> {
        let tasks = self.store.runs.get(&run)?.tasks().iter().enumerate();
        let meant: Vec<usize> = tasks
            .filter(|(_, task)| is_meant(task.status))
            .map(|(at, _)| at)
            .collect();
        pick(&meant, bits).and_then(|at| Some(TaskIx(u32::try_from(at).ok()?)))
    }

    fn some_main_task(&self, run: RunId, bits: u64) -> Option<TaskIx> {
        let plan = self.store.runs.get(&run)?.of.plan();
        let main: Vec<TaskIx> = plan.section_tasks(Section::Main).collect();
        pick(&main, bits)
    }

    fn override_of(&self, run: RunId, bits: u64, actor: Arc<str>) -> Option<Input> {
        let task = if bits.is_multiple_of(2) {
            self.some_task(run, bits, has_failed)
        } else {
            self.some_task(run, bits, |status| !status.is_terminal())
        };
        let is_good = bits & 4 == 0;
        let failure = || TaskFailure::new(Category::User, "BY_HAND", "an operator said so", false);
        let result = if is_good { Ok("7".into()) } else { Err(failure()) };
        Some(Input::Rerun(RerunInput::Override {
            task: task?,
            result,
            actor,
            reason: None,
        }))
    }

    /// Of a fan-out, where there is one.
    fn limits_of(&self, run: RunId, bits: u64, actor: Arc<str>) -> Option<Input> {
        let row = self.store.runs.get(&run)?;
        let fan_outs = row.tasks().iter().enumerate().filter(|(_, task)| {
            task.item.is_none() && !task.status.is_terminal() && is_fan_out(row.of.plan().task(task.template))
        });
        let fan_outs: Vec<usize> = fan_outs.map(|(at, _)| at).collect();
        let task = TaskIx(u32::try_from(pick(&fan_outs, bits)?).ok()?);
        let number = u32::try_from((bits >> 40) % 6).ok()?;
        Some(Input::FanoutLimitsChanged {
            task,
            max_parallel: (bits & 1 == 0).then_some(number.max(1)),
            tolerate: (bits & 2 == 0).then_some(Tolerate::Count(number)),
            actor,
        })
    }

    /// `dead_letters::resolve`: the task is retried in its run, unless the run has gone on since.
    fn replay_letter(&mut self, bits: u64, actor: Arc<str>) {
        let open = self
            .store
            .letters
            .iter()
            .enumerate()
            .filter(|(_, letter)| letter.is_open);
        let open: Vec<usize> = open.map(|(at, _)| at).collect();
        let Some(n) = pick(&open, bits) else { return };
        let at = self.store.letters[n].at;
        let Some(row) = self.store.runs.get(&at.run) else {
            return;
        };
        let Some(task) = row.tasks().get(at.task.at()) else {
            return;
        };
        if !has_failed(task.status) || at.attempt < task.attempt {
            self.store.letters[n].is_open = false;
            return;
        }
        let fan_out = task.item.as_ref().map(|item| item.parent);
        let has_ended = |parent: &TaskIx| row.tasks()[parent.at()].status.is_terminal();
        let task = fan_out.filter(has_ended).unwrap_or(at.task);
        let input = Input::TaskRetryRequested { task, actor };
        self.ask(at.run, vec![input], crate::client::About::Letter(n));
    }

    /// An operator hears what became of a replay.
    pub(crate) fn hear_of_replay(&mut self, letter: usize, answer: &Answer) {
        if let Answer::Done(outcomes, _) = answer
            && outcomes.contains(&Outcome::Applied)
        {
            self.store.letters[letter].is_open = false;
            self.reached(Reach::LetterReplayed);
        }
    }

    /// `rerun::rerun_as_new`: what is good is taken over by a new run.
    fn rerun_as_new(&mut self, run: RunId) {
        let Some(row) = self.store.runs.get(&run) else {
            return;
        };
        if !row.columns().status.is_terminal() || row.parent.is_some() {
            return;
        }
        let (plan, state) = (row.of.plan(), row.state());
        let pairs = kept_results(plan, &state, plan, &state.context.inputs, Keep::Good);
        let kept = pairs.into_iter().map(|(before, ix)| {
            let output = row.tasks()[before.at()].output.clone();
            (ix, output.unwrap_or_else(|| "null".into()))
        });
        let kept: crate::client::Results = kept.collect();
        let workflow = self
            .script
            .workflows
            .iter()
            .position(|version| version.plan().workflow().id == plan.workflow().id);
        if let Some(workflow) = workflow {
            self.client.add_rerun(self.now, workflow, run, kept);
        }
    }

    /// Asks for something to be done to a run.
    pub(crate) fn order(&mut self, run: RunId, input: Input) {
        let is_cancel = matches!(input, Input::CancelRequested { .. });
        if is_cancel && self.plot.defect == Some(Defect::CancelLost) {
            let Some(replica) = self.some_replica() else {
                return;
            };
            let ticket = self.ticket();
            let answer = Answer::Done(vec![Outcome::Applied], RunStatus::Cancelling);
            self.replicas[replica].replies.insert(ticket, Some(answer));
            self.client.note(
                replica,
                self.replicas[replica].life,
                ticket,
                crate::client::About::Cancel(run),
            );
            return;
        }
        let about = if is_cancel {
            crate::client::About::Cancel(run)
        } else {
            crate::client::About::Nothing
        };
        self.ask(run, vec![input], about);
    }

    fn ask(&mut self, run: RunId, inputs: Vec<Input>, about: crate::client::About) {
        let Some(replica) = self.some_replica() else {
            return;
        };
        self.tell(|| format!("an operator asks replica {replica}: {inputs:?}"));
        let ticket = self.submit(replica, Item::inputs(run, inputs));
        self.client
            .note(replica, self.replicas[replica].life, ticket, about);
    }
}

fn is_fan_out(task: &runnel_engine::definition::Task) -> bool {
    task.for_each.is_some() || task.matrix.is_some()
}

fn has_failed(status: TaskStatus) -> bool {
    matches!(
        status,
        TaskStatus::Failed | TaskStatus::TimedOut | TaskStatus::Cancelled
    )
}
