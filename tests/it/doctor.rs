//! `runnel doctor` against real databases and queues with settings that are wrong.

use std::path::Path;

use aws::{Attributes, create_queue};
use runnel_tests::process::{self, Ended};
use runnel_tests::stack::{Stack, unique};
use runnel_tests::{programs, services};
use serde_json::Value;

async fn doctor(arguments: &[&str]) -> anyhow::Result<(Ended, Value)> {
    let mut all = vec!["doctor", "-o", "json"];
    all.extend(arguments);
    let ended = process::finish(process::command(&programs::runnel()?, &all)).await?;
    let found = serde_json::from_str(&ended.stdout)
        .map_err(|error| anyhow::anyhow!("{error}: {}{}", ended.stdout, ended.stderr))?;
    Ok((ended, found))
}

/// The worst level of a check; every finding that is not fine says what to do.
fn level<'f>(found: &'f Value, check: &str) -> Option<&'f str> {
    let findings = found["findings"].as_array()?;
    for finding in findings {
        let advice = finding["advice"].as_str().unwrap_or_default();
        assert!(finding["level"] == "OK" || !advice.is_empty(), "{finding}");
    }
    let of: Vec<&str> = findings
        .iter()
        .filter(|finding| finding["check"] == check)
        .filter_map(|finding| finding["level"].as_str())
        .collect();
    ["FAIL", "WARN", "OK"]
        .into_iter()
        .find(|level| of.contains(level))
}

async fn migrated(url: &str) -> anyhow::Result<()> {
    let command = process::command(&programs::runnel()?, &["migrate", "--database-url", url]);
    let ended = process::finish(command).await?;
    anyhow::ensure!(ended.status.success(), "{}", ended.stderr);
    Ok(())
}

fn sqlite(file: &Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}

#[tokio::test]
async fn a_healthy_single_machine_has_nothing_broken_and_is_left_alone() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let url = sqlite(&directory.path().join("runnel.db"));
    migrated(&url).await?;
    let data = directory.path().join("data");
    let data = data.display().to_string();
    let arguments = ["--database-url", &url, "--queue", "embedded", "--data-dir", &data];
    let (ended, found) = doctor(&arguments).await?;
    assert_eq!(ended.status.code(), Some(0), "{found:#}");
    assert_eq!(found["isHealthy"], true);
    for check in ["database", "migrations", "durability"] {
        assert_eq!(level(&found, check), Some("OK"), "{check} {found:#}");
    }
    assert!(!Path::new(&data).exists(), "it makes no keys");
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_missing_old_or_newer_is_broken() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let missing = directory.path().join("missing.db");
    let (ended, found) = doctor(&["--database-url", &sqlite(&missing), "--queue", "embedded"]).await?;
    assert_eq!(
        (ended.status.code(), level(&found, "database")),
        (Some(1), Some("FAIL")),
        "{found:#}"
    );
    assert!(!missing.exists(), "it makes no file");

    let empty = directory.path().join("empty.db");
    std::fs::write(&empty, "")?;
    let (ended, found) = doctor(&["--database-url", &sqlite(&empty), "--queue", "embedded"]).await?;
    assert_eq!(
        (ended.status.code(), level(&found, "migrations")),
        (Some(1), Some("FAIL")),
        "{found:#}"
    );

    let database = Stack::PostgresEmbedded.database().await?;
    migrated(&database.url).await?;
    let arguments = ["--database-url", &database.url, "--queue", "embedded"];
    let (_, found) = doctor(&arguments).await?;
    assert_eq!(level(&found, "migrations"), Some("OK"), "{found:#}");
    assert_eq!(level(&found, "clock"), Some("OK"), "{found:#}");
    // the cluster of the tests gives durability up, which is said
    assert_eq!(level(&found, "durability"), Some("WARN"), "{found:#}");
    runnel_tests::sql::execute(
        &database.url,
        "INSERT INTO seaql_migrations(version, applied_at) VALUES ('m29990101_000001_future', 0)",
    )
    .await?;
    let (ended, found) = doctor(&arguments).await?;
    assert_eq!(
        (ended.status.code(), level(&found, "migrations")),
        (Some(1), Some("FAIL")),
        "{found:#}"
    );
    Ok(())
}

#[tokio::test]
async fn queues_are_looked_at_as_those_who_receive_from_them_need_them() -> anyhow::Result<()> {
    let endpoint = services::sqs_endpoint()?;
    let prefix = unique("doctor-");
    let directory = tempfile::tempdir()?;
    let data = directory.path().display().to_string();
    let base = [
        "--sqs-endpoint",
        &endpoint,
        "--queue-prefix",
        &prefix,
        "--data-dir",
        &data,
    ];
    let with = |more: &[&'static str]| [&base[..], more].concat();

    let (ended, found) = doctor(&with(&[])).await?;
    assert_eq!(
        (ended.status.code(), level(&found, "queues")),
        (Some(1), Some("FAIL")),
        "{found:#}"
    );

    let dead = create_queue(&endpoint, &format!("{prefix}default-dlq"), &Attributes::default()).await?;
    let policy = |count: u32| Attributes {
        visibility: Some(60),
        redrive: Some((dead.clone(), count)),
    };
    create_queue(
        &endpoint,
        &format!("{prefix}default"),
        &Attributes {
            visibility: Some(60),
            redrive: None,
        },
    )
    .await?;
    create_queue(&endpoint, &format!("{prefix}few"), &policy(3)).await?;
    create_queue(&endpoint, &format!("{prefix}completions"), &policy(50)).await?;
    let (_, found) = doctor(&with(&[])).await?;
    assert_eq!(level(&found, "queues"), Some("OK"), "{found:#}");
    assert_eq!(
        level(&found, "dead letters"),
        Some("FAIL"),
        "no redrive policy {found:#}"
    );
    let (_, found) = doctor(&with(&["--queue-names", "few"])).await?;
    assert_eq!(
        level(&found, "dead letters"),
        Some("FAIL"),
        "a dead-letter queue that nobody reads {found:#}"
    );

    for (timeout, expected) in [("120s", "FAIL"), ("30s", "WARN"), ("10s", "OK")] {
        let arguments = with(&["--function-timeout", timeout]);
        let (_, found) = doctor(&arguments).await?;
        assert_eq!(level(&found, "visibility"), Some(expected), "{timeout} {found:#}");
    }
    Ok(())
}

#[tokio::test]
async fn a_payload_store_and_a_server_are_tried() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let place = directory.path().join("payloads");
    std::fs::create_dir(&place)?;
    let place = place.display().to_string();
    let (_, found) = doctor(&["--queue", "embedded", "--payloads", &place]).await?;
    assert_eq!(level(&found, "payloads"), Some("OK"), "{found:#}");
    let left: usize = walk(Path::new(&place));
    assert_eq!(left, 0, "the probe is gone");
    let nobody = format!("http://127.0.0.1:{}", services::free_port()?);
    let (ended, found) = doctor(&["--queue", "embedded", "--server", &nobody]).await?;
    assert_eq!(
        (ended.status.code(), level(&found, "server")),
        (Some(1), Some("FAIL")),
        "{found:#}"
    );
    Ok(())
}

/// Files below a directory.
fn walk(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            if entry.path().is_dir() {
                walk(&entry.path())
            } else {
                1
            }
        })
        .sum()
}

/// The few calls of SQS that set up a queue as somebody else would.
mod aws {
    use serde_json::{Value, json};

    #[derive(Default)]
    pub struct Attributes {
        pub visibility: Option<u32>,
        /// Name of the dead-letter queue's resource, and after how many receives.
        pub redrive: Option<(String, u32)>,
    }

    async fn call(endpoint: &str, action: &str, body: Value) -> anyhow::Result<Value> {
        let answer = reqwest::Client::new()
            .post(endpoint)
            .header("x-amz-target", format!("AmazonSQS.{action}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
            .body(body.to_string())
            .send()
            .await?;
        let (status, text) = (answer.status(), answer.text().await?);
        anyhow::ensure!(status.is_success(), "{action}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Answers the name of its resource.
    pub async fn create_queue(endpoint: &str, name: &str, attributes: &Attributes) -> anyhow::Result<String> {
        let mut set = serde_json::Map::new();
        if let Some(visibility) = attributes.visibility {
            set.insert("VisibilityTimeout".to_owned(), visibility.to_string().into());
        }
        if let Some((dead, count)) = &attributes.redrive {
            let policy = json!({ "deadLetterTargetArn": dead, "maxReceiveCount": count });
            set.insert("RedrivePolicy".to_owned(), policy.to_string().into());
        }
        let made = call(
            endpoint,
            "CreateQueue",
            json!({ "QueueName": name, "Attributes": set }),
        )
        .await?;
        let about = json!({ "QueueUrl": made["QueueUrl"], "AttributeNames": ["QueueArn"] });
        let attributes = call(endpoint, "GetQueueAttributes", about).await?;
        let arn = attributes["Attributes"]["QueueArn"].as_str();
        arn.map(str::to_owned)
            .ok_or_else(|| anyhow::anyhow!("{attributes}"))
    }
}
