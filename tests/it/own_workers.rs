//! Workers that people write: the example in Rust as a container worker and as a function, and the one in Python, which knows only the
//! messages.

use runnel_tests::cluster::repository_file;
use runnel_tests::fleet::{Fault, Fleet};
use runnel_tests::function::{Deploy, Function};
use runnel_tests::process::{self, Process};
use runnel_tests::stack::{Stack, play, unique};
use runnel_tests::{programs, services};
use serde_json::{Value, json};

async fn run(fleet: &Fleet, source: &str) -> anyhow::Result<Value> {
    let key = fleet.client.publish(source).await?;
    let run = fleet.client.start(json!({ "workflow": key })).await?;
    fleet.ended(&run).await
}

fn task<'a>(ended: &'a Value, key: &str) -> &'a Value {
    let tasks = ended["tasks"]["nodes"].as_array();
    tasks
        .and_then(|tasks| tasks.iter().find(|task| task["key"] == key))
        .unwrap_or(&Value::Null)
}

async fn the_example_runs(fleet: &Fleet) -> anyhow::Result<()> {
    let ended = run(fleet, &repository_file("examples/worker/workflow.yaml")?).await?;
    anyhow::ensure!(ended["status"] == "SUCCEEDED", "{ended:#}\n{}", fleet.output());
    assert_eq!(ended["outputs"], json!({ "total": 42, "from": 500, "words": 3 }));
    assert_eq!(task(&ended, "price")["attempt"], 2);
    Ok(())
}

#[test]
fn the_example_is_a_container_worker() {
    play(async {
        let prefix = unique("container-");
        let mut fleet = Fleet::start_with(Stack::PostgresSqs, &Fault::None, &prefix, &[]).await?;
        let mut command = process::command(&programs::example_worker()?, &[]);
        command
            .env("RUNNEL_SQS_ENDPOINT", services::sqs_endpoint()?)
            .env("RUNNEL_QUEUE_PREFIX", &prefix);
        fleet.workers.push(Process::start("example-worker", command)?);
        the_example_runs(&fleet).await?;
        // an input of another shape says what is wrong with it, and is not tried again
        let bad = json!({ "version": 1, "id": "bad", "tasks": { "bad": { "type": "count_words", "input": { "text": 5 }, "retry": 3 } } });
        let ended = run(&fleet, &bad.to_string()).await?;
        let failed = task(&ended, "bad");
        assert_eq!(
            (&failed["attempt"], &failed["error"]["code"]),
            (&json!(1), &json!("INVALID_INPUT"))
        );
        // it drains and ends in order when it is told to
        fleet.finish().await
    });
}

#[test]
fn the_example_is_a_function() {
    play(async {
        let prefix = unique("own-");
        let program = programs::example_worker()?;
        let function = Function::deploy(&Deploy::new(&program, &prefix)).await?;
        let options = ["--functions", "default=count_words,price,import"];
        let fleet = Fleet::start_with(Stack::PostgresSqs, &Fault::None, &prefix, &options).await?;
        the_example_runs(&fleet).await?;
        function.until_queue_is_empty().await?;
        fleet.finish().await
    });
}

#[test]
fn a_worker_in_python_speaks_the_messages() {
    play(async {
        let prefix = unique("python-");
        let fleet = Fleet::start_with(
            Stack::PostgresSqs,
            &Fault::None,
            &prefix,
            &["--queue-names", "default"],
        )
        .await?;
        let script = programs::workspace().join("examples/python-worker/worker.py");
        let mut command = process::command(&programs::python(), &[]);
        command
            .arg(script)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("RUNNEL_SQS_ENDPOINT", services::sqs_endpoint()?)
            .env("RUNNEL_QUEUE_PREFIX", &prefix);
        let worker = Process::start("worker.py", command)?;
        let tasks = json!({
            "good": { "type": "slugify", "input": { "text": "Hello, World!" } },
            "bad": { "type": "slugify", "input": {}, "retry": 2, "continue_on_error": true },
            "after": { "needs": ["good", "bad"], "type": "slugify", "input": { "text": "${{ tasks.good.output.slug }} 2" } },
        });
        let file = json!({ "version": 1, "id": "slugs", "tasks": tasks });
        let ended = run(&fleet, &file.to_string()).await?;
        anyhow::ensure!(
            ended["status"] == "SUCCEEDED",
            "{ended:#}\n{}\n{}",
            fleet.output(),
            worker.output()
        );
        assert_eq!(task(&ended, "after")["output"]["slug"], "hello-world-2");
        let failed = task(&ended, "bad");
        assert_eq!(
            (&failed["attempt"], &failed["error"]["code"]),
            (&json!(1), &json!("ValueError"))
        );
        drop(worker);
        fleet.finish().await
    });
}
