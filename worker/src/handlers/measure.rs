//! What the process of a command takes, as the system shows it while it runs (`/proc`; elsewhere nothing is measured).
//!
//! Looked at often at first, then four times a second, and once more when the output ends: a command that takes long is measured
//! well, one of a few milliseconds hardly. Its own children count once they have ended.

use std::convert::Infallible;
use std::time::Duration;

use rustix::process::Pid;

use crate::task::TaskContext;

/// First pause between two looks; doubles.
const FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// CPU times are counted in hundredths of a second, on every architecture.
const TICK_US: u64 = 10_000;

/// Looks at one process.
pub(super) struct Measure<'c> {
    ctx: &'c TaskContext,
    pid: i32,
}

impl<'c> Measure<'c> {
    pub(super) fn new(ctx: &'c TaskContext, pid: Pid) -> Self {
        Self {
            ctx,
            pid: pid.as_raw_nonzero().get(),
        }
    }

    /// Looks for as long as it is polled.
    pub(super) async fn run(&self) -> Infallible {
        let mut pause = FIRST;
        loop {
            tokio::time::sleep(pause).await;
            self.look();
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Looks once.
    pub(super) fn look(&self) {
        let read =
            |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.pid)).unwrap_or_default();
        self.ctx
            .said
            .measured(cpu_us(&read("stat")), peak_bytes(&read("status")));
    }
}

/// The fields behind the name, which may hold anything: user and system time, of the process and of its ended children.
fn cpu_us(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let times: Vec<u64> = fields
        .split_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    (times.len() == 4).then(|| times.iter().sum::<u64>() * TICK_US)
}

fn peak_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_shift_the_fields() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194304 100 0 0 0 7 3 20 10 20 0 1 0 100 1000 10";
        assert_eq!(cpu_us(stat), Some(400_000));
        assert_eq!(cpu_us(""), None);
        assert_eq!(cpu_us("42 (x) Z 1"), None);
    }

    #[test]
    fn the_peak_is_in_bytes_and_gone_with_the_memory() {
        assert_eq!(peak_bytes("Name:\tsh\nVmHWM:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(peak_bytes("Name:\tsh\nState:\tZ (zombie)\n"), None);
    }
}
