//! `python`: a callable, a script file or a script text, in a Python process of its own.
//!
//! Input: `callable` (`pkg.module:attr` or `pkg.module.attr`, sync or async) or `script` (a path that ends in `.py`, or
//! source), and `args`: an object becomes keyword arguments where the callable takes them, anything else the one argument.
//! Without `args` the task's `metadata` is used. Scripts find it as `inputs`.
//! Output: what the callable returns; for scripts the same as for `shell`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use async_trait::async_trait;
use runnel_queue::FailureCategory;
use serde::Deserialize;
use serde_json::{Value, json};

use super::command::{self, CommandOptions, Exit, Invocation, Workspace};
use crate::task::{Handler, TaskContext, TaskError};

const RUNNER: &str = include_str!("python_runner.py");

/// Handler of `python`.
pub(crate) struct PythonHandler {
    interpreter: String,
    search_path: Option<String>,
    options: CommandOptions,
}

/// What the runner writes.
#[derive(Default, Deserialize)]
struct Answer {
    result: Option<Value>,
    error: Option<String>,
    kind: Option<String>,
    traceback: Option<String>,
}

impl PythonHandler {
    pub(crate) fn new(interpreter: String, search_path: Option<String>, options: CommandOptions) -> Self {
        Self {
            interpreter,
            search_path,
            options,
        }
    }

    fn request(&self, ctx: &TaskContext, answer: &Path) -> Result<Value, TaskError> {
        let here = || {
            std::env::current_dir()
                .map(|path| path.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let search_path = self.search_path.clone().unwrap_or_else(here);
        let mut request = json!({ "search_path": search_path, "answer": answer });
        match (ctx.text("callable")?, ctx.text("script")?) {
            (Some(callable), None) => request["callable"] = callable.into(),
            (None, Some(script)) if is_path(script) => request["path"] = script.into(),
            (None, Some(script)) => request["script"] = script.into(),
            _ => return Err(TaskError::input("either `callable` or `script` is needed")),
        }
        if let Some(arguments) = ctx.input.get("args").or(ctx.metadata.as_ref()) {
            request["args"] = arguments.clone();
        }
        Ok(request)
    }

    async fn run(&self, ctx: &TaskContext) -> Result<(Exit, Answer), TaskError> {
        let workspace = Workspace::create()?;
        let (runner, request, answer) = (
            workspace.path("runner.py"),
            workspace.path("request.json"),
            workspace.path("answer.json"),
        );
        let failed =
            |e: std::io::Error| TaskError::internal(format!("the Python runner cannot be prepared: {e}"));
        tokio::fs::write(&runner, RUNNER).await.map_err(failed)?;
        tokio::fs::write(&request, self.request(ctx, &answer)?.to_string())
            .await
            .map_err(failed)?;
        let invocation = Invocation {
            program: OsString::from(&self.interpreter),
            arguments: vec![runner.into(), request.into()],
            // lines appear in the log when they are printed
            env: BTreeMap::from([
                ("PYTHONUNBUFFERED".to_owned(), "1".into()),
                ("PYTHONUTF8".to_owned(), "1".into()),
            ]),
        };
        let exit = command::run(invocation, ctx, &self.options, &workspace).await?;
        let answer = command::read_result(&answer).await?;
        let answer = answer.and_then(|answer| serde_json::from_value(answer).ok());
        Ok((exit, answer.unwrap_or_default()))
    }
}

#[async_trait]
impl Handler for PythonHandler {
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let (exit, answer) = self.run(ctx).await?;
        if let Some(message) = answer.error {
            let error = TaskError::new(FailureCategory::User, "PYTHON_EXCEPTION", message)
                .with_details(json!({ "exception": answer.kind, "stderr": exit.stderr.tail }))
                .retryable();
            return Err(error.with_traceback(answer.traceback.unwrap_or_default()));
        }
        if let Some(error) = exit.failure() {
            return Err(error);
        }
        if ctx.field("callable").is_some() {
            Ok(answer.result.unwrap_or(Value::Null))
        } else {
            Ok(exit.output())
        }
    }
}

fn is_path(script: &str) -> bool {
    let line = script.trim();
    line.ends_with(".py") && !line.contains(['\n', '(', '='])
}
