//! Running again what has ended: in the same run where nothing but its failures changes, else as a new run that takes over
//! what is still good.

use std::collections::HashMap;
use std::sync::Arc;

use runnel_engine::run::{Input, Keep, RerunInput, RunStanding, RunState, kept_results};
use runnel_engine::{Plan, RunId, TaskIx};
use runnel_entity::{run, task};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Map, Value};

use crate::actor::Actor;
use crate::apply::{Fetch, Rerun, state_of};
use crate::error::{OperateError, StartError, StoreError};
use crate::orchestrator::{Orchestrator, StartRequest};
use crate::query::owned::is_own;
use crate::store::failed_to;
use crate::view::RunView;
use crate::view::convert::run_from_row;

/// Most reruns of one run that are listed.
pub const RERUNS_MAX: u64 = 50;

/// Where a rerun begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RerunFrom {
    /// With what did not succeed.
    Failed,
    /// At the beginning, keeping nothing; always a new run.
    Start,
    /// With the named tasks and everything downstream of them.
    Tasks,
}

/// Which version a rerun uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RerunVersion {
    /// That of the run.
    #[default]
    Pinned,
    /// The newest.
    Latest,
    /// This one.
    Number(i32),
}

/// What to run again.
#[derive(Debug, Clone)]
pub struct RerunRequest {
    /// The run.
    pub run: RunId,
    /// Where to begin.
    pub from: RerunFrom,
    /// Keys of the tasks, for [`RerunFrom::Tasks`].
    pub tasks: Vec<String>,
    /// The version.
    pub version: RerunVersion,
    /// Other inputs; those of the run when `None`.
    pub inputs: Option<Map<String, Value>>,
    /// Whether a new run is made also where the same one could go on.
    pub is_new_run: bool,
    /// The same key is the same request.
    pub idempotency_key: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl RerunRequest {
    /// A run again as it is: the same version and inputs, in the same run where that is possible.
    #[must_use]
    pub fn new(run: RunId, from: RerunFrom) -> Self {
        Self {
            run,
            from,
            tasks: Vec::new(),
            version: RerunVersion::Pinned,
            inputs: None,
            is_new_run: false,
            idempotency_key: None,
            reason: None,
        }
    }
}

/// What a rerun did.
#[derive(Debug, Clone)]
pub struct Reran {
    /// The run that goes on: the same one or a new one.
    pub run: RunView,
    /// Whether it was made for this.
    pub is_new: bool,
    /// Whether the request had been carried out before.
    pub is_replay: bool,
}

/// A rerun was refused.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    /// The run does not allow it.
    #[error(transparent)]
    Operate(#[from] OperateError),
    /// The new run was refused.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<StoreError> for RerunError {
    fn from(error: StoreError) -> Self {
        Self::Operate(OperateError::Store(error))
    }
}

impl Orchestrator {
    /// Runs a run again, or a part of it.
    ///
    /// # Errors
    /// See [`RerunError`].
    pub async fn rerun_run(&self, actor: &Actor, request: RerunRequest) -> Result<Reran, RerunError> {
        let run = self.find_run(actor, request.run).await?;
        let run = run.ok_or(OperateError::UnknownRun)?;
        let store = &self.reads().store;
        let versions = &self.reads().versions;
        let found = state_of(
            store.read(),
            store.backend().into(),
            versions,
            request.run,
            &Fetch::Store(self.payloads()),
        )
        .await?;
        let (meta, state) = found.ok_or(OperateError::UnknownRun)?;
        for key in &request.tasks {
            if meta.plan.find(key).is_none() {
                return Err(OperateError::UnknownTask { key: key.clone() }.into());
            }
        }
        let is_other_version = match request.version {
            RerunVersion::Pinned => false,
            RerunVersion::Latest => true,
            RerunVersion::Number(number) => number != run.workflow_version,
        };
        let has_other_inputs = request
            .inputs
            .as_ref()
            .is_some_and(|inputs| *inputs != *state.context.inputs);
        let is_new = request.from == RerunFrom::Start || request.is_new_run;
        if is_new || is_other_version || has_other_inputs {
            self.rerun_as_new(actor, request, &run, &meta.plan, &state).await
        } else {
            self.rerun_in_place(actor, request, &meta.plan).await
        }
    }

    /// Runs that repeat this one, newest first, at most [`RERUNS_MAX`].
    ///
    /// # Errors
    /// The store fails.
    pub async fn reruns(&self, actor: &Actor, of: RunId) -> Result<Vec<RunView>, StoreError> {
        let rows = run::Entity::find()
            .filter(run::Column::RerunOf.eq(of.0.to_string()))
            .filter(is_own(actor))
            .order_by_desc(run::Column::Id)
            .limit(RERUNS_MAX)
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("list reruns"))?;
        rows.into_iter().map(run_from_row).collect()
    }

    async fn rerun_in_place(
        &self,
        actor: &Actor,
        request: RerunRequest,
        plan: &Plan,
    ) -> Result<Reran, RerunError> {
        let who: Arc<str> = actor.name.clone();
        let reason = request.reason.map(Arc::from);
        let key = request.idempotency_key.map(Arc::from);
        let input = match request.from {
            RerunFrom::Tasks => RerunInput::Tasks {
                tasks: request.tasks.iter().filter_map(|key| plan.find(key)).collect(),
                actor: who,
                reason,
                key,
            },
            RerunFrom::Failed | RerunFrom::Start => RerunInput::Failed {
                actor: who,
                reason,
                key,
            },
        };
        let (run, is_applied) = self.operate_once(actor, request.run, Input::Rerun(input)).await?;
        Ok(Reran {
            run,
            is_new: false,
            is_replay: !is_applied,
        })
    }

    async fn rerun_as_new(
        &self,
        actor: &Actor,
        request: RerunRequest,
        run: &RunView,
        old: &Plan,
        state: &RunState,
    ) -> Result<Reran, RerunError> {
        let standing = RunStanding::of_status(run.status, run.is_paused);
        if let Err(refusal) = standing.rerun() {
            return Err(OperateError::refused(run.status, refusal).into());
        }
        let version = match request.version {
            RerunVersion::Pinned => Some(run.workflow_version),
            RerunVersion::Latest => None,
            RerunVersion::Number(number) => Some(number),
        };
        let start = StartRequest {
            workflow: old.workflow().id.clone(),
            version,
            inputs: request
                .inputs
                .unwrap_or_else(|| state.context.inputs.as_ref().clone()),
            idempotency_key: request
                .idempotency_key
                .map(|key| format!("rerun/{}/{key}", request.run)),
            priority: Some(run.priority),
            tags: run.tags.clone(),
            ..StartRequest::default()
        };
        let version = self.version_of(actor, &start).await?;
        let mut prepared = self.prepare(actor, start, version)?;
        let (plan, inputs) = (&prepared.0.row.meta.plan, &prepared.0.new.context.inputs);
        let pairs = match request.from {
            RerunFrom::Start => Vec::new(),
            RerunFrom::Failed => kept_results(old, state, plan, inputs, Keep::Good),
            RerunFrom::Tasks => kept_results(old, state, plan, inputs, Keep::AllBut(&request.tasks)),
        };
        let kept = self.outputs_of(request.run, pairs).await?;
        prepared.0.row.rerun = Some(Arc::new(Rerun {
            of: request.run,
            kept,
        }));
        let started = self.submit(actor, prepared).await?;
        Ok(Reran {
            run: started.run,
            is_new: true,
            is_replay: started.is_replay,
        })
    }

    /// The outputs as stored: the state in memory holds only those that an expression reads.
    async fn outputs_of(
        &self,
        run: RunId,
        pairs: Vec<(TaskIx, TaskIx)>,
    ) -> Result<Vec<(TaskIx, Arc<str>)>, StoreError> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        // static tasks only, of which there are few thousand: items keep their outputs in the list of their fan-out
        let rows: Vec<(i32, Option<String>)> = task::Entity::find()
            .filter(task::Column::RunId.eq(run.0))
            .filter(task::Column::Item.is_null())
            .select_only()
            .column(task::Column::Ix)
            .column(task::Column::Output)
            .into_tuple()
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("read outputs"))?;
        let mut outputs: HashMap<i32, Option<String>> = rows.into_iter().collect();
        let mut kept = Vec::with_capacity(pairs.len());
        for (before, ix) in pairs {
            let output = i32::try_from(before.0).ok().and_then(|ix| outputs.remove(&ix)?);
            let stored: Arc<str> = output.map_or_else(|| Arc::from("null"), Arc::from);
            // the new run refers to large values by itself, so that they outlive the old one
            kept.push((ix, self.payloads().resolve(&stored).await?));
        }
        Ok(kept)
    }
}
