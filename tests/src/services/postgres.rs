//! A private PostgreSQL cluster: own directory, own port, own server, nothing shared with what else runs on the machine.
//!
//! PostgreSQL refuses to run as root, so a root process runs it as the user `postgres`. Shared by the tests and the
//! benchmark.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal};

use super::reaper::Reaper;

/// How often a starting server is asked whether it is ready.
const READY_POLL: Duration = Duration::from_millis(25);
/// Polls before a start counts as failed: 60 s, for a machine that is busy with a build.
const READY_POLLS: u32 = 2_400;

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// PostgreSQL's own defaults: for figures.
    Full,
    /// Nothing is synced: the files are thrown away anyway.
    None,
}

/// A running cluster; stopped and removed when dropped.
#[derive(Debug)]
pub struct PrivatePostgres {
    directory: PathBuf,
    port: u16,
    server: Child,
    reaper: Reaper,
}

impl PrivatePostgres {
    /// Creates a cluster and waits until it answers.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start.
    pub fn start(durability: Durability) -> anyhow::Result<Self> {
        let programs = find_programs()?;
        let directory = tempfile::Builder::new()
            .prefix("runnel-postgres-")
            .tempdir()?
            .keep();
        match Self::start_in(&programs, &directory, durability) {
            Ok(started) => Ok(started),
            Err(error) => {
                // the first error is the one to report
                let _ = fs::remove_dir_all(&directory);
                Err(error)
            }
        }
    }

    fn start_in(programs: &Path, directory: &Path, durability: Durability) -> anyhow::Result<Self> {
        let owner = Owner::of_servers()?;
        if let Some(owner) = owner {
            std::os::unix::fs::chown(directory, Some(owner.uid), Some(owner.gid))?;
        }
        let command = |program: &str| {
            let mut command = Command::new(programs.join(program));
            if let Some(owner) = owner {
                command.uid(owner.uid).gid(owner.gid);
            }
            command.current_dir(directory).stdin(Stdio::null());
            command
        };
        let data = directory.join("data");
        let created = command("initdb")
            .arg("-D")
            .arg(&data)
            .args([
                "-N",
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ])
            .output()
            .context("running initdb")?;
        if !created.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&created.stderr));
        }
        let port = super::free_port()?;
        let log = fs::File::create(directory.join("server.log"))?;
        let server = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-k"])
            .arg(directory)
            .args(settings(programs, durability))
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("running postgres")?;
        let reaper = Reaper::watch(server.id(), directory)?;
        let mut cluster = Self {
            directory: directory.to_owned(),
            port,
            server,
            reaper,
        };
        cluster.wait_until_ready(&command)?;
        Ok(cluster)
    }

    fn wait_until_ready(&mut self, command: &impl Fn(&str) -> Command) -> anyhow::Result<()> {
        for _ in 0..READY_POLLS {
            let answer = command("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .context("running pg_isready")?;
            if answer.success() {
                return Ok(());
            }
            if let Some(status) = self.server.try_wait()? {
                let log = fs::read_to_string(self.directory.join("server.log")).unwrap_or_default();
                bail!("postgres ended with {status}: {log}");
            }
            std::thread::sleep(READY_POLL);
        }
        bail!("postgres did not become ready on port {}", self.port)
    }

    /// The address of one of its databases; `postgres` always exists.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Process id of the server; its backends are its children.
    #[must_use]
    pub fn server_pid(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw) {
            // SIGINT is PostgreSQL's fast shutdown; a server that is gone already needs none
            let _ = rustix::process::kill_process(pid, Signal::INT);
        }
        let _ = self.server.wait();
        self.reaper.dismiss();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn settings(programs: &Path, durability: Durability) -> Vec<String> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1",
        "max_connections=300",
        "shared_buffers=128MB",
    ];
    if programs.join("../lib/pg_stat_statements.so").exists() && durability == Durability::None {
        // for the test that counts statements
        settings.push("shared_preload_libraries=pg_stat_statements");
    }
    if durability == Durability::None {
        settings.extend(["fsync=off", "full_page_writes=off", "synchronous_commit=off"]);
    }
    settings
        .iter()
        .flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()])
        .collect()
}

/// The user that a server runs as, where it cannot be the current one.
#[derive(Debug, Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    fn of_servers() -> anyhow::Result<Option<Self>> {
        if !rustix::process::getuid().is_root() {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
        let fields: Vec<&str> = users
            .lines()
            .find(|line| line.starts_with("postgres:"))
            .context("PostgreSQL refuses to run as root and there is no user `postgres`")?
            .split(':')
            .collect();
        let [_, _, uid, gid, ..] = fields.as_slice() else {
            bail!("/etc/passwd has a broken line for `postgres`")
        };
        Ok(Some(Self {
            uid: uid.parse()?,
            gid: gid.parse()?,
        }))
    }
}

fn find_programs() -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os("RUNNEL_TEST_POSTGRES_BIN") {
        return Ok(PathBuf::from(given));
    }
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse::<u32>().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, programs)| programs.join("initdb").exists())
        .max();
    if let Some((_, programs)) = newest {
        return Ok(programs);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|directory| directory.join("initdb").exists())
        .context("PostgreSQL is not installed: install it, or point RUNNEL_TEST_POSTGRES_BIN at its programs")
}
