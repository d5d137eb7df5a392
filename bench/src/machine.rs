//! What the machine says about processes and the disk.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Writes timed by the probe of the disk.
const SYNCS: usize = 100;

/// CPU time of this process so far.
pub fn own_cpu() -> anyhow::Result<Duration> {
    cpu_of(&fs::read_to_string("/proc/self/stat")?, false)
}

/// CPU time so far of a server and all its children, those that have ended included.
pub fn server_cpu(pid: u32) -> anyhow::Result<Duration> {
    let mut total = cpu_of(&fs::read_to_string(format!("/proc/{pid}/stat"))?, true)?;
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path().join("stat");
        // a process that has ended meanwhile is in its parent's sum
        let Ok(stat) = fs::read_to_string(&path) else {
            continue;
        };
        if field(&stat, 4).is_some_and(|parent| parent == u64::from(pid)) {
            total += cpu_of(&stat, false)?;
        }
    }
    Ok(total)
}

/// Field of `/proc/…/stat` by its number in proc(5); only those behind the name, which may hold blanks.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_of(stat: &str, with_ended_children: bool) -> anyhow::Result<Duration> {
    let fields: &[usize] = if with_ended_children {
        &[14, 15, 16, 17]
    } else {
        &[14, 15]
    };
    let mut ticks = 0;
    for &number in fields {
        ticks += field(stat, number).context("reading CPU time")?;
    }
    Ok(Duration::from_micros(
        ticks * 1_000_000 / rustix::param::clock_ticks_per_second(),
    ))
}

/// Begins to look for the most memory anew, see proc(5) on `clear_refs`.
pub fn forget_resident_peak() -> anyhow::Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("forgetting the memory peak")
}

/// The most memory that this process has had, since its begin or since it was forgotten.
pub fn resident_peak_mib() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .context("reading memory")?;
    let kib: f64 = line
        .split_whitespace()
        .nth(1)
        .context("reading memory")?
        .parse()?;
    Ok(kib / 1_024.0)
}

/// How long the disk takes to make 8 KiB durable, by trying: the floor under every commit that waits for it.
pub fn sync_times(directory: &Path) -> anyhow::Result<Vec<Duration>> {
    let path = directory.join("sync-probe");
    let mut file = fs::File::create(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[0x5a; 8_192])?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    fs::remove_file(&path)?;
    Ok(times)
}
