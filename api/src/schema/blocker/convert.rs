//! The reasons of the engine as those of the API, each with its sentence.

use runnel_engine::explain as engine;
use runnel_engine::run;

use super::{
    ApprovalBlocker, Blocker, BlockingTask, CallbackBlocker, ChildRunBlocker, CircuitBlocker,
    ConcurrencyBlocker, EventBlocker, ItemsBlocker, MainGraphBlocker, NoWorkerBlocker, PausedBlocker,
    QueuedBlocker, RateLimitBlocker, RetryBlocker, RunPendingBlocker, SignalBlocker, SlotHolder, TimeSpent,
    TimerBlocker, UpstreamBlocker, WindowBlocker,
};
use crate::schema::id;
use crate::schema::scalars::{DateTime, Duration};

impl From<engine::TimeSpent> for TimeSpent {
    fn from(spent: engine::TimeSpent) -> Self {
        Self {
            blocked: Duration(spent.blocked),
            waiting_for_slot: Duration(spent.waiting_for_slot),
            queued: Duration(spent.queued),
            running: Duration(spent.running),
            retry_wait: Duration(spent.retry_wait),
            waiting: Duration(spent.waiting),
        }
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn until(what: &str, at: Option<runnel_engine::Timestamp>) -> String {
    at.map_or_else(
        || format!("waits for {what}"),
        |at| format!("waits for {what}, until {}", at.to_rfc3339()),
    )
}

impl From<engine::Blocker> for Blocker {
    fn from(blocker: engine::Blocker) -> Self {
        match blocker {
            engine::Blocker::Concurrency { .. }
            | engine::Blocker::RateLimit { .. }
            | engine::Blocker::Circuit { .. }
            | engine::Blocker::NoWorker { .. }
            | engine::Blocker::Queued { .. }
            | engine::Blocker::Paused { .. } => of_resources(blocker),
            engine::Blocker::Approval { .. }
            | engine::Blocker::Event { .. }
            | engine::Blocker::Signal { .. }
            | engine::Blocker::Callback { .. }
            | engine::Blocker::Timer { .. }
            | engine::Blocker::ChildRun { .. }
            | engine::Blocker::Items
            | engine::Blocker::Retry { .. } => of_waits(blocker),
            engine::Blocker::Upstream { .. }
            | engine::Blocker::MainGraph
            | engine::Blocker::Window { .. }
            | engine::Blocker::RunPending => of_order(blocker),
        }
    }
}

/// What the graph and the run say.
fn of_order(blocker: engine::Blocker) -> Blocker {
    match blocker {
        engine::Blocker::Upstream { tasks } => {
            let names: Vec<&str> = tasks.iter().map(|task| task.key.as_str()).collect();
            Blocker::Upstream(UpstreamBlocker {
                code: "UPSTREAM".to_owned(),
                message: format!("waits for {}", names.join(", ")),
                tasks: tasks.into_iter().map(blocking_task).collect(),
            })
        }
        engine::Blocker::MainGraph => Blocker::MainGraph(MainGraphBlocker {
            code: "MAIN_GRAPH".to_owned(),
            message: "begins when all ordinary tasks have ended".to_owned(),
        }),
        engine::Blocker::Window { max_parallel } => Blocker::Window(WindowBlocker {
            code: "WINDOW".to_owned(),
            message: max_parallel.map_or_else(
                || "other items of the fan-out have their turn".to_owned(),
                |most| format!("other items of the fan-out have their turn, {most} at once"),
            ),
            max_parallel,
        }),
        _ => Blocker::RunPending(RunPendingBlocker {
            code: "RUN_PENDING".to_owned(),
            message: "the run has not begun".to_owned(),
        }),
    }
}

fn blocking_task(upstream: engine::UpstreamFact) -> BlockingTask {
    BlockingTask {
        key: upstream.key,
        status: upstream.status.into(),
    }
}

fn slot_holder(holder: engine::Holder) -> SlotHolder {
    SlotHolder {
        run: id::run(holder.ticket.run),
        task: holder.task,
        held_at: DateTime(holder.since),
    }
}

/// What is shared with other runs, and what an operator did.
fn of_resources(blocker: engine::Blocker) -> Blocker {
    match blocker {
        engine::Blocker::Concurrency {
            group,
            limit,
            held,
            holders,
            position,
        } => Blocker::Concurrency(ConcurrencyBlocker {
            code: "CONCURRENCY".to_owned(),
            message: format!("the group {group} has {held} of {limit} holders; place {position} in the line"),
            group,
            limit,
            held,
            holders: holders.into_iter().map(slot_holder).collect(),
            position: count(position),
        }),
        engine::Blocker::RateLimit { key, at, position } => Blocker::RateLimit(RateLimitBlocker {
            code: "RATE_LIMIT".to_owned(),
            message: format!(
                "the rate {key} allows the next start at {}; place {position} in the line",
                at.to_rfc3339()
            ),
            key,
            at: DateTime(at),
            position: count(position),
        }),
        engine::Blocker::Circuit {
            key,
            probe_at,
            failures,
        } => Blocker::Circuit(CircuitBlocker {
            code: "CIRCUIT_OPEN".to_owned(),
            message: probe_at.map_or_else(
                || format!("the breaker {key} is being tried by another attempt"),
                |at| format!("the breaker {key} is open; it is tried at {}", at.to_rfc3339()),
            ),
            key,
            probe_at: probe_at.map(DateTime),
            failures,
        }),
        engine::Blocker::NoWorker { queue, kind, since } => Blocker::NoWorker(NoWorkerBlocker {
            code: "NO_WORKER".to_owned(),
            message: format!("no worker of the queue {queue} runs {kind}"),
            queue,
            r#type: kind,
            queued_at: since.map(DateTime),
        }),
        engine::Blocker::Queued {
            since,
            queue,
            position,
            backlog,
        } => Blocker::Queued(QueuedBlocker {
            code: "QUEUED".to_owned(),
            message: position.map_or_else(
                || format!("on its way to a worker of the queue {queue}"),
                |place| format!("place {place} of {backlog} in the line of the queue {queue}"),
            ),
            queued_at: since.map(DateTime),
            queue,
            position: position.map(count),
            backlog: count(backlog),
        }),
        engine::Blocker::Paused { pause } => paused(pause),
        other => of_order(other),
    }
}

fn paused(pause: Option<run::Pause>) -> Blocker {
    let message = pause.as_ref().map_or_else(
        || "the run is paused".to_owned(),
        |pause| format!("{} paused the run at {}", pause.by, pause.at.to_rfc3339()),
    );
    Blocker::Paused(PausedBlocker {
        code: "PAUSED".to_owned(),
        message,
        at: pause.as_ref().map(|pause| DateTime(pause.at)),
        reason: pause.as_ref().and_then(|pause| pause.reason.clone()),
        by: pause.map(|pause| pause.by),
    })
}

/// What comes from outside or with time.
fn of_waits(blocker: engine::Blocker) -> Blocker {
    match blocker {
        engine::Blocker::Approval {
            approvers,
            expires_at,
        } => Blocker::Approval(ApprovalBlocker {
            code: "APPROVAL".to_owned(),
            message: until("a decision", expires_at),
            approvers,
            expires_at: expires_at.map(DateTime),
        }),
        engine::Blocker::Event { event, until: at } => Blocker::Event(EventBlocker {
            code: "EVENT".to_owned(),
            message: until("an event", at),
            event,
            expires_at: at.map(DateTime),
        }),
        engine::Blocker::Signal { name, until: at } => Blocker::Signal(SignalBlocker {
            code: "SIGNAL".to_owned(),
            message: until("a signal", at),
            name,
            expires_at: at.map(DateTime),
        }),
        engine::Blocker::Callback { until: at } => Blocker::Callback(CallbackBlocker {
            code: "CALLBACK".to_owned(),
            message: until("its callback", at),
            expires_at: at.map(DateTime),
        }),
        engine::Blocker::Timer { until: at } => Blocker::Timer(TimerBlocker {
            code: "TIMER".to_owned(),
            message: until("its time", at),
            wake_at: at.map(DateTime),
        }),
        engine::Blocker::ChildRun { run } => Blocker::ChildRun(ChildRunBlocker {
            code: "CHILD_RUN".to_owned(),
            message: run.map_or_else(
                || "waits for its child run, which is being started".to_owned(),
                |run| format!("waits for its child run {}", id::run(run).as_str()),
            ),
            run_id: run.map(id::run),
        }),
        engine::Blocker::Items => Blocker::Items(ItemsBlocker {
            code: "ITEMS".to_owned(),
            message: "waits for its items".to_owned(),
        }),
        engine::Blocker::Retry { at, attempt } => Blocker::Retry(RetryBlocker {
            code: "RETRY".to_owned(),
            message: at.map_or_else(
                || format!("waits for attempt {attempt}"),
                |at| format!("attempt {attempt} begins at {}", at.to_rfc3339()),
            ),
            at: at.map(DateTime),
            attempt,
        }),
        other => of_order(other),
    }
}
