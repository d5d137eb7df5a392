//! Invariants over random graphs, random delivery orders, duplicates, late reports, losses and pauses. The driver checks counts,
//! alarms, gapless history, history against rows, and that a restored state decides the same, after every single step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::model::{Failures, expected};
use crate::definition::{Accepts, Axis, ForEach, Join, Matrix, Need, Repeat, Task, Tolerate};
use crate::run::testkit::{Driver, failure, root, workflow};
use crate::run::{
    CancelMode, ChildInput, Command, Input, Outcome, RerunInput, RunStatus, TaskFailure, TaskState,
    TaskStatus, Timings,
};
use crate::{RunId, TaskIx, Timestamp, Workflow};

#[derive(Debug, Clone)]
struct Shape {
    needs: Vec<(Index, u8)>,
    join: u8,
    condition: u8,
    retries: u32,
    failures: u32,
    continue_on_error: bool,
    inline: bool,
    items: Option<Items>,
    /// Rounds of a loop.
    rounds: Option<u32>,
}

#[derive(Debug, Clone)]
struct Items {
    failures: Vec<u32>,
    max_parallel: u32,
    tolerated: u32,
    form: u8,
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        prop::collection::vec((any::<Index>(), 0_u8..8), 0..4),
        0_u8..4,
        0_u8..6,
        0_u32..3,
        prop_oneof![3 => Just(0_u32), 1 => 1_u32..4],
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.15),
        prop::option::weighted(
            0.25,
            (
                prop::collection::vec(prop_oneof![2 => Just(0_u32), 1 => 1_u32..4], 0..6),
                1_u32..4,
                0_u32..3,
                0_u8..3,
            )
                .prop_map(|(failures, max_parallel, tolerated, form)| Items {
                    failures,
                    max_parallel,
                    tolerated,
                    form,
                }),
        ),
        prop::option::weighted(0.25, 1_u32..4),
    )
        .prop_map(
            |(needs, join, condition, retries, failures, continue_on_error, inline, items, rounds)| Shape {
                needs,
                join,
                condition,
                retries,
                failures,
                continue_on_error,
                inline,
                items,
                rounds,
            },
        )
}

fn build(shapes: &[Shape]) -> (Workflow, Failures) {
    let mut failures = Failures::new();
    let tasks = shapes
        .iter()
        .enumerate()
        .map(|(at, shape)| {
            let task = build_task(at, shape);
            failures.insert(task.key.clone(), shape.failures);
            if let (Some(items), true) = (&shape.items, task.for_each.is_some() || task.matrix.is_some()) {
                failures.extend(
                    items
                        .failures
                        .iter()
                        .enumerate()
                        .map(|(item, n)| (format!("{}[{item}]", task.key), *n)),
                );
            }
            task
        })
        .collect();
    (workflow(tasks), failures)
}

fn build_task(at: usize, shape: &Shape) -> Task {
    let mut task = Task {
        needs: build_needs(at, shape),
        join: [Join::All, Join::All, Join::Any, Join::AtLeast(2)][usize::from(shape.join)],
        condition: match shape.condition {
            0 => Some("false".into()),
            1 => Some("1 < 2".into()),
            _ => None,
        },
        continue_on_error: shape.continue_on_error,
        max_losses: 1_000,
        ..root(&format!("t{at}"))
    };
    task.retry.limit = shape.retries;
    if shape.inline && shape.failures == 0 {
        task.kind = "pass".into();
    } else if let Some(items) = &shape.items {
        build_items(&mut task, items);
    }
    task.repeat = shape.rounds.map(|max| Repeat {
        until: (max > 1).then(|| format!("each.round == {}", max - 1)),
        max,
        every: Duration::from_secs(u64::from(max % 2)),
    });
    task
}

/// A list, a list in batches, or a matrix; with the same keys.
fn build_items(task: &mut Task, items: &Items) {
    let tolerate = if items.tolerated.is_multiple_of(2) {
        Tolerate::Count(items.tolerated)
    } else {
        Tolerate::Percent(40.0)
    };
    let count = items.failures.len();
    let list = |count: usize| serde_json::json!((0..count).collect::<Vec<_>>());
    let max_parallel = Some(items.max_parallel);
    if items.form == 2 {
        task.matrix = Some(Matrix {
            axes: vec![Axis {
                name: "a".into(),
                values: list(count),
            }],
            max_parallel,
            tolerate,
            ..Matrix::default()
        });
        return;
    }
    let batch = (items.form == 1).then_some(2);
    task.for_each = Some(ForEach {
        items: list(if batch.is_some() {
            (count * 2).saturating_sub(1)
        } else {
            count
        }),
        key: None,
        max_parallel,
        tolerate,
        batch,
    });
}

fn build_needs(at: usize, shape: &Shape) -> Vec<Need> {
    let mut needs: BTreeMap<String, Accepts> = BTreeMap::new();
    for (index, accepts) in shape.needs.iter().filter(|_| at > 0) {
        let accepts = match accepts {
            0..=4 => Accepts {
                succeeded: true,
                ..Accepts::default()
            },
            5 => Accepts {
                failed: true,
                ..Accepts::default()
            },
            6 => Accepts {
                succeeded: true,
                skipped: true,
                ..Accepts::default()
            },
            _ => Accepts {
                succeeded: true,
                failed: true,
                skipped: true,
                cancelled: true,
            },
        };
        needs.insert(format!("t{}", index.index(at)), accepts);
    }
    needs
        .into_iter()
        .map(|(task, accepts)| Need { task, accepts })
        .collect()
}

/// Plays workers that answer in any order, repeat themselves and get lost, until the run has ended.
struct World {
    run: Driver,
    failures: Failures,
    failed: HashMap<String, u32>,
    sent: HashSet<(TaskIx, u32)>,
    /// Attempts that were dispatched and not answered yet.
    open: Vec<(TaskIx, u32)>,
    /// Attempts that were answered: repeating the answer must change nothing.
    answered: Vec<(TaskIx, u32)>,
}

impl World {
    fn new(definition: Workflow, failures: Failures) -> Self {
        let run = Driver::started(definition);
        let mut world = Self {
            run,
            failures,
            failed: HashMap::new(),
            sent: HashSet::new(),
            open: Vec::new(),
            answered: Vec::new(),
        };
        world.collect();
        world
    }

    fn collect(&mut self) {
        for command in std::mem::take(&mut self.run.commands) {
            if let Command::Dispatch { task, attempt } = command {
                // nothing here waits for ten minutes, so nothing may be sent twice
                assert!(
                    self.sent.insert((task, attempt)),
                    "{task:?} {attempt} was dispatched twice"
                );
                assert!(!self.run.state.is_paused, "dispatched while paused");
                self.open.push((task, attempt));
            }
        }
    }

    fn feed(&mut self, input: Input) -> Outcome {
        let outcome = self.run.feed(input);
        self.collect();
        outcome
    }

    /// The answer of an attempt is a matter of the task alone, not of the order of deliveries.
    fn answer(&mut self, (task, attempt): (TaskIx, u32)) {
        let key = self.run.state.key(&self.run.plan, task);
        let failed = self.failed.entry(key.clone()).or_default();
        let timings = self.run.timings();
        if *failed < self.failures[&key] {
            *failed += 1;
            self.feed(Input::AttemptFailed {
                task,
                attempt,
                failure: failure("BROKEN"),
                timings,
            });
        } else {
            self.feed(Input::AttemptSucceeded {
                task,
                attempt,
                output: "{}".into(),
                timings,
            });
        }
        self.answered.push((task, attempt));
    }

    fn step(&mut self, action: u8, pick: &Index) {
        let actor: Arc<str> = "me".into();
        match action {
            0..=3 if !self.open.is_empty() => {
                let attempt = self.open.swap_remove(pick.index(self.open.len()));
                self.answer(attempt);
            }
            4 if !self.open.is_empty() => {
                let (task, attempt) = self.open[pick.index(self.open.len())];
                let at = self.run.now;
                self.feed(Input::AttemptStarted {
                    task,
                    attempt,
                    worker: "w1".into(),
                    at,
                });
            }
            5 if !self.open.is_empty() => {
                let (task, attempt) = self.open.swap_remove(pick.index(self.open.len()));
                self.feed(Input::AttemptLost {
                    task,
                    attempt,
                    reason: "GONE".into(),
                });
                self.answered.push((task, attempt));
            }
            6 if !self.answered.is_empty() => {
                let (task, attempt) = self.answered[pick.index(self.answered.len())];
                let timings = self.run.timings();
                let input = if attempt % 2 == 0 {
                    Input::AttemptSucceeded {
                        task,
                        attempt,
                        output: "1".into(),
                        timings,
                    }
                } else {
                    Input::AttemptFailed {
                        task,
                        attempt,
                        failure: failure("LATE"),
                        timings,
                    }
                };
                let outcome = self.feed(input);
                assert!(
                    matches!(outcome, Outcome::Ignored(_)),
                    "a repeated report was taken: {outcome:?}"
                );
            }
            7 => {
                self.feed(Input::PauseRequested { actor, reason: None });
            }
            8 => {
                self.feed(Input::ResumeRequested { actor });
            }
            _ => self.ring_for_retries(),
        }
    }

    /// Lets the delays of retries and the pauses of loops (at most one second) pass, never a lease (a minute).
    fn ring_for_retries(&mut self) {
        let waits_for_round = |task: &TaskState| task.status == TaskStatus::Waiting && task.wake_at.is_some();
        let tasks = &self.run.state.tasks;
        if self.run.state.counts.retry_wait > 0 || tasks.iter().any(waits_for_round) {
            self.run.now = self.run.now.after(std::time::Duration::from_secs(1));
            self.feed(Input::Tick);
            for (task, attempt) in self.open.clone() {
                self.feed(Input::Heartbeat {
                    task,
                    attempt,
                    worker: "w1".into(),
                    progress: None,
                    checkpoint: None,
                });
            }
        }
    }

    fn finish(&mut self) {
        self.feed(Input::ResumeRequested { actor: "me".into() });
        for _ in 0..10_000 {
            if self.run.run_status().is_terminal() {
                return;
            }
            match self.open.pop() {
                Some(attempt) => self.answer(attempt),
                None => self.ring_for_retries(),
            }
        }
        panic!("the run does not end: {:?}", self.run.state.counts);
    }
}

fn script() -> impl Strategy<Value = Vec<(u8, Index)>> {
    prop::collection::vec((0_u8..10, any::<Index>()), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_of_delivery_ends_as_the_model_says(shapes in prop::collection::vec(shape(), 1..10), script in script()) {
        let (definition, failures) = build(&shapes);
        let (statuses, outcome) = expected(&definition, &failures);
        let mut world = World::new(definition, failures);
        for (action, pick) in &script {
            world.step(*action, pick);
        }
        world.finish();
        prop_assert_eq!(world.run.run_status(), outcome);
        for (key, want) in statuses {
            prop_assert_eq!(world.run.status(&key), want, "{}", key);
        }
        prop_assert_eq!(world.run.state.wake_at, None);
    }

    #[test]
    fn a_cancelled_run_dispatches_nothing_more_and_ends(
        shapes in prop::collection::vec(shape(), 1..10),
        script in script(),
        fail_fast in any::<bool>(),
        is_graceful in any::<bool>(),
    ) {
        let (mut definition, failures) = build(&shapes);
        definition.fail_fast = fail_fast;
        let mut world = World::new(definition, failures);
        for (action, pick) in &script {
            world.step(*action, pick);
        }
        let was_terminal = world.run.run_status().is_terminal();
        let mode = if is_graceful { CancelMode::Graceful } else { CancelMode::Now };
        let sent = world.sent.len();
        world.feed(Input::CancelRequested { mode, actor: "me".into(), reason: None });
        for (action, pick) in &script {
            world.step(*action, pick);
        }
        world.run.tick_after(std::time::Duration::from_secs(30));
        world.collect();
        prop_assert_eq!(world.sent.len(), sent);
        prop_assert!(was_terminal || world.run.run_status() == RunStatus::Cancelled);
    }

    #[test]
    fn operators_can_do_anything_at_any_time_and_the_run_still_ends(
        shapes in prop::collection::vec(shape(), 1..8),
        script in prop::collection::vec((0_u8..19, any::<Index>()), 0..80),
    ) {
        let (definition, failures) = build(&shapes);
        let mut world = World::new(definition, failures);
        for (action, pick) in &script {
            let task = TaskIx(u32::try_from(pick.index(world.run.state.tasks.len())).unwrap());
            let actor: Arc<str> = "me".into();
            match action {
                10 | 11 => { world.feed(Input::TaskRetryRequested { task, actor }); }
                12 => { world.feed(Input::TaskSkipRequested { task, actor, reason: None }); }
                18 => {
                    let n = u32::try_from(pick.index(4)).unwrap();
                    let tolerate = (n % 2 == 0).then_some(Tolerate::Count(n));
                    world.feed(Input::FanoutLimitsChanged { task, max_parallel: Some(n + 1), tolerate, actor });
                }
                13 if pick.index(4) == 0 => {
                    world.feed(Input::CancelRequested { mode: CancelMode::Now, actor, reason: None });
                }
                14..=17 => { world.feed(Input::Rerun(any_rerun(*action, task, actor))); }
                _ => world.step(*action, pick),
            }
        }
        world.finish();
        prop_assert!(world.run.state.tasks.iter().all(|task| task.status != TaskStatus::Blocked));
    }

    #[test]
    fn no_input_whatever_panics_or_breaks_an_invariant(
        shapes in prop::collection::vec(shape(), 0..6),
        inputs in prop::collection::vec(any_input(), 0..60),
        is_started in any::<bool>(),
    ) {
        let (definition, _) = build(&shapes);
        let mut run = Driver::new(definition);
        if is_started {
            run.start();
        }
        for (input, later) in inputs {
            run.now = run.now.after(std::time::Duration::from_secs(later));
            run.feed(input);
        }
    }
}

fn any_rerun(kind: u8, task: TaskIx, actor: Arc<str>) -> RerunInput {
    match kind % 4 {
        0 => RerunInput::Failed {
            actor,
            reason: None,
            key: None,
        },
        1 => RerunInput::Tasks {
            tasks: vec![task],
            actor,
            reason: None,
            key: None,
        },
        n => RerunInput::Override {
            task,
            result: if n == 2 {
                Ok("1".into())
            } else {
                Err(failure("BY_HAND"))
            },
            actor,
            reason: None,
        },
    }
}

#[expect(clippy::too_many_lines, reason = "one strategy for each input")]
fn any_input() -> impl Strategy<Value = (Input, u64)> {
    let numbers = prop_oneof![8 => 0_u32..12, 1 => any::<u32>()];
    let later = prop_oneof![4 => Just(0_u64), 2 => 0_u64..100, 1 => 0_u64..100_000, 1 => any::<u64>()];
    let at = prop_oneof![1 => Just(1_000_000_000_i64), 1 => any::<i64>()];
    (0_u8..20, numbers.clone(), numbers, at, later).prop_map(|(kind, task, attempt, at, later)| {
        let (task, at) = (TaskIx(task), Timestamp(at));
        let (actor, worker): (Arc<str>, Arc<str>) = ("me".into(), "w1".into());
        let timings = Timings {
            worker: worker.clone(),
            started_at: at,
            finished_at: at,
            ..Timings::default()
        };
        let failure = TaskFailure {
            retry_after_ms: Some(later),
            ..failure("ANY")
        };
        let input = match kind {
            0 => Input::Started { actor },
            1 => Input::AttemptStarted {
                task,
                attempt,
                worker,
                at,
            },
            2 => Input::Heartbeat {
                task,
                attempt,
                worker,
                progress: None,
                checkpoint: None,
            },
            3 | 4 => Input::AttemptSucceeded {
                task,
                attempt,
                output: "not json".into(),
                timings,
            },
            5 | 6 => Input::AttemptFailed {
                task,
                attempt,
                failure,
                timings,
            },
            7 => Input::AttemptLost {
                task,
                attempt,
                reason: "ANY".into(),
            },
            8 => Input::CancelRequested {
                mode: CancelMode::Graceful,
                actor,
                reason: None,
            },
            9 => Input::PauseRequested { actor, reason: None },
            10 => Input::ResumeRequested { actor },
            11 => Input::TaskRetryRequested { task, actor },
            12 => Input::TaskSkipRequested {
                task,
                actor,
                reason: None,
            },
            13 => Input::Tick,
            18 => Input::FanoutLimitsChanged {
                task,
                max_parallel: Some(attempt),
                tolerate: Some(Tolerate::Count(attempt)),
                actor,
            },
            19 => Input::Child(ChildInput::Ended {
                task,
                attempt,
                child: RunId(uuid::Uuid::nil()),
                status: RunStatus::Failed,
                outputs: None,
                error: Some(failure),
            }),
            _ => Input::Rerun(any_rerun(kind, task, actor)),
        };
        (input, later)
    })
}
