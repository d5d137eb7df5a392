//! Compensation: when a workflow undoes its tasks, and the task that undoes another.

use crate::definition::{
    CompensateOn, Compensation, CompensationError, CompensationOrder, OnExhausted, Task,
};
use crate::plan::COMPENSATE_SUFFIX;
use crate::source::check::Checker;
use crate::source::check::expressions::{Group, Reader};
use crate::source::check::fields::Fields;
use crate::source::check::policy::Defaults;
use crate::source::tree::{Entry, Node, Path};

/// Keys of a task that mean nothing for one that undoes another: its place in the order follows from the other's.
const WITHOUT: &[&str] = &[
    "needs",
    "depends_on",
    "dependencies",
    "join",
    "trigger_rule",
    "compensate",
    "point_of_no_return",
    "continue_on_error",
];

const ON: &[(&str, CompensateOn)] = &[
    ("failed", CompensateOn::Failed),
    ("cancelled", CompensateOn::Cancelled),
    ("timed_out", CompensateOn::TimedOut),
];

const EXHAUSTED: &[(&str, OnExhausted)] = &[
    ("fail", OnExhausted::Fail),
    ("pause", OnExhausted::Pause),
    ("dead_letter", OnExhausted::DeadLetter),
];

impl Checker<'_, '_> {
    /// `compensation` of the workflow.
    pub(crate) fn compensation(&mut self, node: &Node, path: Path<'_>) -> Compensation {
        let mut compensation = Compensation::default();
        let Some(fields) = self.fields(node, path, &["on", "order", "on_error"]) else {
            return compensation;
        };
        if let Some(items) = fields.get("on").and_then(|node| self.list(node, path.key("on"))) {
            let on = items.iter().enumerate();
            compensation.on = on
                .filter_map(|(index, item)| self.one_of(item, path.key("on").index(index), ON))
                .collect();
        }
        let orders = [
            ("reverse", CompensationOrder::Reverse),
            ("parallel", CompensationOrder::Parallel),
        ];
        if let Some(node) = fields.get("order") {
            compensation.order = self.one_of(node, path.key("order"), &orders).unwrap_or_default();
        }
        let on_error = [
            ("halt", CompensationError::Halt),
            ("continue", CompensationError::Continue),
        ];
        if let Some(node) = fields.get("on_error") {
            let choice = self.one_of(node, path.key("on_error"), &on_error);
            compensation.on_error = choice.unwrap_or_default();
        }
        compensation
    }

    /// What happens when no attempt is left; a key of the task, also accepted inside `retry`.
    pub(crate) fn on_exhausted(&mut self, node: &Node, path: Path<'_>) -> Option<OnExhausted> {
        self.one_of(node, path, EXHAUSTED)
    }

    /// `compensate` and `point_of_no_return` of a task.
    pub(crate) fn undoing(
        &mut self,
        fields: Fields<'_>,
        path: Path<'_>,
        reader: Reader,
        defaults: &Defaults,
        task: &mut Task,
    ) {
        let Reader::Task(group, index) = reader else {
            return;
        };
        for key in ["compensate", "point_of_no_return"] {
            let Some(entry) = fields.entry(key).filter(|_| group != Group::Main) else {
                continue;
            };
            if group != Group::Compensation {
                let message =
                    format!("`{key}` is for tasks of the main graph: nothing undoes a handler task");
                self.report
                    .error("runnel::task::compensate", entry.key_at, path.key(key), message)
                    .help("remove it, or move the task to `tasks`");
            }
        }
        if group != Group::Main {
            return;
        }
        task.point_of_no_return = fields
            .get("point_of_no_return")
            .and_then(|node| self.boolean(node, path.key("point_of_no_return")))
            .unwrap_or(false);
        if let Some(entry) = fields.entry("compensate") {
            let reader = Reader::Task(Group::Compensation, index);
            let mut own = self.compensate(entry, path.key("compensate"), reader, defaults);
            own.key = format!("{}{COMPENSATE_SUFFIX}", task.key);
            own.name.clone_from(&own.key);
            task.compensate = Some(Box::new(own));
        }
    }

    fn compensate(&mut self, entry: &Entry, path: Path<'_>, reader: Reader, defaults: &Defaults) -> Task {
        let members = entry.node.as_map().unwrap_or_default();
        for member in members
            .iter()
            .filter(|member| WITHOUT.contains(&member.key.as_str()))
        {
            let message = format!("`{}` means nothing for a task that undoes another", member.key);
            self.report
                .error(
                    "runnel::task::compensate",
                    member.key_at,
                    path.key(&member.key),
                    message,
                )
                .help("compensations run in the reverse order of the tasks; see `compensation.order`");
        }
        self.task(entry, path, reader, defaults).task
    }
}
