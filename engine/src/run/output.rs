//! Outputs that are taken: within what the file says of them.

use serde_json::{Value, json};

use super::machine::Machine;
use super::scope::parse;
use super::{Category, TaskFailure};
use crate::TaskIx;
use crate::schema;

/// Largest input of an attempt, output of a task or outputs of a run, in bytes of JSON.
pub(super) const VALUE_BYTES_MAX: usize = 64 << 20;

/// Problems that the message names; the details have all.
const NAMED_MAX: usize = 3;

impl Machine<'_> {
    /// Why the output of a task is not taken; `None` when it is. Another attempt would make the same, so it is not retried. Of
    /// a fan-out it is the output of each item that is judged, not the list.
    pub fn refuse_output(&self, ix: TaskIx, output: &str) -> Option<TaskFailure> {
        let task = self.task(ix);
        let compiled = self.plan.compiled(task.template);
        let validator = compiled.output_schema.as_ref()?;
        if compiled.fanout.is_some() && task.item.is_none() {
            return None;
        }
        let problems = schema::judge(validator, &parse(output));
        let named: Vec<String> = problems
            .iter()
            .take(NAMED_MAX)
            .map(|problem| format!("`{}` {}", place(&problem.path), problem.message))
            .collect();
        if named.is_empty() {
            return None;
        }
        let more = match problems.len() - named.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let message = format!(
            "the output does not satisfy `output_schema`: {}{more}",
            named.join("; ")
        );
        let details: Vec<Value> = problems
            .into_iter()
            .map(|problem| json!({"path": problem.path, "message": problem.message}))
            .collect();
        Some(TaskFailure {
            details: Some(json!({"problems": details})),
            ..TaskFailure::new(Category::User, "OUTPUT_SCHEMA", message, false)
        })
    }
}

fn place(path: &[String]) -> String {
    if path.is_empty() {
        "output".to_owned()
    } else {
        format!("output.{}", path.join("."))
    }
}
