//! What happens after a commit, in this order: messages go to the relay, alarms and doorbells ring, states return to the cache.

use runnel_engine::run::{Command, GateCommand, WaitCommand, WaitSubject};
use runnel_queue::{TokenKeys, crash_point};
use runnel_telemetry::{Span, Tracer};

use super::applier::{Applier, Shell};
use super::round::{Answer, Round};
use super::turn::{Lease, Turn};
use crate::error::StoreError;
use crate::message;
use crate::meters::METERS;
use crate::relay::{AttemptKey, Dispatch, News};
use crate::trace;
use crate::wait::CallbackAddress;

impl Applier {
    /// Publishes a committed round and gives the answers that its callers may hear now.
    pub(super) fn publish(&mut self, round: Round) -> Vec<Result<Answer, StoreError>> {
        let mut news = News::default();
        let (mut rung, mut ended) = (Vec::new(), Vec::new());
        let mut has_errands = false;
        let tracer = runnel_telemetry::tracer();
        let mut spans = Vec::new();
        let mut asks_gates = false;
        for turn in round.turns {
            if turn.is_failed {
                continue;
            }
            if turn.is_changed {
                asks_gates |= turn.effects.commands.iter().any(concerns_gates);
                count(&turn);
                collect(&self.shell.token_keys, &self.shell.callbacks, &turn, &mut news);
                if waits_for_event(&turn) {
                    self.shell.waits.look_back();
                }
                turn.audits
                    .iter()
                    .for_each(|audited| audited.draft.mark_written());
                rung.push(turn.run());
                ended.extend(turn.known.state.status.is_terminal().then(|| turn.run()));
                has_errands |= turn.has_errands();
                if let Some(trigger) = &turn.known.state.extra.trigger
                    && trigger.kind.is_scheduled()
                    && turn.known.state.status.is_terminal()
                {
                    self.shell.schedules.ended(trigger.id);
                }
                if let Some(at) = turn.known.state.wake_at {
                    self.shell.alarm.set(at);
                }
                let was_start = turn.start.is_some();
                if let Some(tracer) = tracer {
                    tell(tracer, &self.shell, &turn, &mut spans);
                }
                self.cache.put(turn.committed());
                after_commit(was_start);
            } else {
                self.cache.put(turn.known);
            }
        }
        for dispatch in &mut news.dispatches {
            dispatch.since = Some(self.begun);
        }
        self.shell.relay.tell(news);
        if let Some(tracer) = tracer {
            tracer.export(spans);
        }
        if has_errands {
            self.shell.errands.ring();
        }
        self.shell.announcer.ring(rung, ended);
        if asks_gates {
            self.shell.gate.ring();
        }
        round.answers
    }
}

/// What a committed turn adds to the metrics.
fn count(turn: &Turn) {
    let (known, records) = (&turn.known, &turn.effects.records);
    METERS.records.increment(records.len() as u64);
    for record in records {
        if let Some(task) = record.task.and_then(|ix| known.state.tasks.get(ix.at())) {
            METERS.task_ended(&known.meta.plan.task(task.template).kind, record.kind);
        }
    }
    if turn.start.is_some() {
        METERS.run_started(&known.meta.key);
    }
    if !turn.was_terminal && known.state.status.is_terminal() {
        METERS.run_ended(&known.meta.key, known.state.status);
    }
}

/// The spans that a committed turn has ended.
fn tell(tracer: &Tracer, shell: &Shell, turn: &Turn, spans: &mut Vec<Span>) {
    let (known, run) = (&turn.known, trace::of_run(&turn.known.state, tracer));
    if !run.is_sampled {
        return;
    }
    let told = trace::Told {
        plan: &known.meta.plan,
        state: &known.state,
        namespace: &known.meta.namespace,
        workflow: &known.meta.key,
        records: &turn.effects.records,
        heard: &turn.heard,
        was_terminal: turn.was_terminal,
        run,
        system: shell.messaging_system,
        begun_us: turn.moment.now.0,
        committed_us: shell.clock.now().0,
    };
    if turn.start.is_some() {
        spans.extend(trace::of_firing(&told));
    }
    spans.extend(trace::spans_of(&told));
}

/// Whether a task began to wait for an event, which may have come already.
fn waits_for_event(turn: &Turn) -> bool {
    turn.effects.commands.iter().any(|command| {
        matches!(
            command,
            Command::Wait(WaitCommand::Begin {
                subject: WaitSubject::Event(..),
                ..
            })
        )
    })
}

/// What a committed turn means to the relay.
pub(super) fn collect(keys: &TokenKeys, callbacks: &CallbackAddress, turn: &Turn, news: &mut News) {
    let state = &turn.known.state;
    let run = turn.run();
    let mut leases = turn.leased.iter();
    for command in &turn.effects.commands {
        let Command::Dispatch { task, attempt } = command else {
            continue;
        };
        let definition = turn.known.meta.plan.task(state.tasks[task.at()].template);
        match leases.next() {
            Some(Lease::Mine) => news.dispatches.push(Dispatch {
                key: AttemptKey {
                    run,
                    task: *task,
                    attempt: *attempt,
                },
                queue: definition.queue.clone(),
                namespace: std::sync::Arc::clone(&turn.known.meta.namespace),
                priority: definition.priority.unwrap_or(state.context.priority),
                since: None,
                body: message::body_if_wanted(
                    keys,
                    callbacks,
                    &turn.known.meta,
                    state,
                    *task,
                    *attempt,
                    &turn.moment,
                ),
            }),
            Some(Lease::NoRoom) if news.backlog.contains(&definition.queue) => {}
            Some(Lease::NoRoom) => news.backlog.push(definition.queue.clone()),
            Some(Lease::NoWorker) | None => {}
        }
    }
    for ix in &turn.effects.touched {
        let task = &state.tasks[ix.at()];
        news.touched
            .push((run, *ix, message::is_out(task.status).then_some(task.attempt)));
    }
}

/// Whether the gatekeeper has something to decide after this.
fn concerns_gates(command: &Command) -> bool {
    match command {
        Command::Gate(GateCommand::Taken { .. } | GateCommand::TakenRun | GateCommand::Keep { .. }) => false,
        Command::Gate(_) => true,
        Command::Dispatch { .. }
        | Command::Stop { .. }
        | Command::DeadLetter { .. }
        | Command::Wait(_)
        | Command::Child(_) => false,
    }
}

fn after_commit(was_start: bool) {
    if was_start {
        crash_point!("start.after_commit");
    } else {
        crash_point!("complete.after_commit");
    }
}
