//! What is refused when a schedule is made or changed, rather than at each of its times.

use std::sync::Arc;

use runnel_engine::RunId;
use runnel_engine::schedule::{CATCH_UP_LIMIT_MAX, Calendar, Policy, WINDOW_MAX};
use runnel_engine::trigger::{TriggerFacts, render_inputs};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::KEY_CHARS_MAX;
use super::error::ScheduleError;
use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::start::TAGS_MAX;
use crate::view::convert::corrupt;
use crate::workflows::{CompiledVersion, Lookup};

/// Largest input templates of a schedule, in bytes of JSON.
const INPUTS_BYTES_MAX: usize = 64 << 10;

impl Orchestrator {
    /// The version that a schedule would start now.
    pub(crate) async fn schedulable(
        &self,
        actor: &Actor,
        workflow: &str,
        version: Option<i32>,
    ) -> Result<Arc<CompiledVersion>, ScheduleError> {
        match self
            .reads()
            .versions
            .find(&actor.namespace, workflow, version)
            .await?
        {
            Lookup::Found(found) => Ok(found),
            Lookup::UnknownWorkflow => Err(ScheduleError::UnknownWorkflow {
                key: workflow.to_owned(),
            }),
            Lookup::UnknownVersion { latest } => Err(ScheduleError::UnknownVersion {
                key: workflow.to_owned(),
                version: version.unwrap_or(latest),
            }),
        }
    }

    /// Refuses inputs now that would be refused at each of its times.
    pub(super) fn check_inputs(
        &self,
        version: &CompiledVersion,
        inputs: &Map<String, Value>,
    ) -> Result<(), ScheduleError> {
        let now = self.clock().now();
        let scheduled_at = now.to_rfc3339();
        let facts = TriggerFacts {
            workflow: &version.key,
            vars: self.vars(),
            scheduled_at: &scheduled_at,
            now,
        };
        let rendered =
            render_inputs(inputs, &facts).map_err(|message| ScheduleError::invalid("inputs", message))?;
        let workflow = version.plan.workflow();
        let facts = runnel_engine::inputs::StartFacts {
            run: RunId(Uuid::nil()),
            priority: workflow.priority,
            created_at: now,
            workflow_version: version.number,
            vars: self.vars(),
            trigger: None,
        };
        runnel_engine::inputs::resolve(workflow, rendered, &facts)
            .map(drop)
            .map_err(ScheduleError::Inputs)
    }
}

/// `[a-z][a-z0-9_-]*`, as the id of a workflow.
pub(crate) fn check_key(key: &str) -> Result<(), ScheduleError> {
    let is_legal = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.len() <= KEY_CHARS_MAX
        && key
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
    if is_legal {
        return Ok(());
    }
    let message = format!(
        "a key is a lower-case letter, then lower-case letters, digits, `-` and `_`; at most {KEY_CHARS_MAX}"
    );
    Err(ScheduleError::invalid("key", message))
}

pub(super) fn check(
    spec: &runnel_engine::schedule::Spec,
    policy: &Policy,
) -> Result<Calendar, ScheduleError> {
    if u128::from(policy.window_ms) > WINDOW_MAX.as_millis() {
        return Err(ScheduleError::invalid(
            "catchUpWindow",
            "the window is longer than 366 days",
        ));
    }
    if policy.limit == 0 || policy.limit > CATCH_UP_LIMIT_MAX {
        let message = format!("the limit must be from 1 to {CATCH_UP_LIMIT_MAX}");
        return Err(ScheduleError::invalid("catchUpLimit", message));
    }
    if policy.pause_after == Some(0) {
        return Err(ScheduleError::invalid(
            "pauseAfterFailures",
            "it must be at least 1",
        ));
    }
    Calendar::new(spec).map_err(|message| ScheduleError::invalid("when", message))
}

pub(super) fn check_start(inputs: &Map<String, Value>, tags: &[String]) -> Result<(), ScheduleError> {
    let bytes = text(inputs)?.len();
    if bytes > INPUTS_BYTES_MAX {
        let message = format!("the inputs have {bytes} bytes, more than the limit of {INPUTS_BYTES_MAX}");
        return Err(ScheduleError::invalid("inputs", message));
    }
    if tags.len() > TAGS_MAX {
        let message = format!("{} tags; the limit is {TAGS_MAX}", tags.len());
        return Err(ScheduleError::invalid("tags", message));
    }
    Ok(())
}

/// JSON text of a value of ours.
pub(crate) fn text<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| corrupt("schedule", error.to_string()))
}
