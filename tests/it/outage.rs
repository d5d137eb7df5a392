//! The queue service dies in the middle of runs and comes back empty: nothing that was accepted is lost.

use std::sync::Arc;
use std::time::Duration;

use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_queue::sqs::{SqsConfig, SqsQueue};
use runnel_queue::{QueueName, TaskQueue};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::origin::Origin;
use runnel_tests::scripted::ScriptedWorker;
use runnel_tests::services::ministack::Ministack;
use runnel_tests::stack::{Stack, play, unique};
use serde_json::json;

/// After so long in the queue a message counts as lost.
const REDISPATCH: Duration = Duration::from_secs(11 * 60);

/// Three runs, each caught elsewhere: in the hands of a worker, in the queue, and not sent yet.
#[test]
fn runs_end_although_the_queues_were_lost() {
    play(async {
        let origin = Origin::start().await?;
        let mut emulator = Ministack::start()?;
        let config = SqsConfig {
            endpoint: Some(emulator.endpoint()),
            queue_prefix: unique("outage-"),
            region: Some("us-east-1".to_owned()),
            create_queues: true,
            ..SqsConfig::default()
        };
        let queue: Arc<dyn TaskQueue> = Arc::new(SqsQueue::connect(config).await);
        let mut cluster = Cluster::start_with(Stack::PostgresSqs, Arc::clone(&queue)).await?;
        cluster.add_worker("worker-1");
        let nobody =
            ScriptedWorker::register_on("side", Arc::clone(&queue), "scripted-1", &["scripted"]).await?;

        let held = json!({
            "held": { "type": "http", "input": { "url": format!("{}/gate/held", origin.url()) } },
            "after": { "needs": ["held"], "run": "echo after" },
        });
        let in_hands = cluster.launch(&workflow("in-hands", held)).await?;
        origin.until_hit("held", 1).await?;
        let unread = json!({ "unread": { "type": "scripted", "queue": "side" }, "after": { "needs": ["unread"], "run": "echo after" } });
        let in_queue = cluster.launch(&workflow("in-queue", unread)).await?;
        let default = QueueName("default".to_owned());
        let waiting = nobody.take(1).await?;
        assert_eq!(waiting[0].message.key, "unread");

        emulator.kill()?;
        let unsent = cluster
            .launch(&workflow("unsent", json!({ "unsent": { "run": "echo unsent" } })))
            .await?;
        assert!(queue.depth(&default).await.is_err(), "the service is away");
        // the worker has a result, and nobody to tell
        origin.open_gate();
        emulator.restart()?;

        cluster.ends(in_hands, RunStatus::Succeeded).await?;
        assert_eq!(cluster.task(in_queue, "unread").await?.status, TaskStatus::Queued);
        cluster.clock.advance(REDISPATCH);
        let worker =
            ScriptedWorker::register_on("side", Arc::clone(&queue), "scripted-2", &["scripted"]).await?;
        cluster.add_worker("worker-2");
        worker.succeed_next(1).await?;
        cluster.ends(in_queue, RunStatus::Succeeded).await?;
        cluster.ends(unsent, RunStatus::Succeeded).await?;
        assert_eq!(cluster.task(in_queue, "unread").await?.attempt, 1);
        assert_eq!(origin.hits("held"), 1);
        cluster.finish().await
    });
}
