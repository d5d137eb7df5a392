//! The command line as a person or a script meets it: exit codes, what goes to standard output, and what a watched run says.

use std::path::Path;

use runnel_tests::process::{self, Ended, Process};
use runnel_tests::programs;
use runnel_tests::stack::play;
use serde_json::Value;
use tempfile::TempDir;

struct Desk {
    directory: TempDir,
    server: Option<(Process, String)>,
}

impl Desk {
    fn empty() -> anyhow::Result<Self> {
        Ok(Self {
            directory: tempfile::tempdir()?,
            server: None,
        })
    }

    /// With a server that the commands talk to.
    async fn with_server() -> anyhow::Result<Self> {
        let mut desk = Self::empty()?;
        let mut command = process::command(
            &programs::runnel()?,
            &["dev", "--listen", "127.0.0.1:0", "--data-dir"],
        );
        command.arg(desk.directory.path().join("data"));
        let server = Process::start("runnel dev", command)?;
        let base = server.client().await?.base;
        desk.server = Some((server, base));
        Ok(desk)
    }

    fn file(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    async fn runnel(&self, arguments: &[&str]) -> anyhow::Result<Ended> {
        let mut command = process::command(&programs::runnel()?, arguments);
        command.current_dir::<&Path>(self.directory.path());
        if let Some((_, base)) = &self.server {
            command.env("RUNNEL_SERVER", base);
        }
        process::finish(command).await
    }

    async fn expect(&self, code: i32, arguments: &[&str]) -> anyhow::Result<Ended> {
        let ended = self.runnel(arguments).await?;
        assert_eq!(
            ended.status.code(),
            Some(code),
            "runnel {arguments:?}\n{}{}",
            ended.stdout,
            ended.stderr
        );
        Ok(ended)
    }

    async fn close(mut self) -> anyhow::Result<()> {
        if let Some((server, _)) = &mut self.server {
            assert!(server.terminate().await?.success(), "{}", server.output());
        }
        Ok(())
    }
}

const GOOD: &str = "id: good\ninputs: { who: { type: string, default: world } }\ntasks:\n  hello: { run: 'echo \"hello $WHO\"', env: { WHO: '${{ inputs.who }}' } }\n";

#[test]
fn validate_prints_every_problem_with_its_place() {
    play(async {
        let desk = Desk::empty()?;
        let good = desk.file("good.yaml", GOOD)?;
        let ended = desk.expect(0, &["validate", &good]).await?;
        assert_eq!(
            (ended.stdout.as_str(), ended.stderr.as_str()),
            ("", ""),
            "silent when all is well"
        );

        let bad = desk.file("bad.yaml", "id: bad\ntasks:\n  one: { run: 'true', needs: [tow] }\n  two: { run: 'true', nedes: [one] }\n  tri: { run: 'true', needs: [tri] }\n")?;
        let ended = desk.expect(2, &["validate", &bad]).await?;
        for expected in ["tow", "two", "nedes", "needs", "tri", "bad.yaml:3"] {
            assert!(
                ended.stderr.contains(expected),
                "no `{expected}` in\n{}",
                ended.stderr
            );
        }
        let ended = desk.expect(2, &["validate", "--format", "json", &bad]).await?;
        let report: Value = serde_json::from_str(&ended.stdout)?;
        let found = report[0]["diagnostics"]
            .as_array()
            .map(Vec::len)
            .unwrap_or_default();
        assert!(found >= 3, "all problems in one pass: {report:#}");
        assert!(report[0]["diagnostics"][0]["span"]["line"].is_u64(), "{report:#}");

        desk.expect(2, &["validate", "absent.yaml"]).await?;
        desk.expect(2, &["validate"]).await?;
        desk.expect(2, &["nonsense"]).await?;
        desk.expect(0, &["--help"]).await?;
        desk.expect(0, &["version"]).await?;
        desk.close().await
    });
}

#[test]
fn convert_prints_v1_that_is_valid() {
    play(async {
        let desk = Desk::empty()?;
        let foreign = r#"{"id":"sample","name":"Demo","tasks":{"task_a":{"id":"task_a","name":"Task A","command":"echo A"}}}"#;
        let foreign = desk.file("foreign.json", foreign)?;
        let converted = desk.expect(0, &["convert", &foreign]).await?.stdout;
        let converted = desk.file("converted.yaml", &converted)?;
        desk.expect(0, &["validate", &converted]).await?;
        let again = desk.expect(0, &["convert", &converted]).await?;
        assert_eq!(
            again.stdout,
            std::fs::read_to_string(&converted)?,
            "v1 is printed as it is"
        );
        desk.close().await
    });
}

#[test]
fn a_watched_run_ends_with_the_code_of_its_outcome() {
    play(async {
        let desk = Desk::with_server().await?;
        let good = desk.file("good.yaml", GOOD)?;
        let ended = desk
            .expect(0, &["run", &good, "--watch", "-i", "who=you"])
            .await?;
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert!(all.contains("SUCCEEDED") && all.contains("hello"), "{all}");

        let failing = desk.file(
            "failing.yaml",
            "id: failing\ntasks: { boom: { run: 'echo why >&2; exit 3' } }\n",
        )?;
        let ended = desk.expect(1, &["run", &failing, "--watch"]).await?;
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert!(all.contains("FAILED") && all.contains("boom"), "{all}");

        desk.expect(2, &["run", &good, "-i", "unknown=1"]).await?;
        desk.expect(4, &["run", "absent-workflow"]).await?;
        desk.expect(0, &["publish", &good]).await?;
        desk.expect(0, &["run", "good", "--watch"]).await?;

        let listed = desk.expect(0, &["runs", "-o", "json"]).await?;
        let runs: Value = serde_json::from_str(&listed.stdout)?;
        let text = runs.to_string();
        assert!(text.contains("SUCCEEDED") && text.contains("FAILED"), "{runs:#}");
        desk.close().await
    });
}

#[test]
fn a_cancelled_run_and_what_is_not_there_have_their_codes() {
    play(async {
        let desk = Desk::with_server().await?;
        let waits = desk.file(
            "waits.yaml",
            "id: waits\ntasks: { nap: { type: wait, input: { for: 30d } } }\n",
        )?;
        let started = desk.expect(0, &["run", &waits, "--detach", "-o", "json"]).await?;
        let run = started
            .stdout
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
            .find(|word| word.starts_with("run_"))
            .map(str::to_owned);
        let run = run.ok_or_else(|| anyhow::anyhow!("no run in {}", started.stdout))?;
        desk.expect(0, &["show", &run]).await?;
        desk.expect(0, &["cancel", &run]).await?;
        let shown = desk.expect(0, &["show", &run, "-o", "json"]).await?;
        assert!(shown.stdout.contains("CANCELLED"), "{}", shown.stdout);
        desk.expect(6, &["pause", &run]).await?;
        desk.expect(4, &["show", "run_00000000-0000-7000-8000-000000000000"])
            .await?;
        desk.close().await
    });
}

#[test]
fn a_server_that_is_not_there_has_its_code() {
    play(async {
        let desk = Desk::empty()?;
        // a port that was free a moment ago
        let nobody = format!("http://127.0.0.1:{}", runnel_tests::services::free_port()?);
        let ended = desk.expect(3, &["runs", "--server", &nobody]).await?;
        assert!(ended.stderr.contains(&nobody), "{}", ended.stderr);
        desk.close().await
    });
}
