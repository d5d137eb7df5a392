//! Edges of a task: `needs` in its three forms, `join`, and `trigger_rule` compiled to the two.

use crate::definition::{Accepts, Join, Need};
use crate::source::check::Checker;
use crate::source::check::fields::Fields;
use crate::source::tree::{Data, Extent, Node, Path};

const SUCCEEDED: Accepts = Accepts {
    succeeded: true,
    failed: false,
    skipped: false,
    cancelled: false,
};
const FAILED: Accepts = Accepts {
    succeeded: false,
    failed: true,
    ..SUCCEEDED
};
const SKIPPED: Accepts = Accepts {
    succeeded: false,
    skipped: true,
    ..SUCCEEDED
};
const CANCELLED: Accepts = Accepts {
    succeeded: false,
    cancelled: true,
    ..SUCCEEDED
};
const DONE: Accepts = Accepts {
    succeeded: true,
    failed: true,
    skipped: true,
    cancelled: true,
};

const STATUSES: &[(&str, Accepts)] = &[
    ("succeeded", SUCCEEDED),
    ("failed", FAILED),
    ("skipped", SKIPPED),
    ("cancelled", CANCELLED),
    ("done", DONE),
];

/// What each trigger rule means for every edge, and for their number.
const TRIGGER_RULES: &[(&str, (Accepts, Join))] = &[
    ("all_success", (SUCCEEDED, Join::All)),
    ("all_failed", (FAILED, Join::All)),
    ("all_done", (DONE, Join::All)),
    ("one_success", (SUCCEEDED, Join::Any)),
    ("one_failed", (FAILED, Join::Any)),
    (
        "none_failed",
        (
            Accepts {
                skipped: true,
                ..SUCCEEDED
            },
            Join::All,
        ),
    ),
    (
        "none_skipped",
        (
            Accepts {
                skipped: false,
                ..DONE
            },
            Join::All,
        ),
    ),
    ("always", (DONE, Join::All)),
];

/// The edges of a task with the place of each.
#[derive(Default)]
pub(crate) struct Edges {
    pub(crate) needs: Vec<Need>,
    pub(crate) extents: Vec<Extent>,
    pub(crate) join: Join,
}

impl Checker<'_, '_> {
    pub(crate) fn edges(&mut self, fields: Fields<'_>, path: Path<'_>, key: &str) -> Edges {
        let mut edges = Edges::default();
        let needs = self.alias(fields, path, &["needs", "depends_on", "dependencies"]);
        if let Some(entry) = needs {
            self.needs(&entry.node, path.key(&entry.key), key, &mut edges);
        }
        if let Some(node) = fields.get("join") {
            edges.join = self.join(node, path.key("join"), edges.needs.len());
        }
        if let Some(rule) = fields.entry("trigger_rule") {
            let conflict = match needs {
                _ if fields.get("join").is_some() => Some("join"),
                Some(entry) if entry.node.as_map().is_some() => Some("needs"),
                _ => None,
            };
            if let Some(other) = conflict {
                let message = format!("`trigger_rule` and this form of `{other}` say the same thing twice");
                self.report
                    .error("runnel::schema::conflict", rule.key_at, path.key("trigger_rule"), message)
                    .help("keep `trigger_rule` with a list of upstreams, or `needs` with a status per upstream and `join`");
            }
            if let Some((accepts, join)) = self.one_of(&rule.node, path.key("trigger_rule"), TRIGGER_RULES) {
                edges.join = join;
                for need in &mut edges.needs {
                    need.accepts = accepts;
                }
            }
        }
        edges
    }

    fn needs(&mut self, node: &Node, path: Path<'_>, key: &str, edges: &mut Edges) {
        match &node.value {
            Data::Text(upstream) => self.need(upstream, node.at, path, key, SUCCEEDED, edges),
            Data::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Some(upstream) = self.text(item, path.index(index)) {
                        self.need(upstream, item.at, path.index(index), key, SUCCEEDED, edges);
                    }
                }
            }
            Data::Map(entries) => {
                for entry in entries {
                    let accepts = self.accepts(&entry.node, path.key(&entry.key));
                    self.need(
                        &entry.key,
                        entry.key_at,
                        path.key(&entry.key),
                        key,
                        accepts,
                        edges,
                    );
                }
            }
            Data::Null | Data::Bool(_) | Data::Number(_) => {
                self.wrong_type(
                    node,
                    path,
                    "a task, a list of tasks, or a mapping of tasks to statuses",
                );
            }
        }
    }

    fn need(
        &mut self,
        upstream: &str,
        at: Extent,
        path: Path<'_>,
        key: &str,
        accepts: Accepts,
        edges: &mut Edges,
    ) {
        if upstream == key {
            let message = format!("task `{upstream}` needs itself");
            self.report
                .error("runnel::dag::self_edge", at, path, message)
                .help("remove it from its own `needs`");
            return;
        }
        edges.needs.push(Need {
            task: upstream.to_owned(),
            accepts,
        });
        edges.extents.push(at);
    }

    fn accepts(&mut self, node: &Node, path: Path<'_>) -> Accepts {
        let Some(items) = node.as_list() else {
            return self.one_of(node, path, STATUSES).unwrap_or(SUCCEEDED);
        };
        if items.is_empty() {
            let message = "no status would satisfy this edge";
            self.report
                .error("runnel::schema::empty", node.at, path, message)
                .help("write `succeeded`, `done` or a list of statuses");
        }
        let mut accepts = Accepts::default();
        for (index, item) in items.iter().enumerate() {
            if let Some(status) = self.one_of(item, path.index(index), STATUSES) {
                accepts.succeeded |= status.succeeded;
                accepts.failed |= status.failed;
                accepts.skipped |= status.skipped;
                accepts.cancelled |= status.cancelled;
            }
        }
        accepts
    }

    fn join(&mut self, node: &Node, path: Path<'_>, edges: usize) -> Join {
        if matches!(node.value, Data::Number(_)) {
            let Some(n) = self.integer(node, path, 1..=u32::MAX) else {
                return Join::All;
            };
            if n as usize > edges {
                let message = format!("`join: {n}` can never be met: the task has {edges} upstreams");
                self.report
                    .error("runnel::dag::join", node.at, path, message)
                    .help("lower it, or add upstreams to `needs`");
            }
            return Join::AtLeast(n);
        }
        self.one_of(node, path, &[("all", Join::All), ("any", Join::Any)])
            .unwrap_or_default()
    }
}
