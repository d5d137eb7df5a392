//! What a simulation is about: the workflows, and how each attempt of each task ends. All of it comes from the seed and from
//! nothing else, so that the same script can be played under different faults.

use std::fmt::Write as _;
use std::sync::Arc;

use runnel_engine::Plan;
use runnel_engine::source::{Format, read};
use runnel_runtime::offline::Version;
use serde_json::{Map, Value, json};

use crate::chance::{Chance, hash, mix};

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

/// How an attempt ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// With this output (JSON).
    Output(Value),
    /// With a failure; `true`: another attempt may succeed.
    Failure(bool),
}

impl Script {
    /// The script of a seed. Limits make it smaller, for a failure that is to be understood.
    ///
    /// # Errors
    /// The generator wrote a workflow that is refused: a defect of this file or of the checker.
    pub fn new(seed: u64, runs_max: usize, tasks_max: usize) -> anyhow::Result<Self> {
        let mut chance = Chance::new(seed, 1);
        let is_settled = chance.percent(50);
        let run_count = chance.between(1, 3);
        let workflow_count = chance.between(1, 2);
        let mut script = Self {
            seed,
            is_settled,
            workflows: Vec::new(),
            sources: Vec::new(),
            runs: Vec::new(),
        };
        for at in 0..workflow_count {
            let mut writer = Writer {
                chance: Chance::new(seed, 100 + at),
                is_settled,
                tasks: Map::new(),
            };
            let source = serde_json::to_string_pretty(&writer.workflow(at, tasks_max))?;
            let reading = read(&source, Format::Json);
            let workflow = reading.workflow.ok_or_else(|| {
                anyhow::anyhow!("seed {seed}: refused: {:#?}\n{source}", reading.diagnostics)
            })?;
            script
                .workflows
                .push(Version::new(Arc::new(Plan::build(workflow)?)));
            script.sources.push(source);
        }
        for _ in 0..run_count {
            script.runs.push(chance.index(script.workflows.len()));
        }
        script.runs.truncate(runs_max.max(1));
        Ok(script)
    }

    /// How an attempt ends, given how many retries went before it: the same whichever attempt that is, because a loss of a
    /// worker makes a new attempt and no new ending.
    #[must_use]
    pub fn ending(&self, run: usize, key: &str, retries: u32) -> Ending {
        let drawn = mix(self.seed ^ hash(key) ^ mix(u64::from(retries) + 1 + ((run as u64) << 32)));
        let output = json!({"n": drawn % 1_000, "ok": drawn.is_multiple_of(2)});
        match (drawn >> 20) % 100 {
            0..=17 => Ending::Failure(true),
            18..=23 => Ending::Failure(false),
            _ => Ending::Output(output),
        }
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
}

/// Writes one random workflow.
struct Writer {
    chance: Chance,
    is_settled: bool,
    tasks: Map<String, Value>,
}

impl Writer {
    fn workflow(&mut self, at: u64, tasks_max: usize) -> Value {
        let count = self.chance.between(1, 7).min(tasks_max.max(1) as u64);
        for task in 0..count {
            let (key, value) = (format!("t{task}"), self.task(task));
            self.tasks.insert(key, value);
        }
        let mut workflow = json!({"id": format!("w{at}"), "tasks": self.tasks});
        if self.chance.percent(20) {
            workflow["finally"] = json!({"tidy": {"type": self.kind()}});
        }
        if self.chance.percent(15) {
            workflow["on_failure"] = json!({"alert": {"type": self.kind()}});
        }
        if self.chance.percent(15) {
            workflow["on_success"] =
                json!({"cheer": {"type": "pass", "input": {"status": "${{ run.status }}"}}});
        }
        if self.chance.percent(10) {
            workflow["concurrency"] = json!({"group": "runs", "limit": 1});
        }
        if !self.is_settled {
            if self.chance.percent(20) {
                workflow["fail_fast"] = json!(true);
            }
            if self.chance.percent(15) {
                workflow["timeout"] = json!(format!("{}s", self.chance.between(5, 120)));
            }
            if self.chance.percent(40) {
                workflow["cancel_grace"] = json!(format!("{}s", self.chance.between(1, 60)));
            }
        }
        if self.chance.percent(30) {
            workflow["outputs"] = json!({"first": "${{ tasks.t0.status }}"});
        }
        workflow
    }

    fn kind(&mut self) -> &'static str {
        if self.chance.percent(80) { "work" } else { "pass" }
    }

    fn task(&mut self, at: u64) -> Value {
        let mut task = Map::new();
        let is_all = self.needs(at, &mut task);
        match self.chance.below(12) {
            0 => {
                task.insert("type".into(), json!("pass"));
                task.insert("input".into(), json!({"x": at}));
            }
            1 => {
                let seconds = self.chance.between(1, 90);
                task.insert("type".into(), json!("wait"));
                task.insert("input".into(), json!({"for": format!("{seconds}s")}));
            }
            2 | 3 => self.fan_out(&mut task),
            _ => self.work(at, is_all, &mut task),
        }
        if self.chance.percent(10) {
            task.insert(
                "if".into(),
                json!(if self.chance.percent(30) {
                    "${{ true }}"
                } else {
                    "${{ 1 > 2 }}"
                }),
            );
        }
        if self.chance.percent(12) {
            task.insert("continue_on_error".into(), json!(true));
        }
        Value::Object(task)
    }

    /// Chooses upstreams among the tasks before this one; answers whether it waits for the success of all of them.
    fn needs(&mut self, at: u64, task: &mut Map<String, Value>) -> bool {
        const ACCEPTED: [&str; 4] = ["succeeded", "failed", "skipped", "done"];
        let mut upstreams: Vec<u64> = (0..at).filter(|_| self.chance.percent(45)).collect();
        upstreams.truncate(4);
        if upstreams.is_empty() {
            return false;
        }
        if self.chance.percent(60) {
            let names: Vec<String> = upstreams.iter().map(|up| format!("t{up}")).collect();
            task.insert("needs".into(), json!(names));
            return true;
        }
        let mut needs = Map::new();
        for up in &upstreams {
            let accepted = match self.chance.below(5) {
                4 => json!(["succeeded", "skipped"]),
                n => json!(ACCEPTED[usize::try_from(n).unwrap_or(0)]),
            };
            needs.insert(format!("t{up}"), accepted);
        }
        task.insert("needs".into(), Value::Object(needs));
        match self.chance.below(4) {
            0 => drop(task.insert("join".into(), json!("any"))),
            1 if upstreams.len() > 1 => {
                drop(task.insert(
                    "join".into(),
                    json!(self.chance.between(1, upstreams.len() as u64)),
                ));
            }
            _ => {}
        }
        false
    }

    fn work(&mut self, at: u64, is_all: bool, task: &mut Map<String, Value>) {
        task.insert("type".into(), json!("work"));
        let upstream = task
            .get("needs")
            .and_then(|needs| needs.get(0))
            .and_then(Value::as_str);
        let input = match upstream {
            // an upstream that has surely succeeded may be read
            Some(upstream) if is_all && self.chance.percent(40) => {
                json!({"at": at, "from": format!("${{{{ tasks.{upstream}.status }}}}")})
            }
            _ => json!({"at": at}),
        };
        task.insert("input".into(), input);
        self.gates(task);
        self.policies(task);
    }

    /// Names are few, so that tasks and runs meet at the same gates.
    fn gates(&mut self, task: &mut Map<String, Value>) {
        if self.chance.percent(15) {
            let group = self.chance.below(2);
            // one limit a group, so that the rule about holders is a simple one
            task.insert(
                "concurrency".into(),
                json!({"group": format!("g{group}"), "limit": group + 1}),
            );
        }
        if self.chance.percent(8) {
            task.insert("rate_limit".into(), json!({"key": "r", "limit": "30/m"}));
        }
        if self.chance.percent(8) {
            let circuit = json!({"key": "c", "failures": 2, "window": "60s", "cooldown": "5s"});
            task.insert("circuit".into(), circuit);
        }
    }

    fn fan_out(&mut self, task: &mut Map<String, Value>) {
        let count = match self.chance.below(10) {
            0 => 0,
            1 => 12,
            n => n,
        };
        let items: Vec<u64> = (0..count).collect();
        let mut each = json!({"items": items});
        if self.chance.percent(50) {
            each["max_parallel"] = json!(self.chance.between(1, 4));
        }
        if self.chance.percent(50) {
            each["tolerate"] = json!(self.chance.between(0, 4));
        }
        task.insert("for_each".into(), each);
        task.insert("type".into(), json!(self.kind()));
        task.insert("input".into(), json!({"item": "${{ each.item }}"}));
        if task.get("type") == Some(&json!("work")) {
            self.gates(task);
            self.policies(task);
        }
    }

    fn policies(&mut self, task: &mut Map<String, Value>) {
        if self.chance.percent(55) {
            let backoff = ["fixed", "linear", "exponential"][self.chance.index(3)];
            let jitter = ["none", "full", "equal"][self.chance.index(3)];
            task.insert(
                "retry".into(),
                json!({
                    "limit": self.chance.between(0, 4),
                    "backoff": backoff,
                    "delay": format!("{}ms", self.chance.between(0, 8_000)),
                    "jitter": jitter,
                }),
            );
        }
        if self.is_settled {
            task.insert("max_losses".into(), json!(1_000));
            return;
        }
        for (name, percent, most) in [
            ("timeout", 20, 90),
            ("start_within", 12, 90),
            ("complete_within", 12, 240),
            ("heartbeat", 15, 60),
        ] {
            if self.chance.percent(percent) {
                let seconds = self.chance.between(15, most.max(15));
                task.insert(name.into(), json!(format!("{seconds}s")));
            }
        }
        if self.chance.percent(20) {
            task.insert("max_losses".into(), json!(self.chance.between(0, 2)));
        }
    }
}
