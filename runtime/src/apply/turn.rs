//! A run's turn in a batch: its state, what its inputs did to it, and what of it must be saved. No database here.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use runnel_engine::run::{
    ChildCommand, Command, Effects, Input, Outcome, RunState, TaskState, TaskStatus, advance,
};
use runnel_engine::{Moment, RunId, TaskIx, Timestamp};

use super::StartRow;
use super::convert::corrupt;
use super::offload::Stored;
use crate::audit::Draft;
use crate::error::StoreError;
use crate::message;
use crate::trace::Heard;
use crate::workflows::CompiledVersion;

/// A run between two batches: its state, and the version of the row that it equals.
#[derive(Debug)]
pub(crate) struct Known {
    pub meta: Arc<CompiledVersion>,
    pub state: RunState,
    /// Version of the stored row.
    pub version: i64,
    /// Inputs of tasks that are stored, to write each only once.
    pub saved_inputs: Vec<Option<Arc<str>>>,
    /// Whether a task of another run started it.
    pub has_parent: bool,
    /// What is stored of what attempts said of themselves; only of tasks that said something.
    pub saved_said: HashMap<TaskIx, Said>,
    /// Bytes of large values in memory, at least: what is dropped is not taken off.
    pub large_bytes: usize,
}

/// What an attempt said of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Said {
    pub progress: Option<Arc<str>>,
    pub checkpoint: Option<Arc<str>>,
}

impl Said {
    fn of(task: &TaskState) -> Option<Self> {
        (task.progress.is_some() || task.checkpoint.is_some()).then(|| Self {
            progress: task.progress.clone(),
            checkpoint: task.checkpoint.clone(),
        })
    }
}

/// How much too early the stored alarm of a run may be.
pub(super) const ALARM_SLACK: Duration = Duration::from_secs(60);

/// Values from this size on count towards the memory of the cache.
const LARGE_BYTES: usize = 16 << 10;

fn large_bytes(task: &TaskState) -> usize {
    [
        task.input.as_ref(),
        task.output.as_ref(),
        task.item.as_ref().map(|item| &item.value),
    ]
    .into_iter()
    .flatten()
    .map(|text| text.len())
    .filter(|bytes| *bytes >= LARGE_BYTES)
    .sum()
}

impl Known {
    /// A run as it was just read or written.
    pub(super) fn new(meta: Arc<CompiledVersion>, state: RunState, version: i64) -> Self {
        let saved_inputs = state.tasks.iter().map(|task| task.input.clone()).collect();
        let said = |(at, task)| Some((TaskIx(u32::try_from(at).ok()?), Said::of(task)?));
        Self {
            saved_said: state.tasks.iter().enumerate().filter_map(said).collect(),
            large_bytes: state.tasks.iter().map(large_bytes).sum(),
            meta,
            state,
            version,
            saved_inputs,
            has_parent: false,
        }
    }

    /// What the task says of itself, where that is not stored.
    pub(super) fn new_said(&self, ix: TaskIx) -> Option<Said> {
        let said = Said::of(&self.state.tasks[ix.at()]);
        if said.is_none() && self.saved_said.is_empty() {
            return None;
        }
        (said.as_ref() != self.saved_said.get(&ix)).then(|| said.unwrap_or_default())
    }
}

/// A run's turn in a batch.
#[derive(Debug)]
pub(crate) struct Turn {
    pub known: Known,
    /// Set for a run that this batch makes.
    pub start: Option<StartRow>,
    pub effects: Effects,
    /// Tasks from this index on have no row yet.
    pub stored_tasks: usize,
    /// Whether the run had ended before.
    pub was_terminal: bool,
    /// The alarm of the run before.
    alarm: Option<Timestamp>,
    /// Anything to save.
    pub is_changed: bool,
    /// The engine failed: nothing is saved, and the state is not used again.
    pub is_failed: bool,
    /// When the inputs were applied.
    pub moment: Moment,
    /// One a dispatch among the commands, in their order.
    pub leased: Vec<Lease>,
    /// What stands in the rows in place of large values.
    pub stored: Stored,
    /// Mutations that took place in this turn.
    pub audits: Vec<Audited>,
    /// For its spans.
    pub heard: Heard,
}

/// A mutation of a run, whose row is saved with the turn.
#[derive(Debug)]
pub(crate) struct Audited {
    pub draft: Arc<Draft>,
    /// The run before it; `None` when it made the run.
    pub before: Option<String>,
}

/// Who sends a new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lease {
    /// This process, right after the commit.
    Mine,
    /// Its queue is full: this process when there is room.
    NoRoom,
    /// No worker runs its type: whoever hears of one.
    NoWorker,
}

impl Turn {
    /// The turn of a run that exists.
    pub(super) fn resume(known: Known, moment: Moment) -> Self {
        let stored_tasks = known.state.tasks.len();
        let was_terminal = known.state.status.is_terminal();
        Self {
            was_terminal,
            alarm: known.state.wake_at,
            known,
            start: None,
            effects: Effects::default(),
            stored_tasks,
            is_changed: false,
            is_failed: false,
            moment,
            leased: Vec::new(),
            stored: Stored::default(),
            audits: Vec::new(),
            heard: Heard::default(),
        }
    }

    /// The turn of a run that this batch makes.
    pub(super) fn begin(start: StartRow, state: RunState, moment: Moment) -> Self {
        let known = Known {
            meta: Arc::clone(&start.meta),
            state,
            version: 0,
            saved_inputs: Vec::new(),
            saved_said: HashMap::new(),
            large_bytes: 0,
            has_parent: start.parent.is_some(),
        };
        Self {
            known,
            start: Some(start),
            effects: Effects::default(),
            stored_tasks: 0,
            was_terminal: false,
            alarm: None,
            is_changed: true,
            is_failed: false,
            moment,
            leased: Vec::new(),
            stored: Stored::default(),
            audits: Vec::new(),
            heard: Heard::default(),
        }
    }

    /// The state of the run as the audit log shows it.
    pub(crate) fn summary(&self) -> String {
        let state = &self.known.state;
        serde_json::json!({ "status": state.status, "isPaused": state.is_paused }).to_string()
    }

    /// The run.
    pub(crate) fn run(&self) -> RunId {
        self.known.state.context.id
    }

    /// Whether the run ended in this turn and a parent is to hear of it.
    pub(super) fn has_ended_as_child(&self) -> bool {
        self.known.has_parent && !self.was_terminal && self.known.state.status.is_terminal()
    }

    /// Whether anything is to be done about child runs, or about the parent of this one.
    pub(super) fn has_errands(&self) -> bool {
        let is_errand = |command: &Command| matches!(command, Command::Child(_));
        self.has_ended_as_child() || self.effects.commands.iter().any(is_errand)
    }

    /// Applies one input. A panic of the engine is a defect of this run's state alone: it becomes an error that
    /// names the run, and the state is not used again.
    pub(super) fn advance(&mut self, input: &Input) -> Result<Outcome, StoreError> {
        // each input of a batch draws its own jitter from the entropy of the batch
        self.moment.entropy = mix(self.moment.entropy);
        self.heard.hear(input, self.effects.records.len());
        let (known, effects, moment) = (&mut self.known, &mut self.effects, &self.moment);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            advance(&known.meta.plan, &mut known.state, input, moment, effects)
        }))
        .map_err(|_| {
            corrupt(
                "run",
                format!("{}: the state machine failed", known.state.context.id),
            )
        })?;
        self.is_changed |= matches!(outcome, Outcome::Applied);
        Ok(outcome)
    }

    /// Ends the turn: each changed task once, in order.
    pub(super) fn close(&mut self) {
        if self.is_failed {
            self.is_changed = false;
            return;
        }
        self.effects.touched.sort_unstable();
        self.effects.touched.dedup();
        self.known.state.wake_at = keep_alarm(self.alarm, self.known.state.wake_at, self.moment.now);
        forget_stopped(&mut self.effects.commands);
        forget_ended(&self.known.state, &mut self.effects.commands);
        self.is_changed |= !self.effects.records.is_empty() || !self.effects.touched.is_empty();
    }

    /// Changed tasks that have a row.
    pub(super) fn changed_tasks(&self) -> impl Iterator<Item = TaskIx> + '_ {
        self.effects
            .touched
            .iter()
            .copied()
            .filter(|ix| ix.at() < self.stored_tasks)
    }

    /// The run as it is after the commit of this turn. Outputs that nobody reads are forgotten.
    pub(super) fn committed(mut self) -> Known {
        let plan = Arc::clone(&self.known.meta.plan);
        let known = &mut self.known;
        known.saved_inputs.resize(known.state.tasks.len(), None);
        let added = TaskIx(u32::try_from(self.stored_tasks).unwrap_or(u32::MAX)).0..;
        let added = added
            .take(known.state.tasks.len().saturating_sub(self.stored_tasks))
            .map(TaskIx);
        for ix in self.effects.touched.into_iter().chain(added) {
            let task = &mut known.state.tasks[ix.at()];
            known.saved_inputs[ix.at()].clone_from(&task.input);
            if task.status.is_terminal() && task.item.is_some() {
                // written, and resolved anew should an operator retry it
                task.input = None;
                known.saved_inputs[ix.at()] = None;
            }
            if task.status.is_terminal() && task.item.is_none() && !plan.is_output_read(task.template) {
                task.output = None;
            }
            known.large_bytes += large_bytes(task);
            match Said::of(task) {
                Some(said) => drop(known.saved_said.insert(ix, said)),
                None => drop(known.saved_said.remove(&ix)),
            }
        }
        known.version += 1;
        self.known
    }
}

/// The alarm to store: the one that is stored, where it is still to come and only a little early. Nearly every input moves
/// the alarm a little later, and PostgreSQL keeps a changed row in its page, with nothing to do for any index, only while no
/// indexed column changes. An early alarm costs one tick, which sets it right.
fn keep_alarm(stored: Option<Timestamp>, exact: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    match (stored, exact) {
        (Some(stored), Some(exact))
            if now < stored && stored <= exact && exact.since(stored) <= ALARM_SLACK =>
        {
            Some(stored)
        }
        _ => exact,
    }
}

/// A dispatch that a later input of the same batch has stopped leaves nothing to send: its row would be inserted after the
/// stop has deleted what there was.
fn forget_stopped(commands: &mut Vec<Command>) {
    let mut stopped = HashSet::new();
    let mut kept = vec![true; commands.len()];
    for (kept, command) in kept.iter_mut().zip(commands.iter()).rev() {
        match command {
            Command::Stop { task, attempt } => drop(stopped.insert((*task, *attempt))),
            Command::Dispatch { task, attempt } => *kept = !stopped.contains(&(*task, *attempt)),
            Command::DeadLetter { .. } | Command::Wait(_) | Command::Child(_) | Command::Gate(_) => {}
        }
    }
    let mut kept = kept.into_iter();
    commands.retain(|_| kept.next().unwrap_or(true));
}

/// An attempt that was dispatched anew and has ended in the same batch leaves nothing to send either, and one that asked
/// for a child no child to start: nobody waits for them.
fn forget_ended(state: &RunState, commands: &mut Vec<Command>) {
    commands.retain(|command| match command {
        Command::Dispatch { task, attempt } => message::is_wanted(state, *task, *attempt),
        Command::Child(ChildCommand::Start { task, attempt }) => state
            .tasks
            .get(task.at())
            .is_some_and(|row| row.attempt == *attempt && row.status == TaskStatus::Waiting),
        Command::Child(ChildCommand::Cancel { .. })
        | Command::Stop { .. }
        | Command::DeadLetter { .. }
        | Command::Wait(_)
        | Command::Gate(_) => true,
    });
}

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_that_is_a_little_early_is_left_alone_until_it_rings() {
        let at = |seconds: i64| Timestamp(seconds * 1_000_000);
        let kept = |stored: Option<i64>, exact: Option<i64>, now| {
            keep_alarm(stored.map(at), exact.map(at), at(now)).map(|at| at.0 / 1_000_000)
        };
        assert_eq!(kept(Some(100), Some(130), 50), Some(100));
        assert_eq!(kept(Some(100), Some(161), 50), Some(161), "too early");
        assert_eq!(kept(Some(100), Some(90), 50), Some(90), "never late");
        assert_eq!(kept(Some(100), Some(130), 100), Some(130), "it has rung");
        assert_eq!(kept(Some(100), None, 50), None, "nothing is due any more");
        assert_eq!(kept(None, Some(130), 50), Some(130));
    }

    #[test]
    fn a_dispatch_that_its_own_batch_has_stopped_is_not_sent() {
        let dispatch = |attempt| Command::Dispatch {
            task: TaskIx(0),
            attempt,
        };
        let stop = |attempt| Command::Stop {
            task: TaskIx(0),
            attempt,
        };
        let mut commands = vec![dispatch(1), stop(1), dispatch(2), stop(7), dispatch(7)];
        forget_stopped(&mut commands);
        assert_eq!(commands, [stop(1), dispatch(2), stop(7), dispatch(7)]);
    }
}
