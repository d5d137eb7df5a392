//! The paths of the systems whose files are accepted, driven with the requests that their `curl` lines send.

use anyhow::Context as _;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use runnel_tests::client::Client;
use runnel_tests::cluster::Cluster;
use runnel_tests::origin::Origin;
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_each_stack!(
    the_paths_of_actions,
    the_paths_of_commands,
    the_paths_of_nodes,
    a_cancelled_execution
);

/// `curl -X METHOD PATH`, with `-H 'content-type: application/json' -d BODY` where there is one.
async fn curl(
    client: &Client,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<(StatusCode, Value)> {
    let mut request = client.http.request(method, client.at(path));
    if let Some(body) = body {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    let value = serde_json::from_str(&text).with_context(|| format!("{path}: {status} {text}"))?;
    Ok((status, value))
}

fn text<'v>(value: &'v Value, name: &str) -> anyhow::Result<&'v str> {
    value[name]
        .as_str()
        .with_context(|| format!("no `{name}` in {value:#}"))
}

async fn served(stack: Stack) -> anyhow::Result<(Cluster, Client)> {
    let mut cluster = Cluster::start(stack).await?;
    cluster.add_worker("worker-1");
    let client = cluster.serve().await?;
    Ok((cluster, client))
}

async fn the_paths_of_actions(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack).await?;
    let file = json!({ "name": "Data Pipeline", "description": "two steps", "tasks": [
        { "name": "transform", "action_type": "python_script", "action_payload": { "script": "print(1)" }, "dependencies": [] },
        { "name": "load", "action_type": "shell_command", "action_payload": { "command": "echo loaded" }, "dependencies": ["transform"] },
    ] });
    for (nth, path) in ["/api/v1/workflows/", "/api/v1/workflows"].iter().enumerate() {
        let (status, stored) = curl(&client, Method::POST, path, Some(&file)).await?;
        let expected = if nth == 0 {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        assert_eq!(status, expected, "{stored:#}");
        assert_eq!(stored["id"], "data-pipeline", "{stored:#}");
    }
    let (_, list) = curl(&client, Method::GET, "/api/v1/workflows/", None).await?;
    assert_eq!(list["workflows"][0]["id"], "data-pipeline");
    let (status, shown) = curl(&client, Method::GET, "/api/v1/workflows/data-pipeline", None).await?;
    assert_eq!((status, &shown["latest_version"]), (StatusCode::OK, &json!(1)));

    let path = "/api/v1/workflows/data-pipeline/execute";
    let (status, started) = curl(&client, Method::POST, path, None).await?;
    assert_eq!(status, StatusCode::CREATED, "{started:#}");
    let ended = client.until_ended(text(&started, "run_id")?).await?;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}");
    cluster.finish().await
}

async fn the_paths_of_commands(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack).await?;
    let file = json!({ "id": "sample", "name": "Demo", "tasks": {
        "task_a": { "id": "task_a", "name": "Task A", "command": "echo A" },
    } });
    let (status, stored) = curl(&client, Method::POST, "/dags", Some(&file)).await?;
    assert_eq!(
        (status, &stored["id"]),
        (StatusCode::CREATED, &json!("sample")),
        "{stored:#}"
    );

    let uploaded = "id: uploaded\nname: Uploaded\ntasks:\n  nap: { id: nap, command: sleep 600 }\n";
    let form = Form::new().part("file", Part::text(uploaded).file_name("sample_upload.yaml"));
    let answer = client
        .http
        .post(client.at("/dags/upload"))
        .multipart(form)
        .send()
        .await?;
    assert_eq!(answer.status(), StatusCode::CREATED);

    let (_, list) = curl(&client, Method::GET, "/dags", None).await?;
    let mut keys: Vec<&str> = list["workflows"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|workflow| workflow["id"].as_str())
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, ["sample", "uploaded"]);

    let (status, started) = curl(&client, Method::POST, "/dags/sample/run", None).await?;
    assert_eq!(status, StatusCode::CREATED, "{started:#}");
    let run = text(&started, "run_id")?;
    client.until_ended(run).await?;
    let (_, shown) = curl(&client, Method::GET, &format!("/runs/{run}"), None).await?;
    assert_eq!(
        (&shown["status"], &shown["tasks"]["task_a"]["output"]["stdout"]),
        (&json!("SUCCEEDED"), &json!("A\n"))
    );

    let (_, started) = curl(&client, Method::POST, "/dags/uploaded/run", None).await?;
    let run = text(&started, "run_id")?;
    let (status, answer) = curl(&client, Method::POST, &format!("/runs/{run}/cancel"), None).await?;
    assert!(status.is_success(), "{status}: {answer:#}");
    // a second one changes nothing: the run stays on its way to the end
    let body = json!({ "mode": "NOW" });
    let (status, answer) = curl(&client, Method::POST, &format!("/runs/{run}/cancel"), Some(&body)).await?;
    assert!(
        status.is_success() || status == StatusCode::CONFLICT,
        "{status}: {answer:#}"
    );
    assert_eq!(client.until_ended(run).await?["status"], "CANCELLED");

    let metrics = client.http.get(client.at("/metrics")).send().await?;
    assert_eq!(metrics.status(), StatusCode::OK);
    assert!(metrics.text().await?.contains("runnel_"));
    cluster.finish().await
}

async fn the_paths_of_nodes(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack).await?;
    let origin = Origin::start().await?;
    let file = json!({ "name": "Parallel fetcher", "dag": { "nodes": [
        { "id": "input", "handler": "input", "dependencies": [], "config": { "user": 7 } },
        { "id": "one", "handler": "call_external_service", "dependencies": ["input"],
          "config": { "url": format!("{}/u/{{{{ input.user }}}}", origin.url()) } },
        { "id": "two", "handler": "call_external_service", "dependencies": ["input"],
          "config": { "url": format!("{}/two", origin.url()) } },
        { "id": "output", "handler": "output", "dependencies": ["one", "two"],
          "config": { "name": "{{ one.data.name }}", "path": "{{ two.body.path }}" } },
    ] } });
    let (status, submitted) = curl(&client, Method::POST, "/api/v1/workflow", Some(&file)).await?;
    assert_eq!(status, StatusCode::CREATED, "{submitted:#}");
    let id = text(&submitted, "execution_id")?;
    let (status_path, results_path) = (
        format!("/api/v1/workflow/{id}"),
        format!("/api/v1/workflow/{id}/results"),
    );
    let (_, waiting) = curl(&client, Method::GET, &status_path, None).await?;
    assert_eq!(waiting["status"], "PENDING");
    let (status, _) = curl(&client, Method::GET, &results_path, None).await?;
    assert_eq!(status, StatusCode::CONFLICT);

    let trigger = format!("/api/v1/workflow/trigger/{id}");
    let (status, started) = curl(&client, Method::POST, &trigger, None).await?;
    assert_eq!(status, StatusCode::ACCEPTED, "{started:#}");
    let (_, again) = curl(&client, Method::POST, &trigger, None).await?;
    assert_eq!(
        again["run_id"], started["run_id"],
        "a repeated trigger starts nothing"
    );
    client.until_ended(text(&started, "run_id")?).await?;

    let (_, shown) = curl(&client, Method::GET, &status_path, None).await?;
    assert_eq!(
        (&shown["status"], &shown["execution_id"]),
        (&json!("SUCCEEDED"), &json!(id))
    );
    let (_, results) = curl(&client, Method::GET, &results_path, None).await?;
    assert_eq!(
        results["tasks"]["output"]["output"],
        json!({ "name": "user 7", "path": "/two" }),
        "{results:#}"
    );
    cluster.finish().await
}

async fn a_cancelled_execution(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack).await?;
    let file = json!({ "name": "Nobody's", "dag": { "nodes": [
        { "id": "waits", "handler": "of_no_worker", "dependencies": [] },
        { "id": "output", "handler": "output", "dependencies": ["waits"] },
    ] } });
    let (_, submitted) = curl(&client, Method::POST, "/api/v1/workflow", Some(&file)).await?;
    let path = format!("/api/v1/workflow/{}", text(&submitted, "execution_id")?);
    let (status, _) = curl(&client, Method::DELETE, &path, None).await?;
    assert_eq!(status, StatusCode::CONFLICT, "it was not triggered");

    let trigger = path.replace("/workflow/", "/workflow/trigger/");
    let (_, started) = curl(&client, Method::POST, &trigger, None).await?;
    let (status, answer) = curl(&client, Method::DELETE, &path, None).await?;
    assert!(status.is_success(), "{status}: {answer:#}");
    client.until_ended(text(&started, "run_id")?).await?;
    let (_, shown) = curl(&client, Method::GET, &path, None).await?;
    assert_eq!(shown["status"], "CANCELLED");

    let (status, _) = curl(&client, Method::GET, "/api/v1/workflow/exec_unknown", None).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    cluster.finish().await
}
