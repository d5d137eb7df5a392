//! A private SQS emulator (ministack). Its cost grows with the backlog, so tests keep their queues short.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::reaper::Reaper;

/// How often a starting emulator is asked whether it is ready.
const READY_POLL: Duration = Duration::from_millis(50);
/// Polls before a start counts as failed: 60 s, for a machine that is busy with a build.
const READY_POLLS: u32 = 1_200;

/// A running emulator; stopped when dropped.
#[derive(Debug)]
pub struct Ministack {
    program: PathBuf,
    directory: PathBuf,
    port: u16,
    server: Child,
    reaper: Reaper,
}

impl Ministack {
    /// Starts an emulator and waits until it answers.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_program(&find_program()?)
    }

    /// Starts this emulator and waits until it answers.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_program(program: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("runnel-sqs-").tempdir()?.keep();
        let port = super::free_port()?;
        let server = spawn(program, port, &directory)?;
        let reaper = Reaper::watch(server.id(), &directory)?;
        let mut emulator = Self {
            program: program.to_owned(),
            directory,
            port,
            server,
            reaper,
        };
        emulator.wait_until_ready()?;
        Ok(emulator)
    }

    /// `kill -9`: everything that it held is lost.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.server.kill()?;
        self.server.wait()?;
        Ok(())
    }

    /// Starts it again at the same address, empty, after [`Ministack::kill`].
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        // the old reaper would remove the directory; it is told that its service has ended
        self.reaper.dismiss();
        self.server = spawn(&self.program, self.port, &self.directory)?;
        self.reaper = Reaper::watch(self.server.id(), &self.directory)?;
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        for _ in 0..READY_POLLS {
            if is_healthy(self.port) {
                return Ok(());
            }
            if let Some(status) = self.server.try_wait()? {
                let log = fs::read_to_string(self.directory.join("server.log")).unwrap_or_default();
                bail!("the SQS emulator ended with {status}: {log}");
            }
            std::thread::sleep(READY_POLL);
        }
        bail!("the SQS emulator did not become ready on port {}", self.port)
    }

    /// Its address, for `--sqs-endpoint`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its process id.
    #[must_use]
    pub fn server_pid(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        // nothing in it is worth an orderly end
        let _ = self.server.kill();
        let _ = self.server.wait();
        self.reaper.dismiss();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn spawn(program: &Path, port: u16, directory: &Path) -> anyhow::Result<Child> {
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join("server.log"))?;
    Command::new(program)
        .env("BIND_HOST", "127.0.0.1")
        .env("MINISTACK_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("LOG_LEVEL", "WARNING")
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .with_context(|| format!("running {}", program.display()))
}

fn is_healthy(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream
            .write_all(b"GET /_ministack/health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn find_program() -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os("RUNNEL_TEST_MINISTACK") {
        return Ok(PathBuf::from(given));
    }
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/venv/bin/ministack");
    if installed.exists() {
        return Ok(installed);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join("ministack")).find(|program| program.exists()).context(
        "the SQS emulator `ministack` is not installed: run `make test`, which installs it, or scripts/setup-tests.sh",
    )
}
