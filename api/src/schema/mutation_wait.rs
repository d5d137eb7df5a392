//! Mutations that reach waiting tasks: decisions, callbacks, signals.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use runnel_engine::run::TaskFailure;
use runnel_runtime::OperateError;
use runnel_runtime::view::{RunView, TaskView};
use runnel_runtime::wait::{DecisionRequest, SignalRequest, WaitError, callback_failure};
use serde_json::Value;

use super::approval::{Approval, ApprovalDecision};
use super::id;
use super::run::Run;
use super::scalars::Json;
use super::session::{open, viewer};
use super::task::Task;
use super::user_error::UserError;
use crate::auth::Permission;
use crate::error::ApiError;

/// Arguments of `approvalResolve`.
#[derive(Debug, InputObject)]
pub(crate) struct ApprovalResolveInput {
    /// Id of the run.
    run: ID,
    /// Key of the task; an item of a fan-out as `ask[3]`.
    task: String,
    /// For or against.
    decision: ApprovalDecision,
    /// The filled form; an object that fits the approval's `formSchema`.
    form: Option<Json>,
    /// A note, kept with the decision.
    note: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What `approvalResolve` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct ApprovalPayload {
    /// The approval after the vote; null when it was refused.
    approval: Option<Approval>,
    /// The run after the vote; null when it was refused.
    run: Option<Run>,
    /// Why it was refused; one for each problem of the form.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// The failure that a callback reports.
#[derive(Debug, InputObject)]
pub(crate) struct CallbackErrorInput {
    /// Stable code; `CALLBACK_FAILED` when null.
    code: Option<String>,
    /// What went wrong: one sentence.
    message: String,
    /// Whether another attempt may help; then the task's `retry` decides.
    #[graphql(default = false)]
    is_retryable: bool,
    /// Structured details.
    details: Option<Json>,
}

/// Arguments of `callbackComplete`: either `output` or `error`.
#[derive(Debug, InputObject)]
pub(crate) struct CallbackCompleteInput {
    /// The callback token of the attempt.
    token: String,
    /// Output of the task; null is one too.
    output: Option<Json>,
    /// Why the task fails instead.
    error: Option<CallbackErrorInput>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Names an attempt by its callback token.
#[derive(Debug, InputObject)]
pub(crate) struct CallbackHeartbeatInput {
    /// The callback token of the attempt.
    token: String,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What the use of a callback token did.
#[derive(Debug, SimpleObject)]
pub(crate) struct CallbackPayload {
    /// The task after it; null when it was refused.
    task: Option<Task>,
    /// The run after it; null when it was refused.
    run: Option<Run>,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// Arguments of `signalSend`.
#[derive(Debug, InputObject)]
pub(crate) struct SignalSendInput {
    /// Id of the run.
    run: ID,
    /// Name of the signal, as a `wait` in the workflow file has it.
    name: String,
    /// Its data; null when there is none.
    data: Option<Json>,
    /// A repeated signal with the same key is one signal.
    idempotency_key: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What `signalSend` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct SignalPayload {
    /// The run after the signal; null when it was refused.
    run: Option<Run>,
    /// Whether the signal had come before under the idempotency key.
    is_replay: bool,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// Mutations that reach waiting tasks.
#[derive(Debug, Default)]
pub(crate) struct WaitMutation;

/// Mutations that reach waiting tasks.
#[Object]
impl WaitMutation {
    /// Votes on an approval. One vote against rejects it, as many for it as its quorum approve it. The same vote a second
    /// time changes nothing.
    async fn approval_resolve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which approval, and the vote.")] input: ApprovalResolveInput,
    ) -> Result<ApprovalPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let client_mutation_id = input.client_mutation_id.clone();
        let done = match (id::parse_run(&input.run), json(input.form)) {
            (None, _) => Err(OperateError::UnknownRun.into()),
            (Some(_), Err(problem)) => return Ok(approval_payload(None, vec![*problem], client_mutation_id)),
            (Some(run), Ok(form)) => {
                let request = DecisionRequest {
                    run,
                    task: input.task,
                    is_approved: input.decision == ApprovalDecision::Approve,
                    form,
                    note: input.note,
                    groups: viewer(ctx)?.groups.clone(),
                };
                session
                    .orchestrator
                    .resolve_approval(session.actor, request)
                    .await
            }
        };
        match done {
            Ok((run, view)) => Ok(approval_payload(
                Some((Run(run), Approval(view))),
                Vec::new(),
                client_mutation_id,
            )),
            Err(error) => Ok(approval_payload(
                None,
                UserError::of_wait(error)?,
                client_mutation_id,
            )),
        }
    }

    /// Ends a task with `callback: true`, whose attempt the token belongs to. A token is good once.
    async fn callback_complete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token, and how the work ended.")] input: CallbackCompleteInput,
    ) -> Result<CallbackPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let CallbackCompleteInput {
            token,
            output,
            error,
            client_mutation_id,
        } = input;
        let result = match callback_result(output, error) {
            Ok(result) => result,
            Err(problem) => return Ok(refused(vec![*problem], client_mutation_id)),
        };
        let done = session.orchestrator.complete_callback(&token, result).await;
        callback_payload(done, client_mutation_id)
    }

    /// Says that the work behind a callback token goes on, so that the task's `heartbeat` does not end it.
    async fn callback_heartbeat(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] input: CallbackHeartbeatInput,
    ) -> Result<CallbackPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let done = session.orchestrator.heartbeat_callback(&input.token).await;
        callback_payload(done, input.client_mutation_id)
    }

    /// Sends a signal to a run, which keeps it until a task that waits for its name takes it.
    async fn signal_send(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which run, and the signal.")] input: SignalSendInput,
    ) -> Result<SignalPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let client_mutation_id = input.client_mutation_id.clone();
        let refused = |user_errors| SignalPayload {
            run: None,
            is_replay: false,
            user_errors,
            client_mutation_id,
        };
        let done = match (id::parse_run(&input.run), json(input.data)) {
            (None, _) => Err(OperateError::UnknownRun.into()),
            (Some(_), Err(problem)) => return Ok(refused(vec![*problem])),
            (Some(run), Ok(data)) => {
                let request = SignalRequest {
                    run,
                    name: input.name,
                    data: data.unwrap_or(Value::Null),
                    idempotency_key: input.idempotency_key,
                };
                session.orchestrator.send_signal(session.actor, request).await
            }
        };
        match done {
            Ok((run, is_replay)) => Ok(SignalPayload {
                run: Some(Run(run)),
                is_replay,
                ..refused(Vec::new())
            }),
            Err(error) => Ok(refused(UserError::of_wait(error)?)),
        }
    }
}

fn json(given: Option<Json>) -> Result<Option<Value>, Box<UserError>> {
    match given.map(|json| json.0.into_json()) {
        None | Some(Ok(Value::Null)) => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(_)) => Err(Box::new(UserError::input("this is no JSON value", "form"))),
    }
}

fn callback_result(
    output: Option<Json>,
    error: Option<CallbackErrorInput>,
) -> Result<Result<Value, TaskFailure>, Box<UserError>> {
    match (output, error) {
        (Some(_), Some(_)) => Err(Box::new(UserError::input(
            "a callback has either `output` or `error`",
            "error",
        ))),
        (output, None) => Ok(Ok(json(output)?.unwrap_or(Value::Null))),
        (None, Some(error)) => {
            let mut failure = callback_failure(error.code, error.message, error.is_retryable);
            failure.details = json(error.details)?;
            Ok(Err(failure))
        }
    }
}

fn approval_payload(
    done: Option<(Run, Approval)>,
    user_errors: Vec<UserError>,
    client_mutation_id: Option<String>,
) -> ApprovalPayload {
    let (run, approval) = done.unzip();
    ApprovalPayload {
        approval,
        run,
        user_errors,
        client_mutation_id,
    }
}

fn refused(user_errors: Vec<UserError>, client_mutation_id: Option<String>) -> CallbackPayload {
    CallbackPayload {
        task: None,
        run: None,
        user_errors,
        client_mutation_id,
    }
}

fn callback_payload(
    done: Result<(RunView, TaskView), WaitError>,
    client_mutation_id: Option<String>,
) -> Result<CallbackPayload, ApiError> {
    match done {
        Ok((run, view)) => {
            let version = Some(run.workflow_version_id);
            Ok(CallbackPayload {
                task: Some(Task { view, version }),
                run: Some(Run(run)),
                user_errors: Vec::new(),
                client_mutation_id,
            })
        }
        Err(error) => Ok(refused(UserError::of_wait(error)?, client_mutation_id)),
    }
}
