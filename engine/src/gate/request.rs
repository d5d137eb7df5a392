//! What one attempt (or one run) asks of the gates, with its templates rendered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::BreakerPolicy;
use crate::RunId;
use crate::definition::OnConflict;

/// Longest name of a group, a rate limit or a breaker, in characters.
pub const KEY_CHARS_MAX: usize = 256;

/// Everything that one attempt or run asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GateRequest {
    /// A place in a concurrency group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupRequest>,
    /// A start of a rate limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateRequest>,
    /// A closed breaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitRequest>,
    /// A kept result, which needs none of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheRequest>,
}

/// A place in a concurrency group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRequest {
    /// Name of the group; those of runs and of tasks never meet.
    pub name: String,
    /// Most holders.
    pub limit: u32,
    /// What happens when it is full.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// A start of a rate limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateRequest {
    /// Name of the limit.
    pub key: String,
    /// Starts per `per`.
    pub count: u32,
    /// The unit of time.
    pub per: Duration,
}

/// A breaker that must let the attempt pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitRequest {
    /// Name of the breaker.
    pub key: String,
    /// When it opens and closes.
    pub policy: BreakerPolicy,
}

/// A kept result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheRequest {
    /// Identifies workflow, task, its definition and the key of the file.
    pub key: String,
    /// How long the result of this attempt will be good.
    pub ttl: Duration,
    /// Whether an earlier result may be taken; the run may forbid it.
    pub is_read: bool,
}

/// Who asks or holds: a task's attempt; a run has task -1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// The run.
    pub run: RunId,
    /// Index of the task; -1 for the run itself.
    pub ix: i32,
    /// The attempt; 0 for a run.
    pub attempt: u32,
}

/// Kind of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum GateKind {
    /// A concurrency group.
    Group = 0,
    /// A rate limit.
    Rate = 1,
    /// A circuit breaker.
    Circuit = 2,
}

/// Names one gate: lock the rows of these in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GateKey {
    /// Namespace.
    pub namespace: String,
    /// Kind.
    pub kind: GateKind,
    /// Name within namespace and kind.
    pub name: String,
}

impl GateRequest {
    /// The gates that it must pass, ascending.
    #[must_use]
    pub fn keys(&self, namespace: &str) -> Vec<GateKey> {
        let group = self.group.as_ref().map(|group| (GateKind::Group, &group.name));
        let rate = self.rate.as_ref().map(|rate| (GateKind::Rate, &rate.key));
        let circuit = self
            .circuit
            .as_ref()
            .map(|circuit| (GateKind::Circuit, &circuit.key));
        [group, rate, circuit]
            .into_iter()
            .flatten()
            .map(|(kind, name)| GateKey {
                namespace: namespace.to_owned(),
                kind,
                name: name.clone(),
            })
            .collect()
    }

    /// Names what must be decided in one order: requests of one lane need the same gates and treat a full group alike, so
    /// that when the first of a lane cannot pass, those behind it need not be looked at.
    #[must_use]
    pub fn lane(&self) -> String {
        let mut lane = String::new();
        if let Some(group) = &self.group {
            let mark = match group.on_conflict {
                OnConflict::Queue => 'q',
                OnConflict::Skip => 's',
                OnConflict::CancelRunning => 'c',
            };
            lane.push(mark);
            lane.push_str(&group.name);
        }
        for (mark, key) in [
            ('r', self.rate.as_ref().map(|rate| &rate.key)),
            ('b', self.circuit.as_ref().map(|circuit| &circuit.key)),
        ] {
            if let Some(key) = key {
                // a separator that no name contains: control characters are refused in names
                lane.push('\u{1f}');
                lane.push(mark);
                lane.push_str(key);
            }
        }
        if lane.is_empty() {
            // a kept result alone: no other lane begins so
            lane.push('-');
        }
        lane
    }
}
