//! Which traces are kept: decided by the trace alone, so that every process decides the same.

use crate::context::{SpanContext, TraceId};

/// Which traces are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Whether the decision of whoever began the trace counts.
    pub follows_parent: bool,
    /// Share of the traces that begin here, from 0 to 1.
    pub ratio: f64,
}

impl Default for Sampler {
    fn default() -> Self {
        Self {
            follows_parent: true,
            ratio: 1.0,
        }
    }
}

impl Sampler {
    /// Reads `OTEL_TRACES_SAMPLER` and its argument; `None` for one that does not exist.
    #[must_use]
    pub fn named(name: &str, argument: Option<&str>) -> Option<Self> {
        let ratio = match argument {
            None | Some("") => Some(1.0),
            Some(text) => text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)),
        };
        let (follows_parent, ratio) = match name {
            "always_on" => (false, 1.0),
            "always_off" => (false, 0.0),
            "traceidratio" => (false, ratio?),
            "parentbased_always_on" => (true, 1.0),
            "parentbased_always_off" => (true, 0.0),
            "parentbased_traceidratio" => (true, ratio?),
            _ => return None,
        };
        Some(Self {
            follows_parent,
            ratio,
        })
    }

    /// Whether spans of the trace are kept.
    #[must_use]
    pub fn keeps(&self, trace: TraceId, parent: Option<SpanContext>) -> bool {
        match parent {
            Some(parent) if self.follows_parent => parent.is_sampled,
            Some(_) | None => self.draws(trace),
        }
    }

    /// The last eight bytes of a trace id are as good as random, in ids of runs too.
    fn draws(&self, trace: TraceId) -> bool {
        let [.., a, b, c, d, e, f, g] = trace.0;
        let drawn = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
        // 2^56, exactly a float
        #[expect(
            clippy::cast_precision_loss,
            reason = "56 bits, of which a float keeps 53: no sampler is that exact"
        )]
        let share = drawn as f64 / 72_057_594_037_927_936.0;
        share < self.ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SpanId;

    fn trace(last: u64) -> TraceId {
        let mut bytes = [9; 16];
        bytes[8..].copy_from_slice(&last.to_be_bytes());
        TraceId(bytes)
    }

    #[test]
    fn a_share_of_the_traces_is_kept_and_always_the_same_ones() {
        let sampler = Sampler::named("traceidratio", Some("0.25")).unwrap();
        let kept = (0..1_000_u64)
            .filter(|n| sampler.keeps(trace(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)), None))
            .count();
        assert!((200..300).contains(&kept), "{kept} of 1000");
    }

    #[test]
    fn the_decision_of_the_caller_counts_where_it_should() {
        let caller = |is_sampled| {
            Some(SpanContext {
                trace: trace(1),
                span: SpanId([1; 8]),
                is_sampled,
            })
        };
        let follows = Sampler::named("parentbased_always_off", None).unwrap();
        assert!(follows.keeps(trace(1), caller(true)));
        assert!(!follows.keeps(trace(1), None));
        let own = Sampler::named("always_on", None).unwrap();
        assert!(own.keeps(trace(1), caller(false)));
    }

    #[test]
    fn an_unknown_sampler_or_share_is_refused() {
        assert_eq!(Sampler::named("sometimes", None), None);
        assert_eq!(Sampler::named("traceidratio", Some("2")), None);
        assert_eq!(Sampler::named("parentbased_traceidratio", Some("half")), None);
    }
}
