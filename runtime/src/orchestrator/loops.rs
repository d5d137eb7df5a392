//! The loops of an orchestrator, in groups that stop together.

use std::sync::Arc;
use std::time::Duration;

use runnel_queue::TaskQueue;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::apply::{Applier, Appliers, Inbox, Shell};
use crate::child::Errands;
use crate::consumer::{Consumer, DeadLetters};
use crate::gate::Gatekeeper;
use crate::payload::Collector;
use crate::relay::{CallReceiver, Relay};
use crate::retention::Retention;
use crate::wait;
use crate::waker::Waker;

/// Open long polls of the completion queue: one receives while the others apply.
const CONSUMERS: usize = 4;

/// The loops in the order of their end: first those that bring work, then those that do it, then those that carry it on.
#[derive(Default)]
pub(super) struct Loops {
    pub(super) bringing: Group,
    pub(super) applying: Group,
    pub(super) relaying: Group,
    pub(super) telling: Group,
    pub(super) feed_tasks: TaskTracker,
}

/// Loops that stop together.
#[derive(Default)]
pub(super) struct Group {
    pub(super) stop: CancellationToken,
    tasks: TaskTracker,
}

impl Loops {
    pub(super) fn run_errands(
        &self,
        shell: &Arc<Shell>,
        appliers: &Appliers,
        vars: &Arc<Map<String, Value>>,
        poll_interval: Duration,
    ) {
        let errands = Errands::new(
            Arc::clone(shell),
            appliers.clone(),
            Arc::clone(vars),
            poll_interval,
        );
        self.bringing.spawn(|stop| errands.run(stop));
    }

    pub(super) fn run(
        &self,
        shell: &Arc<Shell>,
        appliers: &Appliers,
        consumer: &Consumer,
        queue: Arc<dyn TaskQueue>,
        poll_interval: Duration,
        (inboxes, calls): (Vec<Inbox>, CallReceiver),
    ) {
        for inbox in inboxes {
            self.applying
                .spawn(|stop| Applier::new(Arc::clone(shell), inbox).run(stop));
        }
        let relay = Relay::new(
            Arc::clone(shell),
            appliers.clone(),
            Arc::clone(&queue),
            poll_interval,
            calls,
        );
        self.relaying.spawn(|stop| relay.run(stop));
        for _ in 0..CONSUMERS {
            self.bringing.spawn(|stop| consumer.clone().run(stop));
        }
        let dead = DeadLetters {
            shell: Arc::clone(shell),
            appliers: appliers.clone(),
            queue,
            poll_interval,
        };
        self.bringing.spawn(|stop| dead.run(stop));
        let collector = Collector {
            payloads: shell.payloads.clone(),
        };
        self.bringing.spawn(|stop| collector.run(stop));
        let retention = Retention {
            shell: Arc::clone(shell),
        };
        self.bringing.spawn(|stop| retention.run(stop));
        let waits = wait::Loop::new(Arc::clone(shell), appliers.clone(), poll_interval);
        self.bringing.spawn(|stop| waits.run(stop));
        let waker = Waker::new(Arc::clone(shell), appliers.clone(), poll_interval);
        self.bringing.spawn(|stop| waker.run(stop));
        let gatekeeper = Gatekeeper::new(Arc::clone(shell), appliers.clone(), poll_interval);
        self.bringing.spawn(|stop| gatekeeper.run(stop));
        self.telling
            .spawn(|stop| shell.announcer.clone().run(shell.store.clone(), stop));
    }
}

impl Group {
    pub(super) fn spawn<F>(&self, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(work(self.stop.clone()));
    }

    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
