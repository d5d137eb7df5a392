//! Fan-out over a matrix, loops, child runs and alerts.

use crate::definition::{Axis, ForEach, Matrix, Repeat, Sla};
use crate::source::check::expressions::{Reader, Site};
use crate::source::check::fields::{Fields, Zero};
use crate::source::check::policy::{PARALLEL_MAX, is_one_expression};
use crate::source::check::{Checker, shorten};
use crate::source::tree::{Data, Entry, Node, Path};

/// Most rounds of a loop.
const ROUNDS_MAX: u32 = 10_000;
/// Most axes of a matrix.
const AXES_MAX: usize = 16;
/// Most `include` and most `exclude` of a matrix: each is compared with every combination.
const EXTRAS_MAX: usize = 256;
/// Keys of a matrix that are not axes.
const NOT_AXES: &[&str] = &["include", "exclude", "max_parallel", "tolerate"];

/// How a task becomes several.
#[derive(Default)]
pub(crate) struct FanOut {
    pub(crate) for_each: Option<ForEach>,
    pub(crate) matrix: Option<Matrix>,
}

impl FanOut {
    pub(crate) fn is_some(&self) -> bool {
        self.for_each.is_some() || self.matrix.is_some()
    }
}

impl Checker<'_, '_> {
    /// `for_each` or `matrix`, with the `max_parallel` that may stand beside either.
    pub(crate) fn fan_out(&mut self, fields: Fields<'_>, path: Path<'_>, reader: Reader) -> FanOut {
        let mut fan_out = FanOut {
            for_each: fields
                .get("for_each")
                .and_then(|node| self.for_each(node, path.key("for_each"), reader)),
            matrix: fields
                .get("matrix")
                .and_then(|node| self.matrix(node, path.key("matrix"), reader)),
        };
        if let (Some(_), Some(matrix)) = (fields.entry("for_each"), fields.entry("matrix")) {
            let message = "`for_each` and `matrix` exclude each other";
            self.report
                .error(
                    "runnel::schema::conflict",
                    matrix.key_at,
                    path.key("matrix"),
                    message,
                )
                .help("make the list one more axis of the matrix");
        }
        let Some(entry) = fields.entry("max_parallel") else {
            return fan_out;
        };
        let max_parallel = self.integer(&entry.node, path.key("max_parallel"), 1..=PARALLEL_MAX);
        if let Some(for_each) = &mut fan_out.for_each {
            for_each.max_parallel = for_each.max_parallel.or(max_parallel);
        } else if let Some(matrix) = &mut fan_out.matrix {
            matrix.max_parallel = matrix.max_parallel.or(max_parallel);
        } else if fields.get("for_each").is_none() && fields.get("matrix").is_none() {
            let message = "`max_parallel` has no effect without `for_each` or `matrix`";
            self.report.error(
                "runnel::schema::conflict",
                entry.key_at,
                path.key("max_parallel"),
                message,
            );
        }
        fan_out
    }

    fn matrix(&mut self, node: &Node, path: Path<'_>, reader: Reader) -> Option<Matrix> {
        let outside = Site {
            reader,
            has_secrets: false,
            has_each: false,
        };
        let entries = self.map(node, path)?;
        let find = |key: &str| {
            entries
                .iter()
                .find(|entry| entry.key == key && !entry.node.is_null())
                .map(|entry| &entry.node)
        };
        let axes: Vec<&Entry> = entries
            .iter()
            .filter(|entry| !NOT_AXES.contains(&entry.key.as_str()))
            .collect();
        if axes.len() > AXES_MAX {
            let message = format!("the matrix has {} axes; the limit is {AXES_MAX}", axes.len());
            self.report.error("runnel::schema::range", node.at, path, message);
        }
        let include = find("include").map(|node| self.combinations(node, path.key("include"), outside));
        let exclude = find("exclude").map(|node| self.combinations(node, path.key("exclude"), outside));
        if axes.is_empty() && include.as_ref().is_none_or(Vec::is_empty) {
            self.report
                .error("runnel::schema::empty", node.at, path, "the matrix has no axis")
                .help("write `matrix: { region: [eu, us] }`");
        }
        Some(Matrix {
            axes: axes
                .into_iter()
                .map(|entry| self.axis(entry, path.key(&entry.key), outside))
                .collect(),
            include: include.unwrap_or_default(),
            exclude: exclude.unwrap_or_default(),
            max_parallel: find("max_parallel")
                .and_then(|node| self.integer(node, path.key("max_parallel"), 1..=PARALLEL_MAX)),
            tolerate: find("tolerate")
                .and_then(|node| self.tolerate(node, path.key("tolerate")))
                .unwrap_or_default(),
        })
    }

    fn axis(&mut self, entry: &Entry, path: Path<'_>, site: Site) -> Axis {
        let name = &entry.key;
        let is_legal = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.len() <= super::NAME_CHARS_MAX
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_legal {
            let message = format!("`{}` cannot be the name of an axis", shorten(name));
            self.report
                .error("runnel::schema::axis", entry.key_at, path, message)
                .help("a letter or `_`, then letters, digits and `_`, as it is read by `matrix.<name>`");
        }
        self.items(&entry.node, path, site);
        Axis {
            name: name.clone(),
            values: entry.node.to_json(),
        }
    }

    fn combinations(&mut self, node: &Node, path: Path<'_>, site: Site) -> Vec<serde_json::Value> {
        let items = self.list(node, path).unwrap_or_default();
        if items.len() > EXTRAS_MAX {
            let message = format!("the list has {} members; the limit is {EXTRAS_MAX}", items.len());
            self.report.error("runnel::schema::range", node.at, path, message);
        }
        for (index, item) in items.iter().enumerate() {
            self.map(item, path.index(index));
        }
        self.template(node, path, site);
        items.iter().map(Node::to_json).collect()
    }

    pub(crate) fn repeat(&mut self, node: &Node, path: Path<'_>, site: Site) -> Option<Repeat> {
        let fields = self.fields(node, path, &["until", "max", "every"])?;
        let until = fields
            .get("until")
            .and_then(|node| self.condition(node, path.key("until"), site));
        let every = fields
            .get("every")
            .and_then(|node| self.duration(node, path.key("every"), Zero::Allowed));
        let Some(max) = fields.get("max") else {
            self.missing(node, path.key("max"), "max");
            return None;
        };
        Some(Repeat {
            until,
            max: self.integer(max, path.key("max"), 1..=ROUNDS_MAX)?,
            every: every.unwrap_or_default(),
        })
    }

    pub(crate) fn sla(&mut self, node: &Node, path: Path<'_>) -> Option<Sla> {
        let fields = self.fields(node, path, &["finish_within", "start_within"])?;
        let mut time = |key: &str| {
            fields
                .get(key)
                .and_then(|node| self.duration(node, path.key(key), Zero::Refused))
        };
        let sla = Sla {
            finish_within: time("finish_within"),
            start_within: time("start_within"),
        };
        if fields.get("finish_within").is_none() && fields.get("start_within").is_none() {
            let message = "`sla` says no time";
            self.report
                .error("runnel::schema::empty", node.at, path, message)
                .help("write `finish_within: 45m` or `start_within: 1m`");
        }
        Some(sla)
    }

    /// The input of a task of type `workflow`. What an expression gives is checked when the task is ready.
    pub(crate) fn child_input(&mut self, node: &Node, path: Path<'_>) {
        let keys = ["workflow", "id", "version", "inputs", "wait"];
        let Some(fields) = self.fields(node, path, &keys) else {
            return;
        };
        let is_computed = |node: &Node| node.as_text().is_some_and(|text| text.contains("${{"));
        for key in ["workflow", "id"] {
            let Some(node) = fields.get(key).filter(|node| !is_computed(node)) else {
                continue;
            };
            self.name(node, path.key(key));
        }
        if let Some(node) = fields.get("version").filter(|node| !is_computed(node)) {
            let path = path.key("version");
            match &node.value {
                Data::Text(_) => _ = self.one_of(node, path, &[("latest", ())]),
                _ => _ = self.integer(node, path, 1..=i32::MAX.unsigned_abs()),
            }
        }
        if let Some(node) = fields.get("wait").filter(|node| !is_computed(node)) {
            self.boolean(node, path.key("wait"));
        }
        if let Some(node) = fields.get("inputs")
            && !node.as_text().is_some_and(is_one_expression)
        {
            self.map(node, path.key("inputs"));
        }
    }
}
