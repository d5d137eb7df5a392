//! Parts of the format that this release reads but does not run.
//!
//! They are refused, never silently ignored: a workflow that asks for an approval must not run without one. What only adds
//! to a run (alerts, labels) is a warning.

use crate::source::check::Checker;
use crate::source::tree::{Extent, Node, Path};

/// Where a feature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A key of the workflow.
    Workflow,
    /// A key of a task.
    Task,
    /// A context of expressions.
    Context,
}

/// What is refused, and what to write instead. Delete a line when the state machine runs the feature.
const UNSUPPORTED: &[(Place, &str, &str)] = &[
    (
        Place::Task,
        "image",
        "run the script on a worker that has the tools, without `image`",
    ),
    (
        Place::Context,
        "event",
        "pass it to an input in the `inputs` of the trigger, and read `inputs`",
    ),
];

/// What is accepted but does nothing yet.
const INACTIVE: &[(Place, &str, &str)] =
    &[(Place::Task, "resources", "workers do not reserve resources yet")];

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
            "resources" | "labels" => _ = self.map(node, path),
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
}

fn describe(place: Place, name: &str) -> String {
    match place {
        Place::Workflow | Place::Task => format!("`{name}`"),
        Place::Context => format!("the context `{name}`"),
    }
}
