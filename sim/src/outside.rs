//! Whoever ends the waits of tasks: people who vote, senders of signals and events, holders of callback tokens. They repeat
//! themselves until they are answered.

use std::sync::Arc;

use runnel_engine::run::{
    Approval, Category, Command, Input, Outcome, TaskFailure, WaitCommand, WaitInput, WaitSubject,
};
use runnel_engine::{RunId, TaskIx};
use runnel_runtime::offline::{Answer, Attempt, Change, Item};

use crate::defect::Defect;
use crate::reach::Reach;
use crate::script::{Ending, Tries};
use crate::world::{SECOND, World};

/// Who has heard nothing for so long asks again.
const IMPATIENCE: i64 = 3 * SECOND;

/// Once the faults have stopped, whoever is still waited for is reminded so often.
const REMIND_EVERY: i64 = 600 * SECOND;

/// The people and programs outside.
#[derive(Debug, Default)]
pub struct Outside {
    deeds: Vec<Deed>,
    remind_at: i64,
    signals: u64,
}

/// Something that somebody does.
#[derive(Debug)]
struct Deed {
    due: i64,
    what: What,
    /// Replica, its life and the ticket of the answer.
    asked: Option<(usize, u32, u64)>,
}

#[derive(Debug, Clone)]
enum What {
    Vote(RunId, TaskIx, bool, &'static str),
    Signal(RunId, Arc<str>, Arc<str>),
    Event(Arc<str>, bool),
    /// The use of a token.
    Callback(String, Ending),
    /// The holder of a token says that the work goes on.
    Alive(String),
}

impl Outside {
    /// When somebody does something next.
    #[must_use]
    pub fn due(&self) -> i64 {
        self.deeds.iter().map(|deed| deed.due).min().unwrap_or(i64::MAX)
    }

    fn plan(&mut self, due: i64, what: What) {
        self.deeds.push(Deed {
            due,
            what,
            asked: None,
        });
    }
}

impl World {
    /// Tasks have begun to wait: those they wait for hear of it.
    pub(crate) fn hear_of_waits(&mut self, change: &Change<'_>) {
        for command in change.commands {
            if let Command::Wait(WaitCommand::Begin { task, subject, .. }) = command {
                self.answer_wait(change.run, *task, subject, false);
            }
        }
    }

    /// Somebody will end the wait, sooner or later; where it has an end of its own, maybe nobody.
    fn answer_wait(&mut self, run: RunId, task: TaskIx, subject: &WaitSubject, is_sure: bool) {
        let is_sure = is_sure || self.script.is_settled;
        if !is_sure && self.chance.percent(25) {
            return;
        }
        let due = self.now + self.chance.millis(0, 40_000);
        match subject {
            WaitSubject::Event(name, _) => {
                if self.chance.percent(40) {
                    self.outside.plan(due - 1, What::Event(Arc::clone(name), false));
                }
                self.outside.plan(due, What::Event(Arc::clone(name), true));
            }
            WaitSubject::Signal(name) => {
                self.outside.signals += 1;
                let id: Arc<str> = format!("signal-{}", self.outside.signals).into();
                let what = What::Signal(run, Arc::clone(name), id);
                if self.chance.percent(25) {
                    self.outside.plan(due, what.clone());
                }
                self.outside.plan(due, what);
            }
            WaitSubject::Approval => self.plan_votes(run, task, due),
            // whoever was given the token uses it
            WaitSubject::Callback => {}
        }
    }

    fn plan_votes(&mut self, run: RunId, task: TaskIx, due: i64) {
        let Some(row) = self.store.runs.get(&run) else {
            return;
        };
        let extra = row.tasks().get(task.at()).and_then(|task| task.extra.as_deref());
        let Some(approval) = Approval::of_extra(extra) else {
            return;
        };
        let is_approved = self.script.is_approved(row.lineage, &row.key_of(task));
        for (n, name) in ["ann", "bob"].into_iter().enumerate() {
            let is_needed = n < approval.quorum as usize;
            if !is_needed && self.chance.percent(60) {
                continue;
            }
            let changes_mind = !self.script.is_settled && self.chance.percent(20);
            let due = due + self.chance.millis(0, 5_000);
            self.outside
                .plan(due, What::Vote(run, task, is_approved != changes_mind, name));
        }
        if self.chance.percent(20) {
            // where somebody is named, this one is not
            let is_open = approval.approvers.is_empty();
            let what = What::Vote(run, task, is_approved, "eve");
            if !is_open || !self.script.is_settled {
                self.outside.plan(due, what);
            }
        }
    }

    /// A worker was given a callback token with the message of an attempt; whoever it passes it on to will use it.
    pub(crate) fn pass_token_on(&mut self, at: Attempt, key: &str, tries: Tries, can_be_lost: bool) {
        let Some(row) = self.store.runs.get(&at.run) else {
            return;
        };
        let ending = self.script.callback(row.lineage, key, tries);
        let token = self.keys.sign_callback(at.run.0, at.task.0, at.attempt);
        let due = self.now + self.chance.millis(0, 20_000);
        if can_be_lost {
            self.outside
                .plan(due / 2 + self.now / 2, What::Alive(token.clone()));
            if self.chance.percent(20) {
                return;
            }
        }
        if self.chance.percent(25) {
            let again = due + self.chance.millis(0, 5_000);
            self.outside
                .plan(again, What::Callback(token.clone(), ending.clone()));
        }
        self.outside.plan(due, What::Callback(token, ending));
    }

    /// Somebody sends something that nobody has asked for yet.
    pub(crate) fn send_unasked(&mut self, run: RunId) {
        let due = self.now + self.chance.millis(0, 60_000);
        match self.chance.below(4) {
            0 => {
                let name: Arc<str> = format!("s{}", self.chance.below(2)).into();
                self.outside.signals += 1;
                let id: Arc<str> = format!("signal-{}", self.outside.signals).into();
                self.outside.plan(due, What::Signal(run, name, id));
            }
            1 => {
                let name: Arc<str> = format!("e{}", self.chance.below(2)).into();
                self.outside.plan(due, What::Event(name, true));
            }
            _ => {}
        }
    }

    /// Once the faults have stopped nobody is forgotten, so that every run ends.
    pub(crate) fn remind_outside(&mut self) {
        if self.now < self.outside.remind_at {
            return;
        }
        self.outside.remind_at = self.now + REMIND_EVERY;
        let open: Vec<(RunId, TaskIx, WaitSubject)> = self
            .store
            .waits
            .iter()
            .map(|((run, task), row)| (*run, *task, row.subject.clone()))
            .collect();
        for (run, task, subject) in open {
            self.answer_wait(run, task, &subject, true);
        }
    }

    /// When the outside does something.
    pub(crate) fn outside_due(&self) -> i64 {
        let remind_at = if self.is_calm && !self.store.waits.is_empty() {
            self.outside.remind_at
        } else {
            i64::MAX
        };
        self.outside.due().min(remind_at)
    }

    /// One step: hear answers, do what is due.
    pub(crate) fn act_outside(&mut self) {
        if self.is_calm {
            self.remind_outside();
        }
        for mut deed in std::mem::take(&mut self.outside.deeds) {
            if deed.due > self.now {
                self.outside.deeds.push(deed);
                continue;
            }
            if let Some((replica, life, ticket)) = deed.asked.take()
                && self.replicas[replica].life == life
                && let Some(Some(answer)) = self.replicas[replica].replies.remove(&ticket)
            {
                self.hear_outside(&deed.what, &answer);
                continue;
            }
            if let What::Event(name, is_good) = &deed.what {
                if self.some_replica().is_none() {
                    deed.due = self.now + IMPATIENCE;
                    self.outside.deeds.push(deed);
                } else {
                    self.take_event(name, *is_good);
                }
                continue;
            }
            deed.due = self.now + IMPATIENCE;
            if let Some((replica, item)) = self.some_replica().zip(self.item_of(&deed.what)) {
                self.tell(|| format!("outside, at replica {replica}: {:?}", deed.what));
                let ticket = self.submit(replica, item);
                deed.asked = Some((replica, self.replicas[replica].life, ticket));
            }
            self.outside.deeds.push(deed);
        }
    }

    fn item_of(&mut self, what: &What) -> Option<Item> {
        let (run, input) = match what {
            What::Vote(run, task, is_approved, name) => (
                *run,
                WaitInput::Decision {
                    task: *task,
                    is_approved: *is_approved,
                    form: None,
                    note: None,
                    actor: Arc::from(*name),
                    groups: Vec::new(),
                },
            ),
            What::Signal(run, name, id) => (
                *run,
                WaitInput::Signal {
                    name: Arc::clone(name),
                    data: "{}".into(),
                    actor: "sender".into(),
                    id: Some(Arc::clone(id)),
                },
            ),
            What::Event(..) => return None,
            What::Callback(token, ending) => {
                let (at, input_at) = self.of_token(token)?;
                self.oracle.called(at, ending);
                (at.run, callback(at.task, input_at, ending))
            }
            What::Alive(token) => {
                let (at, attempt) = self.of_token(token)?;
                (
                    at.run,
                    WaitInput::CallbackAlive {
                        task: at.task,
                        attempt,
                    },
                )
            }
        };
        Some(Item::inputs(run, vec![Input::Wait(input)]))
    }

    /// What a token is of, and the attempt that the shell tells the run.
    fn of_token(&self, token: &str) -> Option<(Attempt, u32)> {
        let (run, task, attempt) = self.keys.verify_callback(token)?;
        let at = Attempt {
            run: RunId(run),
            task: TaskIx(task),
            attempt,
        };
        let current = self.store.runs.get(&at.run)?.tasks().get(at.task.at())?.attempt;
        let is_open = self.plot.defect == Some(Defect::CallbackFenceOpen);
        Some((at, if is_open { current } else { attempt }))
    }

    fn hear_outside(&mut self, what: &What, answer: &Answer) {
        let Answer::Done(outcomes, _) = answer else { return };
        let is_refused = outcomes
            .iter()
            .any(|outcome| matches!(outcome, Outcome::Refused(_)));
        let is_known = outcomes.iter().any(|outcome| {
            matches!(
                outcome,
                Outcome::Ignored(runnel_engine::run::Stale::AlreadyInForce)
            )
        });
        match what {
            What::Callback(..) if is_refused => self.reached(Reach::CallbackRefused),
            What::Alive(_) if !is_refused => self.reached(Reach::CallbackAlive),
            What::Vote(_, _, _, "eve") if is_refused => self.reached(Reach::VoteRefused),
            What::Signal(..) if is_known => self.reached(Reach::SignalRepeated),
            What::Callback(..) | What::Alive(_) | What::Vote(..) | What::Signal(..) | What::Event(..) => {}
        }
    }
}

/// What the holder of the token of an attempt reports.
#[must_use]
pub fn callback(task: TaskIx, attempt: u32, ending: &Ending) -> WaitInput {
    let result = match ending {
        Ending::Output(output) => Ok(output.to_string().into()),
        Ending::Failure(is_retryable) => Err(TaskFailure::new(
            Category::User,
            "CALLBACK_FAILED",
            "it failed",
            *is_retryable,
        )),
    };
    WaitInput::Callback {
        task,
        attempt,
        result,
        actor: "holder".into(),
    }
}
