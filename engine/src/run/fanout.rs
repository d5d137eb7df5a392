//! `for_each`: one task over the items of a list. Items become tasks a window at a time; the fan-out is `WAITING` meanwhile.

use std::sync::Arc;

use serde_json::{Value, json};

use super::machine::{Machine, Note};
use super::readiness::expression_failure;
use super::scope::{RunScope, parse};
use super::{Category, Item, Outcome, RecordKind, Stale, TaskFailure, TaskState, TaskStatus};
use crate::TaskIx;
use crate::definition::Tolerate;

/// Most items of one fan-out; more fail the task.
pub(super) const ITEMS_MAX: usize = 100_000;
/// Largest list of one fan-out, in bytes of JSON.
const ITEMS_BYTES_MAX: usize = 32 << 20;
/// Most items in flight of a fan-out without an own limit: the backlog stays a list, not rows.
const WINDOW: u32 = 1_000;

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
        let values = if has_items {
            self.stored_values(ix)
        } else {
            self.resolve_items(ix)
        };
        let values = match values {
            Ok(values) => values,
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
        self.derived().fanouts.entry(ix).or_default().values = values;
        self.set_status(ix, TaskStatus::Waiting);
        self.task_record(RecordKind::TaskExpanded, ix, Note::data(json!({"items": items})));
        if has_items {
            self.reset_items(ix);
        }
        self.continue_fanout(ix);
    }

    fn resolve_items(&self, ix: TaskIx) -> Result<Vec<Arc<str>>, Box<TaskFailure>> {
        let Some(fanout) = &self.plan.compiled(ix).fanout else {
            return Ok(Vec::new());
        };
        let scope = RunScope::new(self.plan, self.state, Some(ix));
        let items = fanout
            .items
            .render_within(&scope, ITEMS_BYTES_MAX)
            .map_err(|error| Box::new(expression_failure("for_each.items", &error)))?;
        let refused = |message: String| Box::new(TaskFailure::new(Category::Input, "ITEMS", message, false));
        let Value::Array(items) = items else {
            return Err(refused("`for_each.items` is not a list".to_owned()));
        };
        if items.len() > ITEMS_MAX {
            return Err(refused(format!(
                "`for_each.items` has {} items, more than {ITEMS_MAX}",
                items.len()
            )));
        }
        Ok(items.iter().map(|item| Arc::from(item.to_string())).collect())
    }

    /// The list as it was resolved at the beginning.
    fn stored_values(&self, ix: TaskIx) -> Result<Vec<Arc<str>>, Box<TaskFailure>> {
        match self.task(ix).input.as_deref().map(parse) {
            Some(Value::Array(items)) => Ok(items.iter().map(|item| Arc::from(item.to_string())).collect()),
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
        let limit = self
            .definition(ix)
            .for_each
            .as_ref()
            .and_then(|each| each.max_parallel);
        let window = limit.unwrap_or(WINDOW).clamp(1, WINDOW);
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
                None if fanout.children.len() < fanout.values.len() => self.add_item(ix),
                None => break,
            };
            match next {
                Ok(child) => self.make_eligible(child),
                Err(failure) => return self.fail_task(ix, *failure),
            }
        }
        self.finish_fanout(ix);
    }

    /// An operator changed the limits.
    pub fn on_fanout_limits_changed(
        &mut self,
        ix: TaskIx,
        max_parallel: Option<u32>,
        tolerate: Option<Tolerate>,
        actor: &str,
    ) -> Outcome {
        let _ = (ix, max_parallel, tolerate, actor);
        Outcome::Ignored(Stale::NothingDue)
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
            let values = self.stored_values(ix)?;
            self.derived().fanouts.entry(ix).or_default().values = values;
        }
        Ok(())
    }

    fn add_item(&mut self, parent: TaskIx) -> Result<TaskIx, Box<TaskFailure>> {
        let fanout = self.derived().fanouts.entry(parent).or_default();
        let at = fanout.children.len();
        let value = fanout
            .values
            .get(at)
            .cloned()
            .unwrap_or_else(|| Arc::from("null"));
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        let key = self.item_key(parent, index, &value)?;
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

    fn item_key(&self, parent: TaskIx, index: u32, value: &str) -> Result<Arc<str>, Box<TaskFailure>> {
        let fanout = self.plan.compiled(parent).fanout.as_ref();
        let Some(template) = fanout.and_then(|fanout| fanout.key.as_ref()) else {
            return Ok(Arc::from(index.to_string()));
        };
        let each = json!({"item": parse(value), "index": index});
        let scope = RunScope::new(self.plan, self.state, Some(parent)).with_each(each);
        let key = template
            .render(&scope)
            .map_err(|error| Box::new(expression_failure("for_each.key", &error)))?;
        Ok(Arc::from(
            key.as_str().map_or_else(|| key.to_string(), str::to_owned),
        ))
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
                return self.fail_fanout(parent, ix, failed);
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
        let tolerate = self
            .definition(parent)
            .for_each
            .as_ref()
            .map(|each| each.tolerate)
            .unwrap_or_default();
        match tolerate {
            Tolerate::Count(count) => count,
            Tolerate::Percent(percent) => (items as f64 * percent / 100.0).floor() as u32,
        }
    }

    fn fail_fanout(&mut self, parent: TaskIx, item: TaskIx, failed: u32) {
        let cause = self.task(item).error.clone();
        let (category, message) = cause.map_or((Category::User, String::new()), |cause| {
            (cause.category, cause.message)
        });
        let key = self.state.key(self.plan, item);
        // a time limit of an item is a failure of the fan-out, which itself had no time limit
        let category = if category == Category::Timeout {
            Category::User
        } else {
            category
        };
        let message = format!("{failed} failed items are more than tolerated; the last is {key}: {message}");
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
fn join(texts: &[Arc<str>]) -> Arc<str> {
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
