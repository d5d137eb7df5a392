//! Whether anything is in flight, and what it took: for tests and drains.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Orchestrator;
use crate::error::StoreError;
use crate::waker::Waker;
use crate::{child, relay, schedule};

/// How often [`Orchestrator::settle`] looks.
const SETTLE_PAUSE: Duration = Duration::from_millis(1);

/// What the appliers have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Batches begun.
    pub batches: u64,
    /// Statements that read or save them.
    pub statements: u64,
}

impl Orchestrator {
    /// Resolves when nothing is in flight: no input waits, the outbox holds nothing that can be sent, and no run is due.
    /// For tests and drains.
    pub async fn settle(&self) {
        loop {
            match self.is_settled().await {
                Ok(true) | Err(StoreError::Stopping) => return,
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "cannot see yet whether all is settled"),
            }
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
    }

    /// What the appliers have done so far; tests assert that a batch takes a constant number of statements.
    #[must_use]
    pub fn applied(&self) -> Applied {
        let shell = &self.inner.shell;
        Applied {
            batches: shell.batches.load(Ordering::Relaxed),
            statements: shell.batch_store.statements(),
        }
    }

    /// Statements sent to the database so far, by whatever part of the orchestrator.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.inner.shell.store.statements()
    }

    /// Of those, the ones that answer questions (and publish workflows): a loop sends one only while it has
    /// work.
    #[must_use]
    pub fn read_statements(&self) -> u64 {
        self.inner.reads.store.statements()
    }

    async fn is_settled(&self) -> Result<bool, StoreError> {
        let shell = &self.inner.shell;
        if self.inner.loops.bringing.stop.is_cancelled() {
            return Err(StoreError::Stopping);
        }
        if self.is_moving() {
            return Ok(false);
        }
        if Waker::is_due(shell).await? {
            shell.alarm.ring();
            return Ok(false);
        }
        if child::is_due(shell).await? {
            shell.errands.ring();
            return Ok(false);
        }
        if schedule::is_due(self).await? {
            shell.schedules.ring();
            return Ok(false);
        }
        let now = shell.clock.now();
        if shell.gate.is_due(now) {
            shell.gate.ring();
            return Ok(false);
        }
        let waiting = relay::waiting(shell, now).await?;
        let is_sendable = |queue: &str, kind: &str| {
            shell.registry.is_served(queue, kind, now) && shell.relay.has_room(queue)
        };
        if waiting
            .iter()
            .any(|(queue, kinds)| kinds.iter().any(|kind| is_sendable(queue, kind)))
        {
            shell.relay.look();
            return Ok(false);
        }
        // something may have arrived while the database was asked
        Ok(!self.is_moving())
    }

    fn is_moving(&self) -> bool {
        let inner = &self.inner;
        inner.appliers.unfinished() > 0
            || inner.shell.errands.is_busy()
            || inner.shell.schedules.is_busy()
            || inner.shell.gate.is_moving()
            || inner.bulk_bell.is_busy()
            || inner.shell.waits.is_busy()
            || inner.shell.relay.unfinished() > 0
            || inner.consumer.is_busy()
    }
}
