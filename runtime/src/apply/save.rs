//! Writes what the turns of a batch changed: a constant number of statements, however many runs and tasks. They are
//! sent as one, unless the batch touches progress, waits, child runs, gates or dead letters.

use std::collections::HashSet;
use std::sync::Arc;

use runnel_engine::run::{Command, RunState, TaskState};
use runnel_engine::{TaskIx, gate};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement};
use uuid::Uuid;

use super::combine::{Part, combine};
use super::convert::{item_text, json_text};
use super::offload::Stored;
use super::rows::RowSet;
use super::side::SideRows;
use super::sql::{
    EVENT_NEW, OUTBOX_KEY, OUTBOX_NEW, RUN_CHANGE, RUN_NEW, Sql, TASK_CHANGE, TASK_NEW, TASK_SAID, USE_NEW,
};
use super::turn::{Lease, Turn};
use super::{Column, StartRow};
use crate::audit::{self, AUDIT_NEW};
use crate::error::StoreError;
use crate::relay::{AttemptKey, LEASE};
use crate::store::failed_to;

/// The statements of one batch, ready to be sent.
#[derive(Debug)]
pub(super) struct Statements {
    /// New runs and changed runs; each must write the given number of rows, or the batch has lost a race.
    guarded: Vec<(&'static str, Statement, usize)>,
    plain: Vec<(&'static str, Statement)>,
    /// No two of them concern the same row: the database can run them as one.
    is_combinable: bool,
}

/// What a transaction wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saved {
    /// Everything.
    All,
    /// Nothing may be committed: a run was changed, or an idempotency key taken, since the state was read.
    LostRace,
}

impl Statements {
    /// Builds the statements. Outbox rows of `sent` messages leave with this batch, which spares them a commit of their own.
    pub(super) fn build(
        backend: DbBackend,
        sql: &Sql,
        turns: &[Turn],
        sent: &[AttemptKey],
    ) -> Result<Self, StoreError> {
        let mut rows = Rows::new(backend);
        let mut changed: Vec<&Turn> = turns.iter().filter(|turn| turn.is_changed).collect();
        // the order in which their rows are locked
        changed.sort_unstable_by_key(|turn| turn.run());
        for turn in changed {
            rows.add(turn)?;
        }
        for key in sent {
            rows.add_gone(key.run.0, key.task, key.attempt);
        }
        let is_new = |key| rows.outbox_keys.contains(key);
        // progress concerns the same rows as the tasks' own changes
        let mut is_combinable = rows.said.is_empty() && !rows.gone_keys.iter().any(is_new);
        let mut guarded = Vec::new();
        for (action, set, text) in [
            ("insert runs", rows.new_runs, &sql.insert_runs),
            ("update runs", rows.runs, &sql.update_runs),
        ] {
            if !set.is_empty() {
                let expected = set.len();
                guarded.push((action, set.bind(backend, text, vec![]), expected));
            }
        }
        let mut plain = Vec::new();
        for (action, set, text) in [
            // first, because an attempt whose row leaves may be dispatched anew in the same batch
            ("delete from the outbox", rows.gone, &sql.delete_outbox),
            ("insert tasks", rows.new_tasks, &sql.insert_tasks),
            ("update tasks", rows.tasks, &sql.update_tasks),
            ("update progress", rows.said, &sql.update_said),
            ("insert events", rows.events, &sql.insert_events),
            ("insert uses of payloads", rows.uses, &sql.insert_uses),
            ("insert into the outbox", rows.outbox, &sql.insert_outbox),
            ("write the audit log", rows.audits, &sql.insert_audits),
        ] {
            if !set.is_empty() {
                plain.push((action, set.bind(backend, text, vec![])));
            }
        }
        let side = rows.side.statements(backend);
        is_combinable &= side.is_empty();
        plain.extend(side);
        Ok(Self {
            guarded,
            plain,
            is_combinable,
        })
    }

    /// All as one statement, to be sent outside a transaction; unchanged where that is not possible.
    pub(super) fn into_one(self, backend: DbBackend) -> Result<Statement, Self> {
        if !self.is_combinable || self.guarded.is_empty() {
            return Err(self);
        }
        let guarded = self.guarded.into_iter().map(|(_, statement, expected)| Part {
            statement,
            expected: Some(expected),
        });
        let plain = self.plain.into_iter().map(|(_, statement)| Part {
            statement,
            expected: None,
        });
        Ok(combine(backend, guarded.chain(plain).collect()))
    }

    /// Sends the statements. The guarded ones go first: they take the locks, and a lost race writes nothing else.
    pub(super) async fn execute(self, tx: &DatabaseTransaction) -> Result<Saved, StoreError> {
        for (action, statement, expected) in self.guarded {
            let written = tx.query_all_raw(statement).await.map_err(failed_to(action))?;
            if written.len() != expected {
                return Ok(Saved::LostRace);
            }
        }
        for (action, statement) in self.plain {
            tx.execute_raw(statement).await.map_err(failed_to(action))?;
        }
        Ok(Saved::All)
    }
}

struct Rows {
    new_runs: RowSet,
    runs: RowSet,
    new_tasks: RowSet,
    tasks: RowSet,
    events: RowSet,
    outbox: RowSet,
    outbox_keys: HashSet<OutboxKey>,
    gone: RowSet,
    gone_keys: HashSet<OutboxKey>,
    uses: RowSet,
    said: RowSet,
    side: SideRows,
    audits: RowSet,
}

/// Run, task and attempt.
type OutboxKey = (Uuid, TaskIx, u32);

impl Rows {
    fn new(backend: DbBackend) -> Self {
        let set = |columns: &'static [Column]| RowSet::new(backend, columns);
        Self {
            new_runs: set(RUN_NEW),
            runs: set(RUN_CHANGE),
            new_tasks: set(TASK_NEW),
            tasks: set(TASK_CHANGE),
            events: set(EVENT_NEW),
            outbox: set(OUTBOX_NEW),
            outbox_keys: HashSet::new(),
            gone: set(OUTBOX_KEY),
            uses: set(USE_NEW),
            said: set(TASK_SAID),
            gone_keys: HashSet::new(),
            side: SideRows::new(backend),
            audits: set(AUDIT_NEW),
        }
    }

    fn add(&mut self, turn: &Turn) -> Result<(), StoreError> {
        let state = &turn.known.state;
        let run = state.context.id.0;
        match &turn.start {
            Some(start) => add_new_run(&mut self.new_runs, start, state, &turn.stored)?,
            None => add_run(&mut self.runs, turn)?,
        }
        for name in turn.stored.names() {
            self.uses.text(name).id(run);
        }
        for ix in turn.changed_tasks() {
            self.add_task(run, ix, turn)?;
            if let Some(said) = turn.known.new_said(ix) {
                self.said.id(run).int(ix.0);
                self.said
                    .opt_text(said.progress.as_deref())
                    .opt_text(said.checkpoint.as_deref());
            }
        }
        for at in turn.stored_tasks..state.tasks.len() {
            self.add_new_task(run, TaskIx(u32::try_from(at).unwrap_or(u32::MAX)), turn)?;
        }
        if let (Some(first), Some(last)) = (turn.effects.records.first(), turn.effects.records.last()) {
            self.events
                .id(run)
                .int(first.seq)
                .int(last.seq)
                .text(&turn.known.meta.namespace)
                .int(turn.moment.now.0)
                .text(&json_text(&turn.effects.records)?);
        }
        self.add_audits(turn);
        self.side.add_end(turn);
        let mut leases = turn.leased.iter();
        for command in &turn.effects.commands {
            match command {
                Command::Dispatch { task, attempt } => {
                    let definition = turn.known.meta.plan.task(state.tasks[task.at()].template);
                    let priority = definition.priority.unwrap_or(state.context.priority);
                    self.outbox_keys.insert((run, *task, *attempt));
                    self.outbox.id(run).int(task.0).int(*attempt);
                    self.outbox
                        .text(&definition.queue)
                        .text(&definition.kind)
                        .int(priority)
                        .int(turn.moment.now.0);
                    let is_mine = leases.next() == Some(&Lease::Mine);
                    self.outbox.int(if is_mine {
                        turn.moment.now.after(LEASE).0
                    } else {
                        0
                    });
                    self.outbox
                        .text(&turn.known.meta.namespace)
                        .int(gate::rank(turn.moment.now, priority));
                }
                Command::Stop { task, attempt } => {
                    self.add_gone(run, *task, *attempt);
                }
                Command::DeadLetter { .. } | Command::Wait(_) | Command::Child(_) | Command::Gate(_) => {
                    self.side.add(turn, command)?;
                }
            }
        }
        Ok(())
    }

    fn add_gone(&mut self, run: Uuid, task: TaskIx, attempt: u32) {
        if self.gone_keys.insert((run, task, attempt)) {
            self.gone.id(run).int(task.0).int(attempt);
        }
    }

    /// Mutations are few: a batch without one has no statement for them.
    fn add_audits(&mut self, turn: &Turn) {
        for audited in &turn.audits {
            audited.draft.aim("run", format!("run_{}", turn.run().0.simple()));
            let after = turn.summary();
            audit::add_row(
                &mut self.audits,
                &audited.draft,
                audited.before.as_deref(),
                Some(&after),
            );
        }
    }

    fn add_task(&mut self, run: Uuid, ix: TaskIx, turn: &Turn) -> Result<(), StoreError> {
        let task = &turn.known.state.tasks[ix.at()];
        let saved = turn.known.saved_inputs.get(ix.at()).and_then(Option::as_ref);
        let is_saved = matches!((saved, &task.input), (Some(saved), Some(now)) if Arc::ptr_eq(saved, now));
        self.tasks.id(run).int(ix.0);
        let input = task.input.as_ref().filter(|_| !is_saved);
        add_progress(&mut self.tasks, task, input, &turn.stored)
    }

    fn add_new_task(&mut self, run: Uuid, ix: TaskIx, turn: &Turn) -> Result<(), StoreError> {
        let (state, plan) = (&turn.known.state, &turn.known.meta.plan);
        let task = &state.tasks[ix.at()];
        let definition = plan.task(task.template);
        let item = task
            .item
            .as_ref()
            .map(|item| item_text(item, &turn.stored))
            .transpose()?;
        let rows = &mut self.new_tasks;
        rows.id(run).int(ix.0);
        match task.item {
            Some(_) => rows.text(&state.key(plan, ix)),
            None => rows.text(&definition.key),
        };
        rows.int(task.template.0)
            .opt_text(item.as_deref())
            .text(&definition.kind)
            .text(&definition.queue);
        add_progress(rows, task, task.input.as_ref(), &turn.stored)
    }
}

/// The columns that [`TASK_NEW`] and [`TASK_CHANGE`] share, in their order.
fn add_progress(
    rows: &mut RowSet,
    task: &TaskState,
    input: Option<&Arc<str>>,
    stored: &Stored,
) -> Result<(), StoreError> {
    let error = task.error.as_ref().map(json_text).transpose()?;
    rows.int(task.status as u8)
        .int(task.attempt)
        .int(task.retries)
        .int(task.losses);
    for at in [
        task.wake_at,
        task.ready_at,
        task.queued_at,
        task.started_at,
        task.heartbeat_at,
        task.finished_at,
    ] {
        rows.opt_int(at.map(|at| at.0));
    }
    rows.opt_text(task.worker.as_deref())
        .opt_text(input.map(|text| stored.of(text)))
        .opt_text(task.output.as_ref().map(|text| stored.of(text)));
    rows.opt_text(error.as_deref()).opt_text(task.extra.as_deref());
    Ok(())
}

fn add_new_run(
    rows: &mut RowSet,
    start: &StartRow,
    state: &RunState,
    stored: &Stored,
) -> Result<(), StoreError> {
    let context = &state.context;
    let error = state.error.as_ref().map(json_text).transpose()?;
    rows.id(context.id.0)
        .text(&start.meta.namespace)
        .id(start.meta.workflow_id.0)
        .id(start.meta.id.0);
    rows.int(context.workflow_version)
        .int(state.status as u8)
        .int(state.is_paused)
        .int(1)
        .int(state.next_seq);
    rows.opt_int(state.wake_at.map(|at| at.0)).int(context.priority);
    rows.opt_text(start.idempotency_key.as_deref())
        .opt_text(start.request_hash.as_deref());
    rows.text(stored.of(&start.inputs))
        .text(&json_text(&*context.vars)?);
    rows.opt_text(state.outputs.as_ref().map(|text| stored.of(text)))
        .opt_text(error.as_deref());
    rows.text(&json_text(&start.tags)?)
        .text(&json_text(&state.counts)?);
    rows.int(state.has_tolerated_failures)
        .text(&json_text(&state.extra)?);
    rows.int(context.created_at.0).text(&start.actor);
    rows.opt_int(state.started_at.map(|at| at.0))
        .opt_int(state.finished_at.map(|at| at.0));
    let parent = start.parent.as_ref();
    rows.opt_id(parent.map(|parent| parent.run.0))
        .opt_int(parent.map(|parent| parent.task.0.into()))
        .opt_int(parent.map(|parent| parent.attempt.into()))
        .opt_id(parent.map(|parent| parent.root.0))
        .int(parent.map_or(0, |parent| parent.depth));
    let rerun_of = start.rerun.as_ref().map(|rerun| rerun.of.0.to_string());
    rows.opt_text(rerun_of.as_deref());
    Ok(())
}

fn add_run(rows: &mut RowSet, turn: &Turn) -> Result<(), StoreError> {
    let state = &turn.known.state;
    let error = state.error.as_ref().map(json_text).transpose()?;
    rows.id(state.context.id.0)
        .int(turn.known.version)
        .int(state.status as u8)
        .int(state.is_paused);
    rows.int(state.next_seq).opt_int(state.wake_at.map(|at| at.0));
    rows.opt_text(state.outputs.as_ref().map(|text| turn.stored.of(text)))
        .opt_text(error.as_deref())
        .text(&json_text(&state.counts)?);
    rows.int(state.has_tolerated_failures)
        .text(&json_text(&state.extra)?);
    rows.opt_int(state.started_at.map(|at| at.0))
        .opt_int(state.finished_at.map(|at| at.0));
    Ok(())
}
