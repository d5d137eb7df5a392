//! From a start to the end of a run.

use std::time::Duration;

use runnel_engine::run::{RunStatus, TaskStatus};

use crate::harness::*;

pub const DIAMOND: &str = "
id: diamond
tasks:
  a: { type: job }
  b: { type: job, needs: a }
  c: { type: job, needs: a }
  d: { type: job, needs: [b, c] }
";

#[tokio::test]
async fn a_diamond_runs_to_its_end_wave_by_wave() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let run = start(&orchestrator, "diamond").await;
        let mut waves = Vec::new();
        loop {
            orchestrator.settle().await;
            let tasks = fixture.take().await;
            if tasks.is_empty() {
                break;
            }
            orchestrator
                .report(batch(tasks.iter().map(succeeded).collect()))
                .await;
            waves.push(keys(&tasks));
        }
        assert_eq!(waves, [vec!["a"], vec!["b", "c"], vec!["d"]]);
        assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
        assert_sound(&orchestrator, run).await;
        assert_eq!(fixture.number("SELECT count(*) FROM outbox").await, 0);
        orchestrator.stop(Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn outputs_travel_to_the_tasks_that_read_them_and_to_the_run() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        let source = "
id: sum
inputs: { n: { type: integer } }
tasks:
  a: { type: job, input: { n: '${{ inputs.n }}' } }
  b: { type: job, needs: a, input: { got: '${{ tasks.a.output.n }}' } }
outputs: { last: '${{ tasks.b.output }}' }
";
        publish(&orchestrator, source).await;
        let mut request = request("sum");
        request.inputs = inputs(r#"{"n":41}"#);
        let run = orchestrator.start_run(&actor(), request).await.unwrap().run.id;
        orchestrator.settle().await;
        let [a] = &fixture.take().await[..] else {
            panic!("one task")
        };
        assert_eq!(a.input.get(), r#"{"n":41}"#);
        // text that PostgreSQL's own JSON type refuses
        orchestrator
            .report(batch(vec![succeeded_with(a, r#"{"n":42,"odd":"\u0000 ü"}"#)]))
            .await;
        orchestrator.settle().await;
        let [b] = &fixture.take().await[..] else {
            panic!("one task")
        };
        assert_eq!(b.input.get(), r#"{"got":42}"#);
        orchestrator.report(batch(vec![succeeded_with(b, "7")])).await;
        let run = view(&orchestrator, run).await;
        assert_eq!(
            (run.status, run.outputs.as_deref()),
            (RunStatus::Succeeded, Some(r#"{"last":7}"#))
        );
    }
}

#[tokio::test]
async fn a_wide_fan_out_and_its_join_run_each_task_once() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        let width = 600;
        let mut source = "id: wide\ntasks:\n  first: { type: job }\n".to_owned();
        for n in 0..width {
            source.push_str(&format!("  t{n}: {{ type: job, needs: first }}\n"));
        }
        let all: Vec<String> = (0..width).map(|n| format!("t{n}")).collect();
        source.push_str(&format!("  join: {{ type: job, needs: [{}] }}\n", all.join(", ")));
        publish(&orchestrator, &source).await;
        let run = start(&orchestrator, "wide").await;
        let done = fixture.work(&orchestrator).await;
        let mut keys = keys(&done);
        keys.dedup();
        assert_eq!((done.len(), keys.len()), (width + 2, width + 2));
        assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
        assert_sound(&orchestrator, run).await;
    }
}

#[tokio::test]
async fn a_mapped_task_adds_its_items_and_collects_their_outputs() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        let source = "
id: mapped
tasks:
  each: { type: job, for_each: { items: [1, 2, 3] }, input: { n: '${{ each.item }}' } }
outputs: { all: '${{ tasks.each.output }}' }
";
        publish(&orchestrator, source).await;
        let run = start(&orchestrator, "mapped").await;
        loop {
            orchestrator.settle().await;
            let tasks = fixture.take().await;
            if tasks.is_empty() {
                break;
            }
            let reports = tasks
                .iter()
                .map(|task| succeeded_with(task, task.input.get()))
                .collect();
            orchestrator.report(batch(reports)).await;
        }
        let run = view(&orchestrator, run).await;
        assert_eq!(run.status, RunStatus::Succeeded);
        assert_eq!(
            run.outputs.as_deref(),
            Some(r#"{"all":[{"n":1},{"n":2},{"n":3}]}"#)
        );
    }
}

#[tokio::test]
async fn a_failure_skips_what_depends_on_it_and_fails_the_run() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let run = start(&orchestrator, "diamond").await;
        orchestrator.settle().await;
        let tasks = fixture.take().await;
        orchestrator.report(batch(vec![failed(&tasks[0], false)])).await;
        assert_eq!(status(&orchestrator, run).await, RunStatus::Failed);
        use TaskStatus::{Failed, Skipped};
        assert_eq!(
            statuses(&orchestrator, run).await,
            [Failed, Skipped, Skipped, Skipped]
        );
    }
}

#[tokio::test]
async fn tasks_are_listed_without_payloads_when_asked() {
    for mut fixture in Fixture::all().await {
        let orchestrator = fixture.start().await;
        publish(&orchestrator, DIAMOND).await;
        let run = start(&orchestrator, "diamond").await;
        fixture.work(&orchestrator).await;
        let page = runnel_runtime::view::PageRequest {
            first: 10,
            after: None,
        };
        let (actor, filter) = (actor(), runnel_runtime::view::TaskFilter::default);
        let whole = orchestrator
            .list_tasks(&actor, run, filter(), page.clone())
            .await
            .unwrap();
        let bare = orchestrator
            .list_tasks_without_payloads(&actor, run, filter(), page)
            .await
            .unwrap();
        assert!(whole.items.iter().all(|task| task.output.is_some()));
        assert!(
            bare.items
                .iter()
                .all(|task| task.input.is_none() && task.output.is_none())
        );
        let keys = |items: &[runnel_runtime::view::TaskView]| {
            items.iter().map(|task| task.key.clone()).collect::<Vec<_>>()
        };
        assert_eq!(keys(&bare.items), keys(&whole.items));
    }
}
