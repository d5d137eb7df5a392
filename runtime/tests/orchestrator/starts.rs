//! Starting runs: idempotency, inputs, versions.

use runnel_runtime::StartError;

use crate::flow::DIAMOND;
use crate::harness::*;

#[tokio::test]
async fn the_same_request_under_a_key_answers_the_same_run() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let keyed = || {
            let mut request = request("diamond");
            request.idempotency_key = Some("order-1".to_owned());
            request
        };
        let first = orchestrator.start_run(&actor(), keyed()).await.unwrap();
        assert!(!first.is_replay);
        let again = orchestrator.start_run(&actor(), keyed()).await.unwrap();
        assert!(again.is_replay);
        assert_eq!(again.run.id, first.run.id);
        let mut other = keyed();
        other.tags = vec!["other".to_owned()];
        match orchestrator.start_run(&actor(), other).await {
            Err(StartError::IdempotencyConflict { run }) => assert_eq!(run, first.run.id),
            other => panic!("{other:?}"),
        }
        assert_eq!(fixture.number("SELECT count(*) FROM run").await, 1);
    }
}

#[tokio::test]
async fn many_at_once_under_one_key_make_one_run_in_two_replicas() {
    for mut fixture in Fixture::all().await {
        let replicas = [fixture.start().await, fixture.start().await];
        publish(&replicas[0], DIAMOND).await;
        let starts = (0..20).map(|n| {
            let mut request = request("diamond");
            request.idempotency_key = Some("order-1".to_owned());
            let replica = replicas[n % 2].clone();
            async move { replica.start_run(&actor(), request).await.unwrap() }
        });
        let started = futures_util::future::join_all(starts).await;
        assert_eq!(started.iter().filter(|start| !start.is_replay).count(), 1);
        assert!(started.iter().all(|start| start.run.id == started[0].run.id));
        assert_eq!(fixture.number("SELECT count(*) FROM run").await, 1);
        assert_eq!(fixture.number("SELECT count(*) FROM task").await, 4);
    }
}

#[tokio::test]
async fn what_does_not_exist_is_refused() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let unknown = orchestrator.start_run(&actor(), request("nothing")).await;
        assert!(matches!(unknown, Err(StartError::UnknownWorkflow { key }) if key == "nothing"));
        let mut second = request("diamond");
        second.version = Some(2);
        let unknown = orchestrator.start_run(&actor(), second).await;
        assert!(matches!(
            unknown,
            Err(StartError::UnknownVersion {
                version: 2,
                latest: 1,
                ..
            })
        ));
    }
}

#[tokio::test]
async fn inputs_that_do_not_fit_are_refused_and_defaults_are_filled() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        let source = "
id: typed
inputs:
  n: { type: integer }
  word: { type: string, default: hello }
tasks:
  a: { type: job, input: { word: '${{ inputs.word }}' } }
";
        publish(&orchestrator, source).await;
        let mut bad = request("typed");
        bad.inputs = inputs(r#"{"n":"many"}"#);
        match orchestrator.start_run(&actor(), bad).await {
            Err(StartError::Inputs(problems)) => assert_eq!(problems[0].path, ["n"]),
            other => panic!("{other:?}"),
        }
        let mut good = request("typed");
        good.inputs = inputs(r#"{"n":1}"#);
        orchestrator.start_run(&actor(), good).await.unwrap();
        orchestrator.settle().await;
        assert_eq!(fixture.take().await[0].input.get(), r#"{"word":"hello"}"#);
    }
}

#[tokio::test]
async fn a_start_takes_place_even_when_its_caller_goes_away() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let (caller, actor) = (orchestrator.clone(), actor());
        let mut start = Box::pin(async move { caller.start_run(&actor, request("diamond")).await });
        // polled until it waits for the commit, then dropped
        while orchestrator_is_idle(&fixture).await {
            if futures_util::poll!(&mut start).is_ready() {
                break;
            }
        }
        drop(start);
        orchestrator.settle().await;
        assert_eq!(fixture.number("SELECT count(*) FROM run").await, 1);
    }
}

async fn orchestrator_is_idle(fixture: &Fixture) -> bool {
    fixture.number("SELECT count(*) FROM run").await == 0
}
