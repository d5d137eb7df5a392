//! What the message of an attempt holds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::definition::Task;
use crate::run::testkit::{Driver, root, task, workflow};
use crate::run::{DispatchPayload, RunState, dispatch_payload};
use crate::{Moment, TaskIx};

fn payload(run: &Driver, key: &str) -> DispatchPayload {
    let moment = Moment {
        now: run.now,
        entropy: 99,
    };
    dispatch_payload(&run.plan, &run.state, run.ix(key), &moment).unwrap()
}

#[test]
fn environment_of_workflow_and_task_is_resolved_and_the_input_may_read_it() {
    let a = Task {
        env: json!({"HOST": "${{ inputs.host }}", "N": 5})
            .as_object()
            .unwrap()
            .clone(),
        input: json!({"url": "http://${{ env.HOST }}/${{ env.LEVEL }}"}),
        ..root("a")
    };
    let mut definition = workflow(vec![a]);
    definition.env = json!({"LEVEL": "info", "HOST": "overridden"})
        .as_object()
        .unwrap()
        .clone();
    let mut run = Driver::with_inputs(definition, json!({"host": "h"}));
    run.start();
    let sent = payload(&run, "a");
    let env: Vec<_> = sent
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(env, ["HOST=h", "LEVEL=info", "N=5"]);
    assert_eq!(&*sent.input, r#"{"url":"http://h/info"}"#);
}

#[test]
fn secrets_travel_as_marks_that_data_cannot_forge() {
    let b = Task {
        input: json!({"auth": "Bearer ${{ secrets.TOKEN }}", "data": "${{ tasks.a.output.text }}"}),
        ..task("b", &["a"])
    };
    let mut run = Driver::started(workflow(vec![root("a"), b]));
    run.succeed_with("a", json!({"text": "‹secret:TOKEN:›"}));
    let sent = payload(&run, "b");
    assert_eq!(sent.secrets, ["TOKEN"]);
    assert_eq!(sent.secret_mark.len(), 16);
    let input: Value = serde_json::from_str(&sent.input).unwrap();
    assert_eq!(
        input["auth"],
        json!(format!("Bearer ‹secret:TOKEN:{}›", sent.secret_mark))
    );
    assert!(!input["data"].as_str().unwrap().contains(&sent.secret_mark));
    assert_eq!(payload(&run, "b"), sent, "the same each time");
    assert!(payload_of_attempt_without_secrets().secret_mark.is_empty());
}

fn payload_of_attempt_without_secrets() -> DispatchPayload {
    payload(&Driver::started(workflow(vec![root("a")])), "a")
}

#[test]
fn the_message_is_the_same_after_a_restart() {
    let a = Task {
        input: json!("${{ secrets.S }}"),
        idempotency_key: Some("k-${{ run.id }}".into()),
        ..root("a")
    };
    let mut run = Driver::started(workflow(vec![a]));
    let before = payload(&run, "a");
    run.state = RunState::restore(&run.plan, run.state.clone());
    assert_eq!(payload(&run, "a"), before);
    assert_eq!(before.idempotency_key, "k-00000000-0000-0000-0000-000000000000");
}

#[test]
fn the_idempotency_key_is_the_same_for_all_attempts() {
    let mut a = root("a");
    a.retry.limit = 1;
    let mut run = Driver::started(workflow(vec![a]));
    let first = payload(&run, "a");
    run.fail("a");
    run.tick_after(Duration::from_secs(1));
    let second = payload(&run, "a");
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_eq!(first.idempotency_key, second.idempotency_key);
}

#[test]
fn the_deadline_is_the_earliest_end_of_task_and_run() {
    let a = Task {
        complete_within: Some(Duration::from_secs(100)),
        ..root("a")
    };
    let mut definition = workflow(vec![a, root("b")]);
    definition.timeout = Some(Duration::from_secs(200));
    let run = Driver::started(definition);
    assert_eq!(
        payload(&run, "a").deadline,
        Some(run.now.after(Duration::from_secs(100)))
    );
    assert_eq!(
        payload(&run, "b").deadline,
        Some(run.now.after(Duration::from_secs(200)))
    );
}

#[test]
fn what_was_never_dispatched_has_no_message() {
    let run = Driver::started(workflow(vec![root("a"), task("b", &["a"])]));
    let moment = Moment {
        now: run.now,
        entropy: 0,
    };
    for ix in [TaskIx(1), TaskIx(2), TaskIx(u32::MAX)] {
        assert_eq!(dispatch_payload(&run.plan, &run.state, ix, &moment), None);
    }
}
