//! Builders of workflows and a driver of runs, for the tests of this crate.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Category, Command, Effects, Input, NewRun, Outcome, Record, RunContext, RunState, RunStatus, TaskFailure,
    TaskStatus, Timings, advance,
};
use crate::definition::{Accepts, Backoff, Jitter, Need, Retry, Task, Workflow};
use crate::{Moment, Plan, RunId, TaskIx, Timestamp};

pub fn workflow(tasks: Vec<Task>) -> Workflow {
    Workflow {
        id: "w".into(),
        name: "w".into(),
        tasks,
        ..Workflow::default()
    }
}

pub const SUCCEEDED: Accepts = Accepts {
    succeeded: true,
    failed: false,
    skipped: false,
    cancelled: false,
};

pub fn retry(limit: u32) -> Retry {
    Retry {
        limit,
        backoff: Backoff::Fixed,
        delay: Duration::from_secs(1),
        factor: 2.0,
        max_delay: Duration::from_secs(60),
        jitter: Jitter::None,
        ..Retry::default()
    }
}

pub fn task<S: AsRef<str>>(key: &str, needs: &[S]) -> Task {
    Task {
        key: key.into(),
        name: key.into(),
        kind: "work".into(),
        input: Value::Null,
        needs: needs
            .iter()
            .map(|n| Need {
                task: n.as_ref().into(),
                accepts: SUCCEEDED,
            })
            .collect(),
        retry: retry(0),
        ..Task::default()
    }
}

/// A task without upstreams.
pub fn root(key: &str) -> Task {
    task::<&str>(key, &[])
}

pub fn failure(code: &str) -> TaskFailure {
    TaskFailure::new(Category::User, code, "it failed", true)
}

/// A run with its history and everything sent so far; checks the invariants after every step.
pub struct Driver {
    pub plan: Plan,
    pub state: RunState,
    pub now: Timestamp,
    pub records: Vec<Record>,
    pub commands: Vec<Command>,
    /// Rebuild the state from its stored form after every step.
    pub restores: bool,
    pub entropy: u64,
}

impl Driver {
    pub fn new(workflow: Workflow) -> Self {
        Self::with_inputs(workflow, json!({}))
    }

    pub fn with_inputs(workflow: Workflow, inputs: Value) -> Self {
        let plan = Plan::build(workflow).unwrap();
        let now = Timestamp(1_000_000_000);
        let Value::Object(inputs) = inputs else {
            panic!("inputs")
        };
        let context = RunContext {
            id: RunId(Uuid::nil()),
            inputs: Arc::new(inputs),
            vars: Arc::new(Map::new()),
            workflow_version: 1,
            priority: 50,
            created_at: now,
            created_by: "me".into(),
        };
        let state = RunState::new(
            &plan,
            NewRun {
                context,
                trigger: None,
            },
            &Moment { now, entropy: 0 },
        );
        Self {
            plan,
            state,
            now,
            records: Vec::new(),
            commands: Vec::new(),
            restores: false,
            entropy: 1,
        }
    }

    pub fn started(workflow: Workflow) -> Self {
        let mut driver = Self::new(workflow);
        driver.start();
        driver
    }

    pub fn start(&mut self) {
        assert_eq!(self.feed(Input::Started { actor: "me".into() }), Outcome::Applied);
    }

    pub fn feed(&mut self, input: Input) -> Outcome {
        let mut effects = Effects::default();
        let before = self.state.clone();
        self.entropy = self.entropy.wrapping_add(1);
        let outcome = advance(
            &self.plan,
            &mut self.state,
            &input,
            &Moment {
                now: self.now,
                entropy: self.entropy,
            },
            &mut effects,
        );
        self.compare_with_restored(&before, &input, &outcome, &effects);
        let broken = super::check(&self.plan, &self.state);
        assert!(broken.is_empty(), "after {input:?}: {broken:?}");
        for (at, task) in self.state.tasks.iter().enumerate() {
            let ix = TaskIx(u32::try_from(at).unwrap());
            assert!(
                before.tasks.get(at) == Some(task) || effects.touched.contains(&ix),
                "{at} changed untouched by {input:?}"
            );
        }
        if outcome != Outcome::Applied && effects.records.is_empty() {
            assert_eq!(before, self.state, "{input:?} changed something");
        }
        self.records.extend(effects.records);
        self.commands.extend(effects.commands);
        for (at, record) in self.records.iter().enumerate() {
            assert_eq!(record.seq, i64::try_from(at).unwrap() + 1, "gapless");
        }
        self.check_history();
        let restored = RunState::restore(&self.plan, self.state.clone());
        assert_eq!(restored.wake_at, self.state.wake_at);
        if self.restores {
            self.state = restored;
        }
        outcome
    }

    /// A state that was stored and loaded again decides the same.
    fn compare_with_restored(&self, before: &RunState, input: &Input, outcome: &Outcome, effects: &Effects) {
        if before.tasks.len() > 200 {
            return;
        }
        let mut stored = before.clone();
        stored.extra = serde_json::from_str(&serde_json::to_string(&before.extra).unwrap()).unwrap();
        let mut restored = RunState::restore(&self.plan, stored);
        let mut again = Effects::default();
        let moment = Moment {
            now: self.now,
            entropy: self.entropy,
        };
        assert_eq!(
            advance(&self.plan, &mut restored, input, &moment, &mut again),
            *outcome
        );
        assert_eq!(restored, self.state, "{input:?}");
        assert_eq!(
            (&again.records, &again.commands),
            (&effects.records, &effects.commands),
            "{input:?}"
        );
    }

    fn check_history(&self) {
        let replayed = super::replay_statuses(&self.records);
        for (at, task) in self.state.tasks.iter().enumerate() {
            let told = replayed
                .get(&TaskIx(u32::try_from(at).unwrap()))
                .copied()
                .unwrap_or(TaskStatus::Blocked);
            assert_eq!(told, task.status, "history of task {at}");
        }
        let differences = super::Replay::of(&self.records).differences(&self.plan, &self.state);
        assert!(
            differences.is_empty(),
            "the history tells otherwise: {differences:?}"
        );
    }

    pub fn ix(&self, key: &str) -> TaskIx {
        let all = (0..self.state.tasks.len()).map(|at| TaskIx(u32::try_from(at).unwrap()));
        all.into_iter()
            .find(|ix| self.state.key(&self.plan, *ix) == key)
            .unwrap_or_else(|| panic!("no task {key}"))
    }

    pub fn status(&self, key: &str) -> TaskStatus {
        self.state.tasks[self.ix(key).at()].status
    }

    pub fn timings(&self) -> Timings {
        Timings {
            worker: "w1".into(),
            started_at: self.now,
            finished_at: self.now,
            ..Timings::default()
        }
    }

    pub fn succeed(&mut self, key: &str) -> Outcome {
        self.succeed_with(key, json!({"from": key}))
    }

    pub fn succeed_with(&mut self, key: &str, output: Value) -> Outcome {
        let task = self.ix(key);
        let attempt = self.state.tasks[task.at()].attempt;
        self.feed(Input::AttemptSucceeded {
            task,
            attempt,
            output: output.to_string().into(),
            timings: self.timings(),
        })
    }

    pub fn fail(&mut self, key: &str) -> Outcome {
        self.fail_with(key, failure("BROKEN"))
    }

    pub fn fail_with(&mut self, key: &str, failure: TaskFailure) -> Outcome {
        let task = self.ix(key);
        let attempt = self.state.tasks[task.at()].attempt;
        self.feed(Input::AttemptFailed {
            task,
            attempt,
            failure,
            timings: self.timings(),
        })
    }

    pub fn begin(&mut self, key: &str) -> Outcome {
        let task = self.ix(key);
        let attempt = self.state.tasks[task.at()].attempt;
        self.feed(Input::AttemptStarted {
            task,
            attempt,
            worker: "w1".into(),
            at: self.now,
        })
    }

    pub fn tick_after(&mut self, by: Duration) -> Outcome {
        self.now = self.now.after(by);
        self.feed(Input::Tick)
    }

    /// Keys dispatched since the last call, in order.
    pub fn dispatched(&mut self) -> Vec<String> {
        let commands = std::mem::take(&mut self.commands);
        commands
            .into_iter()
            .filter_map(|command| match command {
                Command::Dispatch { task, .. } => Some(self.state.key(&self.plan, task)),
                Command::Stop { .. }
                | Command::DeadLetter { .. }
                | Command::Wait(_)
                | Command::Child(_)
                | Command::Gate(_) => None,
            })
            .collect()
    }

    pub fn run_status(&self) -> RunStatus {
        self.state.status
    }
}
