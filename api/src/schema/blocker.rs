//! Why tasks and runs do not run now, and where their time went.

#![expect(
    clippy::duplicated_attributes,
    reason = "fields of an interface may have the same type"
)]

mod convert;

use async_graphql::{ID, Interface, SimpleObject};

use super::enums::TaskStatus;
use super::scalars::{DateTime, Duration};

/// Declares a reason with the fields of the interface and its own.
macro_rules! blocker {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, SimpleObject)]
        pub(crate) struct $name {
            /// What kind of reason it is, for programs, as `CONCURRENCY`.
            pub(crate) code: String,
            /// The reason, for people: one sentence.
            pub(crate) message: String,
            $($(#[$field_doc])* pub(crate) $field: $type,)*
        }
    };
}

blocker!(
    /// Upstreams have not ended.
    UpstreamBlocker {
        /// Those that have not.
        tasks: Vec<BlockingTask>,
    }
);
blocker!(
    /// The task is a handler, and begins when all ordinary tasks have ended.
    MainGraphBlocker {}
);
blocker!(
    /// Other items of the fan-out have their turn.
    WindowBlocker {
        /// Most items at once, where the workflow says.
        max_parallel: Option<u32>,
    }
);
blocker!(
    /// The run has not begun.
    RunPendingBlocker {}
);
blocker!(
    /// A concurrency group is full.
    ConcurrencyBlocker {
        /// Name of the group.
        group: String,
        /// Most holders.
        limit: u32,
        /// How many hold a place.
        held: u32,
        /// The first 20 of them, the oldest first.
        holders: Vec<SlotHolder>,
        /// Place among those who wait, from 1.
        position: i64,
    }
);
blocker!(
    /// A rate limit is used up.
    RateLimitBlocker {
        /// Key of the limit.
        key: String,
        /// When the next start is allowed, at the earliest.
        at: DateTime,
        /// Place among those who wait, from 1.
        position: i64,
    }
);
blocker!(
    /// A circuit breaker is open, or being tried by another attempt.
    CircuitBlocker {
        /// Key of the breaker.
        key: String,
        /// When an attempt may try it; null while one does.
        probe_at: Option<DateTime>,
        /// Failures that opened it.
        failures: u32,
    }
);
blocker!(
    /// No worker of the queue runs the task type.
    NoWorkerBlocker {
        /// The queue.
        queue: String,
        /// The task type.
        r#type: String,
        /// When the attempt began to wait.
        queued_at: Option<DateTime>,
    }
);
blocker!(
    /// Somebody paused the run.
    PausedBlocker {
        /// Who; null when it is not known.
        by: Option<String>,
        /// When.
        at: Option<DateTime>,
        /// Why.
        reason: Option<String>,
    }
);
blocker!(
    /// A person must decide.
    ApprovalBlocker {
        /// Who may; everybody when empty.
        approvers: Vec<String>,
        /// When something happens without a decision.
        expires_at: Option<DateTime>,
    }
);
blocker!(
    /// An event must arrive.
    EventBlocker {
        /// Its type.
        event: Option<String>,
        /// When it is not waited for any more.
        expires_at: Option<DateTime>,
    }
);
blocker!(
    /// A signal must arrive.
    SignalBlocker {
        /// Its name.
        name: Option<String>,
        /// When it is not waited for any more.
        expires_at: Option<DateTime>,
    }
);
blocker!(
    /// Somebody must use the callback token.
    CallbackBlocker {
        /// When it is not waited for any more.
        expires_at: Option<DateTime>,
    }
);
blocker!(
    /// A time must come.
    TimerBlocker {
        /// Which.
        wake_at: Option<DateTime>,
    }
);
blocker!(
    /// A child run must end.
    ChildRunBlocker {
        /// Id of the child run; null while it is being started.
        run_id: Option<ID>,
    }
);
blocker!(
    /// The items of the fan-out must end.
    ItemsBlocker {}
);
blocker!(
    /// The next attempt begins later.
    RetryBlocker {
        /// When.
        at: Option<DateTime>,
        /// Number of the next attempt.
        attempt: u32,
    }
);
blocker!(
    /// It is on its way to a worker.
    QueuedBlocker {
        /// When it began to wait.
        queued_at: Option<DateTime>,
        /// The queue.
        queue: String,
        /// Place among the messages of the namespace that wait to be sent, from 1; null once it is sent.
        position: Option<i64>,
        /// Messages of the queue that wait to be sent.
        backlog: i64,
    }
);

/// Why something does not run now. New reasons may be added: `code` and `message` say enough of an unknown one.
#[derive(Debug, Clone, Interface)]
#[graphql(
    field(
        name = "code",
        ty = "&String",
        desc = "What kind of reason it is, for programs, as `CONCURRENCY`."
    ),
    field(
        name = "message",
        ty = "&String",
        desc = "The reason, for people: one sentence."
    )
)]
pub(crate) enum Blocker {
    /// Upstreams have not ended.
    Upstream(UpstreamBlocker),
    /// The main graph is not decided.
    MainGraph(MainGraphBlocker),
    /// Other items have their turn.
    Window(WindowBlocker),
    /// The run has not begun.
    RunPending(RunPendingBlocker),
    /// A concurrency group is full.
    Concurrency(ConcurrencyBlocker),
    /// A rate limit is used up.
    RateLimit(RateLimitBlocker),
    /// A breaker is open.
    Circuit(CircuitBlocker),
    /// No worker runs the type.
    NoWorker(NoWorkerBlocker),
    /// Somebody paused the run.
    Paused(PausedBlocker),
    /// A person must decide.
    Approval(ApprovalBlocker),
    /// An event must arrive.
    Event(EventBlocker),
    /// A signal must arrive.
    Signal(SignalBlocker),
    /// A callback must come.
    Callback(CallbackBlocker),
    /// A time must come.
    Timer(TimerBlocker),
    /// A child run must end.
    ChildRun(ChildRunBlocker),
    /// Items must end.
    Items(ItemsBlocker),
    /// The next attempt begins later.
    Retry(RetryBlocker),
    /// On its way to a worker.
    Queued(QueuedBlocker),
}

/// A task that another one waits for.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct BlockingTask {
    /// Its key.
    key: String,
    /// Its status.
    status: TaskStatus,
}

/// One that holds a place in a concurrency group.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct SlotHolder {
    /// Id of the run.
    run: ID,
    /// Key of the task; null when the run itself holds the place.
    task: Option<String>,
    /// When it took it.
    held_at: DateTime,
}

/// Where time went.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub(crate) struct TimeSpent {
    /// Waited for upstreams, or for a place among the items of its fan-out.
    blocked: Duration,
    /// Could have begun, and waited for a concurrency group, a rate, a breaker or the end of a pause.
    waiting_for_slot: Duration,
    /// Was on its way to a worker.
    queued: Duration,
    /// A worker ran it.
    running: Duration,
    /// Waited for the next attempt.
    retry_wait: Duration,
    /// Waited for a time, an event, a person, a child run or its items.
    waiting: Duration,
}
