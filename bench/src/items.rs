//! One task over more and more items: time and memory must grow no faster than their number.

use serde_json::{Map, json};

use crate::meter::Meter;
use crate::system::{KIND, System};
use crate::workloads::{ended, publish, start};
use crate::{Bench, machine};

/// Items of the runs at full scale; the last is the most that a fan-out may have.
const SIZES: [u32; 3] = [10_000, 30_000, 100_000];

/// Items of the run that is not measured.
const WARM_UP: u32 = 1_000;

/// A run for each size: its time, the CPU time and the memory it took, and how its time per item compares with that of the
/// smallest one. A ratio of 1 is linear.
pub async fn measure(bench: &Bench) -> anyhow::Result<()> {
    let system = &bench.system;
    over(system, WARM_UP).await?;
    let mut smallest = None;
    for size in SIZES.map(|size| size * bench.scale() / 10) {
        machine::forget_resident_peak()?;
        let meter = Meter::begin(bench).await?;
        over(system, size).await?;
        let workload = format!("items-{size}");
        let measured = meter.end(bench, &workload, size).await?;
        let per_item = measured.elapsed.as_secs_f64() / f64::from(size);
        let figures = &bench.figures;
        figures.print(&workload, "time", measured.elapsed.as_secs_f64(), "s")?;
        figures.print(&workload, "resident_peak", machine::resident_peak_mib()?, "MiB")?;
        let smallest = *smallest.get_or_insert(per_item);
        figures.print(&workload, "time_per_item_ratio", per_item / smallest, "1")?;
    }
    Ok(())
}

/// A run over so many items, from its start to its end.
async fn over(system: &System, items: u32) -> anyhow::Result<()> {
    let workflow = format!("items-{items}");
    let numbers: Vec<u32> = (0..items).collect();
    let each =
        json!({ "type": KIND, "for_each": { "items": numbers }, "input": { "n": "${{ each.item }}" } });
    publish(system, &workflow, Map::from_iter([("each".to_owned(), each)])).await?;
    let run = start(system, &workflow).await?;
    ended(system, run).await?;
    system.begun.take(&run.to_string());
    Ok(())
}
