//! What services show of themselves: metrics with bounded labels, lines of the log with ids, what attempts took.

use std::collections::BTreeSet;

use runnel_tests::cluster::PATIENCE;
use runnel_tests::fleet::{Fault, Fleet};
use runnel_tests::process;
use runnel_tests::programs;
use runnel_tests::services;
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_stack!(
    postgres_sqs,
    PostgresSqs,
    the_page_of_metrics_tells_of_runs_queues_and_dispatch,
    every_line_of_an_attempt_has_its_ids
);
runnel_tests::on_stack!(
    sqlite_embedded,
    SqliteEmbedded,
    the_page_of_metrics_tells_of_runs_queues_and_dispatch,
    many_workflows_do_not_make_many_series,
    an_attempt_shows_what_it_took
);

async fn page(base: &str) -> anyhow::Result<String> {
    Ok(reqwest::get(format!("{base}/metrics")).await?.text().await?)
}

/// The page once the relay has deleted the last row of its messages, which it does a moment after they were sent.
async fn page_of_nothing_waiting(base: &str) -> anyhow::Result<String> {
    let empty = async {
        loop {
            let page = page(base).await?;
            if value(&page, "runnel_outbox_rows") == Some(0.0) {
                return anyhow::Ok(page);
            }
        }
    };
    tokio::time::timeout(PATIENCE, empty).await?
}

/// The value of the first series that begins so.
fn value(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find(|line| line.starts_with(series))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

async fn run_once(fleet: &Fleet, definition: &Value) -> anyhow::Result<String> {
    let workflow = fleet.client.publish(&definition.to_string()).await?;
    let run = fleet.client.start(json!({ "workflow": workflow })).await?;
    let ended = fleet.ended(&run).await?;
    anyhow::ensure!(ended["status"] == "SUCCEEDED", "{ended:#}\n{}", fleet.output());
    Ok(run)
}

async fn the_page_of_metrics_tells_of_runs_queues_and_dispatch(stack: Stack) -> anyhow::Result<()> {
    let watched = vec![("RUNNEL_METRICS_WORKFLOWS".to_owned(), "seen".to_owned())];
    let mut fleet = Fleet::start_in(stack, &Fault::None, watched).await?;
    fleet.add_worker(&Fault::None)?;
    let tasks = json!({ "a": { "run": "true" }, "b": { "needs": ["a"], "run": "true" } });
    run_once(&fleet, &json!({ "version": 1, "id": "seen", "tasks": tasks })).await?;
    run_once(&fleet, &json!({ "version": 1, "id": "unseen", "tasks": tasks })).await?;
    let page = page_of_nothing_waiting(&fleet.client.base).await?;
    for (series, expected) in [
        (
            "runnel_runs_ended_total{workflow=\"seen\",status=\"succeeded\"}",
            1.0,
        ),
        (
            "runnel_runs_ended_total{workflow=\"other\",status=\"succeeded\"}",
            1.0,
        ),
        (
            "runnel_tasks_ended_total{type=\"shell\",status=\"succeeded\"}",
            4.0,
        ),
        ("runnel_relay_sent_total", 4.0),
        ("runnel_runs{status=\"running\"}", 0.0),
        ("runnel_outbox_rows", 0.0),
        ("runnel_dead_letters_open", 0.0),
    ] {
        assert_eq!(value(&page, series), Some(expected), "{series}\n{page}");
    }
    for histogram in [
        "runnel_apply_seconds",
        "runnel_report_seconds",
        "runnel_dispatch_seconds",
    ] {
        assert!(
            value(&page, &format!("{histogram}_count")) > Some(0.0),
            "{histogram}\n{page}"
        );
    }
    if stack == Stack::PostgresSqs {
        assert!(
            value(&page, "runnel_workers{queue=\"default\"}") == Some(1.0),
            "{page}"
        );
        assert!(
            value(
                &page,
                "runnel_queue_messages{queue=\"default\",state=\"visible\"}"
            )
            .is_some(),
            "{page}"
        );
        assert!(
            value(&page, "runnel_database_connections{state=\"idle\"}").is_some(),
            "{page}"
        );
    }
    // what is on the page is in the docs, and what is described is on the page of the docs
    let docs = runnel_tests::cluster::repository_file("docs/metrics.md")?;
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap_or_default();
        assert!(
            docs.contains(&format!("`{name}`")),
            "{name} is not in docs/metrics.md"
        );
    }
    fleet.finish().await
}

async fn many_workflows_do_not_make_many_series(stack: Stack) -> anyhow::Result<()> {
    let fleet = Fleet::start(stack, &Fault::None).await?;
    for n in 0..40 {
        let definition = json!({ "version": 1, "id": format!("w{n}"), "tasks": { "a": { "type": "pass" } } });
        run_once(&fleet, &definition).await?;
    }
    let page = page(&fleet.client.base).await?;
    let workflows: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.split_once("workflow=\"")?.1.split('"').next())
        .collect();
    assert_eq!(workflows, BTreeSet::from(["other"]), "{page}");
    assert_eq!(
        value(
            &page,
            "runnel_runs_ended_total{workflow=\"other\",status=\"succeeded\"}"
        ),
        Some(40.0)
    );
    fleet.finish().await
}

/// A handler that nobody has, and a command that fails: the worker writes lines about the second.
async fn every_line_of_an_attempt_has_its_ids(stack: Stack) -> anyhow::Result<()> {
    let environment = vec![
        ("RUNNEL_LOG".to_owned(), "info,runnel_worker=debug".to_owned()),
        ("RUNNEL_LOG_FORMAT".to_owned(), "json".to_owned()),
        ("RUNNEL_METRICS_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
    ];
    let mut fleet = Fleet::start_in(stack, &Fault::None, environment).await?;
    fleet.add_worker(&Fault::None)?;
    let tasks = json!({ "noisy": { "run": "echo hello" } });
    let run = run_once(&fleet, &json!({ "version": 1, "id": "noisy", "tasks": tasks })).await?;
    let uuid = run.trim_start_matches("run_").to_owned();
    let line = fleet.workers[0]
        .line("a line of the attempt", |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["task"] == "noisy").then_some(line)
        })
        .await?;
    assert_eq!(
        line["run"].as_str().map(|run| run.replace('-', "")),
        Some(uuid),
        "{line}"
    );
    assert_eq!(line["attempt"], 1, "{line}");

    let address = fleet.workers[0]
        .line("the address of its metrics", |line| {
            let address = line.strip_prefix("metrics   ")?.strip_suffix("/metrics")?;
            Some(address.to_owned())
        })
        .await?;
    let page = page(&address).await?;
    let series = "runnel_worker_attempts_total{type=\"shell\",result=\"succeeded\"}";
    assert_eq!(value(&page, series), Some(1.0), "{page}");
    assert_eq!(value(&page, "runnel_worker_slots"), Some(16.0), "{page}");
    assert_eq!(value(&page, "runnel_worker_in_flight"), Some(0.0), "{page}");
    let docs = runnel_tests::cluster::repository_file("docs/metrics.md")?;
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap_or_default();
        assert!(
            docs.contains(&format!("`{name}`")),
            "{name} is not in docs/metrics.md"
        );
    }
    fleet.finish().await
}

async fn an_attempt_shows_what_it_took(stack: Stack) -> anyhow::Result<()> {
    let fleet = Fleet::start(stack, &Fault::None).await?;
    // busy for long enough to be looked at
    let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo '{\"n\":1}'";
    let definition = json!({ "version": 1, "id": "busy", "tasks": { "work": { "run": script } } });
    let run = run_once(&fleet, &definition).await?;
    let query = "query($run: ID!) { run(id: $run) { tasks { nodes { attempts { usage { wallTime cpuTime memoryBytes inputBytes outputBytes } } } } } }";
    let data = fleet.client.data(query, json!({ "run": run })).await?;
    let usage = &data["run"]["tasks"]["nodes"][0]["attempts"][0]["usage"];
    assert!(
        usage["wallTime"].as_str().is_some_and(|time| time != "PT0S"),
        "{data:#}"
    );
    assert!(
        usage["cpuTime"].as_str().is_some_and(|time| time != "PT0S"),
        "{data:#}"
    );
    assert!(usage["memoryBytes"].as_f64() > Some(100_000.0), "{data:#}");
    assert!(
        usage["inputBytes"].as_f64() > Some(0.0) && usage["outputBytes"].as_f64() > Some(0.0),
        "{data:#}"
    );
    fleet.finish().await
}

#[tokio::test]
async fn a_variable_that_cannot_be_meant_stops_the_start_and_is_named() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let listen = format!("127.0.0.1:{}", services::free_port()?);
    let mut command = process::command(&programs::runnel()?, &["dev", "--listen", &listen, "--data-dir"]);
    command
        .arg(directory.path())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let ended = process::finish(command).await?;
    assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("OTEL_EXPORTER_OTLP_PROTOCOL"),
        "{}",
        ended.stderr
    );
    Ok(())
}
