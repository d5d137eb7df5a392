//! Limits of a fan-out that an operator changes while it runs.

use runnel_engine::RunId;
use runnel_engine::definition::Tolerate;
use runnel_engine::run::Input;

use crate::actor::Actor;
use crate::error::OperateError;
use crate::orchestrator::Orchestrator;
use crate::view::{RunView, TaskView};

/// New limits of a fan-out; what is `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FanoutLimits {
    /// Most items in flight.
    pub max_parallel: Option<u32>,
    /// Failures that are forgiven.
    pub tolerate: Option<Tolerate>,
}

impl Orchestrator {
    /// Changes the limits of a fan-out: more items may start at once, or the failures so far may be too many.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn change_fanout_limits(
        &self,
        actor: &Actor,
        run: RunId,
        task: &str,
        limits: FanoutLimits,
    ) -> Result<(RunView, TaskView), OperateError> {
        let ix = self.task_of(actor, run, task).await?;
        let input = Input::FanoutLimitsChanged {
            task: ix,
            max_parallel: limits.max_parallel,
            tolerate: limits.tolerate,
            actor: actor.name.clone(),
        };
        self.operate_task(actor, run, task, input).await
    }
}
