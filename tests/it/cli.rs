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

/// What a command printed with `-o json`.
fn printed(ended: &Ended) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&ended.stdout)?)
}

#[test]
fn a_breaker_that_opened_is_listed_and_closed_by_hand() {
    play(async {
        let desk = Desk::with_server().await?;
        let listed = desk.expect(0, &["circuit", "list", "-o", "json"]).await?;
        assert_eq!(printed(&listed)?, serde_json::json!([]));
        let file = desk.file(
            "paying.yaml",
            "id: paying\ntasks:\n  charge: { circuit: { key: payments, failures: 1, window: 1m, cooldown: 1h }, retry: 0, run: 'exit 1' }\n",
        )?;
        desk.expect(1, &["run", &file, "--watch"]).await?;
        let listed = printed(&desk.expect(0, &["circuit", "list", "-o", "json"]).await?)?;
        assert_eq!(
            (&listed[0]["key"], &listed[0]["state"]),
            (&"payments".into(), &"OPEN".into())
        );
        assert!(listed[0]["probeAt"].is_string(), "{listed:#}");
        let table = desk.expect(0, &["circuit", "list"]).await?.stdout;
        assert!(table.contains("payments") && table.contains("OPEN"), "{table}");

        let reset = desk
            .expect(0, &["circuit", "reset", "payments", "-o", "json"])
            .await?;
        let reset = printed(&reset)?;
        assert_eq!(
            (&reset["state"], &reset["failures"]),
            (&"CLOSED".into(), &0.into())
        );
        let absent = desk.expect(2, &["circuit", "reset", "absent"]).await?;
        assert!(absent.stderr.contains("absent"), "{}", absent.stderr);
        desk.close().await
    });
}

#[test]
fn a_webhook_is_made_rotated_paused_and_deleted() {
    play(async {
        let desk = Desk::with_server().await?;
        let good = desk.file("good.yaml", GOOD)?;
        desk.expect(4, &["webhook", "create", "push", "good"]).await?;
        desk.expect(0, &["publish", &good]).await?;
        let create = [
            "webhook",
            "create",
            "push",
            "good",
            "-i",
            "who=${{ event.data.who }}",
            "-o",
            "json",
        ];
        let made = printed(&desk.expect(0, &create).await?)?;
        assert_eq!(made["trigger"]["key"], "push", "{made:#}");
        assert!(made["secret"].is_string(), "{made:#}");
        let again = printed(&desk.expect(0, &create).await?)?;
        assert_eq!(again["secret"], Value::Null, "a secret is shown once");

        let rotated = printed(
            &desk
                .expect(0, &["webhook", "rotate", "push", "-o", "json"])
                .await?,
        )?;
        assert!(rotated["secret"].is_string(), "{rotated:#}");
        assert_ne!(rotated["secret"], made["secret"]);
        let pause = ["webhook", "pause", "push", "--reason", "noise", "-o", "json"];
        assert_eq!(printed(&desk.expect(0, &pause).await?)?["isPaused"], true);
        let resume = ["webhook", "resume", "push", "-o", "json"];
        assert_eq!(printed(&desk.expect(0, &resume).await?)?["isPaused"], false);
        let list = ["webhook", "list", "--workflow", "good", "-o", "json"];
        let listed = printed(&desk.expect(0, &list).await?)?;
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed:#}");
        let id = listed[0]["id"].as_str().unwrap_or_default().to_owned();
        desk.expect(0, &["webhook", "delete", &id]).await?;
        assert_eq!(printed(&desk.expect(0, &list).await?)?, serde_json::json!([]));
        desk.expect(4, &["webhook", "pause", "push"]).await?;
        desk.close().await
    });
}

#[test]
fn all_failed_runs_are_run_again_when_that_is_confirmed() {
    play(async {
        let desk = Desk::with_server().await?;
        let repaired = desk.directory.path().join("repaired");
        let text = format!(
            "id: broken\ntasks: {{ look: {{ retry: 0, run: 'test -e {}' }} }}\n",
            repaired.display()
        );
        let broken = desk.file("broken.yaml", &text)?;
        for _ in 0..2 {
            desk.expect(1, &["run", &broken, "--watch"]).await?;
        }
        let good = desk.file("good.yaml", GOOD)?;
        desk.expect(0, &["run", &good, "--watch"]).await?;
        let counted = desk
            .expect(0, &["rerun", "--all", "--dry-run", "-o", "json"])
            .await?;
        assert_eq!(printed(&counted)?["value"], 2, "what succeeded is not meant");
        let asked = desk.expect(2, &["rerun", "--all"]).await?;
        assert!(
            asked.stderr.contains("2 runs match") && asked.stderr.contains("--yes"),
            "{}",
            asked.stderr
        );
        std::fs::write(&repaired, "")?;
        let done = desk.expect(0, &["rerun", "--all", "--yes", "-o", "json"]).await?;
        let done = printed(&done)?;
        assert_eq!(
            (&done["done"], &done["failed"]),
            (&2.into(), &0.into()),
            "{done:#}"
        );
        let listed = printed(
            &desk
                .expect(0, &["runs", "--workflow", "broken", "-o", "json"])
                .await?,
        )?;
        let runs = listed.as_array().cloned().unwrap_or_default();
        assert_eq!(runs.len(), 2, "they go on in the same runs");
        let Some((server, _)) = &desk.server else {
            anyhow::bail!("no server");
        };
        let client = server.client().await?;
        for run in runs {
            let ended = client.until_ended(run["id"].as_str().unwrap_or_default()).await?;
            assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}");
        }
        desk.close().await
    });
}

#[test]
fn the_runs_below_a_run_are_listed() {
    play(async {
        let desk = Desk::with_server().await?;
        let below = desk.file("below.yaml", "id: below\ntasks: { only: { type: pass } }\n")?;
        let above = desk.file(
            "above.yaml",
            "id: above\ntasks:\n  one: { type: workflow, input: { workflow: below } }\n  two: { type: workflow, input: { workflow: below } }\n",
        )?;
        desk.expect(0, &["publish", &below]).await?;
        desk.expect(0, &["run", &below, "--watch"]).await?;
        desk.expect(0, &["run", &above, "--watch"]).await?;
        let listed = printed(
            &desk
                .expect(0, &["runs", "--workflow", "above", "-o", "json"])
                .await?,
        )?;
        let parent = listed[0]["id"].as_str().unwrap_or_default().to_owned();
        let found = printed(
            &desk
                .expect(0, &["runs", "--parent", &parent, "-o", "json"])
                .await?,
        )?;
        let found = found.as_array().cloned().unwrap_or_default();
        assert_eq!(
            found.len(),
            2,
            "the one that was started by hand is not below it: {found:#?}"
        );
        assert!(
            found.iter().all(|run| run["workflow"]["key"] == "below"),
            "{found:#?}"
        );
        let child = found[0]["id"].as_str().unwrap_or_default().to_owned();
        let none = desk
            .expect(0, &["runs", "--parent", &child, "-o", "json"])
            .await?;
        assert_eq!(printed(&none)?, serde_json::json!([]));
        desk.close().await
    });
}
