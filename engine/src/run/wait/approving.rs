//! Votes on an approval, its reminders, its escalation and its end.

use std::sync::Arc;

use serde_json::{Value, json};

use super::approval::{Approval, OnExpire, OnReject, REMINDERS_MAX, Vote, Voter};
use super::state::WaitState;
use super::{TaskExtra, WaitSubject};
use crate::run::machine::{Machine, Note};
use crate::run::{Category, Outcome, RecordKind, Refusal, Stale, TaskFailure};
use crate::{TaskIx, Timestamp};

/// A vote that came in.
pub(super) struct Decision<'a> {
    pub is_approved: bool,
    pub form: Option<&'a Value>,
    pub note: Option<&'a str>,
    pub voter: Voter<'a>,
}

fn refused(message: impl Into<String>) -> Outcome {
    Outcome::Refused(Refusal {
        message: message.into(),
        allowed: Vec::new(),
    })
}

fn word(is_approved: bool) -> &'static str {
    if is_approved { "APPROVE" } else { "REJECT" }
}

impl Machine<'_> {
    /// Asks for a decision.
    pub fn begin_approval(&mut self, ix: TaskIx) {
        let Some(input) = self.begin_inline(ix) else {
            return;
        };
        let approval = match Approval::read(&input, self.now()) {
            Ok(approval) => approval,
            Err(message) => {
                return self.fail_task(ix, TaskFailure::new(Category::Input, "INPUT", message, false));
            }
        };
        self.task_mut(ix).input = Some(Arc::from(input.to_string()));
        let data = json!({
            "message": approval.message,
            "approvers": approval.approvers,
            "quorum": approval.quorum,
            "until": approval.expires_at.map(Timestamp::to_rfc3339),
        });
        self.enter_wait(ix, WaitState::Approval(Box::new(approval)), WaitSubject::Approval);
        self.note_waiting(ix, "APPROVAL", data);
    }

    /// One vote against ends the approval, as many for it as its quorum do; a vote can be changed until then.
    pub(super) fn on_decision(&mut self, ix: TaskIx, decision: Decision<'_>) -> Outcome {
        let Some(task) = self.state.tasks.get(ix.at()) else {
            return refused("there is no such task");
        };
        let stored = match TaskExtra::of(task).wait {
            Some(WaitState::Approval(approval)) => approval,
            Some(WaitState::Event(_) | WaitState::Signal(_) | WaitState::Callback(_)) | None => {
                return refused("the task does not wait for a decision");
            }
        };
        let name = decision.voter.name;
        if let Some(vote) = stored.vote_of(name)
            && vote.is_approved == decision.is_approved
        {
            return Outcome::Ignored(Stale::AlreadyInForce);
        }
        if self.waiting(ix).is_none() {
            return refused(match stored.votes.last() {
                Some(vote) => format!("the approval was decided already, by {}", vote.by),
                None => "the approval is over".to_owned(),
            });
        }
        if let Err(problem) = stored.admit(decision.voter, &self.state.context.created_by) {
            return refused(problem.to_string());
        }
        let problems = stored.check_form(decision.is_approved, decision.form);
        if !problems.is_empty() {
            let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
            return refused(format!("the form does not fit: {}", messages.join("; ")));
        }
        self.vote(ix, *stored, &decision);
        Outcome::Applied
    }

    fn vote(&mut self, ix: TaskIx, mut approval: Approval, decision: &Decision<'_>) {
        let name = decision.voter.name;
        let vote = Vote {
            by: name.to_owned(),
            is_approved: decision.is_approved,
            note: decision.note.map(str::to_owned),
            form: decision.form.cloned(),
            at: self.now(),
        };
        approval.votes.retain(|vote| vote.by != name);
        approval.votes.push(vote.clone());
        let approvals = approval.approvals();
        let note = Note {
            actor: Some(name),
            ..Note::data(json!({
                "decision": word(vote.is_approved),
                "note": vote.note,
                "approvals": approvals,
                "quorum": approval.quorum,
            }))
        };
        let is_enough = approvals >= usize::try_from(approval.quorum).unwrap_or(usize::MAX);
        let is_ended = !vote.is_approved || is_enough;
        self.set_wait(ix, Some(WaitState::Approval(Box::new(approval.clone()))));
        self.task_record(RecordKind::ApprovalDecided, ix, note);
        if is_ended {
            self.end_approval(ix, &approval, vote.is_approved, Some(&vote));
        }
    }

    /// The approval is decided, by a vote or by its end.
    fn end_approval(&mut self, ix: TaskIx, approval: &Approval, is_approved: bool, vote: Option<&Vote>) {
        let votes: Vec<Value> = approval.votes.iter().map(vote_value).collect();
        let mut output = json!({
            "decision": word(is_approved),
            "form": vote.and_then(|vote| vote.form.clone()),
            "note": vote.and_then(|vote| vote.note.clone()),
            "by": vote.map(|vote| vote.by.as_str()),
            "at": vote.map_or(self.now(), |vote| vote.at).to_rfc3339(),
        });
        if approval.quorum > 1 {
            output["votes"] = Value::from(votes);
        }
        if is_approved || approval.on_reject == OnReject::Continue {
            return self.succeed(ix, Arc::from(output.to_string()));
        }
        let message = match vote {
            Some(Vote {
                by, note: Some(note), ..
            }) => format!("rejected by {by}: {note}"),
            Some(Vote { by, .. }) => format!("rejected by {by}"),
            None => "rejected, because nobody decided in time".to_owned(),
        };
        let failure = TaskFailure {
            details: Some(output),
            ..TaskFailure::new(Category::User, "REJECTED", message, false)
        };
        self.fail_task(ix, failure);
    }

    /// The end comes before others are asked, and these before a reminder.
    pub(super) fn on_approval_due(&mut self, ix: TaskIx, mut approval: Approval) {
        let now = self.now();
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if is_due(approval.expires_at) {
            return self.expire(ix, &approval);
        }
        if is_due(approval.escalate_at) {
            approval.escalate_at = None;
            let added = approval.escalate_to.clone();
            for approver in &added {
                // a list without anybody is open to everybody, and stays so
                if !approval.approvers.is_empty() && !approval.approvers.contains(approver) {
                    approval.approvers.push(approver.clone());
                }
            }
            let data = json!({"added": added, "approvers": approval.approvers});
            self.task_record(RecordKind::ApprovalEscalated, ix, Note::data(data));
        }
        if is_due(approval.remind_at) {
            approval.reminders = approval.reminders.saturating_add(1);
            let every = approval
                .remind_every_us
                .filter(|_| approval.reminders < REMINDERS_MAX);
            approval.remind_at = every.map(|every| Timestamp(now.0.saturating_add(every)));
            let data = json!({"reminder": approval.reminders, "approvers": approval.approvers});
            self.task_record(RecordKind::ApprovalReminded, ix, Note::data(data));
        }
        self.set_wait(ix, Some(WaitState::Approval(Box::new(approval))));
        self.rearm(ix);
    }

    fn expire(&mut self, ix: TaskIx, approval: &Approval) {
        match approval.on_expire {
            OnExpire::Approve => self.end_approval(ix, approval, true, None),
            OnExpire::Reject => self.end_approval(ix, approval, false, None),
            OnExpire::Fail => {
                let message = "nobody decided the approval in time";
                let failure = TaskFailure::new(Category::Timeout, "APPROVAL_EXPIRED", message, false);
                self.fail_task(ix, failure);
            }
        }
    }
}

fn vote_value(vote: &Vote) -> Value {
    json!({
        "by": vote.by,
        "decision": word(vote.is_approved),
        "form": vote.form,
        "note": vote.note,
        "at": vote.at.to_rfc3339(),
    })
}
