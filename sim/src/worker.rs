//! The workers: receive, execute, report, delete, and all the ways in which that goes wrong.

use runnel_engine::run::Input;
use runnel_engine::{RunId, TaskIx};
use runnel_queue::message::{MESSAGE_VERSION, decode_task, encode_reports};
use runnel_queue::{
    Attempt as Ended, AttemptRef, Failure, FailureCategory, Outcome, Report, ReportBatch, TaskMessage,
};
use runnel_runtime::offline::{Attempt, Item};
use serde_json::value::to_raw_value;

use crate::fault::Fault;
use crate::queue::Receipt;
use crate::script::Ending;
use crate::secret::{self, FAULT};
use crate::world::{SECOND, World};

/// Between two heartbeats of an attempt without a setting of its own.
const HEARTBEAT_EVERY: i64 = 10 * SECOND;

/// A worker.
#[derive(Debug)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// When it starts again; `None` while it runs.
    pub restart_at: Option<i64>,
    /// Attempts it executes at once.
    pub slots: usize,
    /// How far its clock is off.
    pub offset: i64,
    /// What it executes.
    pub running: Vec<Running>,
}

/// An attempt in execution.
#[derive(Debug)]
pub struct Running {
    message: TaskMessage,
    receipt: Receipt,
    started_at: i64,
    is_told: bool,
    next_beat: i64,
    extend_at: i64,
    end_at: i64,
    ending: Ending,
    /// What is said about a failure.
    fault: String,
    /// Whether its end is reported, so that only the message is left to be deleted.
    is_reported: bool,
}

impl Running {
    /// When something of it is due.
    #[must_use]
    pub fn due(&self) -> i64 {
        let told = if self.is_told {
            i64::MAX
        } else {
            self.started_at + SECOND / 5
        };
        if self.is_reported {
            return self.end_at;
        }
        told.min(self.next_beat).min(self.extend_at).min(self.end_at)
    }

    /// The attempt.
    #[must_use]
    pub fn at(&self) -> Attempt {
        attempt(&self.message.at)
    }
}

fn attempt(at: &AttemptRef) -> Attempt {
    Attempt {
        run: RunId(at.run),
        task: TaskIx(at.task),
        attempt: at.attempt,
    }
}

impl Worker {
    /// A worker that is idle.
    #[must_use]
    pub fn new(at: u64, _now: i64) -> Self {
        Self {
            name: format!("w{at}"),
            restart_at: None,
            slots: usize::try_from(at % 3 + 1).unwrap_or(1),
            offset: 0,
            running: Vec::new(),
        }
    }

    /// Whoever was silent reports now, however late that is.
    pub fn wake_up(&mut self, now: i64) {
        self.offset = 0;
        for running in &mut self.running {
            running.next_beat = running.next_beat.min(now + SECOND);
            running.extend_at = running.extend_at.min(now + SECOND);
            running.end_at = running.end_at.min(now + 30 * SECOND);
        }
    }
}

impl World {
    /// Takes tasks from the queue, at most as many as there are slots.
    pub(crate) fn receive(&mut self, at: usize) {
        let free = self.workers[at]
            .slots
            .saturating_sub(self.workers[at].running.len());
        let manners = self.manners();
        let now = self.now;
        for delivery in self
            .tasks
            .receive(free, now, self.visibility, manners, &mut self.chance)
        {
            let Ok(message) = decode_task(&delivery.body) else {
                self.oracle
                    .fail("state", "a task message cannot be read".to_owned());
                return;
            };
            self.begin(at, message, delivery.receipt);
        }
    }

    fn begin(&mut self, at: usize, message: TaskMessage, receipt: Receipt) {
        let now = self.now;
        let key = attempt(&message.at);
        let tries = self.oracle.tries_of(key);
        let lineage = self.store.runs.get(&key.run).map_or(0, |row| row.lineage);
        let mut ending = self.script.ending(lineage, &message.key, tries);
        let mut takes = match self.chance.below(10) {
            0..=5 => self.chance.millis(1, 300),
            6..=8 => self.chance.millis(300, 6_000),
            _ => self.chance.millis(6_000, 100_000),
        };
        if let Some(limit) = message.timeout_ms.and_then(|ms| i64::try_from(ms * 1_000).ok())
            && takes > limit
        {
            takes = limit;
            ending = Ending::Failure(true);
        }
        let (ending, fault) = self.repeat_secrets(&message, ending);
        let gap = message.heartbeat_ms.and_then(|ms| i64::try_from(ms * 1_000).ok());
        let every = gap.map_or(HEARTBEAT_EVERY, |gap| {
            (gap / 3).clamp(SECOND / 5, HEARTBEAT_EVERY)
        });
        let mut running = Running {
            message,
            receipt,
            started_at: now,
            is_told: false,
            next_beat: now + every,
            extend_at: now + self.visibility / 2,
            end_at: now + takes,
            ending,
            fault,
            is_reported: false,
        };
        if self.strikes(Fault::Silence, 8) {
            // alive, but nobody hears of it
            let until = now + self.chance.millis(20_000, 400_000);
            running.is_told = true;
            running.next_beat = i64::MAX;
            running.extend_at = i64::MAX;
            running.end_at = until;
        }
        if matches!(running.ending, Ending::Output(_)) && self.is_called_back(key) {
            let can_be_lost = !self.script.is_settled
                && (running.message.timeout_ms.is_some() || running.message.heartbeat_ms.is_some());
            self.pass_token_on(key, &running.message.key, tries, can_be_lost);
        }
        self.tell(|| {
            format!(
                "worker {at} begins {} {}",
                running.message.key,
                crate::relay::short(key)
            )
        });
        self.workers[at].running.push(running);
    }

    fn is_called_back(&self, at: Attempt) -> bool {
        let row = self.store.runs.get(&at.run);
        let task = row.and_then(|row| Some((row, row.tasks().get(at.task.at())?)));
        task.is_some_and(|(row, task)| row.of.plan().task(task.template).callback)
    }

    /// One step of an attempt in execution.
    pub(crate) fn work(&mut self, at: usize, n: usize) {
        let now = self.now;
        let worker = &mut self.workers[at];
        let name = worker.name.clone();
        let clock = now + worker.offset;
        let running = &mut worker.running[n];
        let reference = running.message.at.clone();
        if running.is_reported {
            let receipt = running.receipt;
            worker.running.remove(n);
            let manners = self.manners();
            self.tasks.delete(receipt, manners, &mut self.chance);
        } else if running.end_at <= now {
            running.is_reported = true;
            running.end_at = now;
            self.end(at, n, clock);
        } else if !running.is_told && running.started_at + SECOND / 5 <= now {
            running.is_told = true;
            let started_us = running.started_at + clock - now;
            let report = Report::Started {
                at: reference,
                started_us,
            };
            self.report(&name, report, Vec::new());
        } else if running.next_beat <= now {
            let gap = running
                .message
                .heartbeat_ms
                .and_then(|ms| i64::try_from(ms * 1_000).ok());
            running.next_beat = now
                + gap.map_or(HEARTBEAT_EVERY, |gap| {
                    (gap / 3).clamp(SECOND / 5, HEARTBEAT_EVERY)
                });
            self.beat(at, n, &name, reference);
        } else {
            let (receipt, until) = (running.receipt, now + self.visibility);
            running.extend_at = now + self.visibility / 2;
            self.tasks.extend(receipt, until);
        }
    }

    /// A heartbeat goes through the queue, or over the control channel, whose answer says whether the attempt is wanted.
    fn beat(&mut self, at: usize, n: usize, name: &str, reference: AttemptRef) {
        if self.chance.percent(50) {
            self.report(
                name,
                Report::Heartbeat {
                    at: reference,
                    progress: None,
                    checkpoint: None,
                },
                Vec::new(),
            );
            return;
        }
        let Some(replica) = self.some_replica() else {
            return;
        };
        let key = attempt(&reference);
        let heartbeat = Input::Heartbeat {
            task: key.task,
            attempt: key.attempt,
            worker: name.into(),
            progress: None,
            checkpoint: None,
        };
        self.submit(replica, Item::inputs(key.run, vec![heartbeat]));
        if !self.store.is_out(&key) && self.chance.percent(80) {
            let receipt = self.workers[at].running.remove(n).receipt;
            let manners = self.manners();
            self.tell(|| format!("worker {at} stops {}", crate::relay::short(key)));
            self.tasks.delete(receipt, manners, &mut self.chance);
        }
    }

    fn end(&mut self, at: usize, n: usize, clock: i64) {
        let running = &self.workers[at].running[n];
        let (name, key) = (self.workers[at].name.clone(), running.at());
        let attempt = Ended {
            at: running.message.at.clone(),
            outcome: outcome(&running.ending, &running.fault),
            started_us: running.started_at + clock - self.now,
            finished_us: clock,
            usage: None,
            traceparent: None,
        };
        self.oracle.executed(key, &running.ending.clone());
        self.tell(|| format!("worker {at} reports the end of {}", crate::relay::short(key)));
        self.report(&name, Report::Completed(attempt.clone()), vec![key]);
        if self.strikes(Fault::Twice, 20) {
            self.report(&name, Report::Completed(attempt), vec![key]);
        }
    }

    fn report(&mut self, worker: &str, report: Report, carries: Vec<Attempt>) {
        let batch = ReportBatch {
            v: MESSAGE_VERSION,
            worker: worker.to_owned(),
            reports: vec![report],
        };
        let delay = if self.faults.has(Fault::Reorder) {
            self.chance.millis(0, 1_500)
        } else {
            0
        };
        match encode_reports(&batch) {
            Ok(body) if secret::is_told(&body) => {
                self.oracle.fail("secret", format!("a report tells it: {body}"));
            }
            Ok(body) => self.completions.send(body, carries, self.now + delay),
            Err(error) => self
                .oracle
                .fail("state", format!("a report cannot be written: {error}")),
        }
    }

    /// A worker that is told to stop hands its attempts back.
    pub(crate) fn drain(&mut self, at: usize) {
        self.tell(|| format!("worker {at} drains"));
        let name = self.workers[at].name.clone();
        for running in std::mem::take(&mut self.workers[at].running) {
            if !running.is_reported {
                let report = Report::Returned {
                    at: running.message.at.clone(),
                    reason: "drain".to_owned(),
                };
                self.report(&name, report, vec![running.at()]);
            }
            let manners = self.manners();
            self.tasks.delete(running.receipt, manners, &mut self.chance);
        }
        self.workers[at].restart_at = Some(self.now + self.chance.millis(10, 10_000));
    }

    /// Somebody reports an end that no worker has seen, with a token of another attempt or none.
    pub(crate) fn forge(&mut self) {
        let live: Vec<Attempt> = self.oracle.live(&self.store).collect();
        if live.is_empty() {
            return;
        }
        let key = live[self.chance.index(live.len())];
        let token = if self.chance.percent(50) {
            self.keys.sign(key.run.0, key.task.0, key.attempt + 1)
        } else {
            "k.00".to_owned()
        };
        let attempt = Ended {
            at: AttemptRef {
                run: key.run.0,
                task: key.task.0,
                attempt: key.attempt,
                token,
            },
            outcome: outcome(&Ending::Output(serde_json::json!("forged")), FAULT),
            started_us: self.now,
            finished_us: self.now,
            usage: None,
            traceparent: None,
        };
        self.tell(|| format!("somebody forges the end of {}", crate::relay::short(key)));
        self.report("forger", Report::Completed(attempt), Vec::new());
    }
}

fn outcome(ending: &Ending, fault: &str) -> Outcome {
    match ending {
        Ending::Output(value) => match to_raw_value(value) {
            Ok(output) => Outcome::Output(output),
            Err(error) => Outcome::Error(failure(&error.to_string(), false)),
        },
        Ending::Failure(is_retryable) => Outcome::Error(failure(fault, *is_retryable)),
    }
}

fn failure(message: &str, retryable: bool) -> Failure {
    Failure {
        category: FailureCategory::User,
        code: "BROKEN".to_owned(),
        message: message.to_owned(),
        details: None,
        retryable,
        traceback: None,
        retry_after_ms: None,
    }
}
