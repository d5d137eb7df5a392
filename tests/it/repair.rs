//! `runnel verify --repair`: what follows from other rows is mended, nothing else is touched, and the run goes on.

use runnel_tests::fleet::{Fault, Fleet};
use runnel_tests::origin::Origin;
use runnel_tests::stack::Stack;
use runnel_tests::{process, programs, sql};
use serde_json::{Value, json};

runnel_tests::on_stack!(
    sqlite_embedded,
    SqliteEmbedded,
    what_was_broken_by_hand_is_mended_and_the_run_ends
);
runnel_tests::on_stack!(
    postgres_embedded,
    PostgresEmbedded,
    what_was_broken_by_hand_is_mended_and_the_run_ends
);

async fn verify(url: &str, arguments: &[&str]) -> anyhow::Result<(Option<i32>, Value)> {
    let mut all = vec!["verify", "-o", "json", "--database-url", url];
    all.extend(arguments);
    let ended = process::finish(process::command(&programs::runnel()?, &all)).await?;
    let report = serde_json::from_str(&ended.stdout)
        .map_err(|error| anyhow::anyhow!("{error}: {}{}", ended.stdout, ended.stderr))?;
    Ok((ended.status.code(), report))
}

fn rules<'v>(report: &'v Value, list: &str) -> Vec<&'v str> {
    let of = report[list].as_array().into_iter().flatten();
    let mut rules: Vec<&str> = of.filter_map(|entry| entry["rule"].as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

async fn what_was_broken_by_hand_is_mended_and_the_run_ends(stack: Stack) -> anyhow::Result<()> {
    let origin = Origin::start().await?;
    let mut fleet = Fleet::start(stack, &Fault::None).await?;
    let definition = json!({
        "version": 1, "id": "held",
        "tasks": {
            "held": { "type": "http", "input": { "url": format!("{}/gate/held", origin.url()) } },
            "after": { "needs": ["held"], "run": "true" },
        },
    });
    let workflow = fleet.client.publish(&definition.to_string()).await?;
    let run = fleet.client.start(json!({ "workflow": workflow })).await?;
    origin.until_hit("held", 1).await?;
    fleet.server.kill().await?;
    let url = fleet.database_url().to_owned();
    assert_eq!(verify(&url, &[]).await?.0, Some(0));

    sql::execute(
        &url,
        "UPDATE run SET counts = '{\"succeeded\":7}', wake_at = NULL",
    )
    .await?;
    sql::execute(
        &url,
        "INSERT INTO outbox(run_id, ix, attempt, queue, kind, priority, created_at, leased_until, namespace, rank) \
         SELECT id, 1, 9, 'default', 'shell', 50, 0, 0, 'default', 0 FROM run",
    )
    .await?;
    let (code, found) = verify(&url, &[]).await?;
    assert_eq!(code, Some(1));
    let broken = rules(&found, "problems");
    for rule in ["alarm", "counts", "outbox"] {
        assert!(broken.contains(&rule), "{rule} {found:#}");
    }

    let (code, mended) = verify(&url, &["--repair"]).await?;
    assert_eq!(code, Some(0), "{mended:#}");
    assert_eq!(
        rules(&mended, "repairs"),
        ["alarm", "counts", "outbox"],
        "{mended:#}"
    );
    let (code, again) = verify(&url, &["--repair"]).await?;
    assert_eq!(
        (code, rules(&again, "repairs").len()),
        (Some(0), 0),
        "a second time there is nothing to do"
    );

    origin.open_gate();
    fleet.restart_server().await?;
    assert_eq!(fleet.ended(&run).await?["status"], "SUCCEEDED");

    // a status cannot be made up: it is told, and left
    sql::execute(&url, "UPDATE task SET status = 11 WHERE ix = 1").await?;
    let (code, left) = verify(&url, &["--repair"]).await?;
    assert_eq!(code, Some(1), "{left:#}");
    assert!(rules(&left, "problems").contains(&"replay"), "{left:#}");
    sql::execute(&url, "UPDATE task SET status = 10 WHERE ix = 1").await?;
    assert_eq!(verify(&url, &["--repair"]).await?.0, Some(0));
    fleet.finish().await
}
