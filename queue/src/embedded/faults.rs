//! Deliveries that SQS allows and that rarely happen in tests: repeated and out of order.

/// Which deliveries to disturb. The same plan and the same calls give the same deliveries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultPlan {
    /// Seed of the choices.
    pub seed: u64,
    /// Part of the deliveries that come again although the first was deleted: 0 never, below 1.
    pub duplicate_rate: f64,
    /// Whether messages are delivered in a random order.
    pub is_reordering: bool,
    /// Part of the deletions that the queue forgets, so that the message comes again after its visibility.
    pub lost_delete_rate: f64,
}

impl FaultPlan {
    /// Repeats one delivery in five, forgets one deletion in ten and reorders.
    #[must_use]
    pub fn rough(seed: u64) -> Self {
        Self {
            seed,
            duplicate_rate: 0.2,
            is_reordering: true,
            lost_delete_rate: 0.1,
        }
    }
}

/// The plan in progress: splitmix64, small and the same on every platform.
#[derive(Debug)]
pub(super) struct FaultSource {
    plan: FaultPlan,
    state: u64,
}

impl FaultSource {
    pub(super) fn new(plan: FaultPlan) -> Self {
        Self {
            plan,
            state: plan.seed,
        }
    }

    pub(super) fn repeats_delivery(&mut self) -> bool {
        let rate = self.plan.duplicate_rate;
        self.chance(rate)
    }

    pub(super) fn forgets_delete(&mut self) -> bool {
        let rate = self.plan.lost_delete_rate;
        self.chance(rate)
    }

    /// Which of `len` waiting messages goes next.
    pub(super) fn pick(&mut self, len: usize) -> usize {
        if !self.plan.is_reordering || len < 2 {
            return 0;
        }
        usize::try_from(self.next() % len as u64).unwrap_or(0)
    }

    fn chance(&mut self, rate: f64) -> bool {
        // 53 bits: every value is exact in a double
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < rate
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
