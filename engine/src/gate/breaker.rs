//! The circuit breaker: closed → open (failures in a window) → half-open (one probe after the cooldown) → closed.
//!
//! Guarantees: at most one probe is out while half-open; an open breaker always has a moment at which it lets a probe
//! pass; a probe that ends without a verdict (cancelled, lost, skipped) makes room for the next at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ticket;
use crate::Timestamp;
use crate::run::{Category, TaskFailure};

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerPolicy {
    /// Failures in the window that open it.
    pub failures: u32,
    /// The window.
    pub window: Duration,
    /// From opening to the probe.
    pub cooldown: Duration,
}

/// One breaker, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    /// Where it stands.
    pub phase: BreakerPhase,
    /// Policy of the last attempt that was let through; verdicts are judged by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<BreakerPolicy>,
}

/// Where a breaker stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerPhase {
    /// Everything passes.
    Closed {
        /// Moments of the failures that may still be in the window, ascending.
        failures: Vec<Timestamp>,
    },
    /// Nothing passes before a moment.
    Open {
        /// When it opened.
        since: Timestamp,
        /// When a probe may pass.
        probe_at: Timestamp,
        /// Failures that opened it.
        failures: u32,
    },
    /// One attempt is trying it.
    HalfOpen {
        /// When it opened.
        since: Timestamp,
        /// The attempt.
        probe: Ticket,
        /// Failures that opened it.
        failures: u32,
    },
}

impl Default for BreakerPhase {
    fn default() -> Self {
        Self::Closed { failures: Vec::new() }
    }
}

/// Whether an attempt may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Pass,
    /// It may, and its verdict decides about the breaker.
    Probe,
    /// Not before this moment.
    NotBefore(Timestamp),
    /// Not before the probe has ended.
    AfterProbe,
}

impl Breaker {
    /// What it says to an attempt that asks now.
    #[must_use]
    pub fn permit(&self, now: Timestamp) -> Permit {
        match &self.phase {
            BreakerPhase::Closed { .. } => Permit::Pass,
            BreakerPhase::Open { probe_at, .. } if *probe_at <= now => Permit::Probe,
            BreakerPhase::Open { probe_at, .. } => Permit::NotBefore(*probe_at),
            BreakerPhase::HalfOpen { .. } => Permit::AfterProbe,
        }
    }

    /// Lets an attempt through that [`Self::permit`] allowed.
    pub fn pass(&mut self, ticket: Ticket, policy: BreakerPolicy, now: Timestamp) {
        self.policy = Some(policy);
        if let BreakerPhase::Open {
            since,
            probe_at,
            failures,
        } = self.phase
            && probe_at <= now
        {
            self.phase = BreakerPhase::HalfOpen {
                since,
                probe: ticket,
                failures,
            };
        }
    }

    /// An attempt that had passed has ended: well, badly, or in a way that says nothing.
    pub fn judge(&mut self, ticket: Ticket, verdict: Option<bool>, at: Timestamp) {
        let Some(policy) = self.policy else {
            // nothing ever passed, or the breaker was reset since
            return;
        };
        match &mut self.phase {
            BreakerPhase::Closed { failures } => {
                if verdict != Some(false) {
                    return;
                }
                failures.push(at);
                failures.sort_unstable();
                failures.retain(|failure| at.since(*failure) < policy.window);
                let count = u32::try_from(failures.len()).unwrap_or(u32::MAX);
                if count >= policy.failures {
                    self.open(at, policy, count);
                }
            }
            // it passed before the breaker opened: too old to say anything
            BreakerPhase::Open { .. } => {}
            BreakerPhase::HalfOpen { probe, .. } if *probe != ticket => {}
            BreakerPhase::HalfOpen { since, failures, .. } => match verdict {
                Some(true) => self.phase = BreakerPhase::default(),
                Some(false) => {
                    let count = failures.saturating_add(1);
                    self.open(at, policy, count);
                }
                None => {
                    self.phase = BreakerPhase::Open {
                        since: *since,
                        probe_at: at,
                        failures: *failures,
                    };
                }
            },
        }
    }

    fn open(&mut self, at: Timestamp, policy: BreakerPolicy, failures: u32) {
        self.phase = BreakerPhase::Open {
            since: at,
            probe_at: at.after(policy.cooldown),
            failures,
        };
    }
}

/// Whether a failure says that what the breaker protects is unwell.
///
/// `INPUT`, `EXPRESSION` and `UNAUTHORISED` say that the request was wrong, `LOST` that a worker went away. A `USER` failure
/// (an exit code, an exception of the script) counts unless its handler says that another attempt cannot succeed.
#[must_use]
pub fn counts_as_failure(failure: &TaskFailure) -> bool {
    match failure.category {
        Category::Timeout | Category::RateLimited | Category::Unavailable | Category::Internal => true,
        Category::User => failure.retryable,
        Category::Lost | Category::Expression | Category::Input | Category::Unauthorised => false,
    }
}
