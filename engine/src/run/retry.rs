//! What happens after a failed attempt: another one later, or the end of the task.

use std::time::Duration;

use serde_json::{Value, json};

use super::extra::TaskExtra;
use super::machine::{Machine, Note};
use super::readiness::expression_failure;
use super::scope::RunScope;
use super::{Category, Command, RecordKind, TaskFailure, TaskStatus};
use crate::definition::{Backoff, Jitter, OnExhausted, Retry};
use crate::expr::ExprError;
use crate::plan::Section;
use crate::source::duration::DURATION_MAX;
use crate::{TaskIx, Timestamp};

/// Who pauses a run whose task has used up its retries.
const ENGINE_ACTOR: &str = "runnel";

/// Codes of failures that no worker ever saw: the message of the attempt could not be made or was refused by the queue.
pub const UNDELIVERABLE: &[&str] = &["MESSAGE_INVALID", "MESSAGE_TOO_LARGE"];

/// Why a failed attempt has no successor.
enum GiveUp {
    /// The policy does not allow one.
    Because(&'static str),
    /// The policy's condition failed itself.
    BadCondition(ExprError),
}

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
        match self.retry_delay(ix, &failure) {
            Ok(delay) => self.schedule_retry(ix, failure, delay),
            Err(GiveUp::Because(reason)) => self.give_up(ix, failure, reason),
            Err(GiveUp::BadCondition(error)) => {
                let mut expression = expression_failure("retry.when", &error);
                expression.details = Some(json!({"cause": failure}));
                self.fail_task(ix, expression);
            }
        }
    }

    /// How long until the next attempt, or why there is none.
    fn retry_delay(&mut self, ix: TaskIx, failure: &TaskFailure) -> Result<Duration, GiveUp> {
        let policy = &self.definition(ix).retry;
        let retries = self.task(ix).retries;
        if !failure.retryable {
            return Err(GiveUp::Because("NOT_RETRYABLE"));
        }
        if retries >= policy.limit {
            return Err(GiveUp::Because("RETRIES_EXHAUSTED"));
        }
        if !is_covered(policy, failure) || !self.holds_for(ix, failure)? {
            return Err(GiveUp::Because("NOT_COVERED"));
        }
        let delay = delay_before(policy, retries + 1, self.entropy(ix))
            .max(Duration::from_millis(failure.retry_after_ms.unwrap_or(0)))
            .min(DURATION_MAX);
        if let Some(budget) = policy.budget
            && self.now().after(delay) > self.first_attempt_at(ix).after(budget)
        {
            return Err(GiveUp::Because("BUDGET_EXHAUSTED"));
        }
        Ok(delay)
    }

    /// Whether the policy's `when` lets this failure be retried.
    fn holds_for(&self, ix: TaskIx, failure: &TaskFailure) -> Result<bool, GiveUp> {
        let Some(when) = &self.plan.compiled(self.task(ix).template).retry_when else {
            return Ok(true);
        };
        let scope = RunScope::new(self.plan, self.state, Some(ix)).with_error(failure);
        match when.eval(&scope).map_err(GiveUp::BadCondition)? {
            Value::Bool(holds) => Ok(holds),
            _ => Err(GiveUp::BadCondition(ExprError {
                message: "the condition is neither true nor false".to_owned(),
                offset: 0,
            })),
        }
    }

    /// When the first attempt of this round began; kept from the first failure on.
    fn first_attempt_at(&mut self, ix: TaskIx) -> Timestamp {
        let task = self.task(ix);
        let mut extra = TaskExtra::of(task);
        if let Some(began_at) = extra.began_at {
            return began_at;
        }
        let began_at = task.started_at.or(task.queued_at).unwrap_or(self.now());
        extra.began_at = Some(began_at);
        self.task_mut(ix).extra = extra.store();
        began_at
    }

    fn schedule_retry(&mut self, ix: TaskIx, failure: TaskFailure, delay: Duration) {
        let retries = self.task(ix).retries;
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

    /// No further attempt is allowed: the task fails, or the run waits for a person who resumes it.
    pub fn give_up(&mut self, ix: TaskIx, failure: TaskFailure, reason: &str) {
        let on_exhausted = self.definition(ix).on_exhausted;
        if on_exhausted != OnExhausted::Fail {
            self.task_record(RecordKind::TaskExhausted, ix, Note::reason(reason));
        }
        match on_exhausted {
            OnExhausted::Pause => self.pause_exhausted(ix, failure),
            OnExhausted::Fail | OnExhausted::DeadLetter => self.fail_task(ix, failure),
        }
    }

    /// The task is ready for another round of attempts, with everything that limits it counted anew; the run is paused.
    fn pause_exhausted(&mut self, ix: TaskIx, failure: TaskFailure) {
        self.stop(ix);
        let mut extra = TaskExtra::of(self.task(ix));
        extra.began_at = None;
        let task = self.task_mut(ix);
        task.error = Some(failure.clone());
        task.extra = extra.store();
        task.retries = 0;
        task.losses = 0;
        task.ready_at = None;
        self.set_status(ix, TaskStatus::Ready);
        let note = Note {
            reason: Some("RETRIES_EXHAUSTED"),
            ..Note::failure(&failure)
        };
        self.task_record(RecordKind::TaskReady, ix, note);
        if self.state.is_paused {
            return;
        }
        self.state.is_paused = true;
        let key = self.state.key(self.plan, ix);
        let note = Note {
            actor: Some(ENGINE_ACTOR),
            reason: Some("RETRIES_EXHAUSTED"),
            ..Note::data(json!({"reason": "RETRIES_EXHAUSTED", "task": key}))
        };
        self.run_record(RecordKind::RunPaused, note);
    }

    /// Keeps a record of a failure for people to act on: where the task asks for it, and where its message could not be sent.
    fn keep_dead_letter(&mut self, ix: TaskIx, failure: &TaskFailure) {
        let is_fanout = self.plan.compiled(self.task(ix).template).fanout.is_some() && !self.is_item(ix);
        let is_wanted = self.definition(ix).on_exhausted == OnExhausted::DeadLetter && !is_fanout;
        if is_wanted || UNDELIVERABLE.contains(&failure.code.as_str()) {
            let attempt = self.task(ix).attempt;
            self.task_record(RecordKind::DeadLettered, ix, Note::failure(failure));
            self.command(Command::DeadLetter { task: ix, attempt });
        }
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
        self.keep_dead_letter(ix, &failure);
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
    let is_loss = failure.category == Category::Lost && pattern.eq_ignore_ascii_case("worker_lost");
    if is_category || is_loss || failure.code.eq_ignore_ascii_case(pattern) {
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
