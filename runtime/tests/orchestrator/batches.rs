//! The number of statements does not depend on the size of a batch.

use std::future::Future;

use futures_util::future::join_all;
use runnel_queue::TaskMessage;
use runnel_runtime::orchestrator::Applied;
use runnel_runtime::{Orchestrator, StartRequest};

use crate::harness::*;

const ONE: &str = "id: one\ntasks:\n  a: { type: job }\n";

/// A type that nobody runs: its messages stay in the outbox, so that no batch has sent rows to take along.
const HELD: &str = "id: held\ntasks:\n  a: { type: nobody }\n";

/// What the appliers did meanwhile.
async fn applied_by(orchestrator: &Orchestrator, work: impl Future<Output = ()>) -> Applied {
    orchestrator.settle().await;
    let before = orchestrator.applied();
    work.await;
    let after = orchestrator.applied();
    Applied {
        batches: after.batches - before.batches,
        statements: after.statements - before.statements,
    }
}

async fn report(orchestrator: &Orchestrator, tasks: &[TaskMessage]) -> Applied {
    let reports = batch(tasks.iter().map(succeeded).collect());
    applied_by(orchestrator, orchestrator.report(reports)).await
}

// one thread and one applier: all inputs of a report wait together when the applier looks
#[tokio::test(flavor = "current_thread")]
async fn completions_of_a_hundred_runs_take_as_many_statements_as_one() {
    for mut fixture in Fixture::all().await {
        fixture.appliers = 1;
        let orchestrator = fixture.start().await;
        publish(&orchestrator, ONE).await;
        let mut applied = Vec::new();
        for runs in [1, 100] {
            for _ in 0..runs {
                start(&orchestrator, "one").await;
            }
            orchestrator.settle().await;
            let tasks = fixture.take().await;
            assert_eq!(tasks.len(), runs);
            applied.push(report(&orchestrator, &tasks).await);
        }
        // runs, tasks and events
        let expected = Applied {
            batches: 1,
            statements: 1,
        };
        assert_eq!(applied, [expected, expected], "of 1 run and of 100");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_hundred_completions_of_a_run_take_as_many_statements_as_one() {
    for mut fixture in Fixture::all().await {
        fixture.appliers = 1;
        let orchestrator = fixture.start().await;
        let tasks: String = (0..102).map(|n| format!("  t{n}: {{ type: job }}\n")).collect();
        publish(&orchestrator, &format!("id: wide\ntasks:\n{tasks}")).await;
        start(&orchestrator, "wide").await;
        orchestrator.settle().await;
        let tasks = fixture.take().await;
        let one = report(&orchestrator, &tasks[..1]).await;
        let hundred = report(&orchestrator, &tasks[1..101]).await;
        assert_eq!((one, one.batches), (hundred, 1));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_hundred_starts_take_as_many_statements_a_batch_as_one() {
    for mut fixture in Fixture::all().await {
        fixture.appliers = 1;
        let orchestrator = fixture.start().await;
        publish(&orchestrator, HELD).await;
        let start = |key: Option<String>| {
            let request = StartRequest {
                idempotency_key: key,
                ..request("held")
            };
            let orchestrator = &orchestrator;
            async move {
                let started = orchestrator.start_run(&actor(), request).await.unwrap();
                assert!(!started.is_replay);
            }
        };
        // runs, tasks, events and messages; and who holds the keys
        for (keyed, asked) in [(false, 0), (true, 1)] {
            let statements = 1 + asked;
            let key = |n: u32| keyed.then(|| format!("k{n}"));
            let one = applied_by(&orchestrator, start(key(0))).await;
            let expected = Applied {
                batches: 1,
                statements,
            };
            assert_eq!(one, expected);
            let hundred = applied_by(&orchestrator, async {
                join_all((1..=100).map(|n| start(key(n)))).await;
            })
            .await;
            // the first is applied at once, the others gather meanwhile
            assert!(hundred.batches <= 10, "{hundred:?}");
            assert_eq!(hundred.statements, hundred.batches * statements);
        }
    }
}
