//! What the machine says about processes and the disk.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Writes timed by the probe of the disk.
const SYNCS: usize = 100;

/// CPU time of this process so far.
pub fn own_cpu() -> anyhow::Result<Duration> {
    cpu_of(&fs::read_to_string("/proc/self/stat")?, false)
}

/// CPU time so far of a process and all its children, those that have ended included.
pub fn tree_cpu(pid: u32) -> anyhow::Result<Duration> {
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
    memory_mib("self", "VmHWM:")
}

/// The memory that a process has now.
pub fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    memory_mib(&pid.to_string(), "VmRSS:")
}

fn memory_mib(process: &str, field: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .context("reading memory")?;
    let kib: f64 = line
        .split_whitespace()
        .nth(1)
        .context("reading memory")?
        .parse()?;
    Ok(kib / 1_024.0)
}

/// Bytes that this process has made the system write to disks so far.
pub fn own_written_bytes() -> anyhow::Result<u64> {
    let io = fs::read_to_string("/proc/self/io")?;
    let bytes = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "))
        .context("reading bytes written")?;
    Ok(bytes.trim().parse()?)
}

/// Lets this process have as many open files as it may, at best `wanted`; answers how many that are.
pub fn raise_open_files(wanted: u64) -> u64 {
    let now = getrlimit(Resource::Nofile);
    let is_enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= wanted);
    if is_enough(now.current) {
        return wanted;
    }
    // root may have more than the hard limit
    let most = Rlimit {
        current: Some(wanted),
        maximum: if is_enough(now.maximum) {
            now.maximum
        } else {
            Some(wanted)
        },
    };
    let allowed = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    if setrlimit(Resource::Nofile, most).is_err() {
        // what is left is read below
        let _ = setrlimit(Resource::Nofile, allowed);
    }
    getrlimit(Resource::Nofile)
        .current
        .map_or(wanted, |limit| limit.min(wanted))
}

/// Microseconds of a clock that all processes of this machine share and that never goes back.
pub fn shared_clock_us() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
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
