//! Dead letters: kept with the failure, listed, grouped, replayed so that the run finishes, discarded.

use runnel_engine::RunId;
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_runtime::dead_letters::{DeadLetterFilter, DeadLetterView, Kind, Selection, Status};
use runnel_runtime::query::window::Window;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{ScriptedWorker, failed};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_each_stack!(
    a_dead_letter_replayed_lets_the_run_finish,
    a_group_is_replayed_at_once,
    a_discarded_letter_stays_and_is_not_replayed,
    dead_letters_over_the_api,
);

fn file() -> Value {
    let tasks = json!({
        "load": { "type": "scripted", "input": { "n": 7 }, "on_exhausted": "dead_letter" },
        "store": { "type": "scripted", "needs": ["load"] },
    });
    workflow("import", tasks)
}

async fn fail_next(worker: &ScriptedWorker) -> anyhow::Result<()> {
    let held = worker.take(1).await?;
    worker.report(vec![failed(&held[0].at(), false)]).await?;
    worker.delete(&held).await
}

async fn letters(cluster: &Cluster, filter: &DeadLetterFilter) -> anyhow::Result<Vec<DeadLetterView>> {
    let window = Window::First {
        size: 50,
        after: None,
    };
    let page = cluster
        .orchestrator()
        .list_dead_letters(&cluster.actor, filter, window)
        .await?;
    Ok(page.items)
}

async fn failed_run(cluster: &Cluster, worker: &ScriptedWorker) -> anyhow::Result<RunId> {
    let run = cluster.launch(&file()).await?;
    fail_next(worker).await?;
    cluster.ends(run, RunStatus::Failed).await?;
    Ok(run)
}

async fn a_dead_letter_replayed_lets_the_run_finish(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = failed_run(&cluster, &worker).await?;
    let found = letters(&cluster, &DeadLetterFilter::default()).await?;
    assert_eq!(found.len(), 1);
    let letter = &found[0];
    assert_eq!((letter.kind, letter.status), (Kind::Task, Status::Open));
    assert_eq!((letter.run, letter.task.as_deref()), (Some(run), Some("load")));
    assert_eq!(letter.failure.code, "SCRIPTED");
    assert_eq!(letter.payload.as_deref(), Some(r#"{"n":7}"#));

    let these = Selection::Ids(vec![letter.id]);
    let orchestrator = cluster.orchestrator();
    let counted = orchestrator
        .replay_dead_letters(&cluster.actor, &these, true)
        .await?;
    assert_eq!(
        (counted.matched, cluster.run(run).await?.status),
        (1, RunStatus::Failed)
    );
    let replayed = orchestrator
        .replay_dead_letters(&cluster.actor, &these, false)
        .await?;
    assert_eq!(replayed.letters[0].status, Status::Replayed);
    assert_eq!(replayed.letters[0].resolved_by.as_deref(), Some("test"));
    let again = orchestrator
        .replay_dead_letters(&cluster.actor, &these, false)
        .await?;
    assert_eq!(again.matched, 0, "a replayed letter is not replayed again");
    worker.succeed_next(1).await?;
    worker.succeed_next(1).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn a_group_is_replayed_at_once(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let tasks = json!({
        "each": {
            "type": "scripted",
            "for_each": { "items": [1, 2, 3], "tolerate": 3 },
            "on_exhausted": "dead_letter",
            "continue_on_error": true,
        },
    });
    let mut file = workflow("items", tasks);
    file["tasks"]["each"]["for_each"]["tolerate"] = json!(1);
    let run = cluster.launch(&file).await?;
    fail_next(&worker).await?;
    fail_next(&worker).await?;
    cluster
        .until_task(run, "each", |task| task.status == TaskStatus::Failed)
        .await?;
    let orchestrator = cluster.orchestrator();
    let all = DeadLetterFilter::default();
    let groups = orchestrator.group_dead_letters(&cluster.actor, &all).await?;
    assert_eq!(groups.iter().map(|group| group.count).collect::<Vec<_>>(), [2]);
    cluster
        .until(run, "ended", |run| run.status.is_terminal())
        .await?;
    let group = Selection::Filter(Box::new(DeadLetterFilter {
        fingerprint: Some(groups[0].fingerprint.clone()),
        ..DeadLetterFilter::default()
    }));
    let replayed = orchestrator
        .replay_dead_letters(&cluster.actor, &group, false)
        .await?;
    assert_eq!((replayed.matched, replayed.unresolved.len()), (2, 0));
    while !cluster.run(run).await?.status.is_terminal() {
        let held = worker.receive(3, std::time::Duration::ZERO).await?;
        let reports = held
            .iter()
            .map(|held| runnel_tests::scripted::succeeded(&held.at(), &json!(1)))
            .collect();
        worker.report(reports).await?;
        worker.delete(&held).await?;
    }
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(cluster.task(run, "each").await?.status, TaskStatus::Succeeded);
    cluster.finish().await
}

async fn a_discarded_letter_stays_and_is_not_replayed(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = failed_run(&cluster, &worker).await?;
    let orchestrator = cluster.orchestrator();
    let of_run = Selection::Filter(Box::new(DeadLetterFilter {
        run: Some(run),
        ..DeadLetterFilter::default()
    }));
    let discarded = orchestrator
        .discard_dead_letters(&cluster.actor, &of_run, Some("known".to_owned()), false)
        .await?;
    assert_eq!(discarded.letters[0].status, Status::Discarded);
    assert_eq!(discarded.letters[0].reason.as_deref(), Some("known"));
    let replayed = orchestrator
        .replay_dead_letters(
            &cluster.actor,
            &Selection::Ids(vec![discarded.letters[0].id]),
            false,
        )
        .await?;
    assert_eq!(replayed.matched, 0);
    assert_eq!(cluster.run(run).await?.status, RunStatus::Failed);
    cluster.finish().await
}

async fn dead_letters_over_the_api(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let client = cluster.serve().await?;
    let run = failed_run(&cluster, &worker).await?;
    let query = "{ deadLetters(filter: { status: { eq: OPEN } }) { nodes { id kind task error { code } run { status } } } \
                   deadLetterGroups { fingerprint count code } }";
    let data = client.data(query, json!({})).await?;
    let letter = &data["deadLetters"]["nodes"][0];
    assert_eq!(
        (letter["task"].as_str(), letter["run"]["status"].as_str()),
        (Some("load"), Some("FAILED"))
    );
    assert_eq!(data["deadLetterGroups"][0]["count"], 1);
    let mutation = "mutation($input: DeadLetterIdsInput!) { deadLetterReplay(input: $input) { \
                      matched deadLetters { status } unresolved { message } userErrors { code } } }";
    let input = json!({ "input": { "ids": [letter["id"]], "idempotencyKey": "once" } });
    let first = client.data(mutation, input.clone()).await?;
    assert_eq!(first["deadLetterReplay"]["deadLetters"][0]["status"], "REPLAYED");
    let again = client.data(mutation, input).await?;
    assert_eq!(first, again, "the same request answers as before");
    let unknown = json!({ "input": { "ids": ["deadletter_00000000000070008000000000000000"] } });
    let answer = client.data(mutation, unknown).await?;
    assert_eq!(
        answer["deadLetterReplay"]["userErrors"][0]["code"],
        "DEAD_LETTER_NOT_FOUND"
    );
    worker.succeed_next(1).await?;
    worker.succeed_next(1).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}
