//! Writes random workflow files. What ends differently by time or by operators is written only for scripts that are not
//! settled.

use serde_json::{Map, Value, json};

use crate::chance::Chance;
use crate::feature::{Feature, Features};
use crate::secret::TOKEN;

/// Key of the workflow that starts itself.
pub const DEEP: &str = "deep";

/// Writes one random workflow.
pub struct Writer {
    /// Draws every choice.
    pub chance: Chance,
    /// See [`crate::script::Script::is_settled`].
    pub is_settled: bool,
    /// What it may be made of.
    pub features: Features,
    /// Workflows that its tasks may start.
    pub children: Vec<String>,
    /// Whether runs of it are started by tasks of others.
    pub is_child: bool,
}

type Fields = Map<String, Value>;

fn set(fields: &mut Fields, key: &str, value: Value) {
    fields.insert(key.to_owned(), value);
}

/// What a task is.
#[derive(Clone, Copy)]
enum Kind {
    Pass,
    Timer,
    FanOut,
    Work,
    Child,
    Event,
    Signal,
    Approval,
    Callback,
    Matrix,
    Loop,
}

/// A workflow whose only long way is down.
#[must_use]
pub fn deep() -> Value {
    json!({
        "id": DEEP,
        "tasks": {"down": {"type": "workflow", "input": {"workflow": DEEP}}},
    })
}

impl Writer {
    /// One workflow of at most so many tasks.
    pub fn workflow(&mut self, key: &str, tasks_max: usize) -> Value {
        let most = if self.is_child { 3 } else { 7 };
        let count = self.chance.between(1, most).min(tasks_max.max(1) as u64);
        let mut tasks = Fields::new();
        for at in 0..count {
            let task = self.task(at);
            set(&mut tasks, &format!("t{at}"), task);
        }
        let mut workflow = json!({"id": key, "tasks": tasks});
        self.handlers(&mut workflow);
        self.limits(&mut workflow);
        if self.features.has(Feature::Saga) && self.chance.percent(60) {
            workflow["compensation"] = self.compensation();
        }
        if self.features.has(Feature::Alert) {
            workflow["sla"] = json!({"start_within": "1s", "finish_within": "20s"});
        }
        if self.chance.percent(30) {
            workflow["outputs"] = json!({"first": "${{ tasks.t0.status }}"});
        }
        workflow
    }

    fn handlers(&mut self, workflow: &mut Value) {
        if self.chance.percent(20) {
            workflow["finally"] = json!({"tidy": self.handler()});
            if self.chance.percent(30) {
                let mut last = self.handler();
                last["needs"] = json!({"tidy": "done"});
                workflow["finally"]["close"] = last;
            }
        }
        if self.chance.percent(15) {
            workflow["on_failure"] = json!({"alert": self.handler()});
        }
        if self.chance.percent(15) {
            workflow["on_success"] =
                json!({"cheer": {"type": "pass", "input": {"status": "${{ run.status }}"}}});
        }
    }

    fn handler(&mut self) -> Value {
        let mut task = Fields::new();
        match self.chance.below(8) {
            0 if !self.children.is_empty() => self.child(&mut task),
            1 if self.features.has(Feature::Approval) => self.approval(&mut task),
            2 if self.features.has(Feature::Signal) => self.outside(&mut task, "signal"),
            _ => set(&mut task, "type", json!(self.kind())),
        }
        Value::Object(task)
    }

    fn limits(&mut self, workflow: &mut Value) {
        let is_grouped = self.features.has(Feature::RunGroup) || self.chance.percent(10);
        // a parent that holds the place which its child waits for would wait for ever
        if is_grouped && !self.is_child {
            let on_conflict = match self.chance.below(4) {
                1 if !self.is_settled => "skip",
                2 if !self.is_settled => "cancel_running",
                _ => "queue",
            };
            workflow["concurrency"] = json!({"group": "runs", "limit": 1, "on_conflict": on_conflict});
        }
        if self.is_settled {
            return;
        }
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

    fn compensation(&mut self) -> Value {
        let order = if self.chance.percent(70) {
            "reverse"
        } else {
            "parallel"
        };
        if self.is_settled {
            return json!({"order": order});
        }
        let on_error = if self.chance.percent(60) {
            "halt"
        } else {
            "continue"
        };
        let on = match self.chance.below(4) {
            0 => json!(["failed"]),
            1 => json!(["failed", "cancelled"]),
            _ => json!(["failed", "cancelled", "timed_out"]),
        };
        json!({"on": on, "order": order, "on_error": on_error})
    }

    fn kind(&mut self) -> &'static str {
        if self.chance.percent(80) { "work" } else { "pass" }
    }

    fn kinds(&self) -> Vec<Kind> {
        let mut kinds = vec![Kind::Pass, Kind::Timer, Kind::FanOut, Kind::FanOut];
        kinds.extend([Kind::Work; 6]);
        for (feature, kind) in [
            (Feature::Event, Kind::Event),
            (Feature::Signal, Kind::Signal),
            (Feature::Approval, Kind::Approval),
            (Feature::Callback, Kind::Callback),
            (Feature::Matrix, Kind::Matrix),
            (Feature::Loop, Kind::Loop),
            (Feature::Batch, Kind::FanOut),
        ] {
            if self.features.has(feature) {
                kinds.extend([kind; 3]);
            }
        }
        if !self.children.is_empty() {
            kinds.extend([Kind::Child; 3]);
        }
        kinds
    }

    fn task(&mut self, at: u64) -> Value {
        let mut task = Fields::new();
        let is_all = self.needs(at, &mut task);
        let kinds = self.kinds();
        match kinds[self.chance.index(kinds.len())] {
            Kind::Pass => {
                set(&mut task, "type", json!("pass"));
                set(&mut task, "input", json!({"x": at}));
            }
            Kind::Timer => self.timer(&mut task),
            Kind::FanOut => self.fan_out(&mut task),
            Kind::Work => self.work(at, is_all, &mut task),
            Kind::Child => self.child(&mut task),
            Kind::Event => self.outside(&mut task, "event"),
            Kind::Signal => self.outside(&mut task, "signal"),
            Kind::Approval => self.approval(&mut task),
            Kind::Callback => {
                self.work(at, is_all, &mut task);
                set(&mut task, "callback", json!(true));
            }
            Kind::Matrix => self.matrix(&mut task),
            Kind::Loop => self.repeated(at, &mut task),
        }
        self.conditions(&mut task);
        Value::Object(task)
    }

    fn conditions(&mut self, task: &mut Fields) {
        if self.chance.percent(10) {
            let condition = if self.chance.percent(30) {
                "${{ true }}"
            } else {
                "${{ 1 > 2 }}"
            };
            set(task, "if", json!(condition));
        }
        if self.chance.percent(12) {
            set(task, "continue_on_error", json!(true));
        }
        if self.features.has(Feature::Saga) {
            if self.chance.percent(60) {
                let mut undo = Fields::new();
                set(&mut undo, "type", json!(self.kind()));
                if undo.get("type") == Some(&json!("work")) {
                    self.policies(&mut undo);
                }
                set(task, "compensate", Value::Object(undo));
            }
            if self.chance.percent(12) {
                set(task, "point_of_no_return", json!(true));
            }
        }
        if self.features.has(Feature::Alert) && self.chance.percent(40) {
            set(task, "sla", json!({"start_within": "2s", "finish_within": "8s"}));
        }
    }

    /// Chooses upstreams among the tasks before this one; answers whether it waits for the success of all of them.
    fn needs(&mut self, at: u64, task: &mut Fields) -> bool {
        const ACCEPTED: [&str; 4] = ["succeeded", "failed", "skipped", "done"];
        let percent = if self.features.has(Feature::Saga) { 60 } else { 45 };
        let mut upstreams: Vec<u64> = (0..at).filter(|_| self.chance.percent(percent)).collect();
        upstreams.truncate(4);
        if upstreams.is_empty() {
            return false;
        }
        if self.chance.percent(60) {
            let names: Vec<String> = upstreams.iter().map(|up| format!("t{up}")).collect();
            set(task, "needs", json!(names));
            return true;
        }
        let mut needs = Fields::new();
        for up in &upstreams {
            let accepted = match self.chance.below(5) {
                4 => json!(["succeeded", "skipped"]),
                n => json!(ACCEPTED[usize::try_from(n).unwrap_or(0)]),
            };
            set(&mut needs, &format!("t{up}"), accepted);
        }
        set(task, "needs", Value::Object(needs));
        match self.chance.below(4) {
            0 => set(task, "join", json!("any")),
            1 if upstreams.len() > 1 => {
                let least = self.chance.between(1, upstreams.len() as u64);
                set(task, "join", json!(least));
            }
            _ => {}
        }
        false
    }

    fn timer(&mut self, task: &mut Fields) {
        set(task, "type", json!("wait"));
        let input = if self.chance.percent(20) {
            // near the moment at which the simulation begins
            let second = self.chance.between(10, 59);
            json!({"until": format!("2023-11-14T22:14:{second}Z")})
        } else {
            json!({"for": format!("{}s", self.chance.between(1, 90))})
        };
        set(task, "input", input);
    }

    fn work(&mut self, at: u64, is_all: bool, task: &mut Fields) {
        set(task, "type", json!("work"));
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
        set(task, "input", self.confided(input));
        self.gates(task);
        self.policies(task);
        self.exhaustion(task);
        self.cache(task);
    }

    /// An input that may name secrets.
    fn confided(&mut self, mut input: Value) -> Value {
        if self.features.has(Feature::Secret) && self.chance.percent(50) {
            input["token"] = json!(TOKEN);
        }
        input
    }

    /// Names are few, so that tasks and runs meet at the same gates.
    fn gates(&mut self, task: &mut Fields) {
        if self.chance.percent(15) {
            let group = self.chance.below(2);
            let on_conflict = if !self.is_settled && self.chance.percent(30) {
                "skip"
            } else {
                "queue"
            };
            // one limit a group, so that the rule about holders is a simple one
            set(
                task,
                "concurrency",
                json!({"group": format!("g{group}"), "limit": group + 1, "on_conflict": on_conflict}),
            );
        }
        if self.chance.percent(8) {
            set(task, "rate_limit", json!({"key": "r", "limit": "30/m"}));
        }
        if self.chance.percent(8) {
            let circuit = json!({"key": "c", "failures": 2, "window": "60s", "cooldown": "5s"});
            set(task, "circuit", circuit);
        }
    }

    fn cache(&mut self, task: &mut Fields) {
        if self.features.has(Feature::Cache) && !self.is_settled && self.chance.percent(60) {
            let ttl = format!("{}s", self.chance.between(20, 300));
            set(task, "cache", json!({"ttl": ttl}));
        }
    }

    fn exhaustion(&mut self, task: &mut Fields) {
        if self.features.has(Feature::Exhausted) && self.chance.percent(60) {
            let choice = if !self.is_settled && self.chance.percent(40) {
                "pause"
            } else {
                "dead_letter"
            };
            set(task, "on_exhausted", json!(choice));
        }
    }

    fn fan_out(&mut self, task: &mut Fields) {
        let count = match self.chance.below(10) {
            0 => 0,
            1 => 12,
            n => n,
        };
        let items: Vec<u64> = (0..count).collect();
        let mut each = json!({"items": items});
        if self.features.has(Feature::Batch) && self.chance.percent(60) {
            each["batch"] = json!(self.chance.between(2, 4));
        }
        self.bounds(&mut each);
        set(task, "for_each", each);
        if !self.children.is_empty() && count < 6 && self.chance.percent(25) {
            self.child(task);
            return;
        }
        self.each(task, json!({"item": "${{ each.item }}"}));
    }

    fn matrix(&mut self, task: &mut Fields) {
        let mut matrix = json!({"a": [1, 2], "b": ["x", "y"]});
        if self.chance.percent(50) {
            matrix["exclude"] = json!([{"a": 2, "b": "y"}]);
        }
        if self.chance.percent(50) {
            matrix["include"] = json!([{"a": 3, "b": "z"}]);
        }
        self.bounds(&mut matrix);
        set(task, "matrix", matrix);
        self.each(task, json!({"a": "${{ matrix.a }}", "b": "${{ matrix.b }}"}));
    }

    /// How many at once, and how many may fail.
    fn bounds(&mut self, each: &mut Value) {
        if self.chance.percent(50) {
            each["max_parallel"] = json!(self.chance.between(1, 4));
        }
        if self.chance.percent(50) {
            each["tolerate"] = if self.chance.percent(30) {
                json!("40%")
            } else {
                json!(self.chance.between(0, 4))
            };
        }
    }

    fn each(&mut self, task: &mut Fields, input: Value) {
        set(task, "type", json!(self.kind()));
        if task.get("type") == Some(&json!("work")) {
            set(task, "input", self.confided(input));
            self.gates(task);
            self.policies(task);
            self.exhaustion(task);
            self.cache(task);
        } else {
            set(task, "input", input);
        }
    }

    fn repeated(&mut self, at: u64, task: &mut Fields) {
        let mut repeat = json!({"max": self.chance.between(1, 4)});
        if self.chance.percent(60) {
            repeat["every"] = json!(format!("{}s", self.chance.between(1, 9)));
        }
        match self.chance.below(8) {
            0 => {
                set(task, "type", json!("pass"));
                set(task, "input", json!({"round": "${{ each.index }}"}));
            }
            1 => self.timer(task),
            5 if self.features.has(Feature::Event) => self.outside(task, "event"),
            6 if self.features.has(Feature::Signal) => self.outside(task, "signal"),
            7 if self.features.has(Feature::Approval) => self.approval(task),
            2 if !self.children.is_empty() => self.child(task),
            n => {
                self.work(at, false, task);
                if n == 3 && self.features.has(Feature::Callback) {
                    set(task, "callback", json!(true));
                }
                if self.chance.percent(60) {
                    repeat["until"] = json!("each.previous.ok");
                }
            }
        }
        set(task, "repeat", repeat);
    }

    fn child(&mut self, task: &mut Fields) {
        let workflow = self.children[self.chance.index(self.children.len())].clone();
        let waits = self.chance.percent(75);
        set(task, "type", json!("workflow"));
        set(task, "input", json!({"workflow": workflow, "wait": waits}));
        if self.chance.percent(40) {
            let limit = self.chance.between(1, 2);
            set(task, "retry", json!({"limit": limit, "delay": "2s"}));
        }
        if !self.is_settled && self.chance.percent(25) {
            let seconds = self.chance.between(5, 90);
            set(task, "timeout", json!(format!("{seconds}s")));
        }
    }

    /// A wait for an event or a signal.
    fn outside(&mut self, task: &mut Fields, what: &str) {
        let name = format!("{}{}", &what[..1], self.chance.below(2));
        let mut input = json!({});
        input[what] = json!(name);
        if what == "event" {
            // longer than any two clocks are apart
            input["look_back"] = json!("2h");
            if self.chance.percent(60) {
                input["match"] = json!("event.data.good");
            }
        }
        if !self.is_settled && self.chance.percent(50) {
            input["timeout"] = json!(format!("{}s", self.chance.between(5, 120)));
            let on_timeout = ["fail", "skip", "succeed"][self.chance.index(3)];
            input["on_timeout"] = json!(on_timeout);
        }
        set(task, "type", json!("wait"));
        set(task, "input", input);
    }

    fn approval(&mut self, task: &mut Fields) {
        let mut input = json!({"message": "go on?"});
        if self.chance.percent(40) {
            input["quorum"] = json!(2);
        }
        let is_named = self.chance.percent(40);
        if is_named {
            input["approvers"] = json!(["ann", "bob"]);
        }
        if self.chance.percent(40) {
            input["on_reject"] = json!("continue");
        }
        if self.chance.percent(40) {
            input["remind_every"] = json!("60s");
        }
        if !self.is_settled {
            if self.chance.percent(50) {
                input["expires"] = json!(format!("{}s", self.chance.between(5, 90)));
                let on_expire = ["approve", "reject", "fail"][self.chance.index(3)];
                input["on_expire"] = json!(on_expire);
            }
            if is_named && self.chance.percent(70) {
                let after = format!("{}s", self.chance.between(2, 40));
                input["escalate"] = json!({"after": after, "approvers": ["cyd"]});
            }
        }
        set(task, "type", json!("approval"));
        set(task, "input", input);
    }

    fn policies(&mut self, task: &mut Fields) {
        if self.chance.percent(55) {
            let backoff = ["fixed", "linear", "exponential"][self.chance.index(3)];
            let jitter = ["none", "full", "equal"][self.chance.index(3)];
            set(
                task,
                "retry",
                json!({
                    "limit": self.chance.between(0, 4),
                    "backoff": backoff,
                    "delay": format!("{}ms", self.chance.between(0, 8_000)),
                    "jitter": jitter,
                }),
            );
        }
        if self.is_settled {
            set(task, "max_losses", json!(1_000));
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
                set(task, name, json!(format!("{seconds}s")));
            }
        }
        if self.chance.percent(20) {
            set(task, "max_losses", json!(self.chance.between(0, 2)));
        }
    }
}
