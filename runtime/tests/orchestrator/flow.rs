//! From a start to the end of a run.

use runnel_engine::run::RunStatus;

use crate::harness::*;

const DIAMOND: &str = "
id: diamond
tasks:
  a: { type: job }
  b: { type: job, needs: a }
  c: { type: job, needs: a }
  d: { type: job, needs: [b, c] }
";

#[tokio::test]
async fn a_diamond_runs_to_its_end_wave_by_wave() {
    let mut fixture = Fixture::sqlite();
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
        orchestrator.report(batch(tasks.iter().map(succeeded).collect())).await;
        waves.push(keys(&tasks));
    }
    assert_eq!(waves, [vec!["a"], vec!["b", "c"], vec!["d"]]);
    assert_eq!(status(&orchestrator, run).await, RunStatus::Succeeded);
    orchestrator.stop(std::time::Duration::from_secs(5)).await;
}
