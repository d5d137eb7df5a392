//! Read and write models of triggers.

use runnel_engine::trigger::{EventRule, TriggerKind};
use runnel_engine::{Timestamp, WorkflowId};
use serde_json::Value;
use uuid::Uuid;

use crate::schedule::{Origin, OutcomeView};

/// A trigger by event or webhook.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct TriggerView {
    pub id: Uuid,
    pub key: String,
    pub workflow_id: WorkflowId,
    pub workflow_key: String,
    pub origin: Origin,
    pub kind: TriggerKind,
    pub rule: EventRule,
    /// Whether the file turns it on.
    pub is_enabled: bool,
    pub is_paused: bool,
    pub pause_reason: Option<String>,
    pub paused_by: Option<String>,
    /// A webhook that has a secret takes deliveries.
    pub has_secret: bool,
    /// Raised by each rotation.
    pub secret_generation: i32,
    /// Until when the secret before is accepted.
    pub previous_until: Option<Timestamp>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub updated_at: Timestamp,
}

impl TriggerView {
    /// Whether it takes anything now.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_enabled && !self.is_paused
    }
}

/// A webhook to be made.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct NewWebhook {
    pub key: String,
    pub workflow: String,
    pub rule: EventRule,
}

/// A secret of a webhook: shown once, kept nowhere.
#[derive(Clone)]
pub struct WebhookSecret(pub String);

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// An event as it came in: the attributes of CloudEvents 1.0.
#[derive(Debug, Clone, PartialEq)]
pub struct InboundEvent {
    /// Unique with the source.
    pub id: String,
    /// Who sent it.
    pub source: String,
    /// What it is about.
    pub event_type: String,
    /// What it is about in particular.
    pub subject: Option<String>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// When it came in.
    pub received_at: Timestamp,
    /// The whole event with its data and its other attributes: what expressions read as `event`.
    pub event: Value,
}

/// What became of one event of a request.
#[derive(Debug, Clone)]
pub struct EventReceipt {
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// Whether it had come before.
    pub is_duplicate: bool,
    /// One for each trigger that was asked.
    pub outcomes: Vec<OutcomeView>,
}
