//! Runs a process for an attempt: own process group, own environment, limits, and no survivor.
//!
//! Guarantees: the process sees only named environment variables; it runs no instruction before its limits are set; when the
//! attempt ends in whatever way, its whole process group is killed. Isolation from the machine is the container's task.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use runnel_queue::payload::PAYLOAD_BYTES_MAX;
use runnel_queue::{FailureCategory, LogStream};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::measure::Measure;
use super::output::{Captured, capture};
use super::watch::{self, Watch};
use crate::supply::output_too_large;
use crate::task::{TaskContext, TaskError};

/// Between the request to end and the kill.
const TERM_GRACE: Duration = Duration::from_secs(3);

/// After the end of the process: how long its pipes may stay open in other hands.
const PIPE_GRACE: Duration = Duration::from_secs(1);

const FILE_BYTES_MAX: u64 = 4 << 30;
const OPEN_FILES_MAX: u64 = 4096;

/// Largest result file that is read; a larger one fails the attempt.
const RESULT_BYTES_MAX: u64 = PAYLOAD_BYTES_MAX as u64;

/// Variables that every command gets from the worker, where they are set.
const PASSED_VARIABLES: [&str; 7] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "SSL_CERT_FILE"];

/// How commands are run.
#[derive(Debug, Clone, Default)]
pub struct CommandOptions {
    /// Further variables of the worker's environment that commands may see.
    pub pass_env: Vec<String>,
    /// Limit of the address space of each process.
    pub memory_bytes: Option<u64>,
}

/// A process to run.
pub(crate) struct Invocation {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) env: BTreeMap<String, OsString>,
}

/// A private directory for one attempt; removed with it.
pub(crate) struct Workspace {
    directory: tempfile::TempDir,
}

impl Workspace {
    pub(crate) fn create() -> Result<Self, TaskError> {
        // created with mode 0700
        let directory = tempfile::Builder::new()
            .prefix("runnel-task-")
            .tempdir()
            .map_err(|e| TaskError::internal(format!("no temporary directory for the command: {e}")))?;
        Ok(Self { directory })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn result_file(&self) -> PathBuf {
        self.path("output.json")
    }

    /// The last checkpoint of an earlier attempt, as a file; `None` when there is none.
    async fn checkpoint_in(&self, ctx: &TaskContext) -> Result<Option<PathBuf>, TaskError> {
        let Some(checkpoint) = ctx.last_checkpoint() else {
            return Ok(None);
        };
        let path = self.path("checkpoint_in.json");
        tokio::fs::write(&path, checkpoint.to_string())
            .await
            .map_err(|e| {
                TaskError::internal(format!("the checkpoint cannot be handed to the command: {e}"))
            })?;
        Ok(Some(path))
    }
}

/// How a process ended.
pub(crate) struct Exit {
    status: ExitStatus,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
    /// The JSON in `$RUNNEL_OUTPUT`, when the process wrote any.
    pub(crate) result: Option<Value>,
}

impl Exit {
    /// `exit_code`, `stdout`, `stderr`, and the keys of the JSON object in `$RUNNEL_OUTPUT` or on the last line.
    pub(crate) fn output(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("exit_code".to_owned(), self.status.code().into());
        fields.insert("stdout".to_owned(), self.stdout.tail.clone().into());
        fields.insert("stderr".to_owned(), self.stderr.tail.clone().into());
        let last_line = || serde_json::from_str(self.stdout.last_line.trim()).ok();
        if let Some(Value::Object(result)) = self.result.clone().or_else(last_line) {
            fields.extend(result);
        }
        Value::Object(fields)
    }

    /// The exit code; `None` when a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The failure of a process that did not exit with 0.
    pub(crate) fn failure(&self) -> Option<TaskError> {
        use std::os::unix::process::ExitStatusExt;
        if self.status.success() {
            return None;
        }
        let error = match self.status.code() {
            // a shell reports a child that was killed with SIGKILL as 128 + 9: with containers mostly for want of memory
            Some(137) => TaskError::new(
                FailureCategory::User,
                "KILLED",
                "the command ended with exit code 137: it was killed, mostly for want of memory".to_owned(),
            ),
            Some(code) => TaskError::new(
                FailureCategory::User,
                "EXIT_CODE",
                format!("the command ended with exit code {code}"),
            ),
            None => {
                let signal = self.status.signal().unwrap_or(0);
                TaskError::new(
                    FailureCategory::User,
                    "KILLED",
                    match signal {
                        9 => "the command was killed by signal 9, mostly for want of memory".to_owned(),
                        _ => format!("the command was killed by signal {signal}"),
                    },
                )
            }
        };
        let details = json!({
            "exit_code": self.status.code(),
            "signal": self.status.signal(),
            "stdout": self.stdout.tail,
            "stderr": self.stderr.tail,
        });
        Some(error.with_details(details).retryable())
    }
}

/// Kills the group when it is dropped, so that a dropped attempt leaves no process behind.
struct Group(Pid);

impl Group {
    fn signal(&self, signal: Signal) {
        // an error means that the group is gone already
        let _ = kill_process_group(self.0, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Runs a process to its end; ends it when the attempt is cancelled.
pub(crate) async fn run(
    invocation: Invocation,
    ctx: &TaskContext,
    options: &CommandOptions,
    workspace: &Workspace,
) -> Result<Exit, TaskError> {
    let program = invocation.program.to_string_lossy().into_owned();
    let cannot = |what: &str, e: std::io::Error| TaskError::internal(format!("`{program}` {what}: {e}"));
    let checkpoint_in = workspace.checkpoint_in(ctx).await?;
    let mut child = gated(&invocation, ctx, options, workspace, checkpoint_in)
        .spawn()
        .map_err(|e| cannot("cannot be started", e))?;
    let group =
        group_of(&child).ok_or_else(|| TaskError::internal(format!("`{program}` has no process id")))?;
    limit(&group, options).map_err(|e| cannot("cannot be limited", e))?;
    if let Some(mut gate) = child.stdin.take() {
        // a process that was killed at the gate shows in its exit status
        let _ = gate.write_all(b"\n").await;
    }
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut out, mut err) = (Captured::default(), Captured::default());
    let streams = async {
        let out = async {
            if let Some(stream) = stdout {
                capture(stream, LogStream::Stdout, &ctx.log, &mut out).await;
            }
        };
        let err = async {
            if let Some(stream) = stderr {
                capture(stream, LogStream::Stderr, &ctx.log, &mut err).await;
            }
        };
        tokio::join!(out, err)
    };
    let ended = async {
        let status = wait(&mut child, &group, ctx).await;
        // whoever it left behind must not hold the pipes open, nor outlive the attempt
        group.signal(Signal::KILL);
        status
    };
    let status = {
        tokio::pin!(streams);
        let mut is_read = false;
        let mut watch = Watch::new(ctx, workspace);
        let status = {
            tokio::pin!(ended);
            let watching = watch.run();
            let measure = Measure::new(ctx, group.0);
            let measuring = measure.run();
            tokio::pin!(watching, measuring);
            loop {
                tokio::select! {
                    status = &mut ended => break status,
                    _ = &mut streams, if !is_read => {
                        is_read = true;
                        measure.look();
                    }
                    never = &mut measuring => match never {},
                    never = &mut watching => match never {},
                }
            }
        };
        watch.look(true).await;
        if !is_read {
            let _ = tokio::time::timeout(PIPE_GRACE, streams).await;
        }
        status.map_err(|e| cannot("cannot be waited for", e))?
    };
    Ok(Exit {
        status,
        stdout: out,
        stderr: err,
        result: read_result(&workspace.result_file()).await?,
    })
}

async fn wait(child: &mut Child, group: &Group, ctx: &TaskContext) -> std::io::Result<ExitStatus> {
    tokio::select! {
        status = child.wait() => return status,
        () = ctx.cancelled.cancelled() => group.signal(Signal::TERM),
    }
    if let Ok(status) = tokio::time::timeout(TERM_GRACE, child.wait()).await {
        return status;
    }
    group.signal(Signal::KILL);
    child.wait().await
}

/// The process behind a gate: a shell that waits for one line, so that nothing runs before the limits are set, and then
/// becomes the program. Program and arguments are passed as arguments; no text is interpreted.
fn gated(
    invocation: &Invocation,
    ctx: &TaskContext,
    options: &CommandOptions,
    workspace: &Workspace,
    checkpoint_in: Option<PathBuf>,
) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "read -r _; exec \"$@\" </dev/null", "runnel"])
        .arg(&invocation.program);
    command.args(&invocation.arguments);
    command.env_clear();
    let passed = PASSED_VARIABLES
        .iter()
        .copied()
        .chain(options.pass_env.iter().map(String::as_str));
    command.envs(passed.filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.env("TMPDIR", workspace.directory.path());
    command.envs(&ctx.env).envs(&invocation.env);
    command
        .env("RUNNEL_RUN_ID", &ctx.run)
        .env("RUNNEL_TASK", &ctx.key);
    command
        .env("RUNNEL_ATTEMPT", ctx.attempt.to_string())
        .env("RUNNEL_IDEMPOTENCY_KEY", &ctx.idempotency_key);
    command.env("RUNNEL_OUTPUT", workspace.result_file());
    command
        .env("RUNNEL_PROGRESS", workspace.path(watch::PROGRESS_FILE))
        .env("RUNNEL_CHECKPOINT", workspace.path(watch::CHECKPOINT_FILE));
    if let Some(path) = checkpoint_in {
        command.env("RUNNEL_CHECKPOINT_IN", path);
    }
    if let Some(traceparent) = &ctx.traceparent {
        command.env("TRACEPARENT", traceparent);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    command
}

fn group_of(child: &Child) -> Option<Group> {
    Pid::from_raw(i32::try_from(child.id()?).ok()?).map(Group)
}

fn limit(group: &Group, options: &CommandOptions) -> std::io::Result<()> {
    let mut limits = vec![
        (Resource::Core, 0),
        (Resource::Fsize, FILE_BYTES_MAX),
        (Resource::Nofile, OPEN_FILES_MAX),
    ];
    limits.extend(options.memory_bytes.map(|bytes| (Resource::As, bytes)));
    for (resource, value) in limits {
        let own = rustix::process::getrlimit(resource).maximum;
        // a limit of the worker itself cannot be raised
        let value = own.map_or(value, |own| own.min(value));
        prlimit(
            Some(group.0),
            resource,
            Rlimit {
                current: Some(value),
                maximum: Some(value),
            },
        )?;
    }
    Ok(())
}

/// A file that is not there, or holds no JSON, is no result; one over the limit is an error, because its absence would not be
/// understood.
pub(super) async fn read_result(path: &Path) -> Result<Option<Value>, TaskError> {
    let Ok(found) = tokio::fs::metadata(path).await else {
        return Ok(None);
    };
    if found.len() > RESULT_BYTES_MAX {
        return Err(output_too_large(
            usize::try_from(found.len()).unwrap_or(usize::MAX),
        ));
    }
    let bytes = tokio::fs::read(path).await.unwrap_or_default();
    Ok(serde_json::from_slice(&bytes).ok())
}
