//! Why a task or a run does not run now.

use serde_json::Value;

use crate::gate::{Breaker, BreakerPhase, GateRequest, RateState, Ticket, refusal_ends_at};
use crate::plan::Section;
use crate::run::{Pause, RunStatus, TaskStatus};
use crate::{Plan, RunId, TaskIx, Timestamp};

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocker {
    /// Upstreams have not ended.
    Upstream {
        /// Those that have not.
        tasks: Vec<UpstreamFact>,
    },
    /// The task is a handler, and the main graph is not decided.
    MainGraph,
    /// Other items of the fan-out have their turn.
    Window {
        /// Most items at once, where the file says.
        max_parallel: Option<u32>,
    },
    /// The run has not begun.
    RunPending,
    /// A concurrency group is full.
    Concurrency {
        /// The group.
        group: String,
        /// Most holders, as this one asks for.
        limit: u32,
        /// How many hold a place.
        held: u32,
        /// Some of them, the oldest first.
        holders: Vec<Holder>,
        /// Place among those who wait, from 1.
        position: u64,
    },
    /// A rate limit is used up.
    RateLimit {
        /// The limit's key.
        key: String,
        /// When the next start is allowed, at the earliest.
        at: Timestamp,
        /// Place among those who wait, from 1.
        position: u64,
    },
    /// A breaker is open, or tried by another attempt.
    Circuit {
        /// The breaker's key.
        key: String,
        /// When a probe may pass; `None` while one is out.
        probe_at: Option<Timestamp>,
        /// Failures that opened it.
        failures: u32,
    },
    /// No worker of the queue runs the type.
    NoWorker {
        /// The queue.
        queue: String,
        /// The type.
        kind: String,
        /// Since when the attempt waits.
        since: Option<Timestamp>,
    },
    /// Somebody paused the run.
    Paused {
        /// Who, when and why, where it is known.
        pause: Option<Pause>,
    },
    /// A person must decide.
    Approval {
        /// Who may; everybody when empty.
        approvers: Vec<String>,
        /// When the question expires.
        expires_at: Option<Timestamp>,
    },
    /// An event must arrive.
    Event {
        /// Its type.
        event: Option<String>,
        /// Until when it is waited for.
        until: Option<Timestamp>,
    },
    /// A signal must arrive.
    Signal {
        /// Its name.
        name: Option<String>,
        /// Until when it is waited for.
        until: Option<Timestamp>,
    },
    /// Somebody must use the callback token.
    Callback {
        /// Until when it is waited for.
        until: Option<Timestamp>,
    },
    /// A time must come.
    Timer {
        /// Which.
        until: Option<Timestamp>,
    },
    /// A child run must end.
    ChildRun {
        /// Which; `None` while it is being started.
        run: Option<RunId>,
    },
    /// The items of the fan-out must end.
    Items,
    /// The next attempt begins later.
    Retry {
        /// When.
        at: Option<Timestamp>,
        /// Number of the next attempt.
        attempt: u32,
    },
    /// It is on its way to a worker.
    Queued {
        /// Since when.
        since: Option<Timestamp>,
        /// The queue.
        queue: String,
        /// Place in the backlog of its namespace, from 1; `None` once the message is out.
        position: Option<u64>,
        /// Messages of the queue that wait to be sent.
        backlog: u64,
    },
}

/// An upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamFact {
    /// Its key.
    pub key: String,
    /// Its status.
    pub status: TaskStatus,
}

/// One that holds a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Run, task and attempt.
    pub ticket: Ticket,
    /// Key of the task; `None` for a run.
    pub task: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// What is known of the run of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFacts {
    /// Its status.
    pub status: RunStatus,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Who paused it.
    pub pause: Option<Pause>,
    /// The outcome of its main graph, once it is decided.
    pub outcome: Option<RunStatus>,
}

/// What is known of the gates that a task or a run asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateFacts {
    /// What it asks for.
    pub request: GateRequest,
    /// Place among those who need the same, from 1.
    pub position: u64,
    /// Its concurrency group.
    pub group: GroupFacts,
    /// Its rate limit.
    pub rate: RateState,
    /// Its breaker.
    pub breaker: Breaker,
}

/// The holders of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupFacts {
    /// How many.
    pub held: u32,
    /// The smallest of their limits.
    pub smallest_limit: Option<u32>,
    /// Some of them, the oldest first.
    pub holders: Vec<Holder>,
}

/// What is known of the way to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueFacts {
    /// Whether a worker of the queue runs the type.
    pub is_served: bool,
    /// Place in the backlog, from 1.
    pub position: Option<u64>,
    /// Messages of the queue that wait to be sent.
    pub backlog: u64,
}

/// What is known of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFacts {
    /// The static task that it is, or is an item of.
    pub template: TaskIx,
    /// Whether it is an item.
    pub is_item: bool,
    /// Its status.
    pub status: TaskStatus,
    /// Its attempt.
    pub attempt: u32,
    /// When something is due.
    pub wake_at: Option<Timestamp>,
    /// When it could have begun first.
    pub ready_at: Option<Timestamp>,
    /// When its attempt was put into the outbox.
    pub queued_at: Option<Timestamp>,
    /// JSON text of its resolved input, while it waits.
    pub input: Option<String>,
    /// The run that its attempt started, while it waits.
    pub child: Option<RunId>,
    /// Its upstreams.
    pub upstreams: Vec<UpstreamFact>,
    /// What it asks of the gates.
    pub gate: Option<GateFacts>,
    /// The way to a worker.
    pub queue: QueueFacts,
}

/// Why the task does not run now; empty when it runs or has ended.
#[must_use]
pub fn task_blockers(plan: &Plan, run: &RunFacts, task: &TaskFacts, now: Timestamp) -> Vec<Blocker> {
    let definition = plan.task(task.template);
    let mut blockers = match task.status {
        TaskStatus::Running
        | TaskStatus::Succeeded
        | TaskStatus::Failed
        | TaskStatus::TimedOut
        | TaskStatus::Cancelled
        | TaskStatus::Skipped
        | TaskStatus::Cached => return Vec::new(),
        TaskStatus::Blocked => blocked(plan, run, task),
        TaskStatus::Ready => task
            .gate
            .as_ref()
            .map(|gate| gate_blockers(gate, now))
            .unwrap_or_default(),
        TaskStatus::Waiting => vec![waiting(plan, task)],
        TaskStatus::RetryWait => vec![Blocker::Retry {
            at: task.wake_at,
            attempt: task.attempt.saturating_add(1),
        }],
        TaskStatus::Queued if !task.queue.is_served => vec![Blocker::NoWorker {
            queue: definition.queue.clone(),
            kind: definition.kind.clone(),
            since: task.queued_at,
        }],
        TaskStatus::Queued => vec![queued(&definition.queue, task, task.queued_at)],
    };
    // a message that is out is executed in spite of the pause
    if run.is_paused && task.status != TaskStatus::Queued {
        blockers.push(Blocker::Paused {
            pause: run.pause.clone(),
        });
    }
    if blockers.is_empty() {
        // the gates are about to decide, or the run is about to send it
        blockers.push(queued(&definition.queue, task, task.ready_at));
    }
    blockers
}

fn queued(queue: &str, task: &TaskFacts, since: Option<Timestamp>) -> Blocker {
    Blocker::Queued {
        since,
        queue: queue.to_owned(),
        position: task.queue.position,
        backlog: task.queue.backlog,
    }
}

fn blocked(plan: &Plan, run: &RunFacts, task: &TaskFacts) -> Vec<Blocker> {
    if run.status == RunStatus::Pending {
        return vec![Blocker::RunPending];
    }
    if task.is_item {
        let definition = plan.task(task.template);
        let of_list = definition.for_each.as_ref().and_then(|each| each.max_parallel);
        let of_matrix = definition.matrix.as_ref().and_then(|matrix| matrix.max_parallel);
        return vec![Blocker::Window {
            max_parallel: of_list.or(of_matrix),
        }];
    }
    if plan.section(task.template) != Section::Main && run.outcome.is_none() {
        return vec![Blocker::MainGraph];
    }
    let open: Vec<UpstreamFact> = task
        .upstreams
        .iter()
        .filter(|upstream| !upstream.status.is_terminal())
        .cloned()
        .collect();
    vec![Blocker::Upstream { tasks: open }]
}

fn waiting(plan: &Plan, task: &TaskFacts) -> Blocker {
    let definition = plan.task(task.template);
    let input: Value = task
        .input
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let text = |name: &str| input.get(name).and_then(Value::as_str).map(str::to_owned);
    let until = task.wake_at;
    if !task.is_item && (definition.for_each.is_some() || definition.matrix.is_some()) {
        return Blocker::Items;
    }
    if definition.callback {
        return Blocker::Callback { until };
    }
    match definition.kind.as_str() {
        "approval" => Blocker::Approval {
            approvers: approvers(&input),
            expires_at: until,
        },
        "workflow" => Blocker::ChildRun { run: task.child },
        "wait" if input.get("event").is_some() => Blocker::Event {
            event: text("event"),
            until,
        },
        "wait" if input.get("signal").is_some() => Blocker::Signal {
            name: text("signal"),
            until,
        },
        _ => Blocker::Timer { until },
    }
}

fn approvers(input: &Value) -> Vec<String> {
    match input.get("approvers") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// What of the gates holds who asks them; empty when they are about to let it pass.
#[must_use]
pub fn gate_blockers(gate: &GateFacts, now: Timestamp) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    if let Some(group) = &gate.request.group {
        let limit = gate
            .group
            .smallest_limit
            .map_or(group.limit, |smallest| smallest.min(group.limit));
        if gate.group.held >= limit {
            blockers.push(Blocker::Concurrency {
                group: group.name.clone(),
                limit,
                held: gate.group.held,
                holders: gate.group.holders.clone(),
                position: gate.position,
            });
        }
    }
    if let Some(circuit) = &gate.request.circuit {
        let (probe_at, failures) = match &gate.breaker.phase {
            BreakerPhase::Closed { .. } => (None, None),
            BreakerPhase::Open { probe_at, .. } if *probe_at <= now => (None, None),
            BreakerPhase::Open {
                probe_at, failures, ..
            } => (Some(*probe_at), Some(*failures)),
            BreakerPhase::HalfOpen { failures, .. } => (None, Some(*failures)),
        };
        if let Some(failures) = failures {
            blockers.push(Blocker::Circuit {
                key: circuit.key.clone(),
                probe_at,
                failures,
            });
        }
    }
    if let Some(rate) = &gate.request.rate {
        let at = refusal_ends_at(gate.rate, rate, now);
        if at > now {
            blockers.push(Blocker::RateLimit {
                key: rate.key.clone(),
                at,
                position: gate.position,
            });
        }
    }
    blockers
}

/// Why the run does not run now. Of a run that has begun and of which nothing is in flight, these are the reasons of its
/// tasks, each once.
#[must_use]
pub fn run_blockers(
    run: &RunFacts,
    gate: Option<&GateFacts>,
    of_tasks: impl IntoIterator<Item = Blocker>,
    now: Timestamp,
) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    if run.status.is_terminal() {
        return blockers;
    }
    if run.is_paused {
        blockers.push(Blocker::Paused {
            pause: run.pause.clone(),
        });
    }
    if run.status == RunStatus::Pending {
        blockers.extend(gate.map(|gate| gate_blockers(gate, now)).unwrap_or_default());
        if blockers.is_empty() {
            blockers.push(Blocker::RunPending);
        }
        return blockers;
    }
    for blocker in of_tasks {
        if !blockers.contains(&blocker) {
            blockers.push(blocker);
        }
    }
    blockers
}
