//! States of runs between two batches, so that a completion needs no read.
//!
//! Never trusted: the version of the row guards every write that was computed from here. Bounded by the number of tasks
//! held and by the bytes of their large values; the run used longest ago goes first.

use std::collections::{BTreeMap, HashMap};

use runnel_engine::RunId;

use super::turn::Known;

/// Tasks that the caches of one process hold together: about 50 MB of small tasks.
pub(super) const CACHED_TASKS_MAX: usize = 100_000;

/// Bytes of large values that one cache holds.
const CACHED_BYTES_MAX: usize = 128 << 20;

#[derive(Debug)]
pub(super) struct Cache {
    runs: HashMap<RunId, (u64, Known)>,
    by_use: BTreeMap<u64, RunId>,
    uses: u64,
    tasks: usize,
    tasks_max: usize,
    bytes: usize,
}

impl Cache {
    pub(super) fn new(tasks_max: usize) -> Self {
        Self {
            runs: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            tasks: 0,
            tasks_max,
            bytes: 0,
        }
    }

    /// Takes a run out: who changes its state puts it back after the commit, and forgets it otherwise.
    pub(super) fn take(&mut self, run: RunId) -> Option<Known> {
        let (used, known) = self.runs.remove(&run)?;
        self.by_use.remove(&used);
        self.tasks -= known.state.tasks.len();
        self.bytes -= known.large_bytes;
        Some(known)
    }

    /// Holds a run as the one used last. A run above the limit is held alone.
    pub(super) fn put(&mut self, known: Known) {
        let run = known.state.context.id;
        self.take(run);
        self.uses += 1;
        self.tasks += known.state.tasks.len();
        self.bytes += known.large_bytes;
        self.by_use.insert(self.uses, run);
        self.runs.insert(run, (self.uses, known));
        while (self.tasks > self.tasks_max || self.bytes > CACHED_BYTES_MAX) && self.runs.len() > 1 {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            if let Some((_, known)) = self.runs.remove(&oldest) {
                self.tasks -= known.state.tasks.len();
                self.bytes -= known.large_bytes;
            }
        }
    }
}
