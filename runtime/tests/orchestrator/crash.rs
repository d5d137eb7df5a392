//! Crash points of a way that only a lost race takes.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::flow::DIAMOND;
use crate::harness::*;

const CHILD: &str = "crash::a_batch_that_lost_a_race_passes_the_crash_points";
const IS_CHILD: &str = "RUNNEL_TEST_IS_CHILD";

/// Runs itself a second time, in a process that may die.
#[test]
fn a_batch_that_lost_a_race_passes_the_crash_points() {
    if std::env::var_os(IS_CHILD).is_some() {
        return tokio::runtime::Runtime::new().unwrap().block_on(lose_a_race());
    }
    for (nth, signal) in [(2, Some(9)), (3, None)] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([CHILD, "--exact"])
            .env(IS_CHILD, "1")
            .env("RUNNEL_CRASH_AT", format!("complete.before_commit:{nth}"))
            .output()
            .unwrap();
        assert_eq!(child.status.signal(), signal, "at passage {nth}: {child:?}");
    }
}

/// Passes `complete.before_commit` once as usual, and once after the race.
async fn lose_a_race() {
    let mut fixture = Fixture::sqlite();
    let (one, two) = (fixture.start().await, fixture.start().await);
    publish(&one, DIAMOND).await;
    start(&one, "diamond").await;
    one.settle().await;
    let a = fixture.take().await;
    two.report(batch(vec![succeeded(&a[0])])).await;
    two.settle().await;
    let parents = fixture.take().await;
    // what this replica remembers of the run is old
    one.report(batch(vec![succeeded(&parents[0])])).await;
}
