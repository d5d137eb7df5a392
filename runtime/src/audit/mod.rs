//! The audit log: one row for each mutation, whoever made it and whatever came of it.
//!
//! The caller of a mutation opens a [`Draft`] and runs the mutation within its [`scope`]. Whatever commits within the scope
//! takes the row along: every transaction of the store, and the batch in which an applier handles the input. So an effect
//! that is committed has its row, also when the process dies right after. [`Orchestrator::finish_audit`] then writes what
//! only the end knows: the row of a mutation that committed nothing (refused, failed, or already in force), and a target or
//! an outcome other than the one written. Dry runs have no draft and leave nothing.

mod read;
mod write;

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runnel_engine::Timestamp;
use runnel_telemetry::SpanContext;
use uuid::Uuid;

use crate::actor::Actor;
use crate::orchestrator::Orchestrator;

pub use read::{AuditFilter, AuditView};
pub(crate) use write::{AUDIT_NEW, add_row, insert_into};

/// Longest reason that is kept, in characters.
pub const REASON_CHARS_MAX: usize = 1_000;

/// What came of a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It took place.
    Ok,
    /// It was refused and changed nothing.
    Refused,
    /// The server could not say: it may have taken place.
    Failed,
}

impl AuditOutcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Refused, Self::Failed];

    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Refused => "REFUSED",
            Self::Failed => "FAILED",
        }
    }
}

/// What a mutation acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditTarget {
    /// The type, as `run`.
    pub kind: String,
    /// Which one: an id or a key.
    pub id: String,
}

/// What is known of a mutation before it begins.
#[derive(Debug, Clone)]
pub struct AuditIntent {
    /// Name of the mutation, as `runCancel`.
    pub action: String,
    /// What it acts on, where the request says so.
    pub target: Option<AuditTarget>,
    /// Why, as given.
    pub reason: Option<String>,
    /// Request that it comes with.
    pub request_id: Option<String>,
    /// Where that request is in a trace: runs that it starts are below it.
    pub trace: Option<SpanContext>,
}

/// How a mutation ended.
#[derive(Debug, Clone)]
pub struct AuditEnd {
    /// What came of it.
    pub outcome: AuditOutcome,
    /// Code of a refusal or failure.
    pub code: Option<String>,
    /// What it acted on or made, where the request did not say so.
    pub target: Option<AuditTarget>,
    /// JSON object: what it made, where that is known.
    pub state_after: Option<String>,
}

/// A row to be written.
#[derive(Debug)]
pub struct Draft {
    id: Uuid,
    namespace: Arc<str>,
    at: Timestamp,
    actor: Arc<str>,
    action: String,
    request_id: Option<String>,
    trace: Option<SpanContext>,
    late: Mutex<Late>,
    is_written: AtomicBool,
}

/// What may become known while the mutation runs.
#[derive(Debug, Clone, Default)]
struct Late {
    target: Option<AuditTarget>,
    reason: Option<String>,
}

impl Draft {
    fn late(&self) -> MutexGuard<'_, Late> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the request of the mutation is in a trace.
    pub(crate) fn trace(&self) -> Option<SpanContext> {
        self.trace
    }

    /// The transaction that took the row along is committed.
    pub(crate) fn mark_written(&self) {
        self.is_written.store(true, Ordering::SeqCst);
    }

    /// Whether a committed transaction holds the row.
    pub(crate) fn is_written(&self) -> bool {
        self.is_written.load(Ordering::SeqCst)
    }

    /// Says what the mutation acts on, unless the request did.
    pub(crate) fn aim(&self, kind: &str, id: String) {
        self.late().target.get_or_insert_with(|| AuditTarget {
            kind: kind.to_owned(),
            id,
        });
    }
}

tokio::task_local! {
    static CURRENT: Arc<Draft>;
}

/// Runs a mutation: what it commits takes the draft's row along.
pub async fn scope<F: Future>(draft: Arc<Draft>, mutation: F) -> F::Output {
    CURRENT.scope(draft, mutation).await
}

/// The draft of the mutation that runs now.
#[must_use]
pub fn current() -> Option<Arc<Draft>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Takes the scope along into another task, where there is one.
pub fn inherit<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let draft = current();
    async move {
        match draft {
            Some(draft) => CURRENT.scope(draft, work).await,
            None => work.await,
        }
    }
}

/// Keeps the reason of the mutation that runs now; for callers that read it only while they work.
pub fn note_reason(reason: Option<&str>) {
    if let (Some(draft), Some(reason)) = (current(), reason) {
        draft.late().reason = Some(clip(reason));
    }
}

fn clip(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

impl Orchestrator {
    /// Opens the row of a mutation.
    #[must_use]
    pub fn begin_audit(&self, actor: &Actor, intent: AuditIntent) -> Arc<Draft> {
        let at = self.clock().now();
        let AuditIntent {
            action,
            target,
            reason,
            request_id,
            trace,
        } = intent;
        let late = Late {
            target,
            reason: reason.as_deref().map(clip),
        };
        Arc::new(Draft {
            id: self.entropy().uuid(at),
            namespace: Arc::clone(&actor.namespace),
            at,
            actor: Arc::clone(&actor.name),
            action,
            request_id,
            trace,
            late: Mutex::new(late),
            is_written: AtomicBool::new(false),
        })
    }

    /// Writes what is left to write. A row that cannot be written is logged in full: the mutation itself has ended.
    pub async fn finish_audit(&self, draft: &Arc<Draft>, end: AuditEnd) {
        if let Err(error) = write::finish(self.reads(), draft, &end).await {
            metrics::counter!("runnel_audit_lost_total").increment(1);
            tracing::error!(
                error = &error as &dyn std::error::Error,
                ?draft,
                ?end,
                "an audit row was not written"
            );
        }
    }
}
