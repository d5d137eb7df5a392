//! Subscriptions. All are read from tables with a cursor; a doorbell only says when to look again. So a slow consumer
//! costs no memory, a missed doorbell costs time and not data, and any cursor resumes without a gap or a repeat.

mod events;
mod run_updates;
mod task_logs;

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Context;

pub(crate) use events::EventSubscription;
pub(crate) use run_updates::RunSubscription;
pub(crate) use task_logs::LogSubscription;

/// Items read from a table at once.
const PAGE: u32 = 200;

/// What a transport and a subscription share beside the messages: where to resume, and the place of the last message.
/// SSE needs both, because there they travel outside of the GraphQL document.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resume {
    after: Option<String>,
    last: Arc<Mutex<Option<String>>>,
}

impl Resume {
    /// Resumes after the cursor, whatever the document says.
    pub(crate) fn after(cursor: Option<String>) -> Self {
        Self {
            after: cursor,
            last: Arc::default(),
        }
    }

    /// Cursor of the last message.
    pub(crate) fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn of(ctx: &Context<'_>) -> Self {
        ctx.data_opt::<Self>().cloned().unwrap_or_default()
    }

    fn or(&self, argument: Option<String>) -> Option<String> {
        self.after.clone().or(argument)
    }

    fn set_last(&self, cursor: &str) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(cursor.to_owned());
    }
}
