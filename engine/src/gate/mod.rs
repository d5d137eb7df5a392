//! What limits many runs together: concurrency groups, rate limits, circuit breakers, kept results.
//!
//! Guarantees: pure, as all of this crate. Who holds the state (a database, a simulator) loads it into [`Facts`], calls
//! [`decide`], and stores what changed; two that do so at the same time must be kept apart by a lock on the keys of
//! [`GateRequest::keys`], taken in their order.
//!
//! Decisions that `docs/semantics.md` tells to users:
//! - **order**: priority with ageing ([`rank`]), then age; what cannot be admitted because of one gate is passed by what
//!   does not need it, but nothing that needs the same full group, empty rate or open breaker passes it;
//! - **differing limits of one group**: nobody shares the group with more than its own limit allows, so the smallest
//!   limit among the holders and the newcomer counts;
//! - **all or nothing**: a place, a permit and a start of the rate are taken together or not at all;
//! - **kept results** come before every gate and use none.

mod breaker;
mod decide;
mod fair;
mod rank;
mod rate;
mod request;

#[cfg(test)]
mod tests;

pub use breaker::{Breaker, BreakerPhase, BreakerPolicy, Permit, counts_as_failure};
pub use decide::{Blocked, Decided, Decision, Facts, Group, Waiting, decide};
pub use fair::deal;
pub use rank::{AGEING, rank};
pub use rate::{RateState, refusal_ends_at};
pub use request::{
    CacheRequest, CircuitRequest, GateKey, GateKind, GateRequest, GroupRequest, KEY_CHARS_MAX, RateRequest,
    Ticket,
};
