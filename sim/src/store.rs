//! The database: runs with their row versions, tasks, history and outbox, and the statements of the shell on them.
//!
//! Each method is one transaction of the runtime and names the code that it stands for. What it refuses, the database
//! refuses: a wrong row version, a taken idempotency key. What a caller read before may be old by the time it writes.

use std::collections::{BTreeMap, BTreeSet};

use runnel_engine::run::{Command, Record, RunExtra, RunState, RunStatus, TaskState, TaskStatus};
use runnel_engine::{RunId, TaskIx, Timestamp};
use runnel_runtime::offline::{Attempt, Change, OUTBOX_LEASE, Stored, Version};

use crate::defect::Defect;
use crate::errand::Errand;
use crate::gate::Gates;
use crate::operator::Letter;
use crate::script::{Lineage, lineage_of_child};
use crate::wait::{EventRow, WaitKey, WaitRow};

/// A row of `run` with its rows of `task` and `event`.
#[derive(Debug)]
pub struct RunRow {
    /// What it runs.
    pub of: Version,
    /// The idempotency key of its start.
    pub key: String,
    /// Which run of the script it is.
    pub lineage: Lineage,
    /// The attempt that started it, of a child run.
    pub parent: Option<Attempt>,
    /// The first run above it.
    pub root: Option<RunId>,
    /// How many runs are above it.
    pub depth: u32,
    /// The guard of every change.
    pub version: i64,
    /// The columns of the run. Its tasks are in `tasks`, its engine-private part in `extra`.
    columns: RunState,
    tasks: Vec<TaskState>,
    extra: String,
    /// The history.
    pub records: Vec<Record>,
}

/// A row of `outbox`.
#[derive(Debug, Clone)]
pub struct OutboxRow {
    /// Order of insertion.
    pub id: u64,
    /// Task queue.
    pub queue: String,
    /// 0–100.
    pub priority: u8,
    /// Whoever holds the row holds it until then.
    pub leased_until: i64,
}

/// The database.
#[derive(Debug, Default)]
pub struct Store {
    /// Every run.
    pub runs: BTreeMap<RunId, RunRow>,
    /// Messages to send.
    pub outbox: BTreeMap<Attempt, OutboxRow>,
    /// Questions, places, verdicts and kept results.
    pub gates: Gates,
    /// What is to be done about child runs, each with the moment until which somebody holds it.
    pub errands: BTreeMap<Errand, i64>,
    /// The child runs of each attempt; more than one is a defect.
    pub children: BTreeMap<Attempt, Vec<RunId>>,
    /// Tasks that wait for the outside.
    pub waits: BTreeMap<WaitKey, WaitRow>,
    /// Events that came.
    pub events: Vec<EventRow>,
    /// Tasks that failed for good.
    pub letters: Vec<Letter>,
    next_outbox_id: u64,
}

/// What a transaction wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// Everything.
    All,
    /// Nothing: a run was changed, or a key taken, since the state was read.
    LostRace,
}

/// A row of `run`, read without its tasks.
#[derive(Debug)]
pub struct ReadRow {
    run: RunId,
    version: i64,
    columns: RunState,
    extra: String,
}

fn state_of(of: &Version, columns: RunState, tasks: &[TaskState], extra: &str) -> RunState {
    let plan = of.plan();
    let mut state = RunState {
        tasks: tasks.to_vec(),
        extra: serde_json::from_str(extra).unwrap_or_default(),
        ..columns
    };
    for task in &mut state.tasks {
        if task.item.is_none() && !plan.is_output_read(task.template) {
            task.output = None;
        }
    }
    RunState::restore(plan, state)
}

impl RunRow {
    /// The state that the rows make, as `apply::load` and `apply::convert` read it: derived parts are rebuilt, outputs that
    /// nobody reads stay in the database.
    #[must_use]
    pub fn state(&self) -> RunState {
        state_of(&self.of, self.columns.clone(), &self.tasks, &self.extra)
    }

    /// The stored tasks, outputs included.
    #[must_use]
    pub fn tasks(&self) -> &[TaskState] {
        &self.tasks
    }

    /// The run's own columns.
    #[must_use]
    pub fn columns(&self) -> &RunState {
        &self.columns
    }

    /// The key of a task, with that of its item.
    #[must_use]
    pub fn key_of(&self, ix: TaskIx) -> String {
        let Some(task) = self.tasks.get(ix.at()) else {
            return String::new();
        };
        let key = &self.of.plan().task(task.template).key;
        match &task.item {
            Some(item) => format!("{key}[{}]", item.key),
            None => key.clone(),
        }
    }

    /// Whether this attempt is the current one of its task, and goes on.
    #[must_use]
    pub fn is_live(&self, task: TaskIx, attempt: u32) -> bool {
        self.tasks.get(task.at()).is_some_and(|row| {
            row.attempt == attempt && matches!(row.status, TaskStatus::Queued | TaskStatus::Running)
        })
    }
}

impl Store {
    /// `apply::load::runs` under locks: the runs that exist.
    #[must_use]
    pub fn load(&self, ids: &BTreeSet<RunId>) -> Vec<(RunId, Stored)> {
        self.load_tasks(self.load_rows(ids))
    }

    /// The first statement of `apply::load::runs`.
    #[must_use]
    pub fn load_rows(&self, ids: &BTreeSet<RunId>) -> Vec<ReadRow> {
        let found = ids.iter().filter_map(|id| Some((*id, self.runs.get(id)?)));
        found
            .map(|(run, row)| ReadRow {
                run,
                version: row.version,
                columns: row.columns.clone(),
                extra: row.extra.clone(),
            })
            .collect()
    }

    /// Its second statement: without a lock, a change may have come between the two.
    #[must_use]
    pub fn load_tasks(&self, rows: Vec<ReadRow>) -> Vec<(RunId, Stored)> {
        let load = |read: ReadRow| {
            let row = self.runs.get(&read.run)?;
            let state = state_of(&row.of, read.columns, &row.tasks, &read.extra);
            let stored = Stored::new(&row.of, state, read.version);
            Some((read.run, stored.below(row.parent.is_some())))
        };
        rows.into_iter().filter_map(load).collect()
    }

    /// `apply::load::key_holders`.
    #[must_use]
    pub fn key_holders(&self, keys: &[&str]) -> Vec<(String, RunId)> {
        let held =
            |(id, row): (&RunId, &RunRow)| keys.contains(&row.key.as_str()).then(|| (row.key.clone(), *id));
        self.runs.iter().filter_map(held).collect()
    }

    /// `apply::load::are_current`.
    #[must_use]
    pub fn are_current(&self, versions: &[(RunId, i64)]) -> bool {
        versions
            .iter()
            .all(|(run, version)| self.runs.get(run).is_some_and(|row| row.version == *version))
    }

    /// `apply::save::Statements`: guards first, then everything else, or nothing. `sent` are outbox rows that leave with
    /// this transaction. Answers outbox rows that a defective shell writes only later.
    pub fn save(
        &mut self,
        changes: &[Change<'_>],
        sent: &[Attempt],
        now: i64,
        defect: Option<Defect>,
    ) -> (Saved, Vec<(Attempt, OutboxRow)>) {
        for change in changes {
            let is_guarded = match (self.runs.get(&change.run), change.start_key) {
                (None, Some(key)) => {
                    defect == Some(Defect::StartTwice) || self.runs.values().all(|row| row.key != key)
                }
                (Some(row), None) => row.version == change.guard || defect == Some(Defect::VersionUnguarded),
                (Some(_), Some(_)) | (None, None) => false,
            };
            if !is_guarded {
                return (Saved::LostRace, Vec::new());
            }
        }
        self.delete(sent);
        for change in changes {
            for command in change.commands {
                if let Command::Stop { task, attempt } = command
                    && defect != Some(Defect::StopKeepsMessage)
                {
                    self.delete(&[key(change.run, *task, *attempt)]);
                }
            }
        }
        let mut later = Vec::new();
        for change in changes {
            self.save_run(change, defect);
            self.gates.save(change, defect);
            self.save_errands(change, defect);
            self.save_waits(change, now, defect);
            self.save_letters(change, defect);
            for row in self.outbox_rows(change, defect) {
                if defect == Some(Defect::OutboxAfterCommit) {
                    later.push(row);
                } else {
                    self.insert(row);
                }
            }
        }
        (Saved::All, later)
    }

    fn save_run(&mut self, change: &Change<'_>, defect: Option<Defect>) {
        let state = change.state;
        let extra = serde_json::to_string(&state.extra).unwrap_or_default();
        let mut columns = RunState {
            tasks: Vec::new(),
            extra: RunExtra::default(),
            ..state.clone()
        };
        let parent = change.parent.map(|parent| Attempt {
            run: parent.run,
            task: parent.task,
            attempt: parent.attempt,
        });
        let lineage = self.lineage_of(change, parent);
        if let Some(parent) = parent.filter(|_| !self.runs.contains_key(&change.run)) {
            self.children.entry(parent).or_default().push(change.run);
        }
        let row = self.runs.entry(change.run).or_insert_with(|| RunRow {
            of: change.version.clone(),
            key: change.start_key.unwrap_or_default().to_owned(),
            lineage,
            parent,
            root: change.parent.map(|parent| parent.root),
            depth: change.parent.map_or(0, |parent| parent.depth),
            version: 0,
            columns: columns.clone(),
            tasks: Vec::new(),
            extra: String::new(),
            records: Vec::new(),
        });
        if defect == Some(Defect::AlarmNotSaved) && row.version > 0 {
            columns.wake_at = row.columns.wake_at;
        }
        if defect == Some(Defect::CountsNotSaved) && row.version > 0 {
            columns.counts = row.columns.counts;
        }
        if defect == Some(Defect::PauseNotSaved) && row.version > 0 {
            columns.is_paused = row.columns.is_paused;
        }
        row.version = change.guard + 1;
        row.columns = columns;
        row.extra = extra;
        for ix in &change.changed_tasks {
            let before = row.tasks[ix.at()].clone();
            let mut task = state.tasks[ix.at()].clone();
            // NULL keeps what is stored of the large columns; what was reset has no output
            task.input = task.input.or(before.input);
            let has_ended = matches!(
                task.status,
                TaskStatus::Succeeded | TaskStatus::Failed | TaskStatus::TimedOut | TaskStatus::Cached
            );
            task.output = task.output.or(before.output.filter(|_| has_ended));
            row.tasks[ix.at()] = task;
        }
        let added = state.tasks.iter().skip(change.stored_tasks);
        row.tasks.extend(added.cloned());
        let mut records = change.records.to_vec();
        if defect == Some(Defect::RecordLost) && records.len() > 2 {
            records.remove(1);
        }
        row.records.extend(records);
    }

    /// Which run of the script a run is that is being made.
    fn lineage_of(&self, change: &Change<'_>, parent: Option<Attempt>) -> Lineage {
        match parent.and_then(|at| Some((at, self.runs.get(&at.run)?))) {
            Some((at, row)) => lineage_of_child(row.lineage, &row.key_of(at.task), at.attempt),
            None => {
                let key = change.start_key.and_then(|key| key.strip_prefix("run-"));
                key.and_then(|n| n.parse().ok()).unwrap_or(0)
            }
        }
    }

    /// `apply::side::dead_letter`.
    fn save_letters(&mut self, change: &Change<'_>, defect: Option<Defect>) {
        for command in change.commands {
            if let Command::DeadLetter { task, attempt } = command
                && defect != Some(Defect::LetterLost)
            {
                self.letters.push(Letter {
                    at: key(change.run, *task, *attempt),
                    is_open: true,
                });
            }
        }
    }

    fn outbox_rows(&self, change: &Change<'_>, defect: Option<Defect>) -> Vec<(Attempt, OutboxRow)> {
        let plan = change.version.plan();
        if defect == Some(Defect::DispatchedEarly) && change.start_key.is_some() {
            return early_row(change).into_iter().collect();
        }
        let dispatches = change.commands.iter().filter_map(|command| match command {
            Command::Dispatch { task, attempt } => Some((*task, *attempt)),
            _ => None,
        });
        dispatches
            .zip(&change.is_mine)
            .map(|((task, attempt), is_mine)| {
                let definition = plan.task(change.state.tasks[task.at()].template);
                let row = OutboxRow {
                    id: 0,
                    queue: definition.queue.clone(),
                    priority: definition.priority.unwrap_or(change.state.context.priority),
                    leased_until: if *is_mine {
                        change.now.after(OUTBOX_LEASE).0
                    } else {
                        0
                    },
                };
                (key(change.run, task, attempt), row)
            })
            .collect()
    }

    /// One more message to send, unless there is one of the attempt (`ON CONFLICT DO NOTHING`).
    pub fn insert(&mut self, (at, row): (Attempt, OutboxRow)) {
        self.next_outbox_id += 1;
        let id = self.next_outbox_id;
        self.outbox.entry(at).or_insert(OutboxRow { id, ..row });
    }

    /// `relay::flush`, and what a batch takes along.
    pub fn delete(&mut self, keys: &[Attempt]) {
        for key in keys {
            self.outbox.remove(key);
        }
    }

    /// `relay::claim::waiting`: queues with rows that nobody holds.
    #[must_use]
    pub fn waiting(&self, now: Timestamp, defect: Option<Defect>) -> BTreeSet<String> {
        let is_free = |row: &&OutboxRow| is_free(row, now, defect);
        self.outbox
            .values()
            .filter(is_free)
            .map(|row| row.queue.clone())
            .collect()
    }

    /// `relay::claim::take`: leases up to `max` rows, highest priority first, then oldest.
    pub fn claim(&mut self, queue: &str, now: Timestamp, max: usize, defect: Option<Defect>) -> Vec<Attempt> {
        let mut found: Vec<(u8, u64, Attempt)> = self
            .outbox
            .iter()
            .filter(|(_, row)| row.queue == queue && is_free(row, now, defect))
            .map(|(at, row)| (row.priority, row.id, *at))
            .collect();
        found.sort_by_key(|(priority, id, _)| (std::cmp::Reverse(*priority), *id));
        found.truncate(max);
        for (_, _, at) in &found {
            if let Some(row) = self.outbox.get_mut(at) {
                row.leased_until = now.after(OUTBOX_LEASE).0;
            }
        }
        found.into_iter().map(|(_, _, at)| at).collect()
    }

    /// `relay::claim::still_out`.
    #[must_use]
    pub fn is_out(&self, at: &Attempt) -> bool {
        self.runs
            .get(&at.run)
            .is_some_and(|row| row.is_live(at.task, at.attempt))
    }

    /// `waker::earliest`: the next alarms, without those of runs that are set aside.
    #[must_use]
    pub fn alarms(&self, aside: &BTreeMap<RunId, Timestamp>) -> Vec<(Timestamp, RunId)> {
        let mut alarms: Vec<(Timestamp, RunId)> = self
            .runs
            .iter()
            .filter(|(id, _)| !aside.contains_key(id))
            .filter_map(|(id, row)| Some((row.columns.wake_at?, *id)))
            .collect();
        alarms.sort_unstable();
        alarms
    }

    /// `recovery::run`: what a start does about the end before it. SQLite has one process, so every lease is a dead one's; a
    /// queue that is not durable has forgotten what it held.
    pub fn recover(&mut self, is_queue_durable: bool, defect: Option<Defect>) {
        if is_queue_durable {
            return;
        }
        if defect != Some(Defect::LeaseForever) {
            self.outbox.values_mut().for_each(|row| row.leased_until = 0);
        }
        if defect == Some(Defect::RecoveryForgets) {
            return;
        }
        let mut live = Vec::new();
        for (id, row) in self
            .runs
            .iter()
            .filter(|(_, row)| !row.columns.status.is_terminal())
        {
            for (at, task) in row.tasks.iter().enumerate() {
                let ix = TaskIx(u32::try_from(at).unwrap_or(u32::MAX));
                if row.is_live(ix, task.attempt) {
                    let queue = row.of.plan().task(task.template).queue.clone();
                    let priority = row.columns.context.priority;
                    let message = OutboxRow {
                        id: 0,
                        queue,
                        priority,
                        leased_until: 0,
                    };
                    live.push((task.queued_at, key(*id, ix, task.attempt), message));
                }
            }
        }
        live.sort_by_key(|(queued_at, at, _)| (*queued_at, *at));
        for (_, at, row) in live {
            self.insert((at, row));
        }
    }

    /// Whether every run has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.runs.values().all(|row| row.columns.status.is_terminal())
    }

    /// Runs that are paused and have not ended.
    #[must_use]
    pub fn paused(&self) -> Vec<RunId> {
        let paused = |row: &RunRow| row.columns.is_paused && !row.columns.status.is_terminal();
        let runs = self.runs.iter().filter(|(_, row)| paused(row));
        runs.map(|(id, _)| *id).collect()
    }

    /// Status of a run.
    #[must_use]
    pub fn status(&self, run: RunId) -> Option<RunStatus> {
        self.runs.get(&run).map(|row| row.columns.status)
    }
}

/// A defect: a message of a task that still waits for its upstreams.
fn early_row(change: &Change<'_>) -> Option<(Attempt, OutboxRow)> {
    let blocked = |task: &TaskState| task.status == TaskStatus::Blocked;
    let at = change.state.tasks.iter().position(blocked)?;
    let ix = TaskIx(u32::try_from(at).ok()?);
    let row = OutboxRow {
        id: 0,
        queue: change.version.plan().task(ix).queue.clone(),
        priority: 50,
        leased_until: 0,
    };
    Some((key(change.run, ix, 1), row))
}

fn is_free(row: &OutboxRow, now: Timestamp, defect: Option<Defect>) -> bool {
    if defect == Some(Defect::LeaseForever) {
        return row.leased_until == 0;
    }
    row.leased_until <= now.0
}

fn key(run: RunId, task: TaskIx, attempt: u32) -> Attempt {
    Attempt { run, task, attempt }
}
