//! Approvals: who may vote, what a vote does, and what happens when nobody votes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::definition::Task;
use crate::run::testkit::{Driver, task, workflow};
use crate::run::{
    Approval, Category, Command, Input, Outcome, RecordKind, RunStatus, Stale, TaskStatus, WaitCommand,
    WaitInput, WaitSubject,
};

fn asking(input: Value) -> Driver {
    let ask = Task {
        kind: "approval".into(),
        input,
        ..task::<&str>("ask", &[])
    };
    let mut run = Driver::new(workflow(vec![ask, task("after", &["ask"])]));
    run.restores = true;
    run.start();
    run
}

fn vote(run: &mut Driver, name: &str, groups: &[&str], is_approved: bool) -> Outcome {
    vote_with(run, name, groups, is_approved, None)
}

fn vote_with(
    run: &mut Driver,
    name: &str,
    groups: &[&str],
    is_approved: bool,
    form: Option<Value>,
) -> Outcome {
    run.feed(Input::Wait(WaitInput::Decision {
        task: run.ix("ask"),
        is_approved,
        form,
        note: Some("because".into()),
        actor: name.into(),
        groups: groups.iter().map(|group| Arc::from(*group)).collect(),
    }))
}

#[track_caller]
fn refused(outcome: Outcome, text: &str) {
    match outcome {
        Outcome::Refused(refusal) => assert!(refusal.message.contains(text), "{refusal:?}"),
        other => panic!("{other:?} instead of a refusal with {text}"),
    }
}

fn approval(run: &Driver) -> Approval {
    Approval::of_extra(run.state.tasks[run.ix("ask").at()].extra.as_deref()).unwrap()
}

fn output(run: &Driver) -> Value {
    let text = run.state.tasks[run.ix("ask").at()].output.as_deref();
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

fn count(run: &Driver, kind: RecordKind) -> usize {
    run.records.iter().filter(|record| record.kind == kind).count()
}

#[test]
fn an_approval_lets_the_run_go_on_with_the_decision_as_output() {
    let mut run = asking(json!({"message": "Ship ${{ workflow.id }}?"}));
    assert_eq!(run.status("ask"), TaskStatus::Waiting);
    assert_eq!(approval(&run).message, "Ship w?");
    assert!(matches!(
        run.commands[..],
        [Command::Wait(WaitCommand::Begin {
            subject: WaitSubject::Approval,
            ..
        })]
    ));
    assert_eq!(vote(&mut run, "ana", &[], true), Outcome::Applied);
    let output = output(&run);
    assert_eq!(output["decision"], "APPROVE");
    assert_eq!(
        (&output["by"], &output["note"], &output["form"]),
        (&json!("ana"), &json!("because"), &json!(null))
    );
    assert!(output["at"].is_string());
    assert_eq!(run.status("after"), TaskStatus::Queued);
}

#[test]
fn a_rejection_fails_the_task_unless_the_file_says_to_go_on() {
    let mut run = asking(json!({"message": "ok?"}));
    vote(&mut run, "ana", &[], false);
    let error = run.state.tasks[0].error.clone().unwrap();
    assert_eq!(
        (error.category, error.code.as_str()),
        (Category::User, "REJECTED")
    );
    assert!(error.message.contains("ana") && error.message.contains("because"));
    assert_eq!(error.details.unwrap()["decision"], "REJECT");
    assert_eq!(run.run_status(), RunStatus::Failed);

    let mut run = asking(json!({"message": "ok?", "on_reject": "continue"}));
    vote(&mut run, "ana", &[], false);
    assert_eq!(output(&run)["decision"], "REJECT");
    assert_eq!(run.status("after"), TaskStatus::Queued);
}

#[test]
fn only_the_named_and_the_members_of_named_groups_may_vote() {
    let mut run = asking(json!({"message": "ok?", "approvers": ["ana", "group:risk"]}));
    refused(vote(&mut run, "bob", &["sales"], true), "not among the approvers");
    // a name is no group
    refused(vote(&mut run, "risk", &[], true), "not among the approvers");
    assert_eq!(vote(&mut run, "bob", &["risk"], true), Outcome::Applied);
    let mut run = asking(json!({"message": "ok?", "approvers": ["ana"]}));
    assert_eq!(
        vote(&mut run, "root", &["*"], true),
        Outcome::Applied,
        "an administrator"
    );
}

#[test]
fn who_started_the_run_may_not_decide_it_where_the_file_says_so() {
    let mut run = asking(json!({"message": "ok?", "no_self_approval": true}));
    refused(vote(&mut run, "me", &["*"], true), "started the run");
    assert_eq!(vote(&mut run, "ana", &[], true), Outcome::Applied);
}

#[test]
fn a_quorum_is_of_different_people() {
    let mut run = asking(json!({"message": "ok?", "quorum": 2}));
    assert_eq!(vote(&mut run, "ana", &[], true), Outcome::Applied);
    assert_eq!(
        vote(&mut run, "ana", &[], true),
        Outcome::Ignored(Stale::AlreadyInForce)
    );
    assert_eq!(run.status("ask"), TaskStatus::Waiting);
    assert_eq!(approval(&run).approvals(), 1);
    assert_eq!(vote(&mut run, "bob", &[], true), Outcome::Applied);
    assert_eq!(run.status("ask"), TaskStatus::Succeeded);
    let names: Vec<Value> = output(&run)["votes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["by"].clone())
        .collect();
    assert_eq!(names, ["ana", "bob"]);
    assert_eq!(count(&run, RecordKind::ApprovalDecided), 2);
}

#[test]
fn one_rejection_ends_it_whatever_the_quorum_and_a_vote_can_be_changed() {
    let mut run = asking(json!({"message": "ok?", "quorum": 3}));
    vote(&mut run, "ana", &[], true);
    assert_eq!(vote(&mut run, "ana", &[], false), Outcome::Applied);
    assert_eq!(run.status("ask"), TaskStatus::Failed);
    assert_eq!(approval(&run).votes.len(), 1);
}

#[test]
fn a_decision_is_made_once_and_its_repetition_is_no_error() {
    let mut run = asking(json!({"message": "ok?"}));
    vote(&mut run, "ana", &[], true);
    assert_eq!(
        vote(&mut run, "ana", &[], true),
        Outcome::Ignored(Stale::AlreadyInForce)
    );
    refused(vote(&mut run, "ana", &[], false), "decided already, by ana");
    refused(vote(&mut run, "bob", &[], true), "decided already, by ana");
}

#[test]
fn a_form_is_checked_and_every_problem_is_told() {
    let form = json!({
        "type": "object",
        "required": ["amount"],
        "properties": {"amount": {"type": "number", "maximum": 10}, "why": {"type": "string"}},
    });
    let mut run = asking(json!({"message": "ok?", "form": form}));
    refused(vote(&mut run, "ana", &[], true), "`form.amount`: is required");
    let bad = json!({"amount": 11, "why": 3});
    let problems = approval(&run).check_form(true, Some(&bad));
    let paths: Vec<String> = problems.iter().map(|p| p.path.join(".")).collect();
    assert_eq!(paths, ["form.amount", "form.why"]);
    refused(
        vote_with(&mut run, "ana", &[], true, Some(bad)),
        "the form does not fit",
    );
    let good = json!({"amount": 9});
    assert_eq!(
        vote_with(&mut run, "ana", &[], true, Some(good.clone())),
        Outcome::Applied
    );
    assert_eq!(output(&run)["form"], good);

    let mut run = asking(json!({"message": "ok?", "form": form}));
    assert_eq!(
        vote(&mut run, "ana", &[], false),
        Outcome::Applied,
        "a rejection needs no form"
    );
}

#[test]
fn an_approval_that_expires_is_decided_as_the_file_says() {
    for (on_expire, status) in [
        (json!(null), TaskStatus::TimedOut),
        (json!("fail"), TaskStatus::TimedOut),
        (json!("reject"), TaskStatus::Failed),
        (json!("approve"), TaskStatus::Succeeded),
    ] {
        let mut run = asking(json!({"message": "ok?", "expires": "24h", "on_expire": on_expire}));
        run.tick_after(Duration::from_secs(86_399));
        assert_eq!(run.status("ask"), TaskStatus::Waiting);
        run.tick_after(Duration::from_secs(1));
        assert_eq!(run.status("ask"), status, "{on_expire}");
        if status == TaskStatus::Succeeded {
            assert_eq!(
                (&output(&run)["decision"], &output(&run)["by"]),
                (&json!("APPROVE"), &json!(null))
            );
        }
        assert!(
            run.commands
                .iter()
                .any(|c| matches!(c, Command::Wait(WaitCommand::End { .. })))
        );
        refused_or_over(vote(&mut run, "ana", &[], true));
    }
}

#[track_caller]
fn refused_or_over(outcome: Outcome) {
    assert!(
        matches!(
            outcome,
            Outcome::Refused(_) | Outcome::Ignored(Stale::RunIsTerminal)
        ),
        "{outcome:?}"
    );
}

#[test]
fn reminders_come_again_and_again_and_once_after_a_long_sleep() {
    let mut run = asking(json!({"message": "ok?", "remind_every": "1h"}));
    for expected in 1..=3 {
        run.tick_after(Duration::from_secs(3_600));
        assert_eq!(count(&run, RecordKind::ApprovalReminded), expected);
    }
    run.tick_after(Duration::from_secs(36_000));
    assert_eq!(count(&run, RecordKind::ApprovalReminded), 4);
    assert_eq!(
        approval(&run).remind_at,
        Some(run.now.after(Duration::from_secs(3_600)))
    );
    vote(&mut run, "ana", &[], true);
    assert_eq!(run.status("ask"), TaskStatus::Succeeded);
}

#[test]
fn an_escalation_adds_approvers_once() {
    let mut run = asking(json!({
        "message": "ok?",
        "approvers": ["ana"],
        "escalate": {"after": "2h", "approvers": ["group:leads"]},
    }));
    refused(vote(&mut run, "bob", &["leads"], true), "not among");
    run.tick_after(Duration::from_secs(7_200));
    assert_eq!(count(&run, RecordKind::ApprovalEscalated), 1);
    run.tick_after(Duration::from_secs(7_200));
    assert_eq!(count(&run, RecordKind::ApprovalEscalated), 1);
    assert_eq!(approval(&run).approvers, ["ana", "group:leads"]);
    assert_eq!(vote(&mut run, "bob", &["leads"], true), Outcome::Applied);
}

#[test]
fn a_bad_input_fails_the_task_with_every_problem() {
    let run = asking(json!({"message": "", "quorum": 0, "form": {"type": "nothing"}, "expires": "soon"}));
    let error = run.state.tasks[0].error.clone().unwrap();
    assert_eq!(error.category, Category::Input);
    for part in ["`message`", "`quorum`", "`form`", "`expires`"] {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
}

#[test]
fn a_vote_on_something_else_is_refused() {
    let mut run = Driver::started(workflow(vec![task::<&str>("ask", &[])]));
    refused(vote(&mut run, "ana", &[], true), "does not wait for a decision");
}
