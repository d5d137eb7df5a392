//! Parts of the format that this release reads but does not run.
//!
//! They are refused, never silently ignored: a workflow that asks for an approval must not run without one. What only adds
//! to a run (alerts, labels) is a warning.

use std::ops::RangeInclusive;

use crate::source::check::Checker;
use crate::source::check::fields::Zero;
use crate::source::tree::{Extent, Node, Path};

/// Where a feature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A key of the workflow.
    Workflow,
    /// A key of a task.
    Task,
    /// A type of task.
    Type,
    /// A key of `for_each`.
    ForEach,
    /// A context of expressions.
    Context,
}

/// What is refused, and what to write instead. Delete a line when the state machine runs the feature.
const UNSUPPORTED: &[(Place, &str, &str)] = &[
    (
        Place::Task,
        "matrix",
        "use `for_each` over a list of combinations",
    ),
    (Place::Task, "repeat", "let the task itself loop, or use `retry`"),
    (
        Place::Task,
        "image",
        "run the script on a worker that has the tools, without `image`",
    ),
    (
        Place::Type,
        "workflow",
        "put the tasks of the child workflow into this one",
    ),
    (
        Place::Type,
        "container",
        "use `run` on a worker that has the tools",
    ),
    (Place::Type, "lambda", "use `http` with the function's URL"),
    (Place::ForEach, "batch", "group the items in the list itself"),
    (
        Place::Context,
        "event",
        "pass it to an input in the `inputs` of the trigger, and read `inputs`",
    ),
];

/// What is accepted but does nothing yet.
const INACTIVE: &[(Place, &str, &str)] = &[
    (
        Place::Workflow,
        "sla",
        "nothing is alerted yet; `timeout` ends a run",
    ),
    (
        Place::Task,
        "sla",
        "nothing is alerted yet; `timeout` ends an attempt",
    ),
    (
        Place::Task,
        "labels",
        "the labels are kept with the definition only",
    ),
    (Place::Task, "resources", "workers do not reserve resources yet"),
    (
        Place::Task,
        "output_schema",
        "outputs are not compared with it yet",
    ),
];

impl Checker<'_, '_> {
    /// Says what this release does not do with a part of the file.
    pub(crate) fn feature(&mut self, place: Place, name: &str, at: Extent, path: Path<'_>) {
        let find = |table: &[(Place, &str, &'static str)]| {
            table
                .iter()
                .find(|(p, n, _)| *p == place && *n == name)
                .map(|(_, _, help)| *help)
        };
        if let Some(help) = find(UNSUPPORTED) {
            let message = format!("{} is not supported by this release", describe(place, name));
            self.report
                .error("runnel::feature::unsupported", at, path, message)
                .help(help);
        } else if let Some(help) = find(INACTIVE) {
            let message = format!("{} has no effect in this release", describe(place, name));
            self.report
                .warning("runnel::feature::inactive", at, path, message)
                .help(help);
        }
    }

    pub(crate) fn unsupported_context(&mut self, node: &Node, path: Path<'_>) {
        self.feature(Place::Context, "event", node.at, path);
    }

    /// Checks the shape of a part that is kept as written.
    pub(crate) fn shape(&mut self, key: &str, node: &Node, path: Path<'_>) {
        match key {
            "triggers" => self.triggers(node, path),
            "sla" => {
                if let Some(fields) = self.fields(node, path, &["finish_within", "start_within"]) {
                    for key in ["finish_within", "start_within"] {
                        fields
                            .get(key)
                            .map(|node| self.duration(node, path.key(key), Zero::Refused));
                    }
                }
            }
            "repeat" => self.repeat(node, path),
            "matrix" | "resources" | "labels" | "output_schema" => _ = self.map(node, path),
            "image" => _ = self.text(node, path),
            _ => {}
        }
    }

    pub(crate) fn missing(&mut self, parent: &Node, path: Path<'_>, key: &str) {
        let at = Extent {
            start: parent.at.start,
            end: parent.at.start,
        };
        self.report
            .error("runnel::schema::missing", at, path, format!("`{key}` is missing"));
    }

    fn repeat(&mut self, node: &Node, path: Path<'_>) {
        let Some(fields) = self.fields(node, path, &["until", "max", "every"]) else {
            return;
        };
        fields.get("until").map(|node| self.text(node, path.key("until")));
        fields
            .get("max")
            .map(|node| self.integer(node, path.key("max"), AT_LEAST_ONE));
        fields
            .get("every")
            .map(|node| self.duration(node, path.key("every"), Zero::Allowed));
    }
}

const AT_LEAST_ONE: RangeInclusive<u32> = 1..=u32::MAX;

fn describe(place: Place, name: &str) -> String {
    match place {
        Place::Workflow | Place::Task => format!("`{name}`"),
        Place::Type => format!("the task type `{name}`"),
        Place::ForEach => format!("`for_each.{name}`"),
        Place::Context => format!("the context `{name}`"),
    }
}
