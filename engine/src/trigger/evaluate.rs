//! What an event does to a trigger.

use serde_json::{Map, Value, json};

use super::{DEDUPE_BYTES_MAX, EventRule};
use crate::expr::{Expr, Template};
use crate::time::Timestamp;

/// What the templates of a trigger may read besides the event.
#[derive(Debug, Clone, Copy)]
pub struct TriggerFacts<'a> {
    /// Key of the workflow.
    pub workflow: &'a str,
    /// Configured variables.
    pub vars: &'a Map<String, Value>,
    /// Nominal time on the clock of the schedule's zone; the present for events.
    pub scheduled_at: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// What an event does.
#[derive(Debug, Clone, PartialEq)]
pub enum Evaluated {
    /// A run with these inputs; repeated deliveries have the same key.
    Start {
        /// Inputs before defaults.
        inputs: Map<String, Value>,
        /// The rendered `dedupe`; `None` where the file gives none.
        dedupe: Option<String>,
    },
    /// The rule is about other events.
    Filtered(String),
    /// The rule cannot be applied to this event.
    Rejected(String),
}

/// Applies a rule to an event: a JSON object with the attributes of CloudEvents.
#[must_use]
pub fn evaluate(rule: &EventRule, event: &Value, facts: &TriggerFacts<'_>) -> Evaluated {
    if let Some(source) = &rule.source
        && event.get("source").and_then(Value::as_str) != Some(source)
    {
        return Evaluated::Filtered(format!("the source is not `{source}`"));
    }
    let scope = scope(Some(event), facts);
    if let Some(condition) = &rule.condition {
        // an event that lacks what the condition reads is another kind of event, not a fault
        match Expr::compile(condition).and_then(|expr| expr.eval(&scope)) {
            Ok(Value::Bool(true)) => {}
            Ok(Value::Bool(false)) => return Evaluated::Filtered("`match` is false".to_owned()),
            Ok(_) => return Evaluated::Filtered("`match` is neither true nor false".to_owned()),
            Err(error) => return Evaluated::Filtered(format!("`match`: {}", error.message)),
        }
    }
    let dedupe = match &rule.dedupe {
        None => None,
        Some(template) => match render_text(template, &scope) {
            Ok(key) if key.is_empty() => {
                return Evaluated::Rejected("`dedupe` gives an empty text".to_owned());
            }
            Ok(key) if key.len() > DEDUPE_BYTES_MAX => {
                return Evaluated::Rejected(format!(
                    "`dedupe` gives {} bytes, more than the limit of {DEDUPE_BYTES_MAX}",
                    key.len()
                ));
            }
            Ok(key) => Some(key),
            Err(message) => return Evaluated::Rejected(format!("`dedupe`: {message}")),
        },
    };
    match render(&rule.inputs, &scope) {
        Ok(inputs) => Evaluated::Start { inputs, dedupe },
        Err(message) => Evaluated::Rejected(format!("`inputs`: {message}")),
    }
}

/// The inputs of a scheduled run.
///
/// # Errors
/// One sentence: the template that failed.
pub fn render_inputs(
    inputs: &Map<String, Value>,
    facts: &TriggerFacts<'_>,
) -> Result<Map<String, Value>, String> {
    render(inputs, &scope(None, facts)).map_err(|message| format!("`inputs`: {message}"))
}

/// Values as templates that render to them: what looks like an expression stays a text.
#[must_use]
pub fn escape(values: &Map<String, Value>) -> Map<String, Value> {
    fn one(value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(text.replace("${{", "$${{")),
            Value::Array(items) => Value::Array(items.iter().map(one).collect()),
            Value::Object(members) => Value::Object(escape(members)),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
    values
        .iter()
        .map(|(name, value)| (name.clone(), one(value)))
        .collect()
}

fn scope(event: Option<&Value>, facts: &TriggerFacts<'_>) -> Value {
    let mut scope = json!({
        "vars": facts.vars,
        "workflow": { "id": facts.workflow },
        "run": { "scheduled_at": facts.scheduled_at, "created_at": facts.now.to_rfc3339() },
    });
    if let Some(event) = event {
        scope["event"] = event.clone();
    }
    scope
}

fn render(inputs: &Map<String, Value>, scope: &Value) -> Result<Map<String, Value>, String> {
    let mut rendered = Map::with_capacity(inputs.len());
    for (name, value) in inputs {
        let value = template(value)
            .and_then(|template| template.render(scope).map_err(|error| error.message))
            .map_err(|message| format!("{name}: {message}"))?;
        rendered.insert(name.clone(), value);
    }
    Ok(rendered)
}

fn render_text(text: &str, scope: &Value) -> Result<String, String> {
    let value = template(&Value::String(text.to_owned()))?
        .render(scope)
        .map_err(|error| error.message)?;
    Ok(match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    })
}

fn template(value: &Value) -> Result<Template, String> {
    Template::compile(value).map_err(|errors| {
        errors
            .first()
            .map_or_else(String::new, |(_, error)| error.message.clone())
    })
}
