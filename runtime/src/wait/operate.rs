//! What people and programs send to waiting tasks: decisions, signals, callbacks.

use std::sync::Arc;

use runnel_engine::run::{Category, Input, Outcome, SIGNAL_BYTES_MAX, Stale, TaskFailure, Voter, WaitInput};
use runnel_engine::{RunId, TaskIx};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::approvals::ApprovalView;
use super::error::WaitError;
use crate::actor::Actor;
use crate::apply::InputsReply;
use crate::audit;
use crate::error::{OperateError, StoreError};
use crate::intake::OUTPUT_BYTES_MAX;
use crate::orchestrator::Orchestrator;
use crate::view::{RunView, TaskView};

/// Longest note of a decision, in characters; a longer one is cut.
const NOTE_CHARS_MAX: usize = 1_000;
/// Name in the history of whoever used a token.
const CALLBACK_ACTOR: &str = "callback";

/// A vote on an approval.
#[derive(Debug, Clone)]
pub struct DecisionRequest {
    /// The run.
    pub run: RunId,
    /// Key of the task; an item of a fan-out as `ask[3]`.
    pub task: String,
    /// For or against.
    pub is_approved: bool,
    /// The filled form.
    pub form: Option<Value>,
    /// A note.
    pub note: Option<String>,
    /// The groups that the caller belongs to; `*` is all of them.
    pub groups: Arc<[Arc<str>]>,
}

/// A signal to a run.
#[derive(Debug, Clone)]
pub struct SignalRequest {
    /// The run.
    pub run: RunId,
    /// Name of the signal.
    pub name: String,
    /// Its data.
    pub data: Value,
    /// A repeated signal with the same key is one signal.
    pub idempotency_key: Option<String>,
}

impl Orchestrator {
    /// The address under which others reach the API, unless one is configured: for the callbacks of new attempts.
    pub fn suggest_public_url(&self, base: &str) {
        self.shell().callbacks.suggest(base);
    }

    /// Decides on an approval. The same vote a second time changes nothing.
    ///
    /// # Errors
    /// See [`WaitError`].
    pub async fn resolve_approval(
        &self,
        actor: &Actor,
        request: DecisionRequest,
    ) -> Result<(RunView, ApprovalView), WaitError> {
        let run = self
            .find_run(actor, request.run)
            .await?
            .ok_or(OperateError::UnknownRun)?;
        let unknown = || OperateError::UnknownTask {
            key: request.task.clone(),
        };
        let task = self
            .find_task(actor, request.run, &request.task)
            .await?
            .ok_or_else(unknown)?;
        let ix = task.ix;
        if let Some(view) = ApprovalView::of_task(&task) {
            let approval = &view.approval;
            let is_repeated = approval
                .vote_of(&actor.name)
                .is_some_and(|vote| vote.is_approved == request.is_approved);
            if is_repeated {
                // also when it has ended the run meanwhile
                return Ok((run, view));
            }
            if view.is_open {
                let voter = Voter {
                    name: &actor.name,
                    groups: &request.groups,
                };
                approval.admit(voter, &run.created_by)?;
                let problems = approval.check_form(request.is_approved, request.form.as_ref());
                if !problems.is_empty() {
                    return Err(WaitError::Form(problems));
                }
            }
        }
        let note = request
            .note
            .map(|note| note.chars().take(NOTE_CHARS_MAX).collect::<String>());
        let input = WaitInput::Decision {
            task: ix,
            is_approved: request.is_approved,
            form: request.form,
            note: note.map(Arc::from),
            actor: Arc::clone(&actor.name),
            groups: request.groups.to_vec(),
        };
        let (outcome, status) = self.offer(request.run, input).await?;
        crate::control::judge(Some(outcome), status)?;
        let run = self
            .find_run(actor, request.run)
            .await?
            .ok_or(OperateError::UnknownRun)?;
        let task =
            self.find_task_at(actor, request.run, ix)
                .await?
                .ok_or_else(|| OperateError::UnknownTask {
                    key: request.task.clone(),
                })?;
        let view = ApprovalView::of_task(&task).ok_or(OperateError::UnknownTask { key: request.task })?;
        Ok((run, view))
    }

    /// Sends a signal to a run, which keeps it until a task takes it. Answers the run, and whether the signal was sent before.
    ///
    /// # Errors
    /// See [`WaitError`].
    pub async fn send_signal(
        &self,
        actor: &Actor,
        request: SignalRequest,
    ) -> Result<(RunView, bool), WaitError> {
        self.find_run(actor, request.run)
            .await?
            .ok_or(OperateError::UnknownRun)?;
        let data = request.data.to_string();
        if data.len() > SIGNAL_BYTES_MAX {
            return Err(WaitError::TooLarge {
                what: "the data of the signal",
                actual: data.len(),
                limit: SIGNAL_BYTES_MAX,
            });
        }
        let input = WaitInput::Signal {
            name: Arc::from(request.name),
            data: Arc::from(data),
            actor: Arc::clone(&actor.name),
            id: request.idempotency_key.as_deref().map(signal_id),
        };
        let (outcome, status) = self.offer(request.run, input).await?;
        let is_replay = outcome == Outcome::Ignored(Stale::AlreadyInForce);
        crate::control::judge(Some(outcome), status)?;
        let run = self
            .find_run(actor, request.run)
            .await?
            .ok_or(OperateError::UnknownRun)?;
        Ok((run, is_replay))
    }

    /// Ends the attempt that a callback token belongs to. The token is all that the caller needs.
    ///
    /// # Errors
    /// See [`WaitError`].
    pub async fn complete_callback(
        &self,
        token: &str,
        result: Result<Value, TaskFailure>,
    ) -> Result<(RunView, TaskView), WaitError> {
        let (run, task, attempt) = self.callback_of(token)?;
        let result = match result {
            Ok(output) => Ok(checked_output(output)?),
            Err(failure) => Err(failure),
        };
        let input = WaitInput::Callback {
            task,
            attempt,
            result,
            actor: Arc::from(CALLBACK_ACTOR),
        };
        self.use_token(run, task, input).await
    }

    /// Says that the work of a callback token goes on.
    ///
    /// # Errors
    /// See [`WaitError`].
    pub async fn heartbeat_callback(&self, token: &str) -> Result<(RunView, TaskView), WaitError> {
        let (run, task, attempt) = self.callback_of(token)?;
        self.use_token(run, task, WaitInput::CallbackAlive { task, attempt })
            .await
    }

    fn callback_of(&self, token: &str) -> Result<(RunId, TaskIx, u32), WaitError> {
        let (run, task, attempt) = self
            .shell()
            .token_keys
            .verify_callback(token.trim())
            .ok_or(WaitError::BadToken)?;
        Ok((RunId(run), TaskIx(task), attempt))
    }

    async fn use_token(
        &self,
        run: RunId,
        task: TaskIx,
        input: WaitInput,
    ) -> Result<(RunView, TaskView), WaitError> {
        let used = |message: String| WaitError::UsedToken { message };
        match self.offer(run, input).await?.0 {
            Outcome::Applied | Outcome::Ignored(Stale::AlreadyInForce | Stale::NothingDue) => {}
            Outcome::Refused(refusal) => return Err(used(refusal.message)),
            Outcome::Ignored(Stale::RunIsTerminal | Stale::TaskIsTerminal | Stale::OldAttempt) => {
                return Err(used("the run of the callback token has ended".to_owned()));
            }
        }
        // the token says which run: its holder is shown this one, whatever the namespace
        let actor = self.actor_of(run).await?;
        let view = self
            .find_run(&actor, run)
            .await?
            .ok_or(OperateError::UnknownRun)?;
        let task = self.find_task_at(&actor, run, task).await?;
        Ok((view, task.ok_or(OperateError::UnknownRun)?))
    }

    /// Applies one input of a wait, also when the caller goes away.
    async fn offer(
        &self,
        run: RunId,
        input: WaitInput,
    ) -> Result<(Outcome, runnel_engine::run::RunStatus), WaitError> {
        let appliers = self.appliers().clone();
        let applied = tokio::spawn(audit::inherit(async move {
            appliers.apply(run, vec![Input::Wait(input)]).await
        }));
        let applied = applied.await.map_err(|_| StoreError::Aborted {
            action: "apply what came from outside",
        })??;
        match applied {
            InputsReply::UnknownRun => Err(OperateError::UnknownRun.into()),
            InputsReply::Done { outcomes, status } => {
                let outcome = outcomes.into_iter().next().unwrap_or(Outcome::Applied);
                Ok((outcome, status))
            }
        }
    }
}

/// Keys have any length; what a run remembers of each is short.
fn signal_id(key: &str) -> Arc<str> {
    Arc::from(hex::encode(&Sha256::digest(key)[..16]))
}

fn checked_output(output: Value) -> Result<Arc<str>, WaitError> {
    let text = output.to_string();
    if text.len() > OUTPUT_BYTES_MAX {
        return Err(WaitError::TooLarge {
            what: "the output",
            actual: text.len(),
            limit: OUTPUT_BYTES_MAX,
        });
    }
    Ok(Arc::from(text))
}

/// The failure that a callback reports.
#[must_use]
pub fn callback_failure(code: Option<String>, message: String, is_retryable: bool) -> TaskFailure {
    TaskFailure {
        category: Category::User,
        code: code.unwrap_or_else(|| "CALLBACK_FAILED".to_owned()),
        message,
        details: None,
        retryable: is_retryable,
        traceback: None,
        retry_after_ms: None,
    }
}
