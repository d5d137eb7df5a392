//! Mutations of triggers, webhooks and events.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use runnel_engine::trigger::{EventRule, Rate};
use runnel_runtime::schedule::ScheduleError;
use runnel_runtime::trigger::{EventError, NewWebhook, TriggerView, WebhookSecret};
use uuid::Uuid;

use super::id;
use super::mutation_schedule::{object, split};
use super::scalars::{Duration, Json};
use super::session::open;
use super::trigger::{EventReceipt, Trigger};
use super::user_error::UserError;
use crate::auth::Permission;
use crate::error::ApiError;

/// Arguments of `webhookCreate`. The same again answers the webhook that is there, without its secret.
#[derive(Debug, InputObject)]
pub(crate) struct WebhookCreateInput {
    /// Key, unique in the namespace.
    key: String,
    /// Key of the workflow.
    workflow: String,
    /// CEL condition over `event`; the body is `event.data`.
    r#match: Option<String>,
    /// Inputs: an object; its texts may hold expressions over `event`.
    inputs: Option<Json>,
    /// Template of the key that tells repeated deliveries apart; the delivery id when null.
    dedupe: Option<String>,
    /// Most runs in a time, as `50/m`.
    rate_limit: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Arguments of `webhookRotateSecret`.
#[derive(Debug, InputObject)]
pub(crate) struct WebhookRotateSecretInput {
    /// Id of the trigger.
    id: ID,
    /// How long the secret before is accepted; 24 hours when null, at most 30 days.
    overlap: Option<Duration>,
    /// Refused when the webhook has another `secretGeneration`: a repeated request does not rotate twice.
    expected_generation: Option<i32>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Names a trigger.
#[derive(Debug, InputObject)]
pub(crate) struct TriggerIdInput {
    /// Id of the trigger.
    id: ID,
    /// Why; kept with the trigger where the operation has a place for it.
    reason: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Arguments of `eventPublish`.
#[derive(Debug, InputObject)]
pub(crate) struct EventPublishInput {
    /// CloudEvents 1.0 in JSON: objects with `id`, `source`, `type` and, where there are, `subject`, `time`, `data` and
    /// further attributes; 100 at most. An `id` that is left out is made.
    events: Vec<Json>,
    /// A repeated request with the same key answers as the first; events with an `id` of their own need none.
    idempotency_key: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What a mutation did with a webhook.
#[derive(Debug, SimpleObject)]
pub(crate) struct WebhookPayload {
    /// The trigger; null when it was refused.
    trigger: Option<Trigger>,
    /// Its new secret, as libraries of Standard Webhooks take it: shown now and never again.
    secret: Option<String>,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// What a mutation did with a trigger.
#[derive(Debug, SimpleObject)]
pub(crate) struct TriggerPayload {
    /// The trigger after it; null when it was refused.
    trigger: Option<Trigger>,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// What `triggerDelete` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct TriggerDeletePayload {
    /// Id of the trigger that is not there any more; null when it was refused.
    deleted_id: Option<ID>,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// What `eventPublish` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct EventPublishPayload {
    /// One for each event, in the same order; empty when all were refused.
    receipts: Vec<EventReceipt>,
    /// Whether an earlier request with the same key is answered again.
    is_replay: bool,
    /// Why they were refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// Mutations of triggers.
#[derive(Debug, Default)]
pub(crate) struct TriggerMutation;

/// Mutations of triggers.
#[Object]
impl TriggerMutation {
    /// Makes a webhook that starts a workflow, with its first secret.
    async fn webhook_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: WebhookCreateInput,
    ) -> Result<WebhookPayload, ApiError> {
        let session = open(ctx, Permission::WorkflowsWrite)?;
        let client_mutation_id = input.client_mutation_id.clone();
        let done = match new_webhook(input) {
            Ok(new) => session.orchestrator.create_webhook(session.actor, new).await,
            Err(problem) => Err(problem),
        };
        webhook_payload(done, client_mutation_id)
    }

    /// Gives a webhook a new secret; the one before is accepted for a while.
    async fn webhook_rotate_secret(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which webhook.")] input: WebhookRotateSecretInput,
    ) -> Result<WebhookPayload, ApiError> {
        let session = open(ctx, Permission::WorkflowsWrite)?;
        let (overlap, expected) = (input.overlap.map(|overlap| overlap.0), input.expected_generation);
        let done = of_trigger(&input.id, async |id| {
            let orchestrator = session.orchestrator;
            orchestrator
                .rotate_webhook_secret(session.actor, id, overlap, expected)
                .await
        });
        let rotated = done.await.map(|(trigger, secret)| (trigger, Some(secret)));
        webhook_payload(rotated, input.client_mutation_id)
    }

    /// Pauses a trigger: what comes meanwhile starts nothing.
    async fn trigger_pause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which trigger.")] input: TriggerIdInput,
    ) -> Result<TriggerPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let (orchestrator, actor, reason) = (session.orchestrator, session.actor, input.reason);
        let done = of_trigger(&input.id, async |id| {
            orchestrator.pause_trigger(actor, id, reason).await
        });
        payload(done.await, input.client_mutation_id)
    }

    /// Resumes a trigger.
    async fn trigger_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which trigger.")] input: TriggerIdInput,
    ) -> Result<TriggerPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let done = of_trigger(&input.id, async |id| {
            session.orchestrator.resume_trigger(session.actor, id).await
        });
        payload(done.await, input.client_mutation_id)
    }

    /// Deletes a webhook. One that is part of a workflow file is removed there. Deleting what is not there is no error.
    async fn trigger_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which trigger.")] input: TriggerIdInput,
    ) -> Result<TriggerDeletePayload, ApiError> {
        let session = open(ctx, Permission::WorkflowsWrite)?;
        let done = of_trigger(&input.id, async |id| {
            session.orchestrator.delete_trigger(session.actor, id).await
        });
        let (deleted_id, user_errors) = split(done.await.map(|_| input.id))?;
        Ok(TriggerDeletePayload {
            deleted_id,
            user_errors,
            client_mutation_id: input.client_mutation_id,
        })
    }

    /// Takes events. Accepted means committed: what they start will start. One that came before, by source and id, starts nothing.
    async fn event_publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The events.")] input: EventPublishInput,
    ) -> Result<EventPublishPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let client_mutation_id = input.client_mutation_id;
        let refused = |message: String| EventPublishPayload {
            receipts: Vec::new(),
            is_replay: false,
            user_errors: vec![UserError::input(message, "events")],
            client_mutation_id: client_mutation_id.clone(),
        };
        let mut events = Vec::with_capacity(input.events.len());
        for (index, json) in input.events.into_iter().enumerate() {
            let event = json.0.into_json().map_err(|error| error.to_string());
            let event = event.and_then(|event| session.orchestrator.read_event(event));
            match event {
                Ok(event) => events.push(event),
                Err(message) => return Ok(refused(format!("event {index}: {message}"))),
            }
        }
        match session.orchestrator.publish_events(session.actor, events).await {
            Ok(receipts) => Ok(EventPublishPayload {
                receipts: receipts.into_iter().map(EventReceipt::from).collect(),
                is_replay: false,
                user_errors: Vec::new(),
                client_mutation_id,
            }),
            Err(EventError::Store(error)) => Err(ApiError::store(&error)),
            Err(error) => Ok(refused(error.to_string())),
        }
    }
}

/// Does something to the trigger that an id names.
async fn of_trigger<T>(
    id: &ID,
    act: impl AsyncFnOnce(Uuid) -> Result<T, ScheduleError>,
) -> Result<T, ScheduleError> {
    id::act_on(id::parse_trigger(id), ScheduleError::UnknownTrigger, act).await
}

fn webhook_payload(
    done: Result<(TriggerView, Option<WebhookSecret>), ScheduleError>,
    client_mutation_id: Option<String>,
) -> Result<WebhookPayload, ApiError> {
    let (done, user_errors) = split(done)?;
    let (trigger, secret) = done.unzip();
    Ok(WebhookPayload {
        trigger: trigger.map(Trigger),
        secret: secret.flatten().map(|secret| secret.0),
        user_errors,
        client_mutation_id,
    })
}

fn payload(
    done: Result<TriggerView, ScheduleError>,
    client_mutation_id: Option<String>,
) -> Result<TriggerPayload, ApiError> {
    let (trigger, user_errors) = split(done)?;
    Ok(TriggerPayload {
        trigger: trigger.map(Trigger),
        user_errors,
        client_mutation_id,
    })
}

fn new_webhook(input: WebhookCreateInput) -> Result<NewWebhook, ScheduleError> {
    let rate_limit = input.rate_limit.as_deref().map(Rate::parse).transpose();
    let rate_limit = rate_limit.map_err(|message| ScheduleError::invalid("rateLimit", message))?;
    Ok(NewWebhook {
        key: input.key,
        workflow: input.workflow,
        rule: EventRule {
            event: None,
            source: None,
            condition: input.r#match,
            dedupe: input.dedupe,
            rate_limit,
            inputs: input.inputs.map_or_else(|| Ok(serde_json::Map::new()), object)?,
        },
    })
}
