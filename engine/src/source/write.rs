//! A checked workflow as a v1 file: what differs from the defaults, in the order of the format.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::definition::{Accepts, Backoff, ForEach, Jitter, Join, Need, Retry, Task, Workflow};
use crate::source::tree::{Extent, Node};
use crate::source::{duration, emit};

mod loops;

/// The workflow as v1 YAML. [`crate::source::read`] gives the same workflow back.
#[must_use]
pub fn to_v1_yaml(workflow: &Workflow) -> String {
    let mut out = Map::new();
    put(&mut out, "version", json!(1));
    put(&mut out, "id", json!(workflow.id));
    if workflow.name != workflow.id {
        put(&mut out, "name", json!(workflow.name));
    }
    put_some(
        &mut out,
        "description",
        workflow.description.as_ref().map(|text| json!(text)),
    );
    put_filled(&mut out, "labels", json!(workflow.labels));
    put_filled(&mut out, "tags", json!(workflow.tags));
    put_filled(&mut out, "inputs", json!(workflow.inputs));
    put_filled(&mut out, "env", json!(workflow.env));
    if workflow.priority != 50 {
        put(&mut out, "priority", json!(workflow.priority));
    }
    put_some(&mut out, "timeout", workflow.timeout.map(time));
    if workflow.fail_fast {
        put(&mut out, "fail_fast", json!(true));
    }
    if workflow.cancel_grace != Duration::from_secs(30) {
        put(&mut out, "cancel_grace", time(workflow.cancel_grace));
    }
    put_some(&mut out, "sla", workflow.sla.as_ref().map(loops::sla));
    out.extend(workflow.extra.clone());
    put(&mut out, "tasks", tasks(&workflow.tasks));
    put_filled(&mut out, "on_failure", tasks(&workflow.on_failure));
    put_filled(&mut out, "on_success", tasks(&workflow.on_success));
    put_filled(&mut out, "finally", tasks(&workflow.finally));
    put_filled(&mut out, "outputs", json!(workflow.outputs));
    emit::yaml(&Node::from_json(Extent::default(), Value::Object(out)))
}

fn tasks(tasks: &[Task]) -> Value {
    Value::Object(tasks.iter().map(|one| (one.key.clone(), task(one))).collect())
}

fn task(task: &Task) -> Value {
    let mut out = Map::new();
    if task.name != task.key {
        put(&mut out, "name", json!(task.name));
    }
    needs(&mut out, &task.needs);
    match task.join {
        Join::All => {}
        Join::Any => put(&mut out, "join", json!("any")),
        Join::AtLeast(n) => put(&mut out, "join", json!(n)),
    }
    put_some(
        &mut out,
        "if",
        task.condition
            .as_ref()
            .map(|cel| json!(format!("${{{{ {cel} }}}}"))),
    );
    put_some(&mut out, "for_each", task.for_each.as_ref().map(for_each));
    put_some(&mut out, "matrix", task.matrix.as_ref().map(loops::matrix));
    put_some(&mut out, "repeat", task.repeat.as_ref().map(loops::repeat));
    let script = task
        .input
        .as_object()
        .filter(|input| task.kind == "shell" && input.len() == 1)
        .and_then(|input| input.get("run"));
    match script {
        Some(script) => put(&mut out, "run", script.clone()),
        None => {
            put(&mut out, "type", json!(task.kind));
            put_filled(&mut out, "input", task.input.clone());
        }
    }
    put_filled(&mut out, "env", json!(task.env));
    retry(&mut out, &task.retry, &task.kind);
    if task.max_losses != 3 {
        put(&mut out, "max_losses", json!(task.max_losses));
    }
    put_some(&mut out, "timeout", task.timeout.map(time));
    put_some(&mut out, "start_within", task.start_within.map(time));
    put_some(&mut out, "complete_within", task.complete_within.map(time));
    put_some(&mut out, "heartbeat", task.heartbeat.map(time));
    if task.queue != "default" {
        put(&mut out, "queue", json!(task.queue));
    }
    put_some(
        &mut out,
        "priority",
        task.priority.map(|priority| json!(priority)),
    );
    if task.continue_on_error {
        put(&mut out, "continue_on_error", json!(true));
    }
    put_some(
        &mut out,
        "idempotency_key",
        task.idempotency_key.as_ref().map(|key| json!(key)),
    );
    put_some(&mut out, "sla", task.sla.as_ref().map(loops::sla));
    put_filled(&mut out, "metadata", json!(task.metadata));
    put_some(&mut out, "output_schema", task.output_schema.clone());
    out.extend(task.extra.clone());
    Value::Object(out)
}

/// A list when every edge wants success, else the status per upstream.
fn needs(out: &mut Map<String, Value>, needs: &[Need]) {
    let success = Accepts {
        succeeded: true,
        ..Accepts::default()
    };
    if needs.iter().all(|need| need.accepts == success) {
        put_filled(out, "needs", needs.iter().map(|need| json!(need.task)).collect());
        return;
    }
    let edges = needs
        .iter()
        .map(|need| (need.task.clone(), statuses(need.accepts)))
        .collect();
    put(out, "needs", Value::Object(edges));
}

fn statuses(accepts: Accepts) -> Value {
    let Accepts {
        succeeded,
        failed,
        skipped,
        cancelled,
    } = accepts;
    if succeeded && failed && skipped && cancelled {
        return json!("done");
    }
    let named = [
        (succeeded, "succeeded"),
        (failed, "failed"),
        (skipped, "skipped"),
        (cancelled, "cancelled"),
    ];
    let mut names: Vec<Value> = named
        .into_iter()
        .filter(|(accepted, _)| *accepted)
        .map(|(_, name)| json!(name))
        .collect();
    if names.len() == 1 {
        names.remove(0)
    } else {
        Value::Array(names)
    }
}

fn for_each(for_each: &ForEach) -> Value {
    let mut out = Map::new();
    put(&mut out, "items", for_each.items.clone());
    put_some(&mut out, "key", for_each.key.as_ref().map(|key| json!(key)));
    put_some(&mut out, "batch", for_each.batch.map(|n| json!(n)));
    loops::limits(&mut out, for_each.max_parallel, for_each.tolerate);
    Value::Object(out)
}

fn retry(out: &mut Map<String, Value>, retry: &Retry, kind: &str) {
    let mut fields = Map::new();
    if retry.limit != Retry::default_limit(kind) {
        put(&mut fields, "limit", json!(retry.limit));
    }
    match retry.backoff {
        Backoff::Exponential => {}
        Backoff::Fixed => put(&mut fields, "backoff", json!("fixed")),
        Backoff::Linear => put(&mut fields, "backoff", json!("linear")),
    }
    if retry.delay != Retry::DELAY {
        put(&mut fields, "delay", time(retry.delay));
    }
    if retry.factor != Retry::FACTOR {
        put(&mut fields, "factor", json!(retry.factor));
    }
    if retry.max_delay != Retry::MAX_DELAY.max(retry.delay) {
        put(&mut fields, "max_delay", time(retry.max_delay));
    }
    match retry.jitter {
        Jitter::Full => {}
        Jitter::None => put(&mut fields, "jitter", json!("none")),
        Jitter::Equal => put(&mut fields, "jitter", json!("equal")),
    }
    put_filled(&mut fields, "on", json!(retry.on));
    put_filled(&mut fields, "not_on", json!(retry.not_on));
    let is_limit_only = fields.len() == 1 && fields.contains_key("limit");
    let value = if is_limit_only {
        json!(retry.limit)
    } else {
        Value::Object(fields)
    };
    put_filled(out, "retry", value);
}

fn time(duration: Duration) -> Value {
    Value::String(duration::write(duration))
}

fn put(out: &mut Map<String, Value>, key: &str, value: Value) {
    out.insert(key.to_owned(), value);
}

fn put_some(out: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        put(out, key, value);
    }
}

/// Leaves out empty lists and mappings.
fn put_filled(out: &mut Map<String, Value>, key: &str, value: Value) {
    let is_empty = match &value {
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if !is_empty {
        put(out, key, value);
    }
}
