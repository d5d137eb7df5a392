//! Suites that somebody else wrote, against a real server: they know nothing of this repository's opinions.

use std::path::Path;

use runnel_tests::process::{self, Process};
use runnel_tests::programs;
use runnel_tests::stack::play;

/// Runs a command of `tests/external` with the address of a fresh server as its last argument.
fn suite(program: &str, arguments: &[&str], variables: &[(&str, String)]) {
    play(async {
        let directory = programs::workspace().join("tests/external");
        anyhow::ensure!(
            directory.join("node_modules").exists(),
            "the suites of tests/external are not installed: run `make test`, or scripts/setup-tests.sh"
        );
        let data = tempfile::tempdir()?;
        let mut command = process::command(
            &programs::runnel()?,
            &["dev", "--listen", "127.0.0.1:0", "--data-dir"],
        );
        command.arg(data.path());
        let mut server = Process::start("runnel dev", command)?;
        let base = server.client().await?.base;

        let mut command = process::command(Path::new(program), arguments);
        command
            .arg(&base)
            .current_dir(&directory)
            .envs(variables.iter().cloned());
        let ended = process::finish(command).await?;
        anyhow::ensure!(
            ended.status.success(),
            "{program} {arguments:?}: {}\n{}{}",
            ended.status,
            ended.stdout,
            ended.stderr
        );
        // a suite that breaks the server did not pass
        let status = server.terminate().await?;
        anyhow::ensure!(
            status.success(),
            "the server ended with {status}:\n{}",
            server.output()
        );
        Ok(())
    });
}

#[test]
fn graphql_over_http_audits_pass() {
    suite("node", &["audit.mjs"], &[]);
}

#[test]
fn websocket_clients_connect_and_resume() {
    suite("node", &["ws.mjs"], &[]);
}

#[test]
fn sse_clients_connect_and_resume() {
    suite("node", &["sse.mjs"], &[]);
}

#[test]
fn graphiql_works_offline() {
    suite("node", &["graphiql.mjs"], &[]);
}

#[test]
fn the_dashboard_does_what_a_person_asks_of_it() {
    suite("node", &["dashboard.mjs"], &[]);
}

#[test]
fn schemathesis_finds_no_server_error() {
    let venv = programs::workspace().join(".tools/venv");
    assert!(
        venv.join("bin/st").exists(),
        "schemathesis is not installed: run `make test`, which installs it, or scripts/setup-tests.sh"
    );
    let variables = [
        ("SCHEMATHESIS_VENV", venv.display().to_string()),
        // enough to try every operation
        ("SCHEMATHESIS_SECONDS", "30".to_owned()),
    ];
    suite("sh", &["schemathesis.sh"], &variables);
}
