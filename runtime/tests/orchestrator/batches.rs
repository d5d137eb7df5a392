//! The number of statements does not depend on the size of a batch.

use futures_util::future::join_all;
use runnel_queue::TaskMessage;
use runnel_runtime::Orchestrator;

use crate::harness::*;

const ONE: &str = "id: one\ntasks:\n  a: { type: job }\n";

/// Statements until the report is committed.
async fn statements_of(orchestrator: &Orchestrator, tasks: &[TaskMessage]) -> u64 {
    orchestrator.settle().await;
    let before = orchestrator.statements();
    orchestrator
        .report(batch(tasks.iter().map(succeeded).collect()))
        .await;
    orchestrator.statements() - before
}

// one thread and one applier: all inputs of a report wait together when the applier looks
#[tokio::test(flavor = "current_thread")]
async fn completions_of_one_run_and_of_many_take_the_same_number_of_statements() {
    for mut fixture in Fixture::all().await {
        fixture.appliers = 1;
        let orchestrator = fixture.start().await;
        publish(&orchestrator, ONE).await;
        let mut counts = Vec::new();
        for runs in [1, 25] {
            for _ in 0..runs {
                start(&orchestrator, "one").await;
            }
            orchestrator.settle().await;
            let tasks = fixture.take().await;
            assert_eq!(tasks.len(), runs);
            counts.push(statements_of(&orchestrator, &tasks).await);
        }
        assert_eq!(counts[0], counts[1], "of 1 run and of 25");
        assert!(counts[0] <= 4, "{counts:?}");
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
        let one = statements_of(&orchestrator, &tasks[..1]).await;
        let hundred = statements_of(&orchestrator, &tasks[1..101]).await;
        assert_eq!(one, hundred);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn starting_many_runs_takes_as_many_writes_as_starting_one() {
    for mut fixture in Fixture::all().await {
        fixture.appliers = 1;
        let orchestrator = fixture.start().await;
        publish(&orchestrator, ONE).await;
        let mut counts = Vec::new();
        for runs in [1, 20] {
            orchestrator.settle().await;
            let before = orchestrator.statements();
            join_all((0..runs).map(|_| start(&orchestrator, "one"))).await;
            counts.push(orchestrator.statements() - before);
            orchestrator.settle().await;
            fixture.take().await;
        }
        // the look-up of the version is shared by those that ask together
        assert!(counts[1] <= counts[0] + 6, "{counts:?}");
    }
}
