//! The expressions of a task, compiled once per workflow version.

use jsonschema::Validator;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::PlanError;
use crate::definition::Task;
use crate::expr::{Expr, References, Template};
use crate::schema;

/// Everything of a task that is evaluated when it runs.
#[derive(Debug)]
pub(crate) struct CompiledTask {
    pub condition: Option<Expr>,
    pub input: Template,
    /// The workflow's variables and the task's over them, by name.
    pub env: Vec<(String, Template)>,
    pub idempotency_key: Option<Template>,
    /// Which failures are retried.
    pub retry_when: Option<Expr>,
    pub fanout: Option<CompiledFanout>,
    /// What the output must satisfy.
    pub output_schema: Option<Validator>,
    /// What ends the loop of a task that repeats.
    pub until: Option<Expr>,
    /// What each attempt must pass before it begins.
    pub gate: Option<CompiledGate>,
    /// Which events or signals a `wait` takes.
    pub takes: Option<Expr>,
    /// What input, env and idempotency key read together.
    pub references: References,
}

/// Where the items of a fan-out come from, and their keys.
#[derive(Debug)]
pub(crate) struct CompiledFanout {
    pub source: ItemSource,
    /// Of `for_each`; the combinations of a matrix have keys of their own.
    pub key: Option<Template>,
}

/// Where the items of a fan-out come from.
#[derive(Debug)]
pub(crate) enum ItemSource {
    /// `for_each`: a list, and how many of its members make one item.
    List { items: Template, batch: Option<u32> },
    /// `matrix`: the axes in the order of the file, and what is added and taken out.
    Matrix {
        axes: Vec<(String, Template)>,
        include: Template,
        exclude: Template,
    },
}

impl CompiledFanout {
    fn compile(task: &Task) -> Result<Option<Self>, PlanError> {
        if let Some(each) = &task.for_each {
            let key = each.key.as_ref().map(|key| Value::String(key.clone()));
            return Ok(Some(Self {
                source: ItemSource::List {
                    items: template(&task.key, &each.items)?,
                    batch: each.batch,
                },
                key: key.map(|key| template(&task.key, &key)).transpose()?,
            }));
        }
        let Some(matrix) = &task.matrix else {
            return Ok(None);
        };
        let axes = matrix
            .axes
            .iter()
            .map(|axis| Ok((axis.name.clone(), template(&task.key, &axis.values)?)))
            .collect::<Result<_, PlanError>>()?;
        Ok(Some(Self {
            source: ItemSource::Matrix {
                axes,
                include: template(&task.key, &Value::Array(matrix.include.clone()))?,
                exclude: template(&task.key, &Value::Array(matrix.exclude.clone()))?,
            },
            key: None,
        }))
    }

    fn templates(&self) -> Vec<&Template> {
        match &self.source {
            ItemSource::List { items, .. } => std::iter::once(items).chain(&self.key).collect(),
            ItemSource::Matrix {
                axes,
                include,
                exclude,
            } => axes
                .iter()
                .map(|(_, values)| values)
                .chain([include, exclude])
                .collect(),
        }
    }
}

/// The names of what an attempt must pass.
#[derive(Debug)]
pub(crate) struct CompiledGate {
    pub group: Option<Template>,
    pub rate: Option<Template>,
    pub circuit: Option<Template>,
    pub cache: Option<Template>,
    /// Identifies the definition of the task: a result of another one is not taken.
    pub definition_hash: String,
}

impl CompiledGate {
    fn compile(task: &Task) -> Result<Option<Self>, PlanError> {
        let is_gated = task.concurrency.is_some()
            || task.rate_limit.is_some()
            || task.circuit.is_some()
            || task.cache.is_some();
        if !is_gated {
            return Ok(None);
        }
        let text = |text: &String| template(&task.key, &Value::String(text.clone()));
        let group = task.concurrency.as_ref().and_then(|group| group.group.as_ref());
        let cache = task.cache.as_ref().and_then(|cache| cache.key.as_ref());
        // the name and the place in the file say nothing about the result
        let meaning = serde_json::json!([task.kind, task.input, task.env, task.output_schema]);
        Ok(Some(Self {
            group: group.map(text).transpose()?,
            rate: task.rate_limit.as_ref().map(|rate| text(&rate.key)).transpose()?,
            circuit: task
                .circuit
                .as_ref()
                .map(|circuit| text(&circuit.key))
                .transpose()?,
            cache: cache.map(text).transpose()?,
            definition_hash: hex::encode(Sha256::digest(meaning.to_string())),
        }))
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        [&self.group, &self.rate, &self.circuit, &self.cache]
            .into_iter()
            .flatten()
    }
}

impl CompiledTask {
    pub fn compile(task: &Task, workflow_env: &Map<String, Value>) -> Result<Self, PlanError> {
        let failed = |message: String| PlanError::Expression {
            task: task.key.clone(),
            message,
        };
        let condition = task
            .condition
            .as_deref()
            .map(|text| Expr::compile(strip_braces(text)))
            .transpose()
            .map_err(|error| failed(error.message))?;
        let text = |text: &String| template(&task.key, &Value::String(text.clone()));
        let input = template(&task.key, &runnable_input(task))?;
        let mut merged = workflow_env.clone();
        merged.extend(task.env.iter().map(|(name, value)| (name.clone(), value.clone())));
        let env = merged
            .into_iter()
            .map(|(name, value)| Ok((name, template(&task.key, &value)?)))
            .collect::<Result<Vec<_>, PlanError>>()?;
        let idempotency_key = task.idempotency_key.as_ref().map(text).transpose()?;
        let retry_when = task
            .retry
            .when
            .as_deref()
            .map(|text| Expr::compile(strip_braces(text)))
            .transpose()
            .map_err(|error| failed(error.message))?;
        let fanout = CompiledFanout::compile(task)?;
        let until = task
            .repeat
            .as_ref()
            .and_then(|repeat| repeat.until.as_deref())
            .map(|text| Expr::compile(strip_braces(text)))
            .transpose()
            .map_err(|error| failed(error.message))?;
        let takes = match task.kind.as_str() {
            "wait" => task.input.get("match").and_then(Value::as_str),
            _ => None,
        };
        let takes = takes
            .map(|text| Expr::compile(strip_braces(text)))
            .transpose()
            .map_err(|error| failed(error.message))?;
        let mut references = References::default();
        let templates = std::iter::once(&input)
            .chain(env.iter().map(|(_, value)| value))
            .chain(&idempotency_key);
        for template in templates {
            references.extend(template.references());
        }
        let output_schema = task
            .output_schema
            .as_ref()
            .map(schema::compile)
            .transpose()
            .map_err(|problem| failed(format!("output_schema: {problem}")))?;
        Ok(Self {
            condition,
            input,
            env,
            idempotency_key,
            retry_when,
            fanout,
            output_schema,
            until,
            gate: CompiledGate::compile(task)?,
            takes,
            references,
        })
    }

    /// Calls `visit` with the references of every expression of the task.
    pub fn each_references(&self, mut visit: impl FnMut(&References)) {
        visit(&self.references);
        for condition in self.condition.iter().chain(&self.takes) {
            visit(condition.references());
        }
        if let Some(when) = &self.retry_when {
            visit(when.references());
        }
        if let Some(fanout) = &self.fanout {
            for template in fanout.templates() {
                visit(template.references());
            }
        }
        if let Some(until) = &self.until {
            visit(until.references());
        }
        for template in self.gate.iter().flat_map(CompiledGate::templates) {
            visit(template.references());
        }
    }
}

/// A shell script is never interpolated: text that came from data must not become code. The `match` of a `wait` is no input.
fn runnable_input(task: &Task) -> Value {
    if let ("wait", Value::Object(members)) = (task.kind.as_str(), &task.input) {
        // evaluated against each event, long after the input
        let others = members.iter().filter(|(name, _)| *name != "match");
        return others
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
    }
    let (true, Value::Object(members)) = (task.kind == "shell", &task.input) else {
        return task.input.clone();
    };
    let escaped = members.iter().map(|(name, value)| match (name.as_str(), value) {
        ("run", Value::String(script)) => (name.clone(), Value::String(script.replace("${{", "$${{"))),
        _ => (name.clone(), value.clone()),
    });
    Value::Object(escaped.collect())
}

fn strip_braces(text: &str) -> &str {
    let trimmed = text.trim();
    trimmed
        .strip_prefix("${{")
        .and_then(|rest| rest.strip_suffix("}}"))
        .unwrap_or(trimmed)
        .trim()
}

pub(super) fn template(task: &str, source: &Value) -> Result<Template, PlanError> {
    Template::compile(source).map_err(|errors| {
        let message = errors
            .iter()
            .map(|(path, error)| format!("{path}: {error}"))
            .collect::<Vec<_>>()
            .join("; ");
        PlanError::Expression {
            task: task.to_owned(),
            message,
        }
    })
}
