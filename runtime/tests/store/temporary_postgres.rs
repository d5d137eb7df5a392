//! A PostgreSQL of one test: own directory, own port, gone at the end.
//!
//! PostgreSQL refuses to run as root; where the tests do, it runs as the user `postgres`.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub struct TemporaryPostgres {
    dir: tempfile::TempDir,
    port: u16,
    server: Child,
}

impl TemporaryPostgres {
    /// Starts a server and waits until it takes connections.
    pub fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("runnel-postgres-")
            .tempdir()
            .expect("a directory");
        if rustix::process::getuid().is_root() {
            let (uid, gid) = postgres_user();
            std::os::unix::fs::chown(dir.path(), Some(uid), Some(gid)).expect("the directory is handed over");
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("an address")
            .port();
        let data = dir.path().join("data");
        let mut initdb = tool("initdb");
        initdb.arg("-D").arg(&data).args([
            "-N",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]);
        assert!(initdb.status().expect("initdb runs").success(), "initdb failed");
        let mut server = tool("postgres");
        server
            .arg("-D")
            .arg(&data)
            .arg("-p")
            .arg(port.to_string())
            .arg("-k")
            .arg(dir.path());
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "shared_buffers=32MB",
            "max_connections=50",
        ] {
            server.args(["-c", setting]);
        }
        let server = server.spawn().expect("postgres starts");
        let started = Self { dir, port, server };
        started.wait_until_ready();
        started
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// `pg_isready` has no way to wait, `pg_ctl -w` has; the server writes its status line last.
    fn wait_until_ready(&self) {
        let status = || {
            let port = self.port.to_string();
            tool("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status()
                .expect("pg_isready runs")
                .success()
        };
        for _ in 0..2_000 {
            if status() {
                return;
            }
        }
        panic!("postgres in {} does not answer", self.dir.path().display());
    }
}

impl Drop for TemporaryPostgres {
    fn drop(&mut self) {
        let id = i32::try_from(self.server.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            // a fast shutdown; when the process is gone already there is nothing to stop
            let _ = rustix::process::kill_process(id, rustix::process::Signal::INT);
        }
        drop(self.server.wait());
    }
}

fn tool(name: &str) -> Command {
    let mut command = Command::new(bin_dir().join(name));
    if rustix::process::getuid().is_root() {
        let (uid, gid) = postgres_user();
        command.uid(uid).gid(gid);
    }
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/");
    command
}

fn bin_dir() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| {
            versions
                .filter_map(|version| Some(version.ok()?.path().join("bin")))
                .collect()
        })
        .unwrap_or_default();
    found.sort();
    found
        .pop()
        .unwrap_or_else(|| Path::new("/usr/local/bin").to_owned())
}

fn postgres_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").expect("the list of users");
    let user = users
        .lines()
        .find(|line| line.starts_with("postgres:"))
        .expect("a user `postgres`");
    let mut numbers = user
        .split(':')
        .skip(2)
        .map(|number| number.parse().expect("a number"));
    (numbers.next().expect("an id"), numbers.next().expect("a group"))
}
