//! What a restart finds.

use std::time::Duration;

use runnel_engine::run::RunStatus;

use crate::flow::DIAMOND;
use crate::harness::*;

/// Each process is a runtime of its own, so that its end takes all its loops with it at whatever they are doing.
#[test]
fn what_was_out_when_the_process_died_is_sent_again() {
    let fixtures = runtime().block_on(Fixture::all());
    for mut fixture in fixtures {
        let process = runtime();
        let run = process.block_on(async {
            let orchestrator = fixture.start().await;
            publish(&orchestrator, DIAMOND).await;
            let run = start(&orchestrator, "diamond").await;
            orchestrator.settle().await;
            let a = fixture.take().await;
            orchestrator.report(batch(vec![succeeded(&a[0])])).await;
            run
        });
        process.shutdown_timeout(Duration::from_secs(5));
        fixture.forget_queue();
        // the lease of the dead relay ends
        fixture.clock.advance(Duration::from_secs(10));
        runtime().block_on(async {
            let orchestrator = fixture.start().await;
            assert_eq!(keys(&fixture.work(&orchestrator).await), ["b", "c", "d"]);
            assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
            assert_sound(&orchestrator, run).await;
        });
    }
}

#[tokio::test]
async fn a_graceful_stop_leaves_nothing_half_done_and_the_next_start_goes_on() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let run = start(&orchestrator, "diamond").await;
        orchestrator.stop(Duration::from_secs(5)).await;
        assert!(
            orchestrator
                .start_run(&actor(), request("diamond"))
                .await
                .is_err()
        );
        assert!(orchestrator.check().await.is_err());
        fixture.forget_queue();
        let orchestrator = fixture.start().await;
        orchestrator.check().await.unwrap();
        assert_eq!(keys(&fixture.work(&orchestrator).await), ["a", "b", "c", "d"]);
        assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}
