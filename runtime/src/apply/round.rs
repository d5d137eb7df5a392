//! What a batch of items does to the runs it concerns. No database here: rows come in, turns and answers go out.

use std::collections::HashMap;
use std::sync::Arc;

use runnel_engine::run::{Command, Input, NewRun, Outcome, RunState};
use runnel_engine::{Moment, RunId, Timestamp};

use super::load::{KeyHolder, Loaded};
use super::turn::{Audited, Known, Lease, Turn};
use super::{InputsReply, Shell, StartReply, StartRow};
use crate::audit::Draft;
use crate::error::StoreError;
use crate::relay::Room;
use crate::view::{ParentView, RunView};

/// One thing to apply, without the way back to its caller, so that it can be applied again.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "lives for one batch; a box would be an allocation for each start"
)]
pub(super) enum Item {
    Start {
        new: NewRun,
        row: StartRow,
    },
    Inputs {
        run: RunId,
        inputs: Vec<Input>,
        audit: Option<Arc<Draft>>,
    },
}

impl Item {
    /// The run that it concerns.
    pub(super) fn run(&self) -> RunId {
        match self {
            Self::Start { new, .. } => new.context.id,
            Self::Inputs { run, .. } => *run,
        }
    }
}

/// What an item's caller is told after the commit.
#[derive(Debug)]
pub(super) enum Answer {
    Start(StartReply),
    Inputs(InputsReply),
}

/// A batch, computed and not yet saved.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The runs that it concerns, each once.
    pub turns: Vec<Turn>,
    /// One answer an item, in the order of the items.
    pub answers: Vec<Result<Answer, StoreError>>,
    turn_of: HashMap<RunId, Result<usize, String>>,
}

impl Round {
    /// Applies the items in order. `known` holds the existing runs they concern, `holders` the runs that hold their keys.
    pub(super) fn compute<'i>(
        items: impl IntoIterator<Item = &'i Item>,
        known: Loaded,
        holders: &[KeyHolder],
        moment: Moment,
    ) -> Self {
        let mut round = Self::default();
        for (run, known) in known {
            match known {
                Ok(known) => round.add_turn(Turn::resume(known, moment)),
                Err(error) => {
                    round.turn_of.insert(run, Err(error.to_string()));
                }
            }
        }
        for item in items {
            let answer = match item {
                Item::Start { new, row } => round.start(new, row, holders, moment),
                Item::Inputs { run, inputs, audit } => round.inputs(*run, inputs, audit.as_ref()),
            };
            round.answers.push(answer);
        }
        round.turns.iter_mut().for_each(Turn::close);
        round
    }

    /// Decides which new messages this process sends itself: those that find room in their queue and a worker for their
    /// type. The others wait in the table for whoever can send them.
    pub(super) fn lease(&mut self, shell: &Shell) {
        let is_served = |queue: &str, kind: &str, now: Timestamp| shell.registry.is_served(queue, kind, now);
        self.lease_with(is_served, || shell.relay.room());
    }

    /// The same, whoever knows the workers and the room.
    pub(super) fn lease_with(
        &mut self,
        is_served: impl Fn(&str, &str, Timestamp) -> bool,
        room_of: impl Fn() -> Room,
    ) {
        let mut room = None;
        for turn in &mut self.turns {
            turn.leased.clear();
            for command in &turn.effects.commands {
                let Command::Dispatch { task, .. } = command else {
                    continue;
                };
                let plan = &turn.known.meta.plan;
                let definition = plan.task(turn.known.state.tasks[task.at()].template);
                let is_served = is_served(&definition.queue, &definition.kind, turn.moment.now);
                let has_room = is_served && room.get_or_insert_with(&room_of).take(&definition.queue);
                turn.leased.push(match (is_served, has_room) {
                    (_, true) => Lease::Mine,
                    (true, false) => Lease::NoRoom,
                    (false, false) => Lease::NoWorker,
                });
            }
        }
    }

    /// Whether the batch makes a run.
    pub(super) fn has_start(&self) -> bool {
        self.turns.iter().any(|turn| turn.start.is_some())
    }

    fn add_turn(&mut self, turn: Turn) {
        self.turn_of.insert(turn.run(), Ok(self.turns.len()));
        self.turns.push(turn);
    }

    fn start(
        &mut self,
        new: &NewRun,
        row: &StartRow,
        holders: &[KeyHolder],
        moment: Moment,
    ) -> Result<Answer, StoreError> {
        let run = new.context.id;
        if let Some(Ok(at)) = self.turn_of.get(&run) {
            // an earlier try whose outcome was unknown did commit
            return Ok(Answer::Start(StartReply::Created(Box::new(view(
                row,
                &self.turns[*at].known,
            )))));
        }
        if let Some(taken) = self.find_holder(row, holders) {
            return Ok(Answer::Start(taken));
        }
        let mut state = RunState::new(&row.meta.plan, new.clone(), &moment);
        for (ix, output) in row.rerun.iter().flat_map(|rerun| &rerun.kept) {
            state.keep_result(*ix, Arc::clone(output));
        }
        state.extra.is_cache_ignored = row.ignores_cache;
        state.extra.trace = row.trace().map(Arc::new);
        let mut turn = Turn::begin(row.clone(), state, moment);
        turn.advance(&Input::Started {
            actor: row.actor.clone(),
        })?;
        let created = view(row, &turn.known);
        turn.audits.extend(row.audit.as_ref().map(|draft| Audited {
            draft: Arc::clone(draft),
            before: None,
        }));
        self.add_turn(turn);
        Ok(Answer::Start(StartReply::Created(Box::new(created))))
    }

    /// Who holds the key of a start: a stored run, or an earlier start of this batch.
    fn find_holder(&self, row: &StartRow, holders: &[KeyHolder]) -> Option<StartReply> {
        let key = row.idempotency_key.as_deref()?;
        let stored = holders
            .iter()
            .find(|h| h.idempotency_key == key && *h.namespace == *row.meta.namespace);
        if let Some(holder) = stored {
            return Some(StartReply::KeyTaken {
                run: RunId(holder.id),
                request_hash: holder.request_hash.clone(),
            });
        }
        self.turns.iter().find_map(|turn| {
            let start = turn.start.as_ref()?;
            let is_same =
                start.idempotency_key.as_deref() == Some(key) && start.meta.namespace == row.meta.namespace;
            is_same.then(|| StartReply::KeyTaken {
                run: turn.run(),
                request_hash: start.request_hash.clone(),
            })
        })
    }

    fn inputs(
        &mut self,
        run: RunId,
        inputs: &[Input],
        audit: Option<&Arc<Draft>>,
    ) -> Result<Answer, StoreError> {
        let at = match self.turn_of.get(&run) {
            None => return Ok(Answer::Inputs(InputsReply::UnknownRun)),
            Some(Err(problem)) => {
                return Err(StoreError::Corrupt {
                    table: "run",
                    problem: problem.clone(),
                });
            }
            Some(Ok(at)) => *at,
        };
        let turn = &mut self.turns[at];
        let before = audit.map(|_| turn.summary());
        let mut outcomes = Vec::with_capacity(inputs.len());
        for input in inputs {
            match turn.advance(input) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    // the state is half changed: nothing of this run is saved, and later items of it fail as well
                    turn.is_failed = true;
                    self.turn_of.insert(run, Err(error.to_string()));
                    return Err(error);
                }
            }
        }
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Applied)) {
            turn.audits.extend(audit.map(|draft| Audited {
                draft: Arc::clone(draft),
                before,
            }));
        }
        Ok(Answer::Inputs(InputsReply::Done {
            outcomes,
            status: turn.known.state.status,
        }))
    }
}

/// What the caller of a start sees of it.
fn view(row: &StartRow, known: &Known) -> RunView {
    let state = &known.state;
    RunView {
        id: state.context.id,
        workflow_id: row.meta.workflow_id,
        workflow_version_id: row.meta.id,
        workflow_version: state.context.workflow_version,
        status: state.status,
        is_paused: state.is_paused,
        priority: state.context.priority,
        tags: row.tags.clone(),
        idempotency_key: row.idempotency_key.clone(),
        counts: state.counts,
        has_tolerated_failures: state.has_tolerated_failures,
        error: state.error.clone(),
        has_payloads: true,
        inputs: row.inputs.clone(),
        outputs: state.outputs.clone(),
        created_at: state.context.created_at,
        created_by: row.actor.to_string(),
        started_at: state.started_at,
        finished_at: state.finished_at,
        wake_at: state.wake_at,
        trigger: state.extra.trigger.as_deref().cloned(),
        last_seq: state.next_seq - 1,
        parent: row.parent.map(|parent| ParentView {
            run: parent.run,
            task: parent.task,
            attempt: parent.attempt,
        }),
        depth: row.parent.map_or(0, |parent| parent.depth),
        rerun_of: row.rerun.as_ref().map(|rerun| rerun.of),
    }
}
