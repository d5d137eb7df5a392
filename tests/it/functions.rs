//! Tasks executed by the real Lambda program: SQS, an event source mapping, the function, completions, the next wave; and everything that
//! goes wrong between them.

use std::sync::Arc;

use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_queue::sqs::{SqsConfig, SqsQueue};
use runnel_queue::{Outgoing, QueueName, TaskQueue};
use runnel_runtime::dead_letters::{DeadLetterFilter, Kind};
use runnel_runtime::query::window::Window;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::fleet::{Fault, Fleet};
use runnel_tests::function::{Deploy, Function};
use runnel_tests::origin::Origin;
use runnel_tests::stack::{Stack, play, unique};
use runnel_tests::{programs, services};
use runnel_worker::BuiltinOptions;
use serde_json::{Value, json};

/// Three waves, a fan-out, a task that fails twice and one that fails for good.
fn waves(origin: &Origin) -> Value {
    let tasks = json!({
        "begin": { "run": "echo '{\"base\": 10}'" },
        "flaky": {
            "type": "http", "input": { "url": format!("{}/flaky/once/2", origin.url()) }, "retry": { "limit": 3, "delay": "0s" },
        },
        "broken": { "run": "exit 7", "continue_on_error": true },
        "each": {
            "needs": ["begin"],
            "for_each": { "items": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] },
            "run": "echo \"{\\\"n\\\": $((BASE + N))}\"",
            "env": { "BASE": "${{ tasks.begin.output.base }}", "N": "${{ each.item }}" },
        },
        "sum": {
            "needs": ["each", "flaky", "broken"], "type": "python",
            "input": { "script": "print('{\"total\": %d}' % sum(inputs['numbers']))", "args": { "numbers": "${{ tasks.each.output.map(e, e.n) }}" } },
        },
    });
    let mut file = workflow("waves", tasks);
    file["outputs"] = json!({ "total": "${{ tasks.sum.output.total }}" });
    file
}

fn sqs(prefix: &str) -> anyhow::Result<SqsConfig> {
    Ok(SqsConfig {
        endpoint: Some(services::sqs_endpoint()?),
        queue_prefix: prefix.to_owned(),
        region: Some("us-east-1".to_owned()),
        create_queues: true,
        ..SqsConfig::default()
    })
}

/// An orchestrator of this process on the queues of a function, which polls often.
async fn cluster(prefix: &str) -> anyhow::Result<(Cluster, Arc<dyn TaskQueue>)> {
    let queue: Arc<dyn TaskQueue> = Arc::new(SqsQueue::connect(sqs(prefix)?).await);
    let cluster = Cluster::start_with(Stack::PostgresSqs, Arc::clone(&queue)).await?;
    // says what the server says of its functions
    cluster
        .scripted("functions", &["shell", "http", "python"])
        .await?;
    Ok((cluster, queue))
}

fn default_queue() -> QueueName {
    QueueName("default".to_owned())
}

#[test]
fn a_server_and_a_function_run_a_workflow_to_its_end() {
    play(async {
        let origin = Origin::start().await?;
        let prefix = unique("waves-");
        let bootstrap = programs::bootstrap()?;
        let function = Function::deploy(&Deploy::new(&bootstrap, &prefix)).await?;
        let options = ["--functions", "default"];
        let fleet = Fleet::start_with(Stack::PostgresSqs, &Fault::None, &prefix, &options).await?;
        let key = fleet.client.publish(&waves(&origin).to_string()).await?;
        let run = fleet.client.start(json!({ "workflow": key })).await?;
        let ended = fleet.ended(&run).await?;
        assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}\n{}", fleet.output());
        assert_eq!(ended["outputs"]["total"], 198, "{ended:#}");
        let task = |key: &str| {
            let tasks = ended["tasks"]["nodes"].as_array().cloned().unwrap_or_default();
            tasks
                .into_iter()
                .find(|task| task["key"] == key)
                .unwrap_or_default()
        };
        assert_eq!((&task("flaky")["attempt"], origin.hits("once")), (&json!(3), 3));
        assert_eq!(task("broken")["error"]["code"], "EXIT_CODE");
        function.until_queue_is_empty().await?;
        fleet.finish().await
    });
}

#[test]
fn a_message_that_comes_three_times_is_accepted_once() {
    play(async {
        let origin = Origin::start().await?;
        let prefix = unique("again-");
        let bootstrap = programs::bootstrap()?;
        let function = Function::deploy(&Deploy {
            batch: 4,
            ..Deploy::new(&bootstrap, &prefix)
        })
        .await?;
        function.pause().await?;
        let (cluster, queue) = cluster(&prefix).await?;
        let run = cluster.launch(&waves(&origin)).await?;
        // what SQS may do by itself: the first wave is in the queue three times
        let none = std::time::Duration::ZERO;
        let mut bodies = Vec::new();
        while bodies.len() < 3 {
            let held = queue
                .receive(
                    &default_queue(),
                    10,
                    std::time::Duration::from_secs(1),
                    std::time::Duration::from_secs(30),
                )
                .await?;
            let receipts: Vec<_> = held.iter().map(|delivery| delivery.receipt.clone()).collect();
            queue.delete(&default_queue(), &receipts).await?;
            bodies.extend(held.into_iter().map(|delivery| delivery.body));
        }
        for _ in 0..3 {
            let copies = bodies.iter().map(|body| Outgoing {
                body: body.clone(),
                delay: none,
                traceparent: None,
            });
            queue.send(&default_queue(), copies.collect()).await?;
        }
        function.resume().await?;
        cluster.ends(run, RunStatus::Succeeded).await?;
        function.until_queue_is_empty().await?;
        let succeeded = cluster.history(run).await?;
        let begun = |key: &str| {
            let of_task = succeeded
                .iter()
                .filter(|event| event.record.key.as_deref() == Some(key));
            of_task
                .filter(|event| event.record.kind == runnel_engine::run::RecordKind::TaskSucceeded)
                .count()
        };
        assert_eq!((begun("begin"), begun("flaky")), (1, 1));
        cluster.finish().await
    });
}

#[test]
fn of_a_batch_only_what_cannot_be_read_stays_and_the_unreadable_ends_as_a_dead_letter() {
    play(async {
        let prefix = unique("poison-");
        let bootstrap = programs::bootstrap()?;
        let function = Function::deploy(&Deploy {
            receives_max: 1,
            ..Deploy::new(&bootstrap, &prefix)
        })
        .await?;
        function.pause().await?;
        let (cluster, queue) = cluster(&prefix).await?;
        let file = workflow(
            "pair",
            json!({ "one": { "run": "echo 1" }, "two": { "run": "echo 2" } }),
        );
        let run = cluster.launch(&file).await?;
        let bodies = [
            "no task at all".to_owned(),
            json!({ "v": 99, "future": true }).to_string(),
        ];
        let outgoing = bodies.map(|body| Outgoing {
            body,
            delay: std::time::Duration::ZERO,
            traceparent: None,
        });
        queue.send(&default_queue(), outgoing.to_vec()).await?;
        function
            .until("the batch is complete", async || {
                Ok(function.queue_number("ApproximateNumberOfMessages").await? == 4)
            })
            .await?;
        function.resume().await?;
        cluster.ends(run, RunStatus::Succeeded).await?;
        let letters = async || {
            let window = Window::First {
                size: 10,
                after: None,
            };
            let page = cluster
                .orchestrator()
                .list_dead_letters(&cluster.actor, &DeadLetterFilter::default(), window)
                .await?;
            anyhow::Ok(page.items)
        };
        function
            .until("there is a dead letter", async || {
                Ok(!letters().await?.is_empty())
            })
            .await?;
        let letters = letters().await?;
        assert_eq!((letters.len(), letters[0].kind), (1, Kind::QueueDlq));
        assert_eq!(letters[0].failure.code, "MESSAGE_UNREADABLE");
        assert_eq!(letters[0].payload.as_deref(), Some("no task at all"));
        // the one of a newer version waits for a newer worker
        assert_eq!(
            function
                .queue_number("ApproximateNumberOfMessagesNotVisible")
                .await?,
            1
        );
        assert_eq!(function.queue_number("ApproximateNumberOfMessages").await?, 0);
        cluster.finish().await
    });
}

#[test]
fn a_function_that_is_killed_at_its_timeout_is_replaced_by_another() {
    play(async {
        let prefix = unique("frozen-");
        let bootstrap = programs::bootstrap()?;
        let function = Function::deploy(&Deploy {
            timeout_s: 2,
            visibility_s: 3,
            ..Deploy::new(&bootstrap, &prefix)
        })
        .await?;
        let (cluster, _queue) = cluster(&prefix).await?;
        let directory = tempfile::tempdir()?;
        let mark = directory.path().join("mark");
        // the first time the whole function stands still, as if the machine did
        let script =
            "if [ -e \"$MARK\" ]; then echo '{\"again\": true}'; else : > \"$MARK\"; kill -STOP $PPID; fi";
        let tasks = json!({
            "frozen": { "run": script, "env": { "MARK": mark.display().to_string() } },
            "after": { "needs": ["frozen"], "run": "echo after" },
        });
        let run = cluster.launch(&workflow("frozen", tasks)).await?;
        cluster.ends(run, RunStatus::Succeeded).await?;
        let frozen = cluster.task(run, "frozen").await?;
        assert_eq!((frozen.status, frozen.attempt), (TaskStatus::Succeeded, 1));
        let output: Value = serde_json::from_str(frozen.output.as_deref().unwrap_or("null"))?;
        assert_eq!(output["again"], true, "{output}");
        function.until_queue_is_empty().await?;
        cluster.finish().await
    });
}

#[test]
fn a_task_that_needs_more_time_than_is_left_is_handed_back_and_not_lost() {
    play(async {
        let origin = Origin::start().await?;
        let prefix = unique("short-");
        let bootstrap = programs::bootstrap()?;
        let function = Function::deploy(&Deploy {
            timeout_s: 3,
            visibility_s: 60,
            ..Deploy::new(&bootstrap, &prefix)
        })
        .await?;
        let (cluster, _queue) = cluster(&prefix).await?;
        let tasks =
            json!({ "long": { "type": "http", "input": { "url": format!("{}/gate/long", origin.url()) } } });
        let run = cluster.launch(&workflow("long", tasks)).await?;
        // long before the message of the first attempt would be visible again
        origin.until_hit("long", 2).await?;
        origin.open_gate();
        cluster.ends(run, RunStatus::Succeeded).await?;
        assert_eq!(cluster.task(run, "long").await?.attempt, 2);
        function.until_queue_is_empty().await?;
        cluster.finish().await
    });
}

#[test]
fn throttled_invocations_lose_nothing() {
    play(async {
        let origin = Origin::start().await?;
        let prefix = unique("throttled-");
        let bootstrap = programs::bootstrap()?;
        let function = Function::deploy(&Deploy {
            visibility_s: 2,
            ..Deploy::new(&bootstrap, &prefix)
        })
        .await?;
        function.reserve(1).await?;
        let (cluster, _queue) = cluster(&prefix).await?;
        // somebody else has the only invocation: a task that no run knows
        let stranger = json!({
            "v": 1, "run": "0190d3b4-0000-7000-8000-000000000001", "task": 0, "attempt": 1, "token": "test.0",
            "namespace": "default", "workflow": "w", "key": "stranger", "type": "http",
            "input": { "url": format!("{}/gate/stranger", origin.url()) }, "idempotency_key": "once",
        });
        let bodies = [stranger.to_string()];
        let occupied = function.invoke(&bodies);
        tokio::pin!(occupied);
        tokio::select! {
            ended = &mut occupied => anyhow::bail!("the function was not held: {ended:?}"),
            hit = origin.until_hit("stranger", 1) => hit?,
        }
        let run = cluster
            .launch(&workflow("late", json!({ "late": { "run": "echo late" } })))
            .await?;
        let throttled = function.until("an invocation was refused", async || {
            Ok(function.last_result().await? == "FAILED")
        });
        tokio::select! {
            ended = &mut occupied => anyhow::bail!("the function was not held: {ended:?}"),
            refused = throttled => refused?,
        }
        assert_eq!(cluster.task(run, "late").await?.status, TaskStatus::Queued);
        origin.open_gate();
        occupied.await?;
        cluster.ends(run, RunStatus::Succeeded).await?;
        assert_eq!(cluster.task(run, "late").await?.attempt, 1);
        cluster.finish().await
    });
}

#[test]
fn a_task_invokes_a_function_and_has_its_answer() {
    play(async {
        let prefix = unique("invoked-");
        let bootstrap = programs::bootstrap()?;
        let function = Function::deploy(&Deploy::new(&bootstrap, &prefix)).await?;
        let mut cluster = Cluster::start(Stack::PostgresSqs).await?;
        let options = BuiltinOptions {
            aws_endpoint: Some(services::sqs_endpoint()?),
            ..BuiltinOptions::default()
        };
        cluster.add_worker_with("worker-1", options);
        let invoke = |payload: Value| json!({ "type": "lambda", "input": { "function": function.name(), "payload": payload }, "continue_on_error": true });
        // the function that is at hand takes events of SQS, and answers which of their records failed
        let tasks = json!({
            "good": invoke(json!({ "Records": [] })),
            "bad": invoke(json!({ "Records": "none" })),
            "missing": { "type": "lambda", "input": { "function": "nobody" }, "continue_on_error": true },
        });
        let run = cluster.launch(&workflow("invoked", tasks)).await?;
        cluster.ends(run, RunStatus::Succeeded).await?;
        let good = cluster.task(run, "good").await?;
        let output: Value = serde_json::from_str(good.output.as_deref().unwrap_or("null"))?;
        assert_eq!(output, json!({ "batchItemFailures": [] }));
        let code = async |key: &str| {
            let task = cluster.task(run, key).await?;
            anyhow::Ok(task.error.map(|error| error.code).unwrap_or_default())
        };
        assert_eq!(code("bad").await?, "FUNCTION_ERROR");
        assert_eq!(code("missing").await?, "FUNCTION_NOT_FOUND");
        function.reserve(0).await?;
        let throttled = json!({ "throttled": invoke(json!({})) });
        let run = cluster.launch(&workflow("throttled", throttled)).await?;
        cluster.ends(run, RunStatus::Succeeded).await?;
        let failed = cluster.task(run, "throttled").await?.error;
        assert_eq!(
            failed.map(|error| error.code).as_deref(),
            Some("LAMBDA_THROTTLED")
        );
        cluster.finish().await
    });
}
