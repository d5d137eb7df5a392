//! What screens ask for: at most twelve statements each, however many rows there are.

use std::time::Duration;

use runnel_api::ApiConfig;
use runnel_engine::run::RunStatus;
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{failed, succeeded};
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};

runnel_tests::on_both_databases!(
    a_screen_takes_the_same_few_statements_for_few_and_for_many_rows,
    lists_are_filtered_sorted_and_counted,
    a_picture_has_every_task_of_the_file_and_how_it_stands,
);

/// On a machine that is busy with other tests, the keys of one level come late: the loaders wait for them.
fn patient() -> ApiConfig {
    ApiConfig {
        loader_delay: Duration::from_millis(40),
        ..ApiConfig::default()
    }
}

/// Most statements of one screen.
const STATEMENTS_MAX: u64 = 12;

const SCREENS: [(&str, &str); 23] = [
    (
        "overview",
        "{ all: runs(first: 1) { totalCount { value isExact } } \
        failed: runs(first: 5, filter: { status: { in: [FAILED, TIMED_OUT] } }) { totalCount { value } nodes { id error { message } } } \
        live: runs(first: 5, filter: { status: { in: [RUNNING, PENDING] } }) { totalCount { value } nodes { id status } } \
        workflows(first: 100) { totalCount { value } nodes { key recentRuns(first: 5) { id status duration } } } }",
    ),
    (
        "runs",
        "{ runs(first: 100) { totalCount { value isExact } pageInfo { hasNextPage endCursor } nodes { id status isPaused \
        workflow { key name } version { number } counts { total succeeded failed } startedAt duration canCancel canPause } } }",
    ),
    (
        "runs with payloads",
        "{ runs(first: 100) { nodes { id inputs outputs } } }",
    ),
    (
        "runs, filtered",
        "{ runs(first: 100, filter: { or: [{ tag: \"a\" }, { status: { eq: RUNNING } }] }, \
        query: \"priority >= 0 && !isPaused\", orderBy: { field: STARTED_AT }) { nodes { id workflow { key } } } }",
    ),
    (
        "runs, last page",
        "{ runs(last: 100) { nodes { id workflow { key } version { number } } } }",
    ),
    (
        "run",
        "query($run: ID!) { run(id: $run) { id status inputs outputs workflow { key } version { number taskCount } counts { total } \
        tasks(first: 100) { totalCount { value } nodes { key type status attempt needs waitingFor startedAt duration error { message } canRetry canSkip } } \
        events(first: 100) { totalCount { value } nodes { seq kind task at actor } } } }",
    ),
    (
        "run, graph",
        "query($run: ID!) { run(id: $run) { tasks(first: 200) { nodes { index key status needs } } } }",
    ),
    (
        "run, picture",
        "query($run: ID!) { run(id: $run) { id status layout { width height keys x y edges } taskTable { statuses attempts startedAt } } }",
    ),
    (
        "workflow, picture",
        "{ workflow(key: \"screen\") { key version { number inputs layout { keys ranks bends bendCounts } } \
        recentRuns(first: 1) { id taskTable { statuses } } } }",
    ),
    (
        "run, payloads of tasks",
        "query($run: ID!) { run(id: $run) { tasks(first: 100) { nodes { key input output } } } }",
    ),
    (
        "run, failed tasks",
        "query($run: ID!) { run(id: $run) { tasks(first: 100, filter: { not: { status: { eq: SUCCEEDED } } }) \
        { nodes { key error { code message traceback } attempts { number status error { message } } } } } }",
    ),
    (
        "run, history",
        "query($run: ID!) { run(id: $run) { events(last: 100) { nodes { seq kind data run { id status workflow { key } } } } } }",
    ),
    (
        "task",
        "query($run: ID!) { run(id: $run) { task(key: \"t0\") { key status input output needs run { id workflow { key } } \
        attempts { number status worker timeInQueue duration error { code message } } } } }",
    ),
    (
        "task by id",
        "query($task: ID!) { node(id: $task) { ... on Task { key input run { id } attempts { number } } } }",
    ),
    (
        "nodes",
        "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Run { status workflow { key } } \
        ... on Task { key status output run { id } } ... on Workflow { key } } }",
    ),
    (
        "workflows",
        "{ workflows(first: 100) { totalCount { value } nodes { key name latestVersion version { number taskCount createdBy } \
        recentRuns(first: 10) { id status startedAt version { number } } } } }",
    ),
    (
        "workflow",
        "{ workflow(key: \"screen\") { key versions(first: 50) { totalCount { value } nodes { number hash workflow { key } } } \
        runs(first: 100) { totalCount { value } nodes { id status version { number } counts { total } } } } }",
    ),
    (
        "workflow search",
        "{ workflows(first: 100, filter: { text: \"SCR\" }) { nodes { key name } } }",
    ),
    (
        "run search",
        "{ runs(first: 100, filter: { idPrefix: \"0\" }) { nodes { id workflow { key } } } }",
    ),
    (
        "feed",
        "{ events(first: 100, filter: { kind: { in: [RUN_SUCCEEDED, RUN_FAILED] } }) { nodes { seq kind run { id status workflow { key } } } } }",
    ),
    (
        "audit",
        "{ auditEntries(first: 100) { nodes { at actor action targetId outcome before after } } }",
    ),
    (
        "operations on many runs",
        "{ bulkOperations(first: 100) { nodes { id status total done failed } } }",
    ),
    (
        "who and where",
        "{ viewer { name permissions namespace } serverInfo { version limits { pageSize } } namespaces { nodes { name } } }",
    ),
];

/// Makes finished runs of one task each; the last is the one that the screens show.
async fn runs(cluster: &Cluster, client: &Client, count: usize, tasks: usize) -> anyhow::Result<String> {
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    for n in 0..count {
        client
            .publish(&workflow(&format!("other-{n}"), json!({ "only": { "type": "pass" } })).to_string())
            .await?;
        client
            .start(json!({ "workflow": format!("other-{n}"), "tags": ["a"] }))
            .await?;
        client
            .mutate(
                "runsBulk",
                json!({ "action": "RESUME", "filter": { "tag": "a" } }),
                "operation { id }",
            )
            .await?;
    }
    let tasks: Map<String, Value> = (0..tasks)
        .map(|n| {
            (
                format!("t{n}"),
                json!({ "type": "scripted", "input": { "n": n } }),
            )
        })
        .collect();
    let size = tasks.len();
    client
        .publish(&workflow("screen", Value::Object(tasks)).to_string())
        .await?;
    let run = client.start(json!({ "workflow": "screen" })).await?;
    let held = worker.take(size).await?;
    worker.delete(&held).await?;
    let reports = held.iter().enumerate().map(|(at, held)| match at % 2 {
        0 => succeeded(&held.at(), &json!({ "n": at })),
        _ => failed(&held.at(), false),
    });
    cluster
        .orchestrator()
        .report(worker.batch(reports.collect()))
        .await;
    cluster.orchestrator().settle().await;
    Ok(run)
}

/// Statements of each screen. Fields that answer at different times may miss a loader's gathering, so the least of several tries counts.
async fn statements(cluster: &Cluster, client: &Client, run: &str) -> anyhow::Result<Vec<u64>> {
    let uuid = run.trim_start_matches("run_");
    let tasks = (0..3).map(|ix| format!("task_{uuid}_{ix}"));
    let ids: Vec<String> = tasks.chain([run.to_owned()]).collect();
    let variables = json!({ "run": run, "task": format!("task_{uuid}_0"), "ids": ids });
    let mut counts = Vec::new();
    for (name, screen) in SCREENS {
        let head = screen.split('{').next().unwrap_or_default();
        let used = |name: &str| head.contains(&format!("${name}:"));
        let given: Map<String, Value> = ["run", "task", "ids"]
            .into_iter()
            .filter(|name| used(name))
            .map(|name| (name.to_owned(), variables[name].clone()))
            .collect();
        let mut least = u64::MAX;
        for _ in 0..4 {
            let before = cluster.orchestrator().read_statements();
            client
                .data(screen, Value::Object(given.clone()))
                .await
                .map_err(|error| error.context(name))?;
            least = least.min(cluster.orchestrator().read_statements() - before);
        }
        counts.push(least);
    }
    Ok(counts)
}

async fn a_screen_takes_the_same_few_statements_for_few_and_for_many_rows(
    stack: Stack,
) -> anyhow::Result<()> {
    let mut few = Cluster::start(stack).await?;
    let client = few.serve_with(patient()).await?;
    let run = runs(&few, &client, 3, 3).await?;
    let few_counts = statements(&few, &client, &run).await?;
    few.finish().await?;

    let mut many = Cluster::start(stack).await?;
    let client = many.serve_with(patient()).await?;
    let run = runs(&many, &client, 100, 100).await?;
    let many_counts = statements(&many, &client, &run).await?;
    many.finish().await?;

    for (((name, _), few), many) in SCREENS.iter().zip(few_counts).zip(many_counts) {
        assert!(many <= STATEMENTS_MAX, "{name}: {many} statements");
        assert_eq!(few, many, "{name} takes more statements for more rows");
    }
    Ok(())
}

async fn ids(client: &Client, arguments: &str) -> anyhow::Result<Vec<String>> {
    let query = format!("{{ runs({arguments}) {{ nodes {{ id }} }} }}");
    let data = client.data(&query, json!({})).await?;
    let nodes = data["runs"]["nodes"].as_array().cloned().unwrap_or_default();
    Ok(nodes
        .iter()
        .filter_map(|node| node["id"].as_str().map(str::to_owned))
        .collect())
}

async fn lists_are_filtered_sorted_and_counted(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    for key in ["one", "two"] {
        let file = workflow(key, json!({ "only": { "type": "pass" } }));
        client.publish(&file.to_string()).await?;
    }
    let mut made = Vec::new();
    for (key, tags, priority) in [
        ("one", json!(["a"]), 10),
        ("two", json!(["a", "b"]), 50),
        ("two", json!([]), 90),
    ] {
        let input = json!({ "workflow": key, "tags": tags, "priority": priority });
        made.push(client.start(input).await?);
        cluster.orchestrator().settle().await;
        cluster.clock.advance(Duration::from_secs(60));
    }
    let [one, two, three] = made.as_slice() else {
        anyhow::bail!("three runs were made");
    };
    let check = |arguments: &'static str, expected: Vec<&String>| {
        let client = client.clone();
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        async move {
            assert_eq!(ids(&client, arguments).await?, expected, "{arguments}");
            anyhow::Ok(())
        }
    };
    check("first: 9", vec![three, two, one]).await?;
    check("last: 2", vec![two, one]).await?;
    check("filter: { tag: \"a\" }", vec![two, one]).await?;
    check("filter: { tags: [\"a\", \"b\"] }", vec![two]).await?;
    check("filter: { not: { tag: \"a\" } }", vec![three]).await?;
    check(
        "filter: { or: [{ workflow: \"one\" }, { priority: { gte: 90 } }] }",
        vec![three, one],
    )
    .await?;
    check("filter: { workflowKey: { startsWith: \"t\" } }", vec![three, two]).await?;
    check("filter: { status: { notIn: [SUCCEEDED] } }", vec![]).await?;
    check(
        "filter: { duration: { lt: \"1h\" }, version: { eq: 1 } }",
        vec![three, two, one],
    )
    .await?;
    check("query: \"workflow == 'two' && 'b' in tags\"", vec![two]).await?;
    check("query: \"priority > 10 && !(priority == 90)\"", vec![two]).await?;
    check(
        "query: \"status in ['SUCCEEDED'] && duration < duration('1h')\"",
        vec![three, two, one],
    )
    .await?;
    check("query: \"startedAt > timestamp('2100-01-01T00:00:00Z')\"", vec![]).await?;
    check(
        "orderBy: { field: FINISHED_AT, direction: ASC }",
        vec![one, two, three],
    )
    .await?;

    pages(&client, one).await?;
    warnings(&client).await?;
    let one = runnel_engine::RunId(one.trim_start_matches("run_").parse()?);
    assert_eq!(cluster.run(one).await?.status, RunStatus::Succeeded);
    cluster.finish().await
}

async fn pages(client: &Client, oldest: &str) -> anyhow::Result<()> {
    let page = "query($after: String, $before: String, $last: Int) { runs(first: 2, after: $after, last: $last, before: $before) \
                { totalCount { value isExact } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { id } } }";
    let first = client.data(page, json!({})).await?["runs"].clone();
    assert_eq!(first["totalCount"], json!({ "value": 3, "isExact": true }));
    let next = client
        .data(page, json!({ "after": first["pageInfo"]["endCursor"] }))
        .await?["runs"]
        .clone();
    assert_eq!(next["nodes"], json!([{ "id": oldest }]));
    let back = client
        .data(
            page,
            json!({ "last": 2, "before": next["pageInfo"]["startCursor"] }),
        )
        .await?["runs"]
        .clone();
    assert_eq!(
        back["nodes"], first["nodes"],
        "a page backwards is in the order of the list"
    );
    assert_eq!(
        (
            &back["pageInfo"]["hasNextPage"],
            &back["pageInfo"]["hasPreviousPage"]
        ),
        (&json!(true), &json!(false))
    );

    Ok(())
}

async fn warnings(client: &Client) -> anyhow::Result<()> {
    let (_, slow) = client
        .post("{ runs(filter: { tag: \"a\" }) { nodes { id } } }", json!({}))
        .await?;
    assert_eq!(
        slow["extensions"]["warnings"][0]["code"], "UNINDEXED_FILTER",
        "{slow:#}"
    );
    let (_, fast) = client
        .post(
            "{ runs(filter: { tag: \"a\", workflow: \"one\" }) { nodes { id } } }",
            json!({}),
        )
        .await?;
    assert_eq!(fast["extensions"], Value::Null);
    let (_, bad) = client
        .post("{ runs(query: \"color == 'red'\") { nodes { id } } }", json!({}))
        .await?;
    assert_eq!(bad["errors"][0]["extensions"]["code"], "FILTER_INVALID");
    assert_eq!(bad["errors"][0]["extensions"]["position"], 1);
    Ok(())
}

/// More than a page has, so that a picture that is cut off is noticed.
async fn a_picture_has_every_task_of_the_file_and_how_it_stands(stack: Stack) -> anyhow::Result<()> {
    const TASKS: usize = 450;
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let tasks: Map<String, Value> = (0..TASKS)
        .map(|n| {
            let needs: Vec<String> = n.checked_sub(10).map(|up| format!("t{up}")).into_iter().collect();
            (format!("t{n}"), json!({ "type": "pass", "needs": needs }))
        })
        .collect();
    client
        .publish(&workflow("picture", Value::Object(tasks)).to_string())
        .await?;
    let run = client.start(json!({ "workflow": "picture" })).await?;
    cluster.orchestrator().settle().await;
    let query = "query($run: ID!) { run(id: $run) { layout { keys types x y ranks edges bendCounts } \
                 taskTable { statuses attempts finishedAt } first: task(key: \"t7\") { index } } }";
    let data = client.data(query, json!({ "run": run })).await?;
    let (layout, table) = (&data["run"]["layout"], &data["run"]["taskTable"]);
    let length = |value: &Value| value.as_array().map_or(0, Vec::len);
    for list in ["keys", "types", "x", "y", "ranks"] {
        assert_eq!(length(&layout[list]), TASKS, "{list}");
    }
    for list in ["statuses", "attempts", "finishedAt"] {
        assert_eq!(length(&table[list]), TASKS, "{list}");
    }
    assert_eq!(length(&layout["edges"]), 2 * (TASKS - 10));
    assert_eq!(length(&layout["bendCounts"]), TASKS - 10);
    // one order for all lists: that of the indices
    let index = usize::try_from(data["run"]["first"]["index"].as_u64().unwrap_or(u64::MAX))?;
    assert_eq!(layout["keys"][index], "t7");
    assert_eq!(table["statuses"][index], "SUCCEEDED");

    let validate = "mutation($source: String!) { workflowValidate(input: { source: $source }) { isValid layout { keys } } }";
    let source = |needs: &str| {
        format!("id: checked\ntasks:\n  a: {{ type: pass }}\n  b: {{ type: pass, needs: [{needs}] }}\n")
    };
    let good = client.data(validate, json!({ "source": source("a") })).await?;
    assert_eq!(good["workflowValidate"]["layout"]["keys"], json!(["a", "b"]));
    let bad = client.data(validate, json!({ "source": source("c") })).await?;
    assert_eq!(bad["workflowValidate"]["layout"], Value::Null);
    cluster.finish().await
}
