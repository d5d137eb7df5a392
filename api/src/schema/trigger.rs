//! Triggers by event and by webhook.

use async_graphql::{Context, ID, Object, SimpleObject};
use runnel_runtime::trigger::{EventReceipt as ReceiptView, TriggerView};
use serde_json::Value;
use uuid::Uuid;

use super::connection::Connection;
use super::id;
use super::scalars::{DateTime, Json};
use super::schedule::{TriggerKind, TriggerOrigin, TriggerOutcome, TriggerOutcomeStatus, list_outcomes};
use super::session::{TriggerAt, load, load_referred, open};
use super::workflow::Workflow;
use crate::auth::Permission;
use crate::error::ApiError;

/// What starts a workflow by an event or a webhook.
#[derive(Debug, Clone)]
pub(crate) struct Trigger(pub(crate) TriggerView);

/// What starts a workflow by an event or a webhook.
#[Object]
impl Trigger {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        id::trigger(self.0.id)
    }

    /// Key, unique in the namespace; that of a trigger in a workflow file is `<workflow>/<name>`.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// The workflow that is started.
    async fn workflow(&self, ctx: &Context<'_>) -> Result<Workflow, ApiError> {
        load_referred(ctx, self.0.workflow_id).await.map(Workflow)
    }

    /// Event or webhook.
    async fn kind(&self) -> TriggerKind {
        self.0.kind.into()
    }

    /// Who made it.
    async fn origin(&self) -> TriggerOrigin {
        self.0.origin.into()
    }

    /// CloudEvents `type` that it is about; null for a webhook.
    async fn event(&self) -> Option<&str> {
        self.0.rule.event.as_deref()
    }

    /// CloudEvents `source` that it is about; null: any.
    async fn source(&self) -> Option<&str> {
        self.0.rule.source.as_deref()
    }

    /// CEL condition over `event`.
    async fn r#match(&self) -> Option<&str> {
        self.0.rule.condition.as_deref()
    }

    /// Template of the key that tells repeated deliveries apart.
    async fn dedupe(&self) -> Option<&str> {
        self.0.rule.dedupe.as_deref()
    }

    /// Most runs in a time, as `50/m`.
    async fn rate_limit(&self) -> Option<String> {
        self.0.rule.rate_limit.map(|rate| rate.to_string())
    }

    /// Templates of the inputs.
    async fn inputs(&self) -> Json {
        Json::from_json(Value::Object(self.0.rule.inputs.clone()))
    }

    /// Path of the webhook on this server; null for an event.
    async fn path(&self) -> Option<String> {
        (TriggerKind::from(self.0.kind) == TriggerKind::Webhook)
            .then(|| format!("/hooks/{}", id::trigger(self.0.id).as_str()))
    }

    /// Whether the webhook has a secret; one without takes nothing until `webhookRotateSecret` gives it one.
    async fn has_secret(&self) -> bool {
        self.0.has_secret
    }

    /// Number of the webhook's secret, raised by each rotation.
    async fn secret_generation(&self) -> i32 {
        self.0.secret_generation
    }

    /// Until when the secret before the last rotation is accepted.
    async fn previous_secret_expires_at(&self) -> Option<DateTime> {
        self.0.previous_until.map(DateTime)
    }

    /// Whether the workflow file turns it on; true where no file has it.
    async fn is_enabled(&self) -> bool {
        self.0.is_enabled
    }

    /// Whether an operator paused it.
    async fn is_paused(&self) -> bool {
        self.0.is_paused
    }

    /// Why it is paused.
    async fn pause_reason(&self) -> Option<&str> {
        self.0.pause_reason.as_deref()
    }

    /// Who paused it.
    async fn paused_by(&self) -> Option<&str> {
        self.0.paused_by.as_deref()
    }

    /// What became of its events, newest first.
    async fn outcomes(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only these statuses.")] status: Option<Vec<TriggerOutcomeStatus>>,
    ) -> Result<Connection<TriggerOutcome>, ApiError> {
        list_outcomes(ctx, Some(self.0.id), status, size, after.as_deref()).await
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Who made it.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// When it was changed last.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// What became of one published event.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct EventReceipt {
    /// CloudEvents `source`.
    source: String,
    /// CloudEvents `id`.
    event_id: String,
    /// Whether it had come before; it started nothing then.
    is_duplicate: bool,
    /// One for each trigger that was asked.
    outcomes: Vec<TriggerOutcome>,
}

impl From<ReceiptView> for EventReceipt {
    fn from(receipt: ReceiptView) -> Self {
        Self {
            source: receipt.source,
            event_id: receipt.id,
            is_duplicate: receipt.is_duplicate,
            outcomes: receipt.outcomes.into_iter().map(TriggerOutcome).collect(),
        }
    }
}

/// A trigger by its id, for who has one.
pub(crate) async fn find_trigger(ctx: &Context<'_>, id: Uuid) -> Result<Option<Trigger>, ApiError> {
    open(ctx, Permission::RunsRead)?;
    Ok(load(ctx, TriggerAt(id)).await?.map(Trigger))
}
