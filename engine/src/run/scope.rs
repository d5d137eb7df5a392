//! What the expressions of a run may read.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::extra::TaskExtra;
use super::wait::{callback_token_mark, callback_url_mark};
use super::{RunState, TaskFailure, TaskState, TaskStatus};
use crate::expr::Scope;
use crate::plan::Section;
use crate::{Plan, TaskIx};

/// The variable that holds the address of the server as people see it.
const PUBLIC_URL: &str = "public_url";

/// The contexts of one task (or of the run itself), read from the state when asked for.
pub(super) struct RunScope<'a> {
    plan: &'a Plan,
    state: &'a RunState,
    ix: Option<TaskIx>,
    mark: &'a str,
    env: Option<&'a Map<String, Value>>,
    each: Option<Value>,
    round: Option<(u32, &'a str)>,
    callback: &'a str,
    event: Option<&'a Value>,
    error: Option<&'a TaskFailure>,
}

impl<'a> RunScope<'a> {
    pub fn new(plan: &'a Plan, state: &'a RunState, ix: Option<TaskIx>) -> Self {
        Self {
            plan,
            state,
            ix,
            mark: "",
            env: None,
            each: None,
            round: None,
            callback: "",
            event: None,
            error: None,
        }
    }

    pub fn with_mark(self, mark: &'a str) -> Self {
        Self { mark, ..self }
    }

    pub fn with_env(self, env: &'a Map<String, Value>) -> Self {
        Self {
            env: Some(env),
            ..self
        }
    }

    /// An item that has no task yet.
    pub fn with_each(self, each: Value) -> Self {
        Self {
            each: Some(each),
            ..self
        }
    }

    /// A round of a loop that has just ended, with its output.
    pub fn with_round(self, round: u32, output: &'a str) -> Self {
        Self {
            round: Some((round, output)),
            ..self
        }
    }

    /// The marks of the attempt's callback token, for what a worker is given.
    pub fn with_callback(self, callback: &'a str) -> Self {
        Self { callback, ..self }
    }

    /// What a waiting task is asked about.
    pub fn with_event(self, event: &'a Value) -> Self {
        Self {
            event: Some(event),
            ..self
        }
    }

    /// The failure that a retry policy decides about.
    pub fn with_error(self, error: &'a TaskFailure) -> Self {
        Self {
            error: Some(error),
            ..self
        }
    }

    /// Keys of the tasks of the main graph that failed, in their order.
    fn failed_tasks(&self) -> Value {
        let main = self.plan.section_tasks(Section::Main);
        let failed = main.filter(|ix| {
            let status = self.state.tasks.get(ix.at()).map(|task| task.status);
            matches!(status, Some(TaskStatus::Failed | TaskStatus::TimedOut))
        });
        failed
            .map(|ix| Value::from(self.plan.task(ix).key.as_str()))
            .collect()
    }

    /// Where people see the run: below the configured address of the server, else a path.
    fn url(&self) -> String {
        let base = self
            .state
            .context
            .vars
            .get(PUBLIC_URL)
            .and_then(Value::as_str)
            .unwrap_or_default();
        format!("{}/runs/{}", base.trim_end_matches('/'), self.state.context.id)
    }

    fn each(&self) -> Option<Value> {
        if self.each.is_some() {
            return self.each.clone();
        }
        let task = self.state.tasks.get(self.ix?.at())?;
        let mut each = Map::new();
        let is_loop = self.plan.task(task.template).repeat.is_some();
        if is_loop {
            let (round, previous) = self.round(task);
            each.insert("index".to_owned(), round.into());
            each.insert("round".to_owned(), round.into());
            each.insert("previous".to_owned(), previous);
        }
        if let Some(item) = &task.item {
            each.insert("item".to_owned(), parse(&item.value));
            each.insert("index".to_owned(), item.index.into());
            each.insert("key".to_owned(), Value::from(&*item.key));
        }
        (!each.is_empty()).then_some(Value::Object(each))
    }

    /// The round that the loop is in, and the output of the one before.
    fn round(&self, task: &TaskState) -> (u32, Value) {
        if let Some((round, output)) = self.round {
            return (round, parse(output));
        }
        let rounds = TaskExtra::of(task).rounds;
        let previous = task.output.as_deref().filter(|_| rounds > 0);
        (rounds, previous.map_or(Value::Null, parse))
    }

    fn matrix(&self) -> Option<Value> {
        let task = self.state.tasks.get(self.ix?.at())?;
        self.plan.task(task.template).matrix.as_ref()?;
        Some(parse(&task.item.as_ref()?.value))
    }

    /// `failed_tasks` costs a walk over the graph, so it is there only when asked for.
    fn run(&self, with_failed: bool) -> Value {
        let state = self.state;
        let failed = if with_failed {
            self.failed_tasks()
        } else {
            Value::Null
        };
        json!({
            "id": state.context.id,
            "status": state.extra.compensation.or(state.extra.outcome).unwrap_or(state.status),
            "priority": state.context.priority,
            "created_at": state.context.created_at.to_rfc3339(),
            "started_at": state.started_at.map(crate::Timestamp::to_rfc3339),
            "scheduled_at": crate::trigger::scheduled_at(state.extra.trigger.as_deref(), state.context.created_at),
            "trigger": state.extra.trigger,
            "error": state.error,
            "url": self.url(),
            "failed_tasks": failed,
        })
    }

    fn workflow(&self) -> Value {
        let workflow = self.plan.workflow();
        json!({
            "id": workflow.id,
            "name": workflow.name,
            "version": self.state.context.workflow_version,
            "labels": workflow.labels,
            "tags": workflow.tags,
        })
    }

    fn own_task(&self) -> Option<Value> {
        let ix = self.ix?;
        let state = self.state.tasks.get(ix.at())?;
        let task = self.plan.task(state.template);
        let mut own = json!({
            "id": task.key,
            "name": task.name,
            "key": self.state.key(self.plan, ix),
            "metadata": task.metadata,
            "labels": task.extra.get("labels").cloned().unwrap_or_else(|| json!({})),
            "attempt": state.attempt,
            "retries": state.retries,
        });
        if !self.callback.is_empty() {
            own["callback_token"] = Value::from(callback_token_mark(self.callback));
            own["callback_url"] = Value::from(callback_url_mark(self.callback));
        }
        Some(own)
    }
}

impl Scope for RunScope<'_> {
    fn whole(&self, root: &str) -> Option<Cow<'_, Value>> {
        match root {
            "inputs" => Some(Cow::Owned(Value::Object(
                self.state.context.inputs.as_ref().clone(),
            ))),
            "vars" => Some(Cow::Owned(Value::Object(
                self.state.context.vars.as_ref().clone(),
            ))),
            "run" => Some(Cow::Owned(self.run(true))),
            "workflow" => Some(Cow::Owned(self.workflow())),
            "each" => self.each().map(Cow::Owned),
            "matrix" => self.matrix().map(Cow::Owned),
            "error" => self.error.map(|error| Cow::Owned(json!(error))),
            "task" => self.own_task().map(Cow::Owned),
            "event" => self.event.map(Cow::Borrowed),
            "env" => self.env.map(|env| Cow::Owned(Value::Object(env.clone()))),
            _ => None,
        }
    }

    fn member(&self, root: &str, name: &str) -> Option<Cow<'_, Value>> {
        match root {
            "inputs" => self.state.context.inputs.get(name).map(Cow::Borrowed),
            "vars" => self.state.context.vars.get(name).map(Cow::Borrowed),
            "event" => self.event?.get(name).map(Cow::Borrowed),
            "run" => {
                let run = self.run(name == "failed_tasks");
                run.get(name).map(|value| Cow::Owned(value.clone()))
            }
            "env" => self.env?.get(name).map(Cow::Borrowed),
            _ => self.whole(root)?.get(name).map(|value| Cow::Owned(value.clone())),
        }
    }

    fn task(&self, key: &str, with_output: bool) -> Option<Cow<'_, Value>> {
        let task = self.state.tasks.get(self.plan.find(key)?.at())?;
        Some(Cow::Owned(task_value(task, with_output)))
    }

    fn secret_mark(&self) -> &str {
        self.mark
    }
}

fn task_value(task: &TaskState, with_output: bool) -> Value {
    let has_output = with_output && matches!(task.status, TaskStatus::Succeeded | TaskStatus::Cached);
    let output = task
        .output
        .as_deref()
        .filter(|_| has_output)
        .map_or(Value::Null, parse);
    json!({"status": task.status, "output": output, "error": task.error, "attempt": task.attempt})
}

/// JSON text that the engine or a worker wrote; what cannot be read counts as `null`.
pub(super) fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}
