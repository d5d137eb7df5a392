//! The built `runnel` program as a process: started, read line by line, killed.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use anyhow::Context as _;
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::client::Client;
use crate::cluster::PATIENCE;

/// A running process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: watch::Receiver<Vec<String>>,
}

/// What a process that has ended left.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// A command of the program, without any setting of the caller's environment.
#[must_use]
pub fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
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
        ("RUST_LOG", "info"),
    ]);
    command
}

/// Runs a command to its end.
///
/// # Errors
/// It cannot be started, or does not end.
pub async fn finish(mut command: Command) -> anyhow::Result<Ended> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = tokio::time::timeout(PATIENCE, command.output())
        .await
        .context("the command did not end")??;
    Ok(Ended {
        status: ended.status,
        stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
    })
}

impl Process {
    /// Starts a command and collects its output.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(name: &str, mut command: Command) -> anyhow::Result<Self> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
        let (sender, lines) = watch::channel(Vec::new());
        let out = child.stdout.take().context("its output")?;
        let err = child.stderr.take().context("its errors")?;
        tokio::spawn(collect(out, sender.clone()));
        tokio::spawn(collect(err, sender));
        Ok(Self {
            name: name.to_owned(),
            child,
            lines,
        })
    }

    /// Waits for a line that `find` makes something of.
    ///
    /// # Errors
    /// The process ends first, or the line does not come.
    pub async fn line<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        let mut lines = self.lines.clone();
        let found = tokio::time::timeout(
            PATIENCE,
            lines.wait_for(|lines| lines.iter().any(|line| find(line).is_some())),
        );
        let found = found.await.ok().and_then(Result::ok);
        let first = found.and_then(|lines| lines.iter().find_map(|line| find(line)));
        first.with_context(|| format!("{} did not print {what}:\n{}", self.name, self.output()))
    }

    /// The client of a server, once it has printed its address.
    ///
    /// # Errors
    /// It does not.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let find = |line: &str| {
            let at = line.find("http://")?;
            let address: String = line[at..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || ".:/[]-_".contains(*c))
                .collect();
            Some(address)
        };
        let address = self.line("its address", find).await?;
        let base = address.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        Client::new(&base)
    }

    /// Process id, while it runs and until it was waited for.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Everything that it has printed.
    #[must_use]
    pub fn output(&self) -> String {
        self.lines.borrow().join("\n")
    }

    /// `kill -9`, and waits for the end.
    ///
    /// # Errors
    /// The process cannot be waited for.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child
            .kill()
            .await
            .with_context(|| format!("killing {}", self.name))
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// It does not come.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => anyhow::bail!("{} did not end:\n{}", self.name, self.output()),
        }
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// It does not come.
    pub async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        let pid = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, Signal::TERM)?;
        }
        self.wait().await
    }
}

async fn collect(from: impl AsyncRead + Unpin, lines: watch::Sender<Vec<String>>) {
    let mut from = BufReader::new(from).lines();
    // an error means that the process is gone, or printed no text
    while let Ok(Some(line)) = from.next_line().await {
        lines.send_modify(|lines| lines.push(line));
    }
}
