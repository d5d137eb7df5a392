//! `sla`: noted once, at the time or by the first input after it; nothing is stopped.

use std::time::Duration;

use crate::TaskIx;
use crate::definition::{Sla, Task, Workflow};
use crate::run::testkit::{Driver, retry, root, workflow};
use crate::run::{Input, RecordKind, RunStatus, TaskStatus};

const MINUTE: Duration = Duration::from_secs(60);

fn sla(start: Option<u64>, finish: Option<u64>) -> Option<Sla> {
    Some(Sla {
        start_within: start.map(Duration::from_secs),
        finish_within: finish.map(Duration::from_secs),
    })
}

fn promised(task: Option<Sla>, run: Option<Sla>) -> Workflow {
    Workflow {
        sla: run,
        ..workflow(vec![Task {
            sla: task,
            ..root("t")
        }])
    }
}

fn alerts(run: &Driver) -> Vec<(RecordKind, String)> {
    run.records
        .iter()
        .filter(|record| matches!(record.kind, RecordKind::RunSlaMissed | RecordKind::TaskSlaMissed))
        .map(|record| (record.kind, record.reason.clone().unwrap()))
        .collect()
}

#[test]
fn a_run_that_takes_too_long_is_alerted_once_and_goes_on() {
    let mut run = Driver::started(promised(None, sla(None, Some(90))));
    run.restores = true;
    run.tick_after(MINUTE / 2);
    assert_eq!(alerts(&run), []);
    run.tick_after(MINUTE);
    run.tick_after(MINUTE);
    assert_eq!(alerts(&run), [(RecordKind::RunSlaMissed, "FINISH_WITHIN".into())]);
    run.succeed("t");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_eq!(alerts(&run).len(), 1);
}

#[test]
fn an_alert_that_nobody_heard_is_noted_by_the_end() {
    let mut run = Driver::started(promised(sla(None, Some(10)), sla(None, Some(10))));
    run.now = run.now.after(MINUTE);
    run.succeed("t");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_eq!(alerts(&run).len(), 2);
}

#[test]
fn a_run_in_time_has_no_alert() {
    let mut run = Driver::started(promised(sla(Some(10), Some(10)), sla(Some(10), Some(10))));
    run.now = run.now.after(Duration::from_secs(9));
    run.succeed("t");
    assert_eq!(alerts(&run), []);
}

#[test]
fn a_run_that_starts_late_is_alerted() {
    let mut run = Driver::new(promised(None, sla(Some(10), None)));
    run.now = run.now.after(MINUTE);
    run.start();
    assert_eq!(alerts(&run), [(RecordKind::RunSlaMissed, "START_WITHIN".into())]);
}

#[test]
fn a_task_that_no_worker_takes_in_time_is_alerted() {
    let mut run = Driver::started(promised(sla(Some(10), None), None));
    assert_eq!(run.state.wake_at, Some(run.now.after(Duration::from_secs(10))));
    run.tick_after(Duration::from_secs(10));
    assert_eq!(alerts(&run), [(RecordKind::TaskSlaMissed, "START_WITHIN".into())]);
    assert_eq!(run.status("t"), TaskStatus::Queued);
    run.begin("t");
    run.tick_after(Duration::from_secs(10));
    assert_eq!(alerts(&run).len(), 1);
}

#[test]
fn a_retry_is_no_late_start() {
    let mut run = Driver::started(Workflow {
        tasks: vec![Task {
            sla: sla(Some(10), None),
            retry: retry(3),
            ..root("t")
        }],
        ..workflow(vec![])
    });
    run.fail("t");
    run.tick_after(MINUTE);
    assert_eq!(run.status("t"), TaskStatus::Queued);
    run.tick_after(MINUTE);
    assert_eq!(alerts(&run), []);
}

#[test]
fn an_alert_does_not_move_the_retry() {
    let mut slow = retry(1);
    slow.delay = Duration::from_secs(50);
    let mut run = Driver::started(workflow(vec![Task {
        sla: sla(None, Some(20)),
        retry: slow,
        ..root("t")
    }]));
    run.restores = true;
    run.fail("t");
    run.tick_after(Duration::from_secs(20));
    assert_eq!(
        alerts(&run),
        [(RecordKind::TaskSlaMissed, "FINISH_WITHIN".into())]
    );
    assert_eq!(run.status("t"), TaskStatus::RetryWait);
    run.tick_after(Duration::from_secs(29));
    assert_eq!(run.status("t"), TaskStatus::RetryWait);
    run.tick_after(Duration::from_secs(1));
    assert_eq!(run.status("t"), TaskStatus::Queued);
}

#[test]
fn the_time_of_a_fan_out_is_that_of_the_whole() {
    let mut run = Driver::started(workflow(vec![Task {
        sla: sla(Some(5), Some(20)),
        for_each: Some(crate::definition::ForEach {
            items: serde_json::json!([1, 2]),
            ..Default::default()
        }),
        ..root("t")
    }]));
    run.tick_after(Duration::from_secs(20));
    assert_eq!(
        alerts(&run),
        [(RecordKind::TaskSlaMissed, "FINISH_WITHIN".into())]
    );
}

#[test]
fn a_retried_task_is_alerted_no_second_time() {
    let mut run = Driver::started(promised(sla(None, Some(5)), None));
    run.tick_after(Duration::from_secs(5));
    run.fail("t");
    run.feed(Input::TaskRetryRequested {
        task: TaskIx(0),
        actor: "me".into(),
    });
    run.tick_after(Duration::from_secs(30));
    assert_eq!(alerts(&run).len(), 1);
}
