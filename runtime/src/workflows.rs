//! Workflows: publishing versions, and the compiled versions that runs execute.
//!
//! A version is immutable, so a compiled one is cached without ever being checked again; *which* version is the latest is
//! asked of the database each time, because another replica may have published one.

mod cache;
mod publish;

pub(crate) use cache::{CompiledVersion, Lookup, Versions};
pub(crate) use publish::publish;
