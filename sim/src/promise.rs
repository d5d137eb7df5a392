//! The rules about what one feature promises, beside those of `oracle` about every run: children, waits, callbacks,
//! approvals, compensation, kept results, dead letters.

use std::collections::{BTreeMap, BTreeSet};

use runnel_engine::run::{
    Approval, ChildRequest, Command, Record, RecordKind, RunState, RunStatus, TaskState, TaskStatus,
    WaitKind, wait_kind,
};
use runnel_engine::{Plan, RunId, TaskIx};
use runnel_runtime::offline::{Attempt, Change};
use serde_json::Value;

use crate::errand::{Errand, Kind, end_of};
use crate::script::Ending;
use crate::store::{RunRow, Store};
use crate::truth::may_undo;

/// A broken rule: its name and what was found.
pub type Broken = (&'static str, String);

/// What the rules of features remember of all runs.
#[derive(Debug, Default)]
pub struct Promises {
    runs: BTreeMap<RunId, Told>,
    /// What holders of callback tokens have reported.
    called: BTreeMap<Attempt, Vec<Ending>>,
    /// Outputs that tasks were given by those who executed them, by workflow and key of the task.
    good: BTreeMap<(String, String), BTreeSet<String>>,
}

/// What the history of a run has told so far.
#[derive(Debug, Default)]
struct Told {
    /// Main tasks whose results stand, each with the record of its success.
    done: BTreeMap<TaskIx, i64>,
    /// Results that were undone.
    undone: BTreeSet<(TaskIx, i64)>,
    /// Attempts whose token was used.
    used: BTreeSet<(TaskIx, u32)>,
    /// Tasks whose result was set by hand in this transaction.
    by_hand: BTreeSet<TaskIx>,
    letters: usize,
}

impl Promises {
    /// Somebody uses the callback token of an attempt.
    pub fn called(&mut self, at: Attempt, ending: &Ending) {
        self.called.entry(at).or_default().push(ending.clone());
    }

    /// What was reported with the callback token of an attempt.
    #[must_use]
    pub fn callbacks_of(&self, at: Attempt) -> &[Ending] {
        self.called.get(&at).map_or(&[], Vec::as_slice)
    }

    /// Looks at what a transaction has written of one run.
    pub fn after_commit(
        &mut self,
        store: &Store,
        change: &Change<'_>,
        row: &RunRow,
        state: &RunState,
    ) -> Vec<Broken> {
        let mut found = Vec::new();
        let plan = change.version.plan();
        self.runs.entry(change.run).or_default().by_hand.clear();
        for record in change.records {
            self.hear(change, row, record, &mut found);
        }
        for command in change.commands {
            if let Command::Dispatch { task, .. } = command
                && !state.extra.is_retried
                && let Err(reason) = may_undo(plan, state, *task)
            {
                found.push(("undo", format!("{} was dispatched: {reason}", row.key_of(*task))));
            }
        }
        found.extend(waits(store, change.run, state));
        let letters = store.letters.iter().filter(|letter| letter.at.run == change.run);
        let told = self.runs.entry(change.run).or_default();
        if letters.count() != told.letters {
            let text = format!("{} dead letters are told of, and not all kept", told.letters);
            found.push(("letters", text));
        }
        found
    }

    fn hear(&mut self, change: &Change<'_>, row: &RunRow, record: &Record, found: &mut Vec<Broken>) {
        let Some(ix) = record.task else { return };
        let plan = change.version.plan();
        let told = self.runs.entry(change.run).or_default();
        let task = &row.tasks()[ix.at()];
        match record.kind {
            RecordKind::TaskOverridden => drop(told.by_hand.insert(ix)),
            RecordKind::DeadLettered => told.letters += 1,
            RecordKind::TaskCached => {
                if record.reason.as_deref() == Some("KEPT") {
                    told.done.insert(ix, record.seq);
                } else {
                    told.done.remove(&ix);
                    found.extend(self.check_cached(plan, row, ix, task));
                }
            }
            RecordKind::TaskSucceeded if told.by_hand.contains(&ix) => {
                told.done.insert(ix, record.seq);
            }
            RecordKind::TaskSucceeded => {
                if let Some(main) = plan.compensates(task.template).filter(|_| task.item.is_none()) {
                    found.extend(told.undo(main, &row.key_of(ix)));
                }
                told.done.insert(ix, record.seq);
                if let (TaskStatus::Succeeded, Some(output)) = (task.status, &task.output) {
                    let place = (plan.workflow().id.clone(), row.key_of(ix));
                    self.good.entry(place).or_default().insert(output.to_string());
                }
            }
            RecordKind::CallbackReceived => {
                let attempt = record.attempt.unwrap_or(0);
                let is_first = told.used.insert((ix, attempt));
                let at = Attempt {
                    run: change.run,
                    task: ix,
                    attempt,
                };
                if !is_first {
                    found.push(("callback", format!("the token of {at:?} is used twice")));
                }
                if !self.called.contains_key(&at) {
                    found.push(("callback", format!("nobody has used the token of {at:?}")));
                }
            }
            RecordKind::ApprovalDecided => found.extend(check_vote(task, record)),
            _ => {}
        }
    }

    fn check_cached(&self, plan: &Plan, row: &RunRow, ix: TaskIx, task: &TaskState) -> Option<Broken> {
        let output = task
            .output
            .as_deref()
            .filter(|_| task.status == TaskStatus::Cached)?;
        let place = (plan.workflow().id.clone(), row.key_of(ix));
        let is_good = self.good.get(&place).is_some_and(|good| good.contains(output));
        let text = || format!("{} takes {output}, which it never gave", row.key_of(ix));
        (!is_good).then(|| ("kept", text()))
    }
}

impl Told {
    /// A compensation has succeeded.
    fn undo(&mut self, main: TaskIx, key: &str) -> Option<Broken> {
        match self.done.get(&main) {
            None => Some(("undo", format!("{key} undoes what has not succeeded"))),
            Some(success) if !self.undone.insert((main, *success)) => {
                Some(("undo", format!("{key} undoes one result twice")))
            }
            Some(_) => None,
        }
    }
}

/// A vote is noted once a person, until the approval is decided.
fn check_vote(task: &TaskState, record: &Record) -> Option<Broken> {
    let approval = Approval::of_extra(task.extra.as_deref())?;
    if record.attempt != Some(task.attempt) {
        // a later input of the batch has begun the next round
        return None;
    }
    let name = record.actor.as_deref().unwrap_or_default();
    let votes = approval.votes.iter().filter(|vote| vote.by == name).count();
    let rejections = approval.votes.iter().filter(|vote| !vote.is_approved).count();
    let is_over = approval.approvals() > approval.quorum as usize || rejections > 1;
    let is_broken = task.status != TaskStatus::Blocked && (votes != 1 || is_over);
    is_broken.then(|| {
        (
            "approval",
            format!("it is decided more than once: {:?}", approval.votes),
        )
    })
}

/// There is one row for each wait for the outside, as long as it lasts.
fn waits(store: &Store, run: RunId, state: &RunState) -> Option<Broken> {
    let first = (run, TaskIx(0))..=(run, TaskIx(u32::MAX));
    let mut rows: BTreeMap<TaskIx, u32> = store
        .waits
        .range(first)
        .map(|((_, ix), row)| (*ix, row.attempt))
        .collect();
    for (at, task) in state.tasks.iter().enumerate() {
        let ix = TaskIx(u32::try_from(at).unwrap_or(u32::MAX));
        let waits = task.status == TaskStatus::Waiting && waits_for(task).is_some();
        let row = rows.remove(&ix);
        if waits && row != Some(task.attempt) {
            return Some(("waits", format!("task {at} waits, its row says {row:?}")));
        }
        if !waits && row.is_some() {
            return Some(("waits", format!("task {at} does not wait, and has a row")));
        }
    }
    None
}

/// What a task waits for, unless it pauses between two rounds.
fn waits_for(task: &TaskState) -> Option<WaitKind> {
    let pauses = task
        .extra
        .as_deref()
        .is_some_and(|extra| extra.contains("repeat_at"));
    wait_kind(task.extra.as_deref()).filter(|_| !pauses)
}

/// Whether the task waits for a child run, be it on its way or under way.
fn waits_for_child(plan: &Plan, task: &TaskState) -> bool {
    let definition = plan.task(task.template);
    let is_fan_out = task.item.is_none() && (definition.for_each.is_some() || definition.matrix.is_some());
    let pauses = task
        .extra
        .as_deref()
        .is_some_and(|extra| extra.contains("repeat_at"));
    task.status == TaskStatus::Waiting && definition.kind == "workflow" && !is_fan_out && !pauses
}

/// Each attempt has one child; one that is waited for is on its way, goes on, or has its end told; one that nobody waits for
/// any more is cancelled.
#[must_use]
pub fn family(store: &Store) -> Option<Broken> {
    let is_pending = |at: Attempt, kind: Kind| store.errands.contains_key(&Errand { at, kind });
    for (at, children) in &store.children {
        if children.len() > 1 {
            return Some(("one-child", format!("{at:?} has {} children", children.len())));
        }
    }
    for (run, row) in &store.runs {
        let plan = row.of.plan();
        for (n, task) in row.tasks().iter().enumerate() {
            if !waits_for_child(plan, task) {
                continue;
            }
            let at = Attempt {
                run: *run,
                task: TaskIx(u32::try_from(n).unwrap_or(u32::MAX)),
                attempt: task.attempt,
            };
            let child = store.child_of(&at);
            let goes_on = child.is_some_and(|child| {
                let status = store.status(child);
                status.is_some_and(|status| !status.is_terminal())
                    || store.errands.contains_key(&end_of(child))
            });
            if !goes_on && !is_pending(at, Kind::Start) {
                return Some((
                    "children",
                    format!("{at:?} waits for a child, and nothing tells it"),
                ));
            }
        }
    }
    for (run, row) in &store.runs {
        let (Some(parent), false) = (row.parent, row.columns().status.is_terminal()) else {
            continue;
        };
        // a rollback is the way to its end, which only an operator cuts short
        let is_told = matches!(
            row.columns().status,
            RunStatus::Cancelling | RunStatus::Compensating
        ) || row.records.iter().any(|record| {
            matches!(
                record.kind,
                RecordKind::RunCancelRequested | RecordKind::RunReopened
            )
        });
        let errands = [Kind::Start, Kind::Cancel, Kind::CancelNow];
        let is_free = errands.into_iter().all(|kind| !is_pending(parent, kind));
        if is_waited_for(store, row, parent) && !store.wants_child(&parent) && !is_told && is_free {
            return Some((
                "children",
                format!("{run} goes on although {parent:?} has given it up"),
            ));
        }
    }
    None
}

/// Whether the parent asked to wait for this child.
fn is_waited_for(store: &Store, child: &RunRow, parent: Attempt) -> bool {
    let Some(row) = store.runs.get(&parent.run) else {
        return false;
    };
    let Some(task) = row.tasks().get(parent.task.at()) else {
        return false;
    };
    if task.attempt != parent.attempt {
        // another child has taken its place; what this one was asked for is not known any more
        return false;
    }
    let input = task
        .input
        .as_deref()
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    let request = input.and_then(|input| ChildRequest::of(&input).ok());
    request.is_some_and(|request| request.wait && request.workflow == child.of.plan().workflow().id)
}

/// What of a run must be left when everything has ended: nothing that waits, asks, or is told to somebody who listens.
#[must_use]
pub fn leftovers(store: &Store) -> Option<Broken> {
    if let Some(((run, task), _)) = store.waits.iter().next() {
        return Some((
            "waits",
            format!("task {} of {run} has a row after the end", task.0),
        ));
    }
    store.gates.leftovers().map(|text| ("places", text))
}
