//! The rules: what must hold after every step, and at the end. Each has a name, which is what a failing seed shows first.
//!
//! | rule | says |
//! | --- | --- |
//! | `state` | the engine's own check of a stored run: alarms, counters, readiness, nothing is stuck |
//! | `replay` | the history tells exactly what is stored |
//! | `gapless` | the events of a run are numbered without a gap, each once |
//! | `order` | nothing is dispatched before its upstreams allow it |
//! | `one-completion` | an attempt ends once |
//! | `authentic` | an accepted end was reported by a worker that executed this very attempt |
//! | `terminal` | what has ended absorbs every event; only an operator's retry begins again |
//! | `frozen` | a paused, cancelled or ended run dispatches nothing |
//! | `grace` | a cancelled run ends within its grace |
//! | `outbox` | no message waits that nobody wants |
//! | `carried` | an attempt in flight has a message somewhere: in the outbox, in a queue, or in what reports its end |
//! | `places` | no group has more holders than its limit, and no place is held by what does not run |
//! | `sent-soon` | what waits to be sent is sent when its queue has room |
//! | `reports-kept` | a report is deleted only when what it says is committed |
//! | `accepted-kept` | what was answered is stored |
//! | `one-run-a-key` | an idempotency key starts one run |
//! | `same-end` | duplicates, losses, delays and order change nothing about the end |
//! | `recompute` | going on from stored states comes to the same as one walk through the whole history |
//! | `ends` | when the faults have stopped, every run ends |
//! | `one-child` | an attempt starts one child run at most |
//! | `children` | a child that is waited for goes on or its end is on its way; one that is not is told to stop |
//! | `waits` | there is one row for each wait for the outside, as long as it lasts |
//! | `heard` | an event ends the waits that it fits, whichever came first |
//! | `callback` | a callback token is used once, by who holds it, for its own attempt |
//! | `approval` | an approval is decided once, and each person counts once |
//! | `undo` | only what succeeded is undone, once, after what was made of it, and never past a point of no return |
//! | `kept` | a kept result was given by an attempt of the same task with the same key |
//! | `letters` | a dead letter that the history tells of is kept |
//! | `secret` | no row, record or message tells a secret, whatever a worker does with it |

use std::collections::{BTreeMap, BTreeSet};

use runnel_engine::plan::Section;
use runnel_engine::run::{
    ChildCommand, Command, Record, RecordKind, Replay, RunState, RunStatus, TaskState, TaskStatus, check,
    status_after,
};
use runnel_engine::{Moment, Plan, RunId, TaskIx};
use runnel_runtime::offline::{Attempt, Batch, Change, Item, Stored};

use crate::calm;
use crate::promise::{self, Promises};
use crate::queue::Queue;
use crate::script::{Ending, Script, Tries};
use crate::secret;
use crate::store::Store;
use crate::truth::{difference, may_begin};
use crate::wait;
use crate::world::SECOND;

/// How much later than its deadline a cancelled run may end once the faults have stopped.
const GRACE_DELAY: i64 = 180 * SECOND;

/// How long a message may wait that nobody holds and that finds room.
const IDLE_MAX: i64 = 60 * SECOND;

/// What is known of a run besides its rows.
#[derive(Debug, Default)]
struct Watched {
    told: Replay,
    statuses: BTreeMap<TaskIx, TaskStatus>,
    last_seq: i64,
    ended: BTreeSet<(TaskIx, u32)>,
    /// Batches that changed the run, for the walk through the whole history.
    batches: Vec<(Vec<Item>, Moment)>,
    before: Option<Before>,
}

/// A run before a commit.
#[derive(Debug, Clone, Copy)]
struct Before {
    status: RunStatus,
    is_paused: bool,
}

/// The rules and what they remember.
#[derive(Debug, Default)]
pub struct Oracle {
    /// The first broken rule.
    pub broken: Option<(&'static str, String)>,
    runs: BTreeMap<RunId, Watched>,
    sent: BTreeSet<Attempt>,
    executed: BTreeMap<Attempt, Vec<Ending>>,
    tries: BTreeMap<Attempt, Tries>,
    promises: Promises,
    /// Something was done that concerns parents and children.
    pub is_family_changed: bool,
    /// Since when a message waits that nobody holds and that finds room.
    idle: BTreeMap<Attempt, i64>,
}

impl Oracle {
    /// A rule is broken. Only the first is kept: the others follow from it.
    pub fn fail(&mut self, rule: &'static str, message: String) {
        if self.broken.is_none() {
            self.broken = Some((rule, message));
        }
    }

    /// A queue has accepted a message.
    pub fn sent(&mut self, at: Attempt) {
        self.sent.insert(at);
    }

    /// A worker has executed an attempt.
    pub fn executed(&mut self, at: Attempt, ending: &Ending) {
        self.executed.entry(at).or_default().push(ending.clone());
    }

    /// What went before an attempt.
    #[must_use]
    pub fn tries_of(&self, at: Attempt) -> Tries {
        self.tries.get(&at).copied().unwrap_or_default()
    }

    /// Somebody uses the callback token of an attempt.
    pub fn called(&mut self, at: Attempt, ending: &Ending) {
        self.promises.called(at, ending);
    }

    /// Attempts in flight.
    pub fn live<'s>(&self, store: &'s Store) -> impl Iterator<Item = Attempt> + use<'s> {
        store.runs.iter().flat_map(|(run, row)| {
            let tasks = row.tasks().iter().enumerate();
            tasks
                .filter(|(_, task)| matches!(task.status, TaskStatus::Queued | TaskStatus::Running))
                .map(|(at, task)| Attempt {
                    run: *run,
                    task: TaskIx(u32::try_from(at).unwrap_or(u32::MAX)),
                    attempt: task.attempt,
                })
        })
    }

    /// A start was answered with this run.
    pub fn accepted(&mut self, store: &Store, run: RunId) {
        if !store.runs.contains_key(&run) {
            self.fail(
                "accepted-kept",
                format!("run {run} was accepted and does not exist"),
            );
        }
    }

    /// A cancel was answered as done.
    pub fn cancelled(&mut self, store: &Store, run: RunId) {
        let is_told = store.runs.get(&run).is_some_and(|row| {
            row.records
                .iter()
                .any(|record| record.kind == RecordKind::RunCancelRequested)
        });
        if !is_told {
            self.fail(
                "accepted-kept",
                format!("the cancel of {run} was answered and is not stored"),
            );
        }
    }

    /// A message of reports is about to be deleted.
    pub fn report_deleted(&mut self, store: &Store, carries: &[Attempt]) {
        for at in carries {
            if store.is_out(at) {
                self.fail(
                    "reports-kept",
                    format!(
                        "a report of {} is deleted, its attempt is still in flight",
                        crate::relay::short(*at)
                    ),
                );
            }
        }
    }

    /// Looks at the runs before a transaction.
    pub fn before_commit(&mut self, store: &Store, changes: &[Change<'_>]) {
        for change in changes {
            let before = store.runs.get(&change.run).map(|row| Before {
                status: row.columns().status,
                is_paused: row.columns().is_paused,
            });
            self.runs.entry(change.run).or_default().before = before;
        }
    }

    /// Looks at what a transaction has written.
    pub fn after_commit(&mut self, store: &Store, changes: &[Change<'_>]) {
        for change in changes {
            let Some(row) = store.runs.get(&change.run) else {
                continue;
            };
            let state = row.state();
            let plan = change.version.plan();
            let records = &row.records[row.records.len().saturating_sub(change.records.len())..];
            let twins = store.runs.values().filter(|other| other.key == row.key).count();
            if twins > 1 {
                self.fail("one-run-a-key", format!("{twins} runs have the key {}", row.key));
            }
            for (rule, message) in self.promises.after_commit(store, change, row, &state) {
                self.fail(rule, message);
            }
            if let Some((rule, message)) = secret::told(row, change, records) {
                self.fail(rule, message);
            }
            self.check_records(change, row.tasks(), records);
            self.is_family_changed |= !store.children.is_empty() || !store.errands.is_empty();
            self.check_commands(plan, &state, change);
            for message in check(plan, &state) {
                self.fail("state", message);
            }
            // results of another run are there before their tasks are, until the run begins
            let has_begun = state.status != RunStatus::Pending;
            let is_kept = |status| match status {
                TaskStatus::Skipped => true,
                status => status == TaskStatus::Blocked && has_begun,
            };
            let stale = row
                .tasks()
                .iter()
                .position(|task| is_kept(task.status) && task.output.is_some());
            if let Some(at) = stale {
                self.fail("state", format!("task {at} has not run, and has an output"));
            }
            let watched = self.runs.entry(change.run).or_default();
            let mut with_outputs = state.clone();
            with_outputs.counts = row.columns().counts;
            let differences = watched.told.differences(plan, &with_outputs);
            if let Some(first) = differences.first() {
                self.fail("replay", first.clone());
            }
        }
    }

    fn check_records(&mut self, change: &Change<'_>, stored: &[TaskState], records: &[Record]) {
        let mut found = Vec::new();
        let watched = self.runs.entry(change.run).or_default();
        let was_terminal = watched.before.is_some_and(|before| before.status.is_terminal());
        let is_reopened = change
            .records
            .iter()
            .any(|record| record.kind == RecordKind::RunReopened);
        if was_terminal && !is_reopened {
            found.push(("terminal", "a run that has ended was changed".to_owned()));
        }
        for record in records {
            if record.seq != watched.last_seq + 1 {
                let text = format!("event {} follows event {}", record.seq, watched.last_seq);
                found.push(("gapless", text));
            }
            watched.last_seq = record.seq;
            watched.told.append(record);
            let Some(ix) = record.task else { continue };
            if let Some(status) = status_after(record.kind) {
                let before = watched.statuses.insert(ix, status);
                let is_final = before.is_some_and(TaskStatus::is_terminal);
                if is_final && record.kind != RecordKind::TaskRetryRequested {
                    found.push((
                        "terminal",
                        format!("event {} changes a task that has ended", record.seq),
                    ));
                }
            }
            let attempt = record.attempt.unwrap_or(0);
            let is_end = matches!(
                record.kind,
                RecordKind::TaskSucceeded
                    | RecordKind::AttemptFailed
                    | RecordKind::AttemptTimedOut
                    | RecordKind::AttemptLost
            );
            // an operator's result stands beside that of the attempt
            let is_by_hand = records.iter().any(|other| {
                other.kind == RecordKind::TaskOverridden
                    && other.task == record.task
                    && other.seq < record.seq
            });
            if is_end && !is_by_hand && !watched.ended.insert((ix, attempt)) {
                found.push((
                    "one-completion",
                    format!("attempt {attempt} of task {} ends twice", ix.0),
                ));
            }
            let at = Attempt {
                run: change.run,
                task: ix,
                attempt,
            };
            let callbacks = self.promises.callbacks_of(at);
            if !is_by_hand && !is_real(&self.tries, (&self.executed, callbacks), at, record.kind, stored) {
                let text = format!(
                    "{:?} of {} comes from no worker",
                    record.kind,
                    crate::relay::short(at)
                );
                found.push(("authentic", text));
            }
        }
        for (rule, message) in found {
            self.fail(rule, message);
        }
    }

    fn check_commands(&mut self, plan: &Plan, state: &RunState, change: &Change<'_>) {
        let before = self.runs.get(&change.run).and_then(|watched| watched.before);
        let mut found = Vec::new();
        for command in change.commands {
            let (task, attempt) = match command {
                Command::Dispatch { task, attempt }
                | Command::Child(ChildCommand::Start { task, attempt }) => (task, attempt),
                Command::Stop { .. }
                | Command::DeadLetter { .. }
                | Command::Wait(_)
                | Command::Child(ChildCommand::Cancel { .. })
                | Command::Gate(_) => continue,
            };
            let at = Attempt {
                run: change.run,
                task: *task,
                attempt: *attempt,
            };
            let row = &state.tasks[task.at()];
            if matches!(command, Command::Dispatch { .. }) {
                self.tries.entry(at).or_insert_with(|| Tries::of(plan, row));
            }
            // several inputs may share a transaction: resumed, or cancelled, and paused again in one
            let has = |kind| change.records.iter().any(|record| record.kind == kind);
            let is_free_again = has(RecordKind::RunResumed) || has(RecordKind::RunReopened);
            let is_let_go = is_free_again || has(RecordKind::RunCancelRequested);
            let was_paused = before.is_some_and(|before| before.is_paused) && !is_let_go;
            let was_cancelling =
                before.is_some_and(|before| before.status == RunStatus::Cancelling) && !is_free_again;
            let is_handler = plan.section(row.template) != Section::Main;
            if (was_paused && state.is_paused)
                || (was_cancelling && !is_handler)
                || state.status.is_terminal()
            {
                let text = format!(
                    "{} was dispatched although the run rests",
                    crate::relay::short(at)
                );
                found.push(("frozen", text));
            }
            if !state.extra.is_retried && !may_begin(plan, state, *task) {
                let text = format!(
                    "{} was dispatched before its upstreams allow it",
                    crate::relay::short(at)
                );
                found.push(("order", text));
            }
        }
        for (rule, message) in found {
            self.fail(rule, message);
        }
    }

    /// Remembers what changed which run, for the walk at the end.
    pub fn committed(&mut self, items: &[Item], changes: &[Change<'_>], moment: Moment) {
        for change in changes {
            let own: Vec<Item> = items
                .iter()
                .filter(|item| item.run() == change.run)
                .cloned()
                .collect();
            self.runs
                .entry(change.run)
                .or_default()
                .batches
                .push((own, moment));
        }
    }

    /// After each step: nothing waits for nobody, and nothing in flight is forgotten.
    pub fn after_a_step(&mut self, store: &Store, tasks: &Queue, completions: &Queue, is_carrying: bool) {
        if std::mem::take(&mut self.is_family_changed)
            && let Some((rule, message)) = promise::family(store)
        {
            self.fail(rule, message);
        }
        if let Some(message) = store.gates.broken(store) {
            self.fail("places", message);
        }
        for at in store.outbox.keys() {
            if !self.sent.contains(at) && !store.is_out(at) {
                self.fail(
                    "outbox",
                    format!("a message of {} waits, nobody wants it", crate::relay::short(*at)),
                );
            }
        }
        if !is_carrying {
            return;
        }
        let mut live = self.live(store).peekable();
        if live.peek().is_none() {
            return;
        }
        let carried: BTreeSet<Attempt> = tasks.carried().chain(completions.carried()).collect();
        // what a cancel has told to stop waits for its end or for the grace, and is not sent again
        let is_wanted = |at: &Attempt| store.status(at.run) != Some(RunStatus::Cancelling);
        let forgotten =
            live.find(|at| !carried.contains(at) && !store.outbox.contains_key(at) && is_wanted(at));
        if let Some(at) = forgotten {
            self.fail(
                "carried",
                format!("{} is in flight and nothing carries it", crate::relay::short(at)),
            );
        }
    }

    /// When time passes: a cancelled run must not outlive its grace.
    pub fn as_time_passes(&mut self, store: &Store, now: i64, calm_at: Option<i64>) {
        let Some(calm_at) = calm_at else { return };
        if let Some(message) = wait::unheard(store, now, calm_at) {
            self.fail("heard", message);
        }
        for (id, row) in &store.runs {
            let columns = row.columns();
            let state_extra = row.state().extra;
            if columns.status != RunStatus::Cancelling || state_extra.outcome.is_some() {
                continue;
            }
            let deadline = state_extra.cancel_deadline.map_or(calm_at, |at| at.0);
            if now > deadline.max(calm_at) + GRACE_DELAY {
                self.fail("grace", format!("run {id} is cancelled and goes on"));
            }
        }
    }

    /// When time passes and every process is up: what finds room is sent, whoever held it before.
    pub fn as_room_is(&mut self, store: &Store, now: i64, has_room: bool) {
        if !has_room {
            self.idle.clear();
            return;
        }
        self.idle.retain(|at, _| store.outbox.contains_key(at));
        for (at, row) in &store.outbox {
            if row.leased_until > now {
                self.idle.remove(at);
                continue;
            }
            let since = *self.idle.entry(*at).or_insert(now);
            if now - since > IDLE_MAX {
                self.fail(
                    "sent-soon",
                    format!("{} waits although there is room", crate::relay::short(*at)),
                );
                return;
            }
        }
    }

    /// When everything has ended.
    pub fn at_the_end(&mut self, script: &Script, store: &Store) {
        if let Some((rule, message)) = promise::leftovers(store) {
            self.fail(rule, message);
        }
        for (id, row) in &store.runs {
            self.walk_again(*id, store);
            // the end of a child is part of that of its parent, or nobody waits for it
            if !script.is_settled || row.parent.is_some() {
                continue;
            }
            let state = row.state();
            match calm::end_of(script, &row.of.plan().workflow().id, row.lineage) {
                Ok(calm) => {
                    if let Some(difference) = difference(row.of.plan(), &calm, &state, row.tasks()) {
                        self.fail("same-end", format!("{}: {difference}", row.key));
                    }
                }
                Err(problem) => self.fail("same-end", format!("without faults, {}: {problem}", row.key)),
            }
        }
    }

    /// `recompute`: everything that ever changed the run, in one walk, without a database in between.
    fn walk_again(&mut self, id: RunId, store: &Store) {
        let (Some(watched), Some(row)) = (self.runs.get(&id), store.runs.get(&id)) else {
            return;
        };
        let mut state: Option<RunState> = None;
        for (items, moment) in &watched.batches {
            let read = state.take().map(|state| (id, Stored::new(&row.of, state, 0)));
            let batch = Batch::compute(items, read.into_iter().collect(), &[], *moment);
            state = batch.changes().next().map(|change| change.state.clone());
        }
        let stored = row.state();
        let walked = state.map(|mut state| {
            for (task, stored) in state.tasks.iter_mut().zip(&stored.tasks) {
                if stored.output.is_none() {
                    task.output = None;
                }
                task.input.clone_from(&stored.input);
            }
            state
        });
        if walked.as_ref() != Some(&stored) {
            self.fail(
                "recompute",
                format!("{}: the walk through the whole history ends otherwise", row.key),
            );
        }
    }
}

/// Whether an accepted end was reported by a worker that executed this very attempt; ends that no worker reports are real.
fn is_real(
    dispatched: &BTreeMap<Attempt, Tries>,
    (executed, callbacks): (&BTreeMap<Attempt, Vec<Ending>>, &[Ending]),
    at: Attempt,
    kind: RecordKind,
    stored: &[TaskState],
) -> bool {
    let is_reported = matches!(kind, RecordKind::TaskSucceeded | RecordKind::AttemptFailed);
    if !is_reported || !dispatched.contains_key(&at) {
        return true;
    }
    // reset by an operator in the same transaction, it has no output any more
    let row = stored
        .get(at.task.at())
        .filter(|task| task.status == TaskStatus::Succeeded);
    let output = row.and_then(|task| task.output.as_deref());
    let endings = executed.get(&at).map_or(&[][..], Vec::as_slice);
    endings.iter().chain(callbacks).any(|ending| match ending {
        Ending::Output(value) => {
            let text = value.to_string();
            kind == RecordKind::TaskSucceeded && output.is_none_or(|output| output == text)
        }
        Ending::Failure(_) => kind == RecordKind::AttemptFailed,
    })
}
