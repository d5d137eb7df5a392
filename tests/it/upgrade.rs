//! Two versions at once: the servers of one run on while the next one has changed the schema already.

use runnel_tests::stack::Stack;
use runnel_tests::{databases, process, programs};
use serde_json::json;

const NEWER: &str =
    "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_of_the_next_version', 0)";
const SAME: &str = "DELETE FROM seaql_migrations WHERE version = 'm29990101_000001_of_the_next_version'";

runnel_tests::on_stack!(
    sqlite,
    SqliteEmbedded,
    a_server_is_ready_and_works_under_the_schema_of_its_successor
);
runnel_tests::on_stack!(
    postgres,
    PostgresEmbedded,
    a_server_is_ready_and_works_under_the_schema_of_its_successor
);

async fn a_server_is_ready_and_works_under_the_schema_of_its_successor(stack: Stack) -> anyhow::Result<()> {
    let database = stack.database().await?;
    let directory = tempfile::tempdir()?;
    let data = directory.path().display().to_string();
    let arguments = [
        "dev",
        "--listen",
        "127.0.0.1:0",
        "--database-url",
        &database.url,
        "--data-dir",
        &data,
    ];
    let command = || anyhow::Ok(process::command(&programs::runnel()?, &arguments));
    let mut old = process::Process::start("the old version", command()?)?;
    let client = old.client().await?;

    databases::execute(&database.url, NEWER).await?;
    let ready = client.http.get(client.at("/readyz")).send().await?;
    assert_eq!(ready.status(), 200, "{}", ready.text().await?);
    let tasks = json!({ "a": { "run": "echo a" }, "b": { "needs": ["a"], "run": "echo b" } });
    let key = client
        .publish(&json!({ "version": 1, "id": "meanwhile", "tasks": tasks }).to_string())
        .await?;
    let run = client.start(json!({ "workflow": key })).await?;
    let ended = client.until_ended(&run).await?;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}");
    assert!(old.terminate().await?.success(), "{}", old.output());

    // what starts now is too old, and says so
    let refused = process::finish(command()?).await?;
    assert_eq!(refused.status.code(), Some(6), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("upgrade this program"),
        "{}",
        refused.stderr
    );
    databases::execute(&database.url, SAME).await
}
