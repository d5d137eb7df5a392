//! An approval as it stands: what is asked of whom, and who has said what. Read by the API, decided upon here.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::{Fields, WaitState};
use crate::Timestamp;
use crate::inputs::{self, InputProblem};
use crate::run::extra::TaskExtra;

/// Most people whose approval is needed.
pub(crate) const QUORUM_MAX: u32 = 100;
/// Most names and groups of one approval.
pub(crate) const APPROVERS_MAX: usize = 100;
/// Longest message, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 8 << 10;
/// Shortest time between two reminders.
pub(crate) const REMIND_EVERY_MIN: Duration = Duration::from_secs(60);
/// Most reminders of one approval; the history must not fill with them.
pub(super) const REMINDERS_MAX: u32 = 1_000;
/// Largest filled form, in bytes of JSON.
pub(super) const FORM_BYTES_MAX: usize = 32 << 10;
const NAME_BYTES_MAX: usize = 256;
const GROUP: &str = "group:";

/// An approval: what is asked, of whom, and the votes so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// What is asked.
    pub message: String,
    /// Names of people and `group:x`; empty: anybody who may operate runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// JSON Schema (draft 7) that the form of an approving vote satisfies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Value>,
    /// How many different people must approve.
    pub quorum: u32,
    /// Whether the one who started the run may not approve.
    #[serde(default)]
    pub no_self_approval: bool,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When the next reminder is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<Timestamp>,
    /// Microseconds between two reminders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) remind_every_us: Option<i64>,
    /// Reminders so far.
    #[serde(default)]
    pub reminders: u32,
    /// When others are asked as well; `None` when they have been, or there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_at: Option<Timestamp>,
    /// These.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalate_to: Vec<String>,
    /// When it is decided without a vote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How it is decided then.
    #[serde(default)]
    pub on_expire: OnExpire,
    /// What a rejection does to the task.
    #[serde(default)]
    pub on_reject: OnReject,
    /// The votes, one a person, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
}

/// What one person said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: String,
    /// For or against.
    pub is_approved: bool,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The filled form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Value>,
    /// When.
    pub at: Timestamp,
}

/// How an approval is decided that nobody decided in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExpire {
    /// As approved.
    Approve,
    /// As rejected.
    Reject,
    /// The task is `TIMED_OUT`.
    #[default]
    Fail,
}

/// What a rejection does to the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnReject {
    /// It fails with the code `REJECTED`.
    #[default]
    Fail,
    /// It succeeds, and its output says `REJECT`.
    Continue,
}

pub(crate) const ON_EXPIRE: &[(&str, OnExpire)] = &[
    ("approve", OnExpire::Approve),
    ("reject", OnExpire::Reject),
    ("fail", OnExpire::Fail),
];
pub(crate) const ON_REJECT: &[(&str, OnReject)] =
    &[("fail", OnReject::Fail), ("continue", OnReject::Continue)];

/// Who votes.
#[derive(Debug, Clone, Copy)]
pub struct Voter<'a> {
    /// Name.
    pub name: &'a str,
    /// Groups; `*` is all of them: an administrator, who may vote on everything.
    pub groups: &'a [Arc<str>],
}

/// Why a vote does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecisionProblem {
    /// Neither the name nor a group is among the approvers.
    #[error("the caller is not among the approvers")]
    NotAnApprover,
    /// `no_self_approval`.
    #[error("who started the run may not decide this approval")]
    OwnRun,
}

impl Approval {
    /// The approval of a task, from its stored `extra`; also when it has been decided.
    #[must_use]
    pub fn of_extra(extra: Option<&str>) -> Option<Self> {
        match TaskExtra::read(extra?).wait? {
            WaitState::Approval(approval) => Some(*approval),
            WaitState::Event(_) | WaitState::Signal(_) | WaitState::Callback(_) => None,
        }
    }

    /// From the resolved input of the task.
    ///
    /// # Errors
    /// Every problem, in one text.
    pub(super) fn read(input: &Value, now: Timestamp) -> Result<Self, String> {
        let mut fields = Fields::of(input);
        let message = fields.text("message", MESSAGE_BYTES_MAX);
        if message.is_none() && fields.problems.is_empty() {
            fields.problem("message", "is missing");
        }
        let approvers = names(&mut fields, input, "approvers");
        let escalate = input.get("escalate").cloned().unwrap_or_default();
        let mut escalating = Fields::of(&escalate);
        let escalate_after = escalating.duration("after");
        let escalate_to = names(&mut escalating, &escalate, "approvers");
        let form = fields.get("form").cloned();
        if let Some(form) = &form
            && let Err(error) = jsonschema::draft7::new(form)
        {
            fields.problem("form", format!("is no JSON Schema: {error}"));
        }
        let quorum = match fields.get("quorum") {
            None => 1,
            Some(value) => match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
                Some(quorum @ 1..=QUORUM_MAX) => quorum,
                _ => {
                    fields.problem("quorum", format!("is not a number from 1 to {QUORUM_MAX}"));
                    1
                }
            },
        };
        let remind_every = fields
            .duration("remind_every")
            .map(|every| every.max(REMIND_EVERY_MIN));
        let approval = Self {
            message: message.unwrap_or_default(),
            approvers,
            form,
            quorum,
            no_self_approval: fields.boolean("no_self_approval").unwrap_or(false),
            asked_at: now,
            remind_at: remind_every.map(|every| now.after(every)),
            remind_every_us: remind_every.and_then(|every| i64::try_from(every.as_micros()).ok()),
            reminders: 0,
            escalate_at: escalate_after.map(|after| now.after(after)),
            escalate_to,
            expires_at: fields.duration("expires").map(|after| now.after(after)),
            on_expire: fields.one_of("on_expire", ON_EXPIRE).unwrap_or_default(),
            on_reject: fields.one_of("on_reject", ON_REJECT).unwrap_or_default(),
            votes: Vec::new(),
        };
        let problems = [fields.problems, escalating.problems].concat();
        if problems.is_empty() {
            Ok(approval)
        } else {
            Err(problems.join("; "))
        }
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        [self.remind_at, self.escalate_at, self.expires_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether the voter may vote.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, voter: Voter<'_>, started_by: &str) -> Result<(), DecisionProblem> {
        let is_in = |group: &str| voter.groups.iter().any(|own| &**own == group);
        let is_named = self
            .approvers
            .iter()
            .any(|approver| match approver.strip_prefix(GROUP) {
                Some(group) => is_in(group),
                None => approver == voter.name,
            });
        if !self.approvers.is_empty() && !is_named && !is_in("*") {
            return Err(DecisionProblem::NotAnApprover);
        }
        if self.no_self_approval && voter.name == started_by {
            return Err(DecisionProblem::OwnRun);
        }
        Ok(())
    }

    /// The vote of a person, if there is one.
    #[must_use]
    pub fn vote_of(&self, name: &str) -> Option<&Vote> {
        self.votes.iter().find(|vote| vote.by == name)
    }

    /// How many people approve so far.
    #[must_use]
    pub fn approvals(&self) -> usize {
        self.votes.iter().filter(|vote| vote.is_approved).count()
    }

    /// Every problem of a filled form, with its path from `form` on. A rejection needs no form.
    #[must_use]
    pub fn check_form(&self, is_approved: bool, form: Option<&Value>) -> Vec<InputProblem> {
        let mut problems = Vec::new();
        if let Some(form) = form {
            let bytes = form.to_string().len();
            if bytes > FORM_BYTES_MAX {
                problems.push(InputProblem {
                    path: vec!["form".to_owned()],
                    message: format!("the form has {bytes} bytes, more than the limit of {FORM_BYTES_MAX}"),
                });
                return problems;
            }
        }
        let Some(schema) = &self.form else {
            return problems;
        };
        let empty = Value::Object(serde_json::Map::new());
        if is_approved || form.is_some() {
            inputs::judge("form", schema, form.unwrap_or(&empty), &mut problems);
        }
        problems
    }
}

fn names(fields: &mut Fields<'_>, input: &Value, key: &str) -> Vec<String> {
    let listed = match input.get(key) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::String(name)) => vec![Value::from(name.as_str())],
        Some(Value::Array(names)) if names.len() <= APPROVERS_MAX => names.clone(),
        Some(_) => {
            fields.problem(key, format!("is not a list of at most {APPROVERS_MAX} names"));
            return Vec::new();
        }
    };
    let is_name = |name: &&str| (1..=NAME_BYTES_MAX).contains(&name.len());
    let found: Vec<String> = listed
        .iter()
        .filter_map(|name| name.as_str().filter(is_name))
        .map(str::to_owned)
        .collect();
    if found.len() < listed.len() {
        fields.problem(
            key,
            format!("has something that is no name of 1 to {NAME_BYTES_MAX} bytes"),
        );
    }
    found
}
