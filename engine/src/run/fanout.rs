//! `for_each` and `matrix`: one task over the items of a list, or over combinations. Items become tasks a window at a time; the fan-out is `WAITING` meanwhile.

use std::sync::Arc;

use serde_json::{Value, json};

use super::extra::TaskExtra;
use super::items::{Items, texts};
use super::machine::{Machine, Note};
use super::scope::parse;
use super::{Category, Item, Outcome, RecordKind, Refusal, Stale, TaskFailure, TaskState, TaskStatus};
use crate::definition::Tolerate;
use crate::{TaskIx, Timestamp};

/// Most items in flight of a fan-out without an own limit: the backlog stays a list, not rows.
const WINDOW: u32 = 1_000;
/// Most items that become tasks in one call; the alarm rings at once for the others.
const EXPANSIONS_MAX: u32 = 2_000;

/// What bounds a fan-out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Limits {
    /// Most items in flight.
    max_parallel: Option<u32>,
    /// Failures that are forgiven.
    tolerate: Tolerate,
}

impl Machine<'_> {
    /// Resolves the list; goes on with the items there are when an operator retries the fan-out.
    pub fn begin_fanout(&mut self, ix: TaskIx) {
        let has_items = self
            .state
            .extra
            .derived
            .fanouts
            .get(&ix)
            .is_some_and(|fanout| !fanout.children.is_empty());
        let resolved = if has_items {
            self.stored_items(ix)
        } else {
            self.resolve_items(ix)
        };
        let Items { values, keys } = match resolved {
            Ok(items) => items,
            Err(failure) => return self.fail_task(ix, *failure),
        };
        let task = self.task_mut(ix);
        task.attempt = task.attempt.saturating_add(1);
        if !has_items {
            task.input = Some(join(&values));
        }
        let now = self.now();
        self.task_mut(ix).started_at = Some(now);
        let items = values.len();
        let fanout = self.derived().fanouts.entry(ix).or_default();
        fanout.values = values;
        fanout.keys = keys;
        self.set_status(ix, TaskStatus::Waiting);
        self.task_record(RecordKind::TaskExpanded, ix, Note::data(json!({"items": items})));
        if has_items {
            self.reset_items(ix);
        }
        self.continue_fanout(ix);
    }

    /// The list as it was resolved at the beginning; keys are made anew one by one.
    fn stored_items(&self, ix: TaskIx) -> Result<Items, Box<TaskFailure>> {
        match self.task(ix).input.as_deref().map(parse) {
            Some(Value::Array(items)) => Ok(Items {
                values: texts(&items),
                keys: Vec::new(),
            }),
            _ => self.resolve_items(ix),
        }
    }

    fn reset_items(&mut self, ix: TaskIx) {
        let children = self
            .derived()
            .fanouts
            .get(&ix)
            .map(|fanout| fanout.children.clone())
            .unwrap_or_default();
        for child in children {
            if matches!(
                self.task(child).status,
                TaskStatus::Failed | TaskStatus::TimedOut | TaskStatus::Cancelled
            ) {
                self.reset(child, "FANOUT_RETRIED");
            }
        }
    }

    /// Starts waiting items and makes new ones while the window allows, at most a window at a time: what ends at once is
    /// settled first, so that a fan-out that fails stops early.
    pub fn continue_fanout(&mut self, ix: TaskIx) {
        if self.task(ix).status != TaskStatus::Waiting {
            return;
        }
        if let Err(failure) = self.load_values(ix) {
            return self.fail_task(ix, *failure);
        }
        let window = self.limits(ix).max_parallel.unwrap_or(WINDOW).max(1);
        for _ in 0..window {
            if !self.may_start() {
                break;
            }
            let Some(fanout) = self.state.extra.derived.fanouts.get(&ix) else {
                return;
            };
            let waiting = u32::try_from(fanout.backlog.len()).unwrap_or(u32::MAX);
            if fanout.live.saturating_sub(waiting) >= window {
                return;
            }
            let next = match fanout.backlog.first() {
                Some(waiting) => Ok(*waiting),
                None if fanout.children.len() >= fanout.values.len() => break,
                None if self.expanded >= EXPANSIONS_MAX => return self.expand_later(ix),
                None => self.add_item(ix),
            };
            match next {
                Ok(child) => self.make_eligible(child),
                Err(failure) => return self.fail_task(ix, *failure),
            }
        }
        self.finish_fanout(ix);
    }

    /// Items without a worker end as soon as they begin: all of them in one call would be one transaction of any size.
    fn expand_later(&mut self, ix: TaskIx) {
        let mut extra = TaskExtra::of(self.task(ix));
        if extra.expand_at.is_none() {
            extra.expand_at = Some(self.now());
            self.task_mut(ix).extra = extra.store();
            self.rearm(ix);
        }
    }

    /// When a fan-out that left a place to others goes on.
    pub fn expands_at(&self, ix: TaskIx) -> Option<Timestamp> {
        let task = self.task(ix);
        let is_expanding = task.extra.is_some() && self.is_fanout(ix);
        is_expanding.then(|| TaskExtra::of(task).expand_at)?
    }

    /// It goes on.
    pub fn expand_further(&mut self, ix: TaskIx) {
        let mut extra = TaskExtra::of(self.task(ix));
        extra.expand_at = None;
        self.task_mut(ix).extra = extra.store();
        self.rearm(ix);
        self.continue_fanout(ix);
    }

    /// An operator changed the limits: more items may start, or the failures so far are too many.
    pub fn on_fanout_limits_changed(
        &mut self,
        ix: TaskIx,
        max_parallel: Option<u32>,
        tolerate: Option<Tolerate>,
        actor: &str,
    ) -> Outcome {
        if let Some(refusal) = self.refuse_limits(ix) {
            return Outcome::Refused(refusal);
        }
        let before = self.limits(ix);
        let after = Limits {
            max_parallel: max_parallel.or(before.max_parallel),
            tolerate: tolerate.unwrap_or(before.tolerate),
        };
        if after == before {
            return Outcome::Ignored(Stale::AlreadyInForce);
        }
        let mut extra = TaskExtra::of(self.task(ix));
        extra.max_parallel = after.max_parallel;
        extra.tolerate = Some(after.tolerate);
        self.task_mut(ix).extra = extra.store();
        let tolerate = match after.tolerate {
            Tolerate::Count(count) => json!(count),
            Tolerate::Percent(percent) => json!(format!("{percent}%")),
        };
        let data = json!({"maxParallel": after.max_parallel, "tolerate": tolerate});
        self.task_record(
            RecordKind::FanoutLimitsChanged,
            ix,
            Note {
                actor: Some(actor),
                ..Note::data(data)
            },
        );
        if self.task(ix).status != TaskStatus::Waiting {
            return Outcome::Applied;
        }
        if let Err(failure) = self.load_values(ix) {
            self.fail_task(ix, *failure);
            return Outcome::Applied;
        }
        let failed = self
            .state
            .extra
            .derived
            .fanouts
            .get(&ix)
            .map_or(0, |fanout| fanout.failed);
        if failed > self.tolerated(ix) {
            self.fail_fanout(ix, None, failed);
        } else {
            self.continue_fanout(ix);
        }
        Outcome::Applied
    }

    fn refuse_limits(&self, ix: TaskIx) -> Option<Refusal> {
        let refuse = |message: &str, allowed: &[&'static str]| {
            Some(Refusal {
                message: message.to_owned(),
                allowed: allowed.to_vec(),
            })
        };
        match self.state.tasks.get(ix.at()) {
            None => Some(Refusal::no_task()),
            Some(_) if !self.is_fanout(ix) => refuse(
                "the task has neither `for_each` nor `matrix`, so there are no limits to change",
                &[],
            ),
            Some(task) if task.status.is_terminal() => refuse("the fan-out has ended", &["taskRetry"]),
            Some(_) if self.is_ending() => refuse("the run is being cancelled", &["runCancel"]),
            Some(_) => None,
        }
    }

    /// The limits of a fan-out: what an operator said last, else the file.
    fn limits(&self, ix: TaskIx) -> Limits {
        let definition = self.definition(ix);
        let of_file = match (&definition.for_each, &definition.matrix) {
            (Some(each), _) => Limits {
                max_parallel: each.max_parallel,
                tolerate: each.tolerate,
            },
            (None, Some(matrix)) => Limits {
                max_parallel: matrix.max_parallel,
                tolerate: matrix.tolerate,
            },
            (None, None) => Limits::default(),
        };
        if self.task(ix).extra.is_none() {
            return of_file;
        }
        let extra = TaskExtra::of(self.task(ix));
        Limits {
            max_parallel: extra.max_parallel.or(of_file.max_parallel),
            tolerate: extra.tolerate.unwrap_or(of_file.tolerate),
        }
    }

    /// Whether the task is a fan-out itself, not an item of one.
    pub fn is_fanout(&self, ix: TaskIx) -> bool {
        let task = self.task(ix);
        task.item.is_none() && self.plan.compiled(task.template).fanout.is_some()
    }

    fn load_values(&mut self, ix: TaskIx) -> Result<(), Box<TaskFailure>> {
        let is_loaded = self
            .state
            .extra
            .derived
            .fanouts
            .get(&ix)
            .is_some_and(|fanout| !fanout.values.is_empty());
        if !is_loaded {
            let items = self.stored_items(ix)?;
            self.derived().fanouts.entry(ix).or_default().values = items.values;
        }
        Ok(())
    }

    fn add_item(&mut self, parent: TaskIx) -> Result<TaskIx, Box<TaskFailure>> {
        self.expanded += 1;
        let fanout = self.derived().fanouts.entry(parent).or_default();
        let at = fanout.children.len();
        let value = fanout
            .values
            .get(at)
            .cloned()
            .unwrap_or_else(|| Arc::from("null"));
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        let key = match fanout.keys.get(at) {
            Some(key) => Arc::clone(key),
            None => self.item_key(parent, index, &value)?,
        };
        let child = TaskIx(u32::try_from(self.state.tasks.len()).unwrap_or(u32::MAX));
        let item = Item {
            parent,
            index,
            key,
            value,
        };
        self.state.tasks.push(TaskState {
            item: Some(item),
            ..TaskState::blocked(parent)
        });
        self.state.counts.blocked += 1;
        self.effects.touched.push(child);
        let fanout = self.derived().fanouts.entry(parent).or_default();
        fanout.children.push(child);
        fanout.backlog.insert(child);
        fanout.live += 1;
        Ok(child)
    }

    /// An item ended: the fan-out ends, fails or goes on.
    pub fn on_item_settled(&mut self, ix: TaskIx) {
        let Some(parent) = self.task(ix).item.as_ref().map(|item| item.parent) else {
            return;
        };
        let has_failed = matches!(self.task(ix).status, TaskStatus::Failed | TaskStatus::TimedOut);
        let fanout = self.derived().fanouts.entry(parent).or_default();
        fanout.failed += u32::from(has_failed);
        let (failed, live) = (fanout.failed, fanout.live);
        if self.task(parent).status != TaskStatus::Waiting {
            return;
        }
        if self.is_ending() {
            if live == 0 {
                self.cancel_task(parent, "RUN_CANCELLED");
            }
            return;
        }
        if has_failed {
            if let Err(failure) = self.load_values(parent) {
                return self.fail_task(parent, *failure);
            }
            if failed > self.tolerated(parent) {
                return self.fail_fanout(parent, Some(ix), failed);
            }
        }
        self.continue_fanout(parent);
    }

    fn tolerated(&self, parent: TaskIx) -> u32 {
        let items = self
            .state
            .extra
            .derived
            .fanouts
            .get(&parent)
            .map_or(0, |fanout| fanout.values.len());
        match self.limits(parent).tolerate {
            Tolerate::Count(count) => count,
            Tolerate::Percent(percent) => (items as f64 * percent / 100.0).floor() as u32,
        }
    }

    fn fail_fanout(&mut self, parent: TaskIx, last: Option<TaskIx>, failed: u32) {
        let cause = last.and_then(|item| self.task(item).error.clone());
        // a time limit of an item is a failure of the fan-out, which itself had no time limit
        let category = match &cause {
            Some(cause) if cause.category != Category::Timeout => cause.category,
            Some(_) | None => Category::User,
        };
        let last = match (last, cause) {
            (Some(item), Some(cause)) => {
                format!(
                    "; the last is {}: {}",
                    self.state.key(self.plan, item),
                    cause.message
                )
            }
            _ => String::new(),
        };
        let message = format!("{failed} failed items are more than tolerated{last}");
        self.fail_task(parent, TaskFailure::new(category, "ITEMS_FAILED", message, false));
    }

    fn finish_fanout(&mut self, ix: TaskIx) {
        let Some(fanout) = self.state.extra.derived.fanouts.get(&ix) else {
            return;
        };
        if fanout.live > 0 || fanout.children.len() < fanout.values.len() {
            return;
        }
        let null: Arc<str> = Arc::from("null");
        let outputs: Vec<Arc<str>> = fanout
            .children
            .iter()
            .map(|child| self.task(*child).output.clone().unwrap_or_else(|| null.clone()))
            .collect();
        let has_failures = fanout.failed > 0;
        self.state.has_tolerated_failures |= has_failures;
        self.succeed(ix, join(&outputs));
    }

    /// Cancels the items of a fan-out that have not ended.
    pub fn cancel_items(&mut self, parent: TaskIx, reason: &str) {
        let Some(fanout) = self.state.extra.derived.fanouts.get(&parent) else {
            return;
        };
        if fanout.live == 0 {
            return;
        }
        for child in fanout.children.clone() {
            if !self.task(child).status.is_terminal() {
                self.cancel_task(child, reason);
            }
        }
    }
}

/// JSON text of a list from the JSON texts of its members.
pub(super) fn join(texts: &[Arc<str>]) -> Arc<str> {
    let mut text = String::with_capacity(texts.iter().map(|part| part.len() + 1).sum::<usize>() + 2);
    text.push('[');
    for (at, part) in texts.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(part);
    }
    text.push(']');
    Arc::from(text)
}
