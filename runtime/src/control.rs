//! What an operator asks of a run: the input, and the answer in the caller's terms.

use std::sync::Arc;

use runnel_engine::run::{CancelMode, Input, Outcome, RerunInput, RunStatus, Stale, TaskFailure};
use runnel_engine::{RunId, TaskIx};

use crate::actor::Actor;
use crate::apply::InputsReply;
use crate::audit;
use crate::error::{OperateError, StoreError};
use crate::orchestrator::Orchestrator;
use crate::view::{RunView, TaskView};

impl Orchestrator {
    /// Cancels a run.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn cancel_run(
        &self,
        actor: &Actor,
        run: RunId,
        mode: CancelMode,
        reason: Option<String>,
    ) -> Result<RunView, OperateError> {
        let input = Input::CancelRequested {
            mode,
            actor: actor.name.clone(),
            reason: reason.map(Arc::from),
        };
        self.operate(actor, run, input).await
    }

    /// Pauses a run: running attempts finish, nothing new starts.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn pause_run(
        &self,
        actor: &Actor,
        run: RunId,
        reason: Option<String>,
    ) -> Result<RunView, OperateError> {
        let input = Input::PauseRequested {
            actor: actor.name.clone(),
            reason: reason.map(Arc::from),
        };
        self.operate(actor, run, input).await
    }

    /// Resumes a paused run.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn resume_run(&self, actor: &Actor, run: RunId) -> Result<RunView, OperateError> {
        self.operate(
            actor,
            run,
            Input::ResumeRequested {
                actor: actor.name.clone(),
            },
        )
        .await
    }

    /// Retries a failed task.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn retry_task(
        &self,
        actor: &Actor,
        run: RunId,
        task: &str,
    ) -> Result<(RunView, TaskView), OperateError> {
        let ix = self.task_of(actor, run, task).await?;
        let input = Input::TaskRetryRequested {
            task: ix,
            actor: actor.name.clone(),
        };
        self.operate_task(actor, run, task, input).await
    }

    /// Skips a task that has not ended.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn skip_task(
        &self,
        actor: &Actor,
        run: RunId,
        task: &str,
        reason: Option<String>,
    ) -> Result<(RunView, TaskView), OperateError> {
        let ix = self.task_of(actor, run, task).await?;
        let reason = reason.map(Arc::from);
        let input = Input::TaskSkipRequested {
            task: ix,
            actor: actor.name.clone(),
            reason,
        };
        self.operate_task(actor, run, task, input).await
    }

    pub(crate) async fn task_of(&self, actor: &Actor, run: RunId, key: &str) -> Result<TaskIx, OperateError> {
        self.find_run(actor, run).await?.ok_or(OperateError::UnknownRun)?;
        let task = self.find_task(actor, run, key).await?;
        task.map(|task| task.ix)
            .ok_or_else(|| OperateError::UnknownTask { key: key.to_owned() })
    }

    pub(crate) async fn operate_task(
        &self,
        actor: &Actor,
        run: RunId,
        key: &str,
        input: Input,
    ) -> Result<(RunView, TaskView), OperateError> {
        let view = self.operate(actor, run, input).await?;
        let task = self.find_task(actor, run, key).await?;
        Ok((
            view,
            task.ok_or_else(|| OperateError::UnknownTask { key: key.to_owned() })?,
        ))
    }

    /// Ends a task with a result set by hand: the JSON text of an output, or a failure.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn override_task(
        &self,
        actor: &Actor,
        run: RunId,
        task: &str,
        result: Result<Arc<str>, TaskFailure>,
        reason: Option<String>,
    ) -> Result<(RunView, TaskView), OperateError> {
        let ix = self.task_of(actor, run, task).await?;
        let input = Input::Rerun(RerunInput::Override {
            task: ix,
            result,
            actor: actor.name.clone(),
            reason: reason.map(Arc::from),
        });
        self.operate_task(actor, run, task, input).await
    }

    /// Applies the input and answers the run as it is after the commit. The input is applied even when the caller goes away.
    async fn operate(&self, actor: &Actor, run: RunId, input: Input) -> Result<RunView, OperateError> {
        let (view, _) = self.operate_once(actor, run, input).await?;
        Ok(view)
    }

    /// As [`Self::operate`]; also says whether the input changed anything, or was in force already.
    pub(crate) async fn operate_once(
        &self,
        actor: &Actor,
        run: RunId,
        input: Input,
    ) -> Result<(RunView, bool), OperateError> {
        self.find_run(actor, run).await?.ok_or(OperateError::UnknownRun)?;
        let appliers = self.appliers().clone();
        let applied = tokio::spawn(audit::inherit(
            async move { appliers.apply(run, vec![input]).await },
        ));
        let applied = applied.await.map_err(|_| StoreError::Aborted {
            action: "apply an operation",
        })??;
        let is_applied = match applied {
            InputsReply::UnknownRun => return Err(OperateError::UnknownRun),
            InputsReply::Done { outcomes, status } => {
                let outcome = outcomes.into_iter().next();
                let is_applied = outcome == Some(Outcome::Applied);
                judge(outcome, status)?;
                is_applied
            }
        };
        let view = self.find_run(actor, run).await?.ok_or(OperateError::UnknownRun)?;
        Ok((view, is_applied))
    }
}

/// An operation that is in force already has succeeded; one that comes too late is refused.
pub(crate) fn judge(outcome: Option<Outcome>, status: RunStatus) -> Result<(), OperateError> {
    let late = |what: &str| OperateError::Conflict {
        status,
        message: what.to_owned(),
        allowed: if status.is_terminal() {
            vec!["runRerun", "taskRetry"]
        } else {
            Vec::new()
        },
    };
    match outcome {
        None | Some(Outcome::Applied | Outcome::Ignored(Stale::AlreadyInForce | Stale::NothingDue)) => Ok(()),
        Some(Outcome::Ignored(Stale::RunIsTerminal)) => Err(late("the run has ended")),
        Some(Outcome::Ignored(Stale::TaskIsTerminal | Stale::OldAttempt)) => Err(late("the task has ended")),
        Some(Outcome::Refused(refusal)) => Err(OperateError::refused(status, refusal)),
    }
}
