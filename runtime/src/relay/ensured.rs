//! Which task queues are known to exist.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use runnel_queue::{QueueError, QueueName, TaskQueue};

/// Makes sure of each queue once a process, before its first message. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub(super) struct Ensured {
    names: Arc<Mutex<HashSet<String>>>,
}

impl Ensured {
    /// Creates the queue, or checks that it exists, unless that was done already.
    pub(super) async fn ensure(&self, service: &dyn TaskQueue, queue: &QueueName) -> Result<(), QueueError> {
        if self.names().contains(&queue.0) {
            return Ok(());
        }
        service.ensure(queue).await?;
        self.names().insert(queue.0.clone());
        Ok(())
    }

    /// The queue has turned out not to be there: the next message makes sure of it again.
    pub(super) fn forget(&self, queue: &QueueName) {
        self.names().remove(&queue.0);
    }

    fn names(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
