//! What a simulation is about: the workflows, and how each attempt of each task ends. All of it comes from the seed and from
//! nothing else, so that the same script can be played under different faults.

use std::fmt::Write as _;
use std::sync::Arc;

use runnel_engine::Plan;
use runnel_engine::run::TaskState;
use runnel_engine::source::{Format, read};
use runnel_runtime::offline::Version;
use serde_json::{Value, json};

use crate::chance::{Chance, hash, mix};
use crate::feature::{Feature, Features};
use crate::writer::{DEEP, Writer, deep};

/// The parts of a simulation that a seed decides before the first step.
#[derive(Debug, Clone)]
pub struct Script {
    /// Where everything comes from.
    pub seed: u64,
    /// Whether the end of every run is decided by the script alone, whatever the faults: no time limits, no operators but
    /// pause and resume, no losses that count.
    pub is_settled: bool,
    /// What may run.
    pub workflows: Vec<Version>,
    /// The files of the workflows, for people.
    pub sources: Vec<String>,
    /// Which workflow each run executes.
    pub runs: Vec<usize>,
}

/// Which run of the script a run is: the same whoever starts it, and whenever.
pub type Lineage = u64;

/// How an attempt ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// With this output (JSON).
    Output(Value),
    /// With a failure; `true`: another attempt may succeed.
    Failure(bool),
}

/// What went before an attempt and decides its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    /// Retries.
    pub retries: u32,
    /// Rounds of a loop.
    pub rounds: u32,
    /// Number of the attempt: counts only in scripts that are not settled, because a loss of a worker makes a new attempt.
    pub attempt: u32,
}

impl Tries {
    /// Of the current attempt of a task.
    #[must_use]
    pub fn of(plan: &Plan, task: &TaskState) -> Self {
        let is_loop = plan.task(task.template).repeat.is_some();
        let extra = task.extra.as_deref().filter(|_| is_loop);
        let extra: Value = extra
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let rounds = extra["rounds"].as_u64().unwrap_or(0);
        Self {
            retries: task.retries,
            rounds: u32::try_from(rounds).unwrap_or(u32::MAX),
            attempt: task.attempt,
        }
    }
}

/// The lineage of the child run of an attempt.
#[must_use]
pub fn lineage_of_child(parent: Lineage, key: &str, attempt: u32) -> Lineage {
    mix(parent ^ hash(key) ^ mix(u64::from(attempt) + 77))
}

impl Script {
    /// The script of a seed. Limits make it smaller, for a failure that is to be understood.
    ///
    /// # Errors
    /// The generator wrote a workflow that is refused: a defect of the writer or of the checker.
    pub fn new(seed: u64, runs_max: usize, tasks_max: usize) -> anyhow::Result<Self> {
        let mut chance = Chance::new(seed, 1);
        let is_settled = chance.percent(50);
        let run_count = chance.between(1, 3);
        let workflow_count = chance.between(1, 2);
        let features = Features::drawn(&mut chance);
        let child_count = if features.has(Feature::Child) {
            chance.between(1, 2)
        } else {
            0
        };
        let mut script = Self {
            seed,
            is_settled,
            workflows: Vec::new(),
            sources: Vec::new(),
            runs: Vec::new(),
        };
        let key = |at: u64| format!("w{at}");
        for at in 0..workflow_count + child_count {
            let is_child = at >= workflow_count;
            // only downwards: a workflow that starts itself is another matter
            let children = (at + 1).max(workflow_count)..workflow_count + child_count;
            let mut writer = Writer {
                chance: Chance::new(seed, 100 + at),
                is_settled,
                features,
                children: children.map(key).collect(),
                is_child,
            };
            let workflow = writer.workflow(&key(at), tasks_max);
            script.add(&workflow)?;
        }
        for _ in 0..run_count {
            script
                .runs
                .push(chance.index(usize::try_from(workflow_count).unwrap_or(1)));
        }
        script.runs.truncate(runs_max.max(1));
        if features.has(Feature::Deep) {
            script.runs[0] = script.workflows.len();
            script.add(&deep())?;
        }
        Ok(script)
    }

    fn add(&mut self, workflow: &Value) -> anyhow::Result<()> {
        let source = serde_json::to_string_pretty(workflow)?;
        let reading = read(&source, Format::Json);
        let workflow = reading.workflow.ok_or_else(|| {
            anyhow::anyhow!(
                "seed {}: refused: {:#?}\n{source}",
                self.seed,
                reading.diagnostics
            )
        })?;
        self.workflows
            .push(Version::new(Arc::new(Plan::build(workflow)?)));
        self.sources.push(source);
        Ok(())
    }

    /// The workflow of a key.
    #[must_use]
    pub fn workflow(&self, key: &str) -> Option<&Version> {
        self.workflows
            .iter()
            .find(|version| version.plan().workflow().id == key)
    }

    /// How an attempt ends, given what went before it.
    #[must_use]
    pub fn ending(&self, lineage: Lineage, key: &str, tries: Tries) -> Ending {
        let attempt = if self.is_settled { 0 } else { tries.attempt };
        let before = u64::from(tries.retries) + (u64::from(tries.rounds) << 16) + (u64::from(attempt) << 32);
        let drawn = mix(self.seed ^ hash(key) ^ mix(before + 1) ^ mix(lineage));
        let output = json!({"n": drawn % 1_000, "ok": drawn.is_multiple_of(2)});
        // a rollback that is stopped in its middle is rare enough as it is
        let is_undo = key.ends_with(".compensate");
        match (drawn >> 20) % 100 {
            0..=17 => Ending::Failure(true),
            18..=23 => Ending::Failure(false),
            24..=44 if is_undo => Ending::Failure(false),
            _ => Ending::Output(output),
        }
    }

    /// How the callback of an attempt ends, whose worker has set it going.
    #[must_use]
    pub fn callback(&self, lineage: Lineage, key: &str, tries: Tries) -> Ending {
        self.ending(lineage, &format!("{key}/callback"), tries)
    }

    /// How people decide about an approval.
    #[must_use]
    pub fn is_approved(&self, lineage: Lineage, key: &str) -> bool {
        mix(self.seed ^ hash(key) ^ mix(lineage + 5)) % 100 < 75
    }

    /// The workflow files, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!("{} run(s) of workflows {:?}\n", self.runs.len(), self.runs);
        for source in &self.sources {
            let _ = writeln!(text, "{source}");
        }
        text
    }

    /// Whether a run of the script goes down to the limit of depth.
    #[must_use]
    pub fn is_deep(&self) -> bool {
        self.workflow(DEEP).is_some()
    }
}
