//! What the workflows of a seed are made of, besides what every seed has.

use crate::chance::Chance;

/// A part of the workflow language. Each seed has some of them, so that its workflows stay small and none hides another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Feature {
    /// Tasks that start other workflows.
    Child,
    /// A workflow that starts itself, until the limit of depth.
    Deep,
    /// Waits for events.
    Event,
    /// Waits for signals.
    Signal,
    /// Approvals.
    Approval,
    /// Tasks that end when their callback token is used.
    Callback,
    /// Compensation.
    Saga,
    /// Fan-outs over combinations.
    Matrix,
    /// Bounded loops.
    Loop,
    /// Fan-outs over lists of items, and what they tolerate.
    Batch,
    /// Kept results.
    Cache,
    /// Limits of runs at once.
    RunGroup,
    /// What happens when retries are used up.
    Exhausted,
    /// Times that are only alerted.
    Alert,
    /// Secrets in inputs, which whoever executes them repeats in outputs and failures.
    Secret,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Child,
        Self::Deep,
        Self::Event,
        Self::Signal,
        Self::Approval,
        Self::Callback,
        Self::Saga,
        Self::Matrix,
        Self::Loop,
        Self::Batch,
        Self::Cache,
        Self::RunGroup,
        Self::Exhausted,
        Self::Alert,
        Self::Secret,
    ];
}

/// A set of features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features(u32);

impl Features {
    /// Some of them, as the seed draws.
    pub fn drawn(chance: &mut Chance) -> Self {
        let percent = chance.between(5, 45);
        let mut drawn = Self::default();
        for feature in Feature::ALL {
            // a chain of runs down to the limit of depth costs as much as many seeds
            let percent = match feature {
                Feature::Deep => 2,
                // much must come together before a rollback is stopped in its middle
                Feature::Saga => percent + 15,
                _ => percent,
            };
            if chance.percent(percent) {
                drawn.0 |= 1 << feature as u8;
            }
        }
        drawn
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn has(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u8) != 0
    }
}
