//! What happens after a failed attempt: another one later, or the end of the task.

use std::time::Duration;

use serde_json::json;

use super::machine::{Machine, Note};
use super::{Category, RecordKind, TaskFailure, TaskStatus};
use crate::TaskIx;
use crate::definition::{Backoff, Jitter, Retry};
use crate::plan::Section;
use crate::source::duration::DURATION_MAX;

impl Machine<'_> {
    /// The current attempt failed. A retry always waits for an alarm, also one without delay: chains of failures must not recurse.
    pub fn fail_attempt(&mut self, ix: TaskIx, failure: TaskFailure) {
        let kind = match failure.category {
            Category::Timeout => RecordKind::AttemptTimedOut,
            Category::User
            | Category::Lost
            | Category::RateLimited
            | Category::Unavailable
            | Category::Expression
            | Category::Input
            | Category::Unauthorised
            | Category::Internal => RecordKind::AttemptFailed,
        };
        self.task_record(kind, ix, Note::failure(&failure));
        if self.is_ending() {
            self.task_mut(ix).error = Some(failure);
            self.cancel_task(ix, "RUN_CANCELLED");
            return;
        }
        let policy = &self.definition(ix).retry;
        let retries = self.task(ix).retries;
        if !failure.retryable || retries >= policy.limit || !is_covered(policy, &failure) {
            self.fail_task(ix, failure);
            return;
        }
        let delay = delay_before(policy, retries + 1, self.entropy(ix))
            .max(Duration::from_millis(failure.retry_after_ms.unwrap_or(0)))
            .min(DURATION_MAX);
        let retry_at = self.now().after(delay);
        let task = self.task_mut(ix);
        task.retries += 1;
        task.error = Some(failure);
        self.set_status(ix, TaskStatus::RetryWait);
        let alarm = self.retry_alarm(ix, retry_at);
        self.set_alarm(ix, Some(alarm));
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.task_record(
            RecordKind::RetryScheduled,
            ix,
            Note::data(json!({"delayMs": delay_ms, "retry": retries + 1})),
        );
    }

    /// The task has failed for good.
    pub fn fail_task(&mut self, ix: TaskIx, failure: TaskFailure) {
        let (status, kind) = if failure.category == Category::Timeout {
            (TaskStatus::TimedOut, RecordKind::TaskTimedOut)
        } else {
            (TaskStatus::Failed, RecordKind::TaskFailed)
        };
        self.task_mut(ix).error = Some(failure.clone());
        self.set_status(ix, status);
        self.task_record(kind, ix, Note::failure(&failure));
        if self.is_item(ix) {
            return;
        }
        self.cancel_items(ix, "FANOUT_FAILED");
        if self.plan.section(ix) != Section::Main {
            return;
        }
        if self.definition(ix).continue_on_error {
            self.state.has_tolerated_failures = true;
            return;
        }
        if self.state.error.is_none() {
            self.state.error = Some(self.root_cause(ix, failure));
        }
        if self.plan.workflow().fail_fast && self.state.extra.outcome.is_none() {
            self.cancel_main("FAIL_FAST");
        }
    }

    /// The failure of a task as the failure of the run: it says which task.
    pub fn root_cause(&self, ix: TaskIx, failure: TaskFailure) -> TaskFailure {
        TaskFailure {
            message: format!("{}: {}", self.state.key(self.plan, ix), failure.message),
            ..failure
        }
    }
}

/// Whether the policy's `on` and `not_on` let this failure be retried.
fn is_covered(policy: &Retry, failure: &TaskFailure) -> bool {
    let matches = |patterns: &[String]| patterns.iter().any(|pattern| matches_failure(pattern, failure));
    (policy.on.is_empty() || matches(&policy.on)) && !matches(&policy.not_on)
}

/// A category, a code, or `4xx`, `5xx`, `503` for the codes of HTTP; case does not matter.
fn matches_failure(pattern: &str, failure: &TaskFailure) -> bool {
    let category = serde_json::to_value(failure.category).ok();
    let is_category = category
        .as_ref()
        .and_then(|name| name.as_str())
        .is_some_and(|name| name.eq_ignore_ascii_case(pattern));
    if is_category || failure.code.eq_ignore_ascii_case(pattern) {
        return true;
    }
    let Some(http) = failure.code.strip_prefix("HTTP_") else {
        return false;
    };
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_suffix("xx") {
        Some(class) => class.len() == 1 && http.len() == 3 && http.starts_with(class),
        None => http == pattern,
    }
}

/// The delay before retry `n` (from 1), spread by the entropy (AWS Architecture Blog, "Exponential Backoff And Jitter").
fn delay_before(policy: &Retry, n: u32, entropy: u64) -> Duration {
    let factor = match policy.backoff {
        Backoff::Fixed => 1.0,
        Backoff::Linear => f64::from(n),
        Backoff::Exponential => policy.factor.powi(i32::try_from(n - 1).unwrap_or(i32::MAX)),
    };
    let delay = Duration::try_from_secs_f64(policy.delay.as_secs_f64() * factor)
        .unwrap_or(policy.max_delay)
        .min(policy.max_delay);
    let fraction = (entropy >> 11) as f64 / (1_u64 << 53) as f64;
    match policy.jitter {
        Jitter::None => delay,
        Jitter::Full => delay.mul_f64(fraction),
        Jitter::Equal => delay / 2 + (delay / 2).mul_f64(fraction),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testkit::retry;

    #[test]
    fn delays_grow_by_their_backoff_and_stop_at_the_limit() {
        let second = Duration::from_secs(1);
        let policy = |backoff| Retry {
            backoff,
            delay: second,
            factor: 3.0,
            max_delay: second * 20,
            ..retry(9)
        };
        let delays = |backoff| [1, 2, 3, 4].map(|n| delay_before(&policy(backoff), n, 0).as_secs());
        assert_eq!(delays(Backoff::Fixed), [1, 1, 1, 1]);
        assert_eq!(delays(Backoff::Linear), [1, 2, 3, 4]);
        assert_eq!(delays(Backoff::Exponential), [1, 3, 9, 20]);
        assert_eq!(
            delay_before(&policy(Backoff::Exponential), u32::MAX, 0),
            second * 20
        );
    }

    #[test]
    fn jitter_stays_in_its_range() {
        let policy = |jitter| Retry {
            jitter,
            delay: Duration::from_secs(10),
            max_delay: Duration::from_secs(10),
            ..retry(1)
        };
        for entropy in [0, 1 << 40, u64::MAX / 2, u64::MAX] {
            assert!(delay_before(&policy(Jitter::Full), 1, entropy) <= Duration::from_secs(10));
            let equal = delay_before(&policy(Jitter::Equal), 1, entropy);
            assert!(
                equal >= Duration::from_secs(5) && equal <= Duration::from_secs(10),
                "{equal:?}"
            );
        }
        assert!(delay_before(&policy(Jitter::Full), 1, 0) < delay_before(&policy(Jitter::Full), 1, u64::MAX));
    }

    #[test]
    fn patterns_match_categories_codes_and_http_classes() {
        let failure = TaskFailure::new(Category::Unavailable, "HTTP_503", "", true);
        for (pattern, want) in [
            ("unavailable", true),
            ("UNAVAILABLE", true),
            ("http_503", true),
            ("5xx", true),
            ("503", true),
            ("4xx", false),
            ("timeout", false),
            ("xx", false),
        ] {
            assert_eq!(matches_failure(pattern, &failure), want, "{pattern}");
        }
    }
}
