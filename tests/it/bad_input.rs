//! Whatever a client sends, it learns what is wrong with it; it never gets a server error, and the server goes on.

use reqwest::multipart::{Form, Part};
use runnel_tests::client::Client;
use runnel_tests::cluster::Cluster;
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};

runnel_tests::on_each_stack!(
    bad_files_are_refused_with_diagnostics_through_graphql,
    bad_files_are_refused_through_the_upload,
    bad_arguments_are_client_errors,
);

/// A cycle of 1,000 tasks.
fn long_cycle() -> String {
    let task = |index: u32| {
        (
            format!("t{index}"),
            json!({ "run": "true", "needs": [format!("t{}", (index + 1) % 1_000)] }),
        )
    };
    json!({ "id": "cycle", "tasks": (0..1_000).map(task).collect::<Map<String, Value>>() }).to_string()
}

/// Nine levels of aliases, ten of each: a billion nodes when expanded.
fn yaml_bomb() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    text + "id: bomb\ntasks: { only: { run: 'true' } }\n"
}

fn bad_files() -> Vec<(&'static str, String)> {
    let mut files = wrong_files();
    files.extend(hostile_files());
    files
}

/// Files that mean nothing.
fn wrong_files() -> Vec<(&'static str, String)> {
    vec![
        ("missing id", "tasks: { a: { run: 'true' } }".to_owned()),
        (
            "missing id, JSON",
            r#"{"tasks": {"a": {"run": "true"}}}"#.to_owned(),
        ),
        ("tasks is a number", "id: x\ntasks: 7\n".to_owned()),
        ("tasks is a text", "id: x\ntasks: many\n".to_owned()),
        ("a task is a list", "id: x\ntasks: { a: [1, 2] }\n".to_owned()),
        ("the file is a list", "[1, 2, 3]".to_owned()),
        ("the file is a number", "42".to_owned()),
        ("the file is null", "null".to_owned()),
        ("the file is empty", String::new()),
        (
            "retry is a text",
            "id: x\ntasks: { a: { run: 'true', retry: often } }\n".to_owned(),
        ),
        (
            "duplicate task",
            "id: x\ntasks:\n  a: { run: 'true' }\n  a: { run: 'false' }\n".to_owned(),
        ),
        (
            "duplicate task, JSON",
            r#"{"id": "x", "tasks": {"a": {"run": "true"}, "a": {"run": "false"}}}"#.to_owned(),
        ),
        (
            "duplicate node",
            json!({ "name": "x", "dag": { "nodes": [
                { "id": "a", "handler": "input" }, { "id": "a", "handler": "output" } ] } })
            .to_string(),
        ),
        (
            "self-dependency",
            "id: x\ntasks: { a: { run: 'true', needs: [a] } }\n".to_owned(),
        ),
        (
            "unknown upstream",
            "id: x\ntasks: { a: { run: 'true', needs: [b] } }\n".to_owned(),
        ),
        ("no tasks", "id: x\ntasks: {}\n".to_owned()),
        (
            "no nodes",
            json!({ "name": "x", "dag": { "nodes": [] } }).to_string(),
        ),
        ("tabs", "id: x\ntasks:\n\ta:\n\t\trun: 'true'\n".to_owned()),
    ]
}

/// Files that would cost a naive reader its stack, its memory or its time.
fn hostile_files() -> Vec<(&'static str, String)> {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    vec![
        ("cycle of 1,000", long_cycle()),
        ("YAML bomb", yaml_bomb()),
        (
            "deep lists, JSON",
            format!(r#"{{"id": "x", "tasks": {}}}"#, deep("[", "]")),
        ),
        ("deep lists, YAML", format!("id: x\ntasks: {}\n", deep("[", "]"))),
        (
            "deep maps, YAML",
            format!("id: x\ntasks: {}\n", deep("{a: ", "}")),
        ),
        (
            "deep indentation",
            (0..1_000)
                .map(|depth| format!("{}a:\n", " ".repeat(depth)))
                .collect(),
        ),
        (
            "an endless expression",
            format!(
                "id: x\ntasks: {{ a: {{ type: eval, input: {{ v: '${{{{ {}1 }}}}' }} }} }}\n",
                "1+".repeat(20_000)
            ),
        ),
        (
            "a deep expression",
            format!(
                "id: x\ntasks: {{ a: {{ type: eval, input: {{ v: '${{{{ {}1{} }}}}' }} }} }}\n",
                "(".repeat(5_000),
                ")".repeat(5_000)
            ),
        ),
        (
            "an unclosed expression",
            "id: x\ntasks: { a: { type: eval, input: { v: '${{ 1' } } }\n".to_owned(),
        ),
        ("binary", "\u{0}\u{1}\u{2}".to_owned()),
        ("10,001 tasks", {
            let tasks: Map<String, Value> = (0..10_001)
                .map(|index| (format!("t{index}"), json!({ "run": "" })))
                .collect();
            json!({ "id": "x", "tasks": tasks }).to_string()
        }),
    ]
}

async fn is_alive(client: &Client) -> anyhow::Result<()> {
    let key = client
        .publish("id: fine\ntasks: { only: { type: pass, input: {} } }\n")
        .await?;
    anyhow::ensure!(key == "fine", "{key}");
    Ok(())
}

async fn bad_files_are_refused_with_diagnostics_through_graphql(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let query = "mutation($input: WorkflowPublishInput!) { workflowPublish(input: $input) { \
                 workflow { key } userErrors { code message ... on ValidationError { diagnostics { code message } } } } }";
    for (what, source) in bad_files() {
        let (status, body) = client
            .post(query, json!({ "input": { "source": source } }))
            .await?;
        assert!(!status.is_server_error(), "{what}: {status} {body:#}");
        if let Some(payload) = body["data"]["workflowPublish"].as_object() {
            assert_eq!(payload["workflow"], Value::Null, "{what} was published");
            let errors = payload["userErrors"].as_array().map(Vec::len).unwrap_or_default();
            assert!(errors > 0, "{what}: no error");
            let found = payload["userErrors"][0]["diagnostics"]
                .as_array()
                .map(Vec::len)
                .unwrap_or_default();
            assert!(found > 0, "{what}: {:#}", payload["userErrors"]);
        } else {
            // over a limit of the transport: a client error with a code
            assert!(
                body["errors"][0]["extensions"]["code"].is_string(),
                "{what}: {body:#}"
            );
            assert_ne!(
                body["errors"][0]["extensions"]["code"], "INTERNAL",
                "{what}: {body:#}"
            );
        }
    }
    let huge = format!(
        "id: x\n# {}\ntasks: {{ a: {{ run: 'true' }} }}\n",
        "x".repeat(2 << 20)
    );
    let (status, _) = client
        .post(query, json!({ "input": { "source": huge } }))
        .await
        .unwrap_or_default();
    assert!(!status.is_server_error(), "2 MB file: {status}");
    is_alive(&client).await?;
    cluster.finish().await
}

async fn bad_files_are_refused_through_the_upload(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let mut files: Vec<(&str, Vec<u8>)> = bad_files()
        .into_iter()
        .map(|(what, source)| (what, source.into_bytes()))
        .collect();
    files.push((
        "invalid UTF-8",
        b"id: x\ntasks: { a: { run: '\xff\xfe' } }\n".to_vec(),
    ));
    files.push(("2 MB file", vec![b'#'; 2 << 20]));
    for (what, bytes) in files {
        let form = Form::new().part("file", Part::bytes(bytes.clone()).file_name("flow.yaml"));
        // a body over the limit may be cut off while it is still being sent: that is a refusal, too
        if let Ok(answer) = client
            .http
            .post(client.at("/api/v1/workflows/upload"))
            .multipart(form)
            .send()
            .await
        {
            assert!(
                answer.status().is_client_error(),
                "{what} as a form: {}",
                answer.status()
            );
        }
        let raw = client
            .http
            .post(client.at("/dags"))
            .header("content-type", "application/yaml")
            .body(bytes);
        if let Ok(answer) = raw.send().await {
            assert!(
                answer.status().is_client_error(),
                "{what} as a body: {}",
                answer.status()
            );
        }
    }
    let form = Form::new().text("wrong", "id: x");
    let answer = client
        .http
        .post(client.at("/api/v1/workflows/upload"))
        .multipart(form)
        .send()
        .await?;
    assert!(answer.status().is_client_error(), "no file: {}", answer.status());
    is_alive(&client).await?;
    cluster.finish().await
}

async fn bad_arguments_are_client_errors(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    is_alive(&client).await?;

    // what is not there is null, not an error
    for id in [
        "run_00000000-0000-0000-0000-000000000000",
        "run_",
        "",
        "x",
        "task_1",
        "ü",
        "run_zzz",
    ] {
        let (status, body) = client
            .post(
                "query($id: ID!) { run(id: $id) { id } node(id: $id) { id } }",
                json!({ "id": id }),
            )
            .await?;
        assert!(!status.is_server_error(), "{id:?}: {status} {body:#}");
        assert_eq!(body["data"]["run"], Value::Null, "{id:?}: {body:#}");
    }
    let wrong = [
        json!({ "workflow": "absent" }),
        json!({ "workflow": "fine", "version": 99 }),
        json!({ "workflow": "fine", "priority": 101 }),
        json!({ "workflow": "fine", "priority": -1 }),
        json!({ "workflow": "fine", "inputs": { "unknown": 1 } }),
        json!({ "workflow": "fine", "inputs": [1] }),
        json!({ "workflow": "fine", "inputs": "text" }),
        json!({ "workflow": "x".repeat(10_000) }),
        json!({ "workflow": "fine", "idempotencyKey": "k".repeat(100_000) }),
        json!({ "workflow": "fine", "tags": vec!["t"; 5_000] }),
        json!({ "workflow": "fine\u{0}" }),
        json!({ "workflow": 7 }),
        json!({}),
        Value::Null,
    ];
    for input in wrong {
        let query = "mutation($input: RunStartInput!) { runStart(input: $input) { run { id } userErrors { code message } } }";
        let (status, body) = client.post(query, json!({ "input": input })).await?;
        assert!(!status.is_server_error(), "{input}: {status} {body:#}");
        assert_eq!(
            body["data"]["runStart"]["run"],
            Value::Null,
            "{input} was accepted"
        );
        let text = body.to_string();
        for leak in ["sqlx", ".rs:", "panicked", "DbErr"] {
            assert!(!text.contains(leak), "{input}: {text}");
        }
    }
    is_alive(&client).await?;
    cluster.finish().await
}
