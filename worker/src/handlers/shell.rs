//! `shell`: a script for `/bin/sh`.
//!
//! Input: `run` (the script; never interpolated, values come in by `env`). Output: `exit_code`, `stdout`, `stderr` (tails) and
//! the keys of the JSON object in `$RUNNEL_OUTPUT` or on the last line of output.

use std::collections::BTreeMap;
use std::ffi::OsString;

use async_trait::async_trait;
use serde_json::Value;

use super::command::{self, CommandOptions, Invocation, Workspace};
use crate::task::{Handler, TaskContext, TaskError};

/// Handler of `shell`.
pub(crate) struct ShellHandler {
    options: CommandOptions,
}

impl ShellHandler {
    pub(crate) fn new(options: CommandOptions) -> Self {
        Self { options }
    }
}

#[async_trait]
impl Handler for ShellHandler {
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let script = ctx.required_text("run")?;
        if script.contains('\0') {
            return Err(TaskError::input("`run` must not contain a NUL character"));
        }
        let workspace = Workspace::create()?;
        let invocation = Invocation {
            program: OsString::from("/bin/sh"),
            arguments: vec!["-c".into(), script.into()],
            env: BTreeMap::new(),
        };
        let exit = command::run(invocation, ctx, &self.options, &workspace).await?;
        match exit.failure() {
            Some(error) => Err(error),
            None => Ok(exit.output()),
        }
    }
}
