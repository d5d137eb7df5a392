//! Puts an orchestrator together: what its parts share, and who drives them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use runnel_queue::TaskQueue;

use super::Inner;
use super::loops::Loops;
use crate::announcer::Announcer;
use crate::apply::{Appliers, Shell, Sql};
use crate::child::ErrandBell;
use crate::config::Config;
use crate::consumer::Consumer;
use crate::feed::Feed;
use crate::gate::GateHandle;
use crate::intake::Intake;
use crate::measure::Measuring;
use crate::payload::Payloads;
use crate::query::Reads;
use crate::registry::Registry;
use crate::relay::RelayHandle;
use crate::schedule::ScheduleBell;
use crate::secret::Vault;
use crate::store::Store;
use crate::trigger::Refusals;
use crate::wait::{CallbackAddress, Waits};
use crate::waker::Alarm;

impl Inner {
    pub(super) fn assemble(config: Config, store: Store) -> Self {
        let loops = Loops::default();
        let (clock, entropy) = (Arc::clone(&config.clock), Arc::clone(&config.entropy));
        let reads = reads(&config, &store);
        let payloads = Payloads::new(config.payloads, store.clone(), Arc::clone(&clock));
        let instance = entropy.uuid(clock.now());
        let feed = Feed::new(
            store.backend(),
            instance,
            config.poll_interval,
            loops.telling.stop.clone(),
        );
        feed.start(&store, &loops.feed_tasks);
        let (relay, calls) = RelayHandle::new(config.outstanding_max);
        let (appliers, inboxes) = Appliers::new(config.appliers);
        let backend = store.backend().into();
        let shell = Arc::new(Shell {
            batch_store: store.counted_apart(),
            batches: AtomicU64::new(0),
            store,
            backend,
            sql: Sql::new(backend),
            versions: reads.versions.clone(),
            clock,
            entropy,
            token_keys: config.token_keys,
            relay,
            alarm: Alarm::new(),
            errands: ErrandBell::default(),
            gate: GateHandle::new(),
            announcer: Announcer::new(feed.clone()),
            registry: Registry::new(config.local_types),
            waits: Waits::default(),
            callbacks: CallbackAddress::new(config.public_url.as_deref()),
            schedules: ScheduleBell::default(),
            refusals: Refusals::default(),
            runs_kept_days: config.runs_kept_days,
            batch_max: config.batch_max.max(1),
            appliers: inboxes.len(),
            payloads,
            messaging_system: messaging_system(&*config.queue),
        });
        let intake = Intake::new(Arc::clone(&shell), appliers.clone());
        let consumer = Consumer::new(intake.clone(), Arc::clone(&config.queue));
        let (queue, poll_interval) = (config.queue, config.poll_interval);
        loops.run_errands(&shell, &appliers, &config.vars, poll_interval);
        loops.run(
            &shell,
            &appliers,
            &consumer,
            Arc::clone(&queue),
            poll_interval,
            (inboxes, calls),
        );
        Self {
            reads,
            feed,
            shell,
            appliers,
            intake,
            consumer,
            queue,
            vars: config.vars,
            secrets: Vault::new(config.secret_keys),
            bulk_bell: Arc::default(),
            measuring: Measuring::default(),
            loops,
        }
    }
}

fn reads(config: &Config, store: &Store) -> Reads {
    Reads::new(
        store.clone(),
        Arc::clone(&config.clock),
        Arc::clone(&config.entropy),
        config.local_types.clone(),
    )
}

/// What spans call the queue.
fn messaging_system(queue: &dyn TaskQueue) -> &'static str {
    if queue.is_durable() { "aws_sqs" } else { "runnel" }
}
