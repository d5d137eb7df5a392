//! Sending an attempt to its queue, and what the message of it holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::extra::TaskExtra;
use super::machine::{Machine, Note};
use super::output::VALUE_BYTES_MAX;
use super::readiness::expression_failure;
use super::scope::RunScope;
use super::{Command, RecordKind, RunState, TaskFailure, TaskStatus};
use crate::expr::Scope;
use crate::plan::CompiledTask;
use crate::{Moment, Plan, TaskIx, Timestamp};

/// Everything that the message of an attempt needs.
#[derive(Debug, Clone, PartialEq)]
pub struct DispatchPayload {
    /// Task type.
    pub kind: String,
    /// Task queue.
    pub queue: String,
    /// 0–100.
    pub priority: u8,
    /// The attempt.
    pub attempt: u32,
    /// JSON text of the resolved input.
    pub input: Arc<str>,
    /// Resolved environment of a command.
    pub env: BTreeMap<String, String>,
    /// Names of the secrets whose marks stand in input and environment.
    pub secrets: Vec<String>,
    /// Unguessable part of these marks; empty when there are none.
    pub secret_mark: String,
    /// Unguessable part of the marks of [`super::callback_token_mark`]; empty when there are none.
    pub callback_mark: String,
    /// Longest time of this attempt.
    pub timeout: Option<Duration>,
    /// Longest gap between heartbeats.
    pub heartbeat: Option<Duration>,
    /// Moment after which nobody wants the result.
    pub deadline: Option<Timestamp>,
    /// The same for all attempts of the task.
    pub idempotency_key: String,
    /// JSON text of the last checkpoint of an earlier attempt.
    pub checkpoint: Option<Arc<str>>,
    /// Kept from foreign dialects.
    pub metadata: Map<String, Value>,
}

/// The message of the current attempt of a task, the same each time it is asked for; `None` for an unknown task or one that was
/// never dispatched.
#[must_use]
pub fn dispatch_payload(
    plan: &Plan,
    state: &RunState,
    ix: TaskIx,
    _moment: &Moment,
) -> Option<DispatchPayload> {
    let task = state
        .tasks
        .get(ix.at())
        .filter(|task| task.attempt > 0 && task.template.at() < plan.len())?;
    let definition = plan.task(task.template);
    let extra = TaskExtra::of(task);
    let complete_by = definition
        .complete_within
        .and_then(|limit| Some(task.ready_at?.after(limit)));
    let deadline = [complete_by, state.timeout_at(plan)].into_iter().flatten().min();
    Some(DispatchPayload {
        kind: definition.kind.clone(),
        queue: definition.queue.clone(),
        priority: definition.priority.unwrap_or(state.context.priority),
        attempt: task.attempt,
        input: task.input.clone().unwrap_or_else(|| Arc::from("null")),
        env: extra.env,
        secrets: extra.secrets,
        secret_mark: extra.mark,
        callback_mark: extra.callback_mark,
        timeout: definition.timeout,
        heartbeat: definition.heartbeat,
        deadline,
        idempotency_key: extra.idempotency_key.unwrap_or_else(|| {
            let key = format!("{}/{}", state.context.id, state.key(plan, ix));
            // every round of a loop has side effects of its own
            match definition.repeat {
                Some(_) => format!("{key}#{}", extra.rounds),
                None => key,
            }
        }),
        checkpoint: task.checkpoint.clone(),
        metadata: definition.metadata.clone(),
    })
}

/// The resolved parts of one attempt.
pub(super) struct Resolved {
    pub input: Value,
    pub extra: TaskExtra,
}

impl Machine<'_> {
    /// Puts the next attempt into the outbox. An expression that fails here fails the task.
    pub fn dispatch(&mut self, ix: TaskIx) {
        let resolved = match self.resolve(ix) {
            Ok(resolved) => resolved,
            Err(failure) => return self.fail_task(ix, *failure),
        };
        let now = self.now();
        let task = self.task_mut(ix);
        task.attempt = task.attempt.saturating_add(1);
        let attempt = task.attempt;
        task.input = Some(Arc::from(resolved.input.to_string()));
        task.extra = resolved.extra.store();
        task.queued_at = Some(now);
        task.started_at = None;
        task.heartbeat_at = None;
        task.worker = None;
        // of another attempt; its checkpoint stays, for this one to go on from
        task.progress = None;
        self.set_status(ix, TaskStatus::Queued);
        self.task_record(RecordKind::TaskQueued, ix, Note::default());
        self.command(Command::Dispatch { task: ix, attempt });
    }

    /// Environment first: the input may read it as `env.X`.
    pub fn resolve(&self, ix: TaskIx) -> Result<Resolved, Box<TaskFailure>> {
        let task = self.task(ix);
        let compiled = self.plan.compiled(task.template);
        let mark = if compiled.references.secrets.is_empty() {
            String::new()
        } else {
            format!("{:016x}", self.entropy(ix))
        };
        self.resolve_with_mark(ix, &mark)
    }

    /// The same with a given mark for secrets.
    pub fn resolve_with_mark(&self, ix: TaskIx, mark: &str) -> Result<Resolved, Box<TaskFailure>> {
        let task = self.task(ix);
        let compiled = self.plan.compiled(task.template);
        let kept = TaskExtra::of_next_attempt(task);
        let callback_mark = self.callback_mark(ix);
        let scope = || RunScope::new(self.plan, self.state, Some(ix)).with_mark(mark);
        let env = render_env(compiled, &scope().with_callback(&callback_mark))?;
        let input = compiled
            .input
            .render_within(
                &scope().with_callback(&callback_mark).with_env(&env),
                VALUE_BYTES_MAX,
            )
            .map_err(|error| Box::new(expression_failure("input", &error)))?;
        // without the callback's marks: the key is stored and compared as it is
        let scope = scope().with_env(&env);
        let idempotency_key = compiled
            .idempotency_key
            .as_ref()
            .map(|template| template.render(&scope).map(|value| plain_text(&value)))
            .transpose()
            .map_err(|error| Box::new(expression_failure("idempotency_key", &error)))?;
        let env = env
            .iter()
            .map(|(name, value)| (name.clone(), plain_text(value)))
            .collect();
        let secrets = compiled.references.secrets.iter().cloned().collect();
        Ok(Resolved {
            input,
            extra: TaskExtra {
                env,
                secrets,
                mark: mark.to_owned(),
                idempotency_key,
                callback_mark,
                ..kept
            },
        })
    }
}

fn render_env(compiled: &CompiledTask, scope: &dyn Scope) -> Result<Map<String, Value>, Box<TaskFailure>> {
    compiled
        .env
        .iter()
        .map(|(name, template)| {
            let value = template
                .render(scope)
                .map_err(|error| Box::new(expression_failure(&format!("env.{name}"), &error)))?;
            Ok((name.clone(), Value::String(plain_text(&value))))
        })
        .collect()
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
