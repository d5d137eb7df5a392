//! Newtype ids, so that two of them never swap places in a call.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// One execution of a workflow version.
    RunId
);
uuid_id!(
    /// A workflow: the sequence of its versions under one key.
    WorkflowId
);
uuid_id!(
    /// One immutable version of a workflow.
    WorkflowVersionId
);

/// Position of a task in its run: static tasks first, in plan order, then the items of fan-outs in the order of their expansion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskIx(pub u32);

impl TaskIx {
    /// As an index into a slice of tasks.
    #[must_use]
    pub fn at(self) -> usize {
        self.0 as usize
    }
}
