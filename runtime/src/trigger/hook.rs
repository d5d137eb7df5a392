//! What else learns of an event, beside triggers.

use std::sync::Arc;

use super::view::InboundEvent;
use crate::orchestrator::Orchestrator;

/// Called once for each event after its commit, for all that waits for events. A hint like every bell: a process that dies
/// between the commit and this call leaves the event in `inbound_event`, not marked as delivered, where it is found again.
///
/// Must not block: what takes time is done in a task of its own.
pub(crate) fn on_event_committed(orchestrator: &Orchestrator, namespace: &Arc<str>, event: &InboundEvent) {
    tracing::debug!(%namespace, source = event.source, id = event.id, kind = event.event_type, "event received");
    orchestrator.shell().waits.deliver();
}
