//! A process of a workload: started, listened to, killed at the end.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A process that says nothing for this long is broken: long enough for ten thousand sockets on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts a program without any setting of the caller's environment. What it writes to standard error is shown.
    pub fn start(name: &str, program: &Path, arguments: &[&str], directory: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        for kept in ["PATH", "HOME", "LANG", "TMPDIR"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        // the SDK asks for credentials although the emulator does not check them
        command.envs([
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("RUNNEL_LOG", "error"),
        ]);
        let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
        let out = child.stdout.take().context("its output")?;
        Ok(Self {
            name: name.to_owned(),
            child,
            lines: BufReader::new(out).lines(),
        })
    }

    /// Process id.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child
            .id()
            .with_context(|| format!("{} has ended", self.name))
    }

    /// Where it reads from.
    pub fn take_input(&mut self) -> anyhow::Result<ChildStdin> {
        self.child.stdin.take().context("its input was taken")
    }

    /// The next line that it prints.
    pub async fn line(&mut self) -> anyhow::Result<String> {
        let name = &self.name;
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        line.with_context(|| format!("{name} said nothing for {PATIENCE:?}"))??
            .with_context(|| format!("{name} has ended"))
    }

    /// The address in the first line of a server.
    pub async fn address(&mut self) -> anyhow::Result<String> {
        let line = self.line().await?;
        line.split_whitespace()
            .find(|word| word.starts_with("http://"))
            .map(str::to_owned)
            .with_context(|| format!("no address in: {line}"))
    }
}
