//! Ids that several processes must agree on without talking: they follow from the run, the task and the attempt.

use uuid::Uuid;

use crate::context::{SpanId, TraceId};

/// What a derived span stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DerivedFrom<'a> {
    /// The whole run.
    Run,
    /// The message of an attempt.
    Dispatch {
        /// Index of the task.
        task: u32,
        /// The attempt.
        attempt: u32,
    },
    /// The execution of an attempt by a worker. Two workers may execute the same attempt: the queue delivers at least once.
    Process {
        /// Index of the task.
        task: u32,
        /// The attempt.
        attempt: u32,
        /// Name of the worker.
        worker: &'a str,
    },
    /// The end of an attempt, as it was committed.
    Completion {
        /// Index of the task.
        task: u32,
        /// The attempt.
        attempt: u32,
    },
    /// The firing of a schedule, event or webhook, whose id takes the place of the run's.
    Firing,
}

/// The span that stands for a part of a run.
#[must_use]
pub fn derived(run: Uuid, part: DerivedFrom<'_>) -> SpanId {
    let (high, low) = run.as_u64_pair();
    let seed = mix(mix(high) ^ low);
    let place = |kind: u64, task: u32, attempt: u32| {
        mix(mix(seed ^ kind) ^ (u64::from(task) << 32 | u64::from(attempt)))
    };
    let id = match part {
        DerivedFrom::Run => place(1, 0, 0),
        DerivedFrom::Dispatch { task, attempt } => place(2, task, attempt),
        DerivedFrom::Process {
            task,
            attempt,
            worker,
        } => worker
            .bytes()
            .fold(place(3, task, attempt), |id, byte| mix(id ^ u64::from(byte))),
        DerivedFrom::Completion { task, attempt } => place(4, task, attempt),
        DerivedFrom::Firing => place(5, 0, 0),
    };
    // zero means "no span"
    SpanId(id.max(1).to_be_bytes())
}

/// The trace of a run that nobody's trace has caused: the run's own id, so that each is found from the other.
#[must_use]
pub fn trace_of(run: Uuid) -> TraceId {
    TraceId(match run.into_bytes() {
        zero if zero == [0; 16] => [1; 16],
        bytes => bytes,
    })
}

/// SplitMix64 (Steele, Lea and Flood 2014): spreads ids, hides nothing.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_part_of_every_run_has_an_id_of_its_own_and_always_the_same() {
        let mut seen = HashSet::new();
        for run in 1..20_u128 {
            let run = Uuid::from_u128(run << 64 | run);
            let mut parts = vec![DerivedFrom::Run, DerivedFrom::Firing];
            for task in 0..20 {
                for attempt in 1..5 {
                    parts.push(DerivedFrom::Dispatch { task, attempt });
                    parts.push(DerivedFrom::Completion { task, attempt });
                    for worker in ["a", "b", "ab"] {
                        parts.push(DerivedFrom::Process {
                            task,
                            attempt,
                            worker,
                        });
                    }
                }
            }
            for part in parts {
                assert!(seen.insert(derived(run, part)), "{part:?} of {run}");
                assert_eq!(derived(run, part), derived(run, part));
            }
        }
    }

    #[test]
    fn a_trace_is_found_by_the_id_of_its_run() {
        let run = Uuid::from_u128(0x0190_d3b4_0000_7000_8000_0000_0000_0001);
        assert_eq!(trace_of(run).to_string(), run.simple().to_string());
    }
}
