//! `runnel dev` as somebody starts it on a laptop: how soon it is ready, and what it takes while there is nothing to do.

use std::time::{Duration, Instant};

use crate::figures::Figures;
use crate::machine;
use crate::options::Options;
use crate::process::Process;

/// After the start: what it has left to do is not the idling's.
const CALM: Duration = Duration::from_secs(1);
/// How long it is watched.
const WATCHED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(10));

/// Starts the program in an empty directory and watches it.
pub async fn measure(figures: &Figures, options: &Options) -> anyhow::Result<()> {
    let program = match options.find_runnel() {
        Ok(program) => program,
        Err(reason) => return figures.skip("idle", &reason),
    };
    let program = program.canonicalize()?;
    let directory = tempfile::Builder::new().prefix("runnel-bench-").tempdir()?;
    let begun = Instant::now();
    let arguments = ["dev", "--listen", "127.0.0.1:0"];
    let mut server = Process::start("runnel dev", &program, &arguments, directory.path())?;
    server.address().await?;
    figures.print("idle", "ready", begun.elapsed().as_secs_f64() * 1e3, "ms")?;

    tokio::time::sleep(CALM).await;
    let pid = server.pid()?;
    let (begun, before) = (Instant::now(), machine::tree_cpu(pid)?);
    tokio::time::sleep(if options.quick { WATCHED.0 } else { WATCHED.1 }).await;
    let cpu = machine::tree_cpu(pid)?.saturating_sub(before);
    let percent = cpu.as_secs_f64() * 100.0 / begun.elapsed().as_secs_f64();
    figures.print("idle", "cpu", percent, "% of a core")?;
    figures.print("idle", "resident", machine::resident_mib(pid)?, "MiB")
}
