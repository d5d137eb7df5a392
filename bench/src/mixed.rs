//! Ten tasks of a second beside forty pairs of tasks of ten milliseconds: nothing short may wait for anything long.

use std::time::Instant;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::Bench;
use crate::system::{LONG_NAP_MS, NAP};
use crate::workloads::{ended, one_after_the_other, publish, start};

/// Long tasks.
const LONG: u32 = 10;
/// Short tasks, each followed by another.
const SHORT: u32 = 40;
/// Time of a short task.
const SHORT_MS: u32 = 10;

/// Prints when the last short task was done and when the run was, and how that compares with what the tasks themselves take.
pub async fn measure(bench: &Bench) -> anyhow::Result<()> {
    let system = &bench.system;
    let nap = |ms: Value, needs: &[String]| json!({ "type": NAP, "input": { "ms": ms }, "needs": needs });
    let mut tasks = Map::new();
    for n in 0..LONG {
        tasks.insert(format!("long{n}"), nap(LONG_NAP_MS.into(), &[]));
    }
    for n in 0..SHORT {
        let first = format!("short{n}");
        tasks.insert(
            format!("after{n}"),
            nap(SHORT_MS.into(), std::slice::from_ref(&first)),
        );
        tasks.insert(first, nap(SHORT_MS.into(), &[]));
    }
    publish(system, "mixed", tasks).await?;
    one_after_the_other(system, "mixed", 1).await?;

    let (mut short, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..bench.pick(2, 10) {
        let begun = Instant::now();
        let run = start(system, "mixed").await?;
        ended(system, run).await?;
        whole.push(begun.elapsed());
        let moments = system.napped.take(&run.to_string());
        let last = moments.into_iter().max().context("no short task has run")?;
        short.push(last - begun);
    }
    // all fit into the worker at once, so the ideal is the longest path
    let ideal_short = f64::from(2 * SHORT_MS);
    let ideal = f64::from(u32::try_from(LONG_NAP_MS)?);
    for (name, times, ideal) in [
        ("last_short", &mut short, ideal_short),
        ("makespan", &mut whole, ideal),
    ] {
        let median = crate::figures::quantile(times, 0.5) / 1e3;
        bench.figures.print("mixed", name, median, "ms")?;
        bench
            .figures
            .print("mixed", &format!("{name}_ratio"), median / ideal, "1")?;
    }
    bench
        .figures
        .print("mixed", "sync_p50", system.sync_p50_us()?, "us")
}
