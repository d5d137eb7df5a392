//! Approvals, end to end: who may decide, the inbox, and that a decision is made once.

use std::sync::Arc;
use std::time::Duration;

use runnel_engine::RunId;
use runnel_engine::run::{DecisionProblem, RunStatus, TaskStatus};
use runnel_runtime::Actor;
use runnel_runtime::view::{PageRequest, RunView};
use runnel_runtime::wait::{ApprovalFilter, ApprovalView, DecisionRequest, WaitError};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    an_approval_survives_a_restart_and_is_decided_once,
    a_quorum_of_different_members_of_a_group_is_needed,
    a_form_that_does_not_fit_is_refused_with_every_problem,
    who_started_the_run_may_not_decide_it,
    an_approval_expires_by_its_policy,
    the_inbox_shows_what_waits_and_what_is_mine,
    approvals_go_over_the_api,
);

fn asking(input: Value) -> Value {
    let tasks = json!({
        "ask": { "type": "approval", "input": input },
        "after": { "type": "pass", "needs": ["ask"], "input": { "by": "${{ tasks.ask.output.by }}" } },
    });
    workflow("asking", tasks)
}

fn person(name: &str) -> Actor {
    Actor {
        name: name.into(),
        namespace: "default".into(),
    }
}

async fn launch(cluster: &Cluster, input: Value) -> anyhow::Result<RunId> {
    let run = cluster.launch(&asking(input)).await?;
    let task = cluster
        .until_task(run, "ask", |task| task.status == TaskStatus::Waiting)
        .await?;
    assert_eq!(task.waiting_for, Some("APPROVAL"));
    Ok(run)
}

async fn vote(
    cluster: &Cluster,
    run: RunId,
    name: &str,
    groups: &[&str],
    is_approved: bool,
) -> Result<(RunView, ApprovalView), WaitError> {
    vote_with(cluster, run, name, groups, is_approved, None).await
}

async fn vote_with(
    cluster: &Cluster,
    run: RunId,
    name: &str,
    groups: &[&str],
    is_approved: bool,
    form: Option<Value>,
) -> Result<(RunView, ApprovalView), WaitError> {
    let request = DecisionRequest {
        run,
        task: "ask".to_owned(),
        is_approved,
        form,
        note: Some("noted".to_owned()),
        groups: groups.iter().map(|group| Arc::from(*group)).collect(),
    };
    cluster
        .orchestrator()
        .resolve_approval(&person(name), request)
        .await
}

async fn an_approval_survives_a_restart_and_is_decided_once(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let run = launch(&cluster, json!({ "message": "Ship it?" })).await?;
    cluster.restart().await?;
    let (_, view) = vote(&cluster, run, "ana", &[], true).await?;
    assert!(!view.is_open);
    cluster.ends(run, RunStatus::Succeeded).await?;
    let again = vote(&cluster, run, "ana", &[], true).await?;
    assert_eq!(again.0.status, RunStatus::Succeeded, "the same vote is no error");
    let late = vote(&cluster, run, "bob", &[], false).await;
    assert!(matches!(late, Err(WaitError::Operate(_))), "{late:?}");
    let output = cluster.task(run, "ask").await?.output;
    let output: Value = serde_json::from_str(output.as_deref().unwrap_or("null"))?;
    assert_eq!(
        (&output["decision"], &output["by"], &output["note"]),
        (&json!("APPROVE"), &json!("ana"), &json!("noted"))
    );
    cluster.finish().await
}

async fn a_quorum_of_different_members_of_a_group_is_needed(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let run = launch(
        &cluster,
        json!({ "message": "ok?", "approvers": ["group:risk"], "quorum": 2 }),
    )
    .await?;
    let stranger = vote(&cluster, run, "eve", &["sales"], true).await;
    assert!(
        matches!(
            stranger,
            Err(WaitError::Forbidden(DecisionProblem::NotAnApprover))
        ),
        "{stranger:?}"
    );
    for _ in 0..2 {
        let (_, view) = vote(&cluster, run, "ana", &["risk"], true).await?;
        assert!(view.is_open);
        assert_eq!(view.approval.approvals(), 1);
    }
    vote(&cluster, run, "bob", &["risk"], true).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn a_form_that_does_not_fit_is_refused_with_every_problem(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let form = json!({
        "type": "object",
        "required": ["why"],
        "properties": { "why": { "type": "string" }, "amount": { "type": "number", "maximum": 10 } },
    });
    let run = launch(&cluster, json!({ "message": "ok?", "form": form })).await?;
    let bad = Some(json!({ "why": 3, "amount": 11 }));
    let Err(WaitError::Form(problems)) = vote_with(&cluster, run, "ana", &[], true, bad).await else {
        anyhow::bail!("a form that does not fit was taken");
    };
    let mut paths: Vec<String> = problems.iter().map(|problem| problem.path.join(".")).collect();
    paths.sort();
    assert_eq!(paths, ["form.amount", "form.why"]);
    let good = Some(json!({ "why": "it works", "amount": 9 }));
    vote_with(&cluster, run, "ana", &[], true, good).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn who_started_the_run_may_not_decide_it(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let run = launch(&cluster, json!({ "message": "ok?", "no_self_approval": true })).await?;
    // the starter is read from the row again
    cluster.restart().await?;
    let own = vote(&cluster, run, "test", &["*"], true).await;
    assert!(
        matches!(own, Err(WaitError::Forbidden(DecisionProblem::OwnRun))),
        "{own:?}"
    );
    vote(&cluster, run, "ana", &[], false).await?;
    let ended = cluster.ends(run, RunStatus::Failed).await?;
    assert_eq!(ended.error.map(|error| error.code).as_deref(), Some("REJECTED"));
    cluster.finish().await
}

async fn an_approval_expires_by_its_policy(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let input = json!({ "message": "ok?", "expires": "24h", "on_expire": "approve", "remind_every": "1h" });
    let run = launch(&cluster, input).await?;
    cluster.clock.advance(Duration::from_secs(3_601));
    cluster
        .until(run, "reminded", |run| run.wake_at.is_some())
        .await?;
    cluster.clock.advance(Duration::from_secs(86_400));
    cluster.ends(run, RunStatus::Succeeded).await?;
    let late = vote(&cluster, run, "ana", &[], true).await;
    assert!(matches!(late, Err(WaitError::Operate(_))), "{late:?}");
    cluster.finish().await
}

async fn the_inbox_shows_what_waits_and_what_is_mine(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let for_risk = launch(&cluster, json!({ "message": "a", "approvers": ["group:risk"] })).await?;
    let for_all = launch(&cluster, json!({ "message": "b" })).await?;
    let list = async |name: &str, mine: Option<&[&str]>, first: u32| {
        let groups = mine.map(|groups| groups.iter().map(|group| Arc::from(*group)).collect());
        let filter = ApprovalFilter {
            run: None,
            mine: groups,
        };
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = cluster
                .orchestrator()
                .list_approvals(&person(name), filter.clone(), PageRequest { first, after })
                .await?;
            after = page
                .items
                .last()
                .map(|(since, view)| (*since, view.run_id, view.ix));
            found.extend(page.items.into_iter().map(|(_, view)| view.run_id));
            if !page.has_next {
                return anyhow::Ok(found);
            }
        }
    };
    assert_eq!(list("bob", None, 1).await?, [for_risk, for_all]);
    assert_eq!(list("bob", Some(&[]), 50).await?, [for_all]);
    assert_eq!(list("bob", Some(&["risk"]), 50).await?, [for_risk, for_all]);
    vote(&cluster, for_all, "bob", &[], true).await?;
    assert_eq!(
        list("bob", None, 50).await?,
        [for_risk],
        "what is decided has left"
    );
    let stranger = Actor {
        name: "bob".into(),
        namespace: "elsewhere".into(),
    };
    let page = PageRequest {
        first: 50,
        after: None,
    };
    let foreign = cluster
        .orchestrator()
        .list_approvals(&stranger, ApprovalFilter::default(), page)
        .await?;
    assert!(foreign.items.is_empty());
    cluster.finish().await
}

async fn approvals_go_over_the_api(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let form = json!({ "type": "object", "required": ["why"] });
    let run = launch(
        &cluster,
        json!({ "message": "Ship?", "form": form, "approvers": ["group:risk"] }),
    )
    .await?;
    let id = format!("run_{}", run.0.simple());
    let query = "query { approvals(filter: { mine: true }) { nodes { id key message formSchema approvers quorum canResolve isOpen \
                 votes { by } run { id } task { waitingFor approval { message } } } } }";
    let shown = client.data(query, json!({})).await?;
    let node = &shown["approvals"]["nodes"][0];
    assert_eq!(
        (&node["message"], &node["run"]["id"]),
        (&json!("Ship?"), &json!(id)),
        "{shown:#}"
    );
    assert_eq!(
        (&node["canResolve"], &node["task"]["waitingFor"]),
        (&json!(true), &json!("APPROVAL"))
    );
    let again = client
        .data(
            "query($id: ID!) { node(id: $id) { ... on Approval { key } } }",
            json!({ "id": node["id"] }),
        )
        .await?;
    assert_eq!(again["node"]["key"], "ask");

    let selection = "approval { isOpen votes { by decision note } } run { status }";
    let vote = |form: Value| json!({ "run": id, "task": "ask", "decision": "APPROVE", "form": form, "note": "fine" });
    let refused = client
        .mutate("approvalResolve", vote(json!({})), selection)
        .await?;
    assert_eq!(refused["userErrors"][0]["code"], "INPUT_INVALID", "{refused:#}");
    assert_eq!(refused["userErrors"][0]["path"][1], "form");
    let done = client
        .mutate("approvalResolve", vote(json!({ "why": "because" })), selection)
        .await?;
    assert_eq!(done["approval"]["isOpen"], false, "{done:#}");
    assert_eq!(done["approval"]["votes"][0]["decision"], "APPROVE");
    cluster.ends(run, RunStatus::Succeeded).await?;

    let run = launch(&cluster, json!({ "message": "Again?" })).await?;
    let task = cluster.task(run, "ask").await?;
    let path = format!("/api/v1/tasks/task_{}_{}/reject", run.0.simple(), task.ix.0);
    let answer = client
        .http
        .post(client.at(&path))
        .body(r#"{"note":"no"}"#)
        .send()
        .await?;
    assert!(answer.status().is_success(), "{}", answer.text().await?);
    cluster.ends(run, RunStatus::Failed).await?;
    cluster.finish().await
}
