//! Triggers by event and by webhook: what comes in, and the runs that come of it.
//!
//! Guarantees: an event is stored once per `(source, id)` and its runs are ordered in the same transaction, so that an
//! event which was accepted starts what it should, also when this process dies right after; a webhook proves its origin
//! with a signature and is taken once per delivery id; whatever happens, each trigger that was asked leaves an outcome.

mod admin;
mod error;
mod event;
pub(crate) mod hook;
mod query;
mod secret;
mod view;
mod webhook;

pub use error::{EventError, HookError};
pub use view::{EventReceipt, InboundEvent, NewWebhook, TriggerView, WebhookSecret};
pub use webhook::Delivery;
pub(crate) use webhook::Refusals;

/// Most events of one request.
pub const EVENTS_MAX: usize = 100;
