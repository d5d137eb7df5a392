//! Which edges of the *nodes* dialect a skipped upstream satisfies.
//!
//! In these systems a node runs after an upstream that was skipped, so two branches can meet again. A node that reads what
//! a skipped upstream would have given cannot run, though: it is skipped along.

use std::collections::{HashMap, HashSet};

/// One node as it matters here; all names are task keys.
pub(crate) struct Wait {
    pub(crate) key: String,
    pub(crate) has_condition: bool,
    pub(crate) upstreams: Vec<String>,
    /// Keys of the tasks that its templates read.
    pub(crate) reads: HashSet<String>,
}

/// The pairs (task, upstream) where the upstream may be skipped and the task runs all the same.
pub(crate) fn tolerated(waits: &[Wait]) -> HashSet<(String, String)> {
    let mut readers: HashMap<&str, Vec<&Wait>> = HashMap::new();
    for wait in waits {
        for upstream in wait
            .upstreams
            .iter()
            .filter(|upstream| wait.reads.contains(*upstream))
        {
            readers.entry(upstream).or_default().push(wait);
        }
    }
    let mut skippable: HashSet<&str> = HashSet::new();
    let mut open: Vec<&str> = waits
        .iter()
        .filter(|wait| wait.has_condition)
        .map(|wait| wait.key.as_str())
        .collect();
    while let Some(key) = open.pop() {
        if skippable.insert(key) {
            open.extend(
                readers
                    .get(key)
                    .into_iter()
                    .flatten()
                    .map(|wait| wait.key.as_str()),
            );
        }
    }
    let edges = waits
        .iter()
        .flat_map(|wait| wait.upstreams.iter().map(move |upstream| (wait, upstream)));
    edges
        .filter(|(wait, upstream)| skippable.contains(upstream.as_str()) && !wait.reads.contains(*upstream))
        .map(|(wait, upstream)| (wait.key.clone(), upstream.clone()))
        .collect()
}
