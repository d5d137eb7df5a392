//! What an attempt took, and where its run stands in the traces of others. The engine decides nothing by either: it carries them
//! from the report of a worker into the history, and from the start of a run to its messages.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What an attempt took, as its worker measured it; what was not measured is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Time of the handler in microseconds, by one clock.
    #[serde(rename = "w", skip_serializing_if = "Option::is_none")]
    pub wall_us: Option<u64>,
    /// CPU time of its processes in microseconds.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub cpu_us: Option<u64>,
    /// Most memory that one of its processes had, in bytes.
    #[serde(rename = "m", skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes of its input.
    #[serde(rename = "i", skip_serializing_if = "Option::is_none")]
    pub input_bytes: Option<u64>,
    /// Bytes of its output.
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
}

/// Where a run stands in the traces of others; the texts are the shell's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunTrace {
    /// What started the run and waits for no more than that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Arc<str>>,
    /// What started it and goes on by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Arc<str>>,
}
