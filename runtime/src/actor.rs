//! Who does something: part of every write.

use std::sync::Arc;

/// Who acts, and for which namespace. Made by `api` from the authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Name for events and audit, as `anonymous` or `key:ci`.
    pub name: Arc<str>,
    /// The namespace acted in; every read and write is limited to it.
    pub namespace: Arc<str>,
}
