//! Every file of `examples/dialects` is published with plain HTTP, and runs to its end on real servers.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use runnel_engine::run::RunStatus;
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, repository_file};
use runnel_tests::origin::Origin;
use runnel_tests::process::{self, Process};
use runnel_tests::programs::{runnel, workspace};
use runnel_tests::scripted::EchoWorker;
use runnel_tests::stack::{Stack, play};
use serde_json::{Map, Value, json};

runnel_tests::on_each_stack!(a_custom_handler_runs_on_the_worker_that_has_it);

/// The server that the files name.
const NAMED_ORIGIN: &str = "http://127.0.0.1:8099";

/// A file, the inputs of its run, and what must be in the results: a pointer and a value each.
struct Sample {
    file: &'static str,
    inputs: Value,
    status: &'static str,
    results: Vec<(&'static str, Value)>,
}

fn sample(file: &'static str, results: Vec<(&'static str, Value)>) -> Sample {
    Sample {
        file,
        inputs: json!({}),
        status: "SUCCEEDED",
        results,
    }
}

fn actions() -> Vec<Sample> {
    vec![
        sample(
            "actions/pipeline.json",
            vec![
                ("/extract/output/status_code", json!(200)),
                ("/transform/output/rows", json!(3)),
                ("/load/output/stdout", json!("loaded\n")),
            ],
        ),
        sample(
            "actions/retry-and-sleep.yaml",
            vec![
                ("/fetch_data/output/body/path", json!("/data")),
                ("/fetch_data_2/output/stdout", json!("1\n")),
                ("/nap/status", json!("SUCCEEDED")),
                ("/second_nap/status", json!("SUCCEEDED")),
            ],
        ),
        sample(
            "actions/variables.json",
            vec![
                ("/fetch_user_data/output/body/path", json!("/users")),
                ("/announce/output/stdout", json!("users at users\n")),
            ],
        ),
        sample(
            "actions/map.json",
            vec![
                (
                    "/process_images/output/0/stdout",
                    json!("one at /1.png, number 0\n"),
                ),
                (
                    "/process_images/output/1/stdout",
                    json!("two at /2.png, number 1\n"),
                ),
                ("/greet/output/1/body/path", json!("/hello/bob")),
                ("/upload_summary/output/body/json/1/exit_code", json!(0)),
            ],
        ),
    ]
}

fn commands() -> Vec<Sample> {
    vec![
        sample(
            "commands/sample.yaml",
            vec![
                ("/task_a/output/stdout", json!("A\n")),
                ("/task_b/output", json!({ "message": "hello" })),
                ("/task_c/output/stdout", json!("C\n")),
                ("/task_d/output/stdout", json!("done\n")),
            ],
        ),
        sample(
            "commands/list.json",
            vec![
                ("/base_name/output", json!("report.csv")),
                ("/count/output", json!(2)),
                ("/end/output/stdout", json!("end\n")),
            ],
        ),
        sample(
            "commands/keys.yaml",
            vec![
                ("/first/output/stdout", json!("one\n")),
                ("/second/status", json!("SUCCEEDED")),
            ],
        ),
        sample(
            "commands/single.json",
            vec![("/task_a/output/stdout", json!("A\n"))],
        ),
    ]
}

fn nodes() -> Vec<Sample> {
    vec![
        sample(
            "nodes/enrich.json",
            vec![
                ("/is_yes/output/result", json!(true)),
                ("/end/output/body/path", json!("/users/7")),
                ("/end/output/same/path", json!("/users/7")),
            ],
        ),
        sample(
            "nodes/branching.yaml",
            vec![
                ("/is_large/output/result", json!(true)),
                ("/is_large_2/output/result", json!(false)),
                ("/large/output/body/path", json!("/large")),
                ("/small/status", json!("SKIPPED")),
                ("/truthy/status", json!("SKIPPED")),
                ("/never/status", json!("SKIPPED")),
                ("/joined/output/reached", json!(true)),
                ("/end/output/joined/reached", json!(true)),
            ],
        ),
        Sample {
            inputs: json!({ "name": "ann" }),
            ..sample(
                "nodes/templates.json",
                vec![
                    ("/parameters/output", json!({ "name": "ann" })),
                    ("/fetch_data/output/body/path", json!("/users")),
                    ("/fetch_data/output/body/json/count", json!(2)),
                    ("/fetch_data/output/body/json/params", json!("ann")),
                    ("/output/output/status", json!(200)),
                    ("/output/output/list", json!([1, 2])),
                    ("/output/output/second", json!(2)),
                ],
            )
        },
        sample(
            "nodes/llm.json",
            vec![
                (
                    "/ask/output/response",
                    json!("you said: Explain queues in one sentence."),
                ),
                ("/ask/output/tokens_used/total", json!(12)),
                (
                    "/output/output/answer",
                    json!("you said: Shorten: you said: Explain queues in one sentence."),
                ),
                ("/output/output/model", json!("configured")),
            ],
        ),
        Sample {
            status: "FAILED",
            ..sample(
                "nodes/failure.yaml",
                vec![
                    ("/broken/error/code", json!("SIMULATED")),
                    ("/broken/attempt", json!(2)),
                    ("/end/status", json!("SKIPPED")),
                ],
            )
        },
    ]
}

/// A file with the address of the origin in place of the one that it names.
fn source(file: &str, origin: &Origin) -> anyhow::Result<String> {
    let text = repository_file(Path::new("examples/dialects").join(file))?;
    Ok(text.replace(NAMED_ORIGIN, &origin.url()))
}

fn server(origin: &Origin, data: &Path) -> anyhow::Result<Process> {
    let mut command = process::command(&runnel()?, &["dev", "--listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(data).envs([
        ("RUNNEL_HTTP_ALLOW_PRIVATE", "1"),
        ("RUNNEL_LLM_MODEL", "configured"),
        ("RUNNEL_SECRET_API_TOKEN", "a token of the test"),
        ("RUNNEL_VAR_USERS_PATH", "users"),
    ]);
    command
        .env("RUNNEL_LLM_URL", format!("{}/v1", origin.url()))
        .env("RUNNEL_PYTHONPATH", workspace());
    Process::start("runnel dev", command)
}

async fn publish_and_run(client: &Client, sample: &Sample, source: String) -> anyhow::Result<()> {
    let answer = client.http.post(client.at("/dags")).body(source).send().await?;
    let (status, body) = (answer.status(), answer.json::<Value>().await?);
    anyhow::ensure!(status == 201, "published with {status}: {body:#}");
    let workflow = body["id"].as_str().context("the key of the workflow")?;

    let start = client.http.post(client.at(&format!("/dags/{workflow}/run")));
    let started: Value = start
        .json(&json!({ "inputs": sample.inputs }))
        .send()
        .await?
        .json()
        .await?;
    let run = started["run_id"]
        .as_str()
        .with_context(|| format!("no run: {started:#}"))?;
    client.until_ended(run).await?;

    let path = format!("/api/v1/runs/{run}/results");
    let results: Value = client.http.get(client.at(&path)).send().await?.json().await?;
    anyhow::ensure!(results["status"] == sample.status, "{results:#}");
    let tasks = &results["tasks"];
    for (pointer, expected) in &sample.results {
        anyhow::ensure!(
            tasks.pointer(pointer) == Some(expected),
            "{pointer} is not {expected}: {tasks:#}"
        );
    }
    Ok(())
}

#[test]
fn every_file_runs_to_its_end() {
    play(async {
        let origin = Origin::start().await?;
        let data = tempfile::tempdir()?;
        let mut server = server(&origin, data.path())?;
        let client = server.client().await?;
        for sample in [actions(), commands(), nodes()].iter().flatten() {
            publish_and_run(&client, sample, source(sample.file, &origin)?)
                .await
                .with_context(|| sample.file)?;
        }
        // `simulate_failure` calls nobody: the fetches of two other files are all there is
        assert_eq!(origin.hits("/data"), 2);
        assert_eq!((origin.hits("/large"), origin.hits("/small")), (1, 0));
        assert_eq!(origin.prompts()[0]["temperature"], 0.2);
        server.terminate().await?;
        Ok(())
    });
}

#[test]
fn no_file_is_left_out() {
    let root = workspace().join("examples/dialects");
    let mut found = BTreeSet::from(["nodes/custom.yaml".to_owned()]);
    found.extend(
        [actions(), commands(), nodes()]
            .iter()
            .flatten()
            .map(|sample| sample.file.to_owned()),
    );
    let mut files = BTreeSet::new();
    for dialect in ["actions", "commands", "nodes"] {
        for entry in std::fs::read_dir(root.join(dialect)).expect("a folder of examples") {
            let name = entry.expect("an entry").file_name();
            files.insert(format!("{dialect}/{}", name.to_string_lossy()));
        }
    }
    assert_eq!(files, found);
}

async fn a_custom_handler_runs_on_the_worker_that_has_it(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = EchoWorker::start(cluster.scripted("worker-1", &["resize_image"]).await?);
    let inputs = Map::from_iter([("file".to_owned(), json!("a.png"))]);
    let run = cluster
        .launch_source(&repository_file("examples/dialects/nodes/custom.yaml")?, inputs)
        .await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let seen = worker.stop().await?;
    assert_eq!(seen.len(), 1);
    let input: Value = serde_json::from_str(seen[0].input.get())?;
    assert_eq!(input, json!({ "width": 640, "file": "a.png" }));
    cluster.finish().await
}
