//! Child runs: a task of type `workflow` starts another run and, unless told otherwise, waits for its end.
//!
//! The shell starts a child once for each attempt, whatever is repeated; what it then reports may come late, twice or in
//! another order, and only what the current attempt still waits for is taken.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::extra::TaskExtra;
use super::machine::{Machine, Note};
use super::scope::parse;
use super::{
    CancelMode, Category, Command, Outcome, RecordKind, RunStatus, Stale, TaskFailure, TaskState, TaskStatus,
};
use crate::{RunId, TaskIx};

/// What became of a child run.
#[derive(Debug, Clone, PartialEq)]
pub enum ChildInput {
    /// It was accepted.
    Started {
        /// The task that asked for it.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
        /// The child.
        child: RunId,
    },
    /// It was refused.
    Refused {
        /// The task that asked for it.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
        /// Why.
        failure: TaskFailure,
    },
    /// It ended.
    Ended {
        /// The task that waits for it.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
        /// The child.
        child: RunId,
        /// How it ended.
        status: RunStatus,
        /// JSON text of its outputs, when it succeeded.
        outputs: Option<Arc<str>>,
        /// Why it did not succeed.
        error: Option<TaskFailure>,
    },
}

/// What the shell must do about a child run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildCommand {
    /// Start it; everything else is in the task's input, see [`ChildRequest::of`].
    Start {
        /// The task that asks for it.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
    },
    /// Cancel it.
    Cancel {
        /// The task that asked for it.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
        /// How.
        mode: CancelMode,
    },
}

/// Which run a task of type `workflow` asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildRequest {
    /// Key of the workflow.
    pub workflow: String,
    /// Version number; the latest when `None`.
    pub version: Option<i32>,
    /// Inputs, not yet checked.
    pub inputs: Map<String, Value>,
    /// Whether the task waits for the child's end.
    pub wait: bool,
}

impl ChildRequest {
    /// From the resolved input of a task.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn of(input: &Value) -> Result<Self, String> {
        let given = |name: &str| input.get(name).filter(|value| !value.is_null());
        let workflow = match given("workflow").or(given("id")) {
            Some(Value::String(key)) if !key.is_empty() => key.clone(),
            Some(_) => return Err("`workflow` is not the key of a workflow".to_owned()),
            None => return Err("`workflow` is missing: which workflow is to be run?".to_owned()),
        };
        let version = match given("version") {
            None => None,
            Some(Value::String(word)) if word == "latest" => None,
            Some(number) => {
                let number = number.as_i64().and_then(|number| i32::try_from(number).ok());
                let number = number.filter(|number| *number > 0);
                Some(number.ok_or("`version` is neither `latest` nor the number of a version")?)
            }
        };
        let inputs = match given("inputs") {
            None => Map::new(),
            Some(Value::Object(inputs)) => inputs.clone(),
            Some(_) => return Err("`inputs` is not a mapping".to_owned()),
        };
        let wait = match given("wait") {
            None => true,
            Some(Value::Bool(wait)) => *wait,
            Some(_) => return Err("`wait` is neither true nor false".to_owned()),
        };
        Ok(Self {
            workflow,
            version,
            inputs,
            wait,
        })
    }

    fn of_task(task: &TaskState) -> Option<Self> {
        Self::of(&parse(task.input.as_deref()?)).ok()
    }

    fn to_value(&self) -> Value {
        json!({
            "workflow": self.workflow,
            "version": self.version,
            "inputs": self.inputs,
            "wait": self.wait,
        })
    }
}

impl Machine<'_> {
    /// Asks for the child run of a new attempt.
    pub fn begin_child(&mut self, ix: TaskIx) {
        let resolved = match self.resolve(ix) {
            Ok(resolved) => resolved,
            Err(failure) => return self.fail_task(ix, *failure),
        };
        let request = match ChildRequest::of(&resolved.input) {
            Ok(request) => request,
            Err(message) => {
                return self.fail_task(ix, TaskFailure::new(Category::Input, "INPUT", message, false));
            }
        };
        let now = self.now();
        let task = self.task_mut(ix);
        task.attempt = task.attempt.saturating_add(1);
        let attempt = task.attempt;
        task.input = Some(Arc::from(request.to_value().to_string()));
        task.extra = resolved.extra.store();
        task.started_at = Some(now);
        task.worker = None;
        self.set_status(ix, TaskStatus::Waiting);
        let note = Note {
            reason: Some("CHILD"),
            ..Note::data(json!({"workflow": request.workflow}))
        };
        self.task_record(RecordKind::TaskWaiting, ix, note);
        self.command(Command::Child(ChildCommand::Start { task: ix, attempt }));
    }

    /// Whether the task waits for a child run, be it on its way or under way.
    pub fn waits_for_child(&self, ix: TaskIx) -> bool {
        self.task(ix).status == TaskStatus::Waiting
            && self.definition(ix).kind == "workflow"
            && !self.is_fanout(ix)
            && self.repeats_at(ix).is_none()
    }

    pub fn on_child_input(&mut self, input: &ChildInput) -> Outcome {
        let (ChildInput::Started { task, attempt, .. }
        | ChildInput::Refused { task, attempt, .. }
        | ChildInput::Ended { task, attempt, .. }) = input;
        if let Some(stale) = self.fence_child(*task, *attempt) {
            return Outcome::Ignored(stale);
        }
        match input {
            ChildInput::Started { task, child, .. } => self.on_child_started(*task, *child),
            ChildInput::Refused { task, failure, .. } => {
                self.fail_attempt(*task, failure.clone());
                Outcome::Applied
            }
            // its end may be heard of before its start, and means no more
            ChildInput::Ended { task, child, .. } if !self.must_wait(*task) => {
                self.on_child_started(*task, *child)
            }
            ChildInput::Ended {
                task,
                child,
                status,
                outputs,
                error,
                ..
            } => {
                let ended = Ended {
                    child: *child,
                    status: *status,
                    error: error.as_ref(),
                };
                self.on_child_ended(*task, &ended, outputs.clone())
            }
        }
    }

    fn on_child_started(&mut self, ix: TaskIx, child: RunId) -> Outcome {
        let mut extra = TaskExtra::of(self.task(ix));
        if extra.child.is_some() {
            return Outcome::Ignored(Stale::AlreadyInForce);
        }
        extra.child = Some(child);
        self.task_mut(ix).extra = extra.store();
        let data = json!({"run": child});
        self.task_record(RecordKind::ChildStarted, ix, Note::data(data));
        if !self.must_wait(ix) {
            self.succeed(ix, Arc::from(json!({"run_id": child}).to_string()));
        }
        Outcome::Applied
    }

    /// Whether the task goes on until its child has ended.
    fn must_wait(&self, ix: TaskIx) -> bool {
        ChildRequest::of_task(self.task(ix)).is_none_or(|request| request.wait)
    }

    fn on_child_ended(&mut self, ix: TaskIx, ended: &Ended<'_>, outputs: Option<Arc<str>>) -> Outcome {
        let data = json!({"run": ended.child, "status": ended.status});
        self.task_record(RecordKind::ChildEnded, ix, Note::data(data));
        // a failure that is retried starts another child: this one is nothing to be cancelled any more
        if ended.status == RunStatus::Succeeded {
            self.succeed(ix, outputs.unwrap_or_else(|| Arc::from("{}")));
        } else {
            let workflow = ChildRequest::of_task(self.task(ix)).map(|request| request.workflow);
            self.fail_attempt(ix, ended.failure(&workflow.unwrap_or_default()));
        }
        Outcome::Applied
    }

    fn fence_child(&self, ix: TaskIx, attempt: u32) -> Option<Stale> {
        let Some(task) = self.state.tasks.get(ix.at()) else {
            return Some(Stale::OldAttempt);
        };
        if task.status.is_terminal() {
            return Some(Stale::TaskIsTerminal);
        }
        if attempt != task.attempt || !self.waits_for_child(ix) {
            return Some(Stale::OldAttempt);
        }
        None
    }
}

struct Ended<'a> {
    child: RunId,
    status: RunStatus,
    error: Option<&'a TaskFailure>,
}

impl Ended<'_> {
    /// The failure of the child as that of its task: it says which run to look at.
    fn failure(&self, workflow: &str) -> TaskFailure {
        let status = serde_json::to_value(self.status).unwrap_or_default();
        let status = status.as_str().unwrap_or_default();
        let cause = self
            .error
            .map_or_else(String::new, |error| format!(": {}", error.message));
        TaskFailure {
            details: Some(json!({"run": self.child, "status": status, "error": self.error})),
            ..TaskFailure::new(
                self.error.map_or(Category::User, |error| error.category),
                &format!("CHILD_{status}"),
                format!("child run {} of {workflow} ended as {status}{cause}", self.child),
                self.status != RunStatus::Cancelled,
            )
        }
    }
}
