//! What each status allows: the tables of docs/semantics.md, row by row, and the machine that keeps to them.

use serde_json::json;

use crate::plan::Section;
use crate::run::testkit::{Driver, failure, root, task, workflow};
use crate::run::{
    CancelMode, Input, Outcome, RerunInput, RunStanding, RunStatus, Stale, TaskStanding, TaskStatus,
};

const SEMANTICS: &str = include_str!("../../../../docs/semantics.md");

/// The cells of the rows of the table whose head begins with these words.
fn table(head: &str) -> Vec<Vec<String>> {
    let lines = SEMANTICS.lines().skip_while(|line| !line.starts_with(head));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        row.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "no table {head}");
    rows
}

fn name_of(status: impl serde::Serialize) -> String {
    json!(status).as_str().unwrap().to_owned()
}

fn answer(outcome: Result<(), Outcome>) -> &'static str {
    match outcome {
        Ok(()) | Err(Outcome::Applied) => "yes",
        Err(Outcome::Refused(_)) => "refused",
        Err(Outcome::Ignored(Stale::AlreadyInForce)) => "in force",
        Err(Outcome::Ignored(Stale::RunIsTerminal)) => "ended",
        Err(Outcome::Ignored(stale)) => panic!("{stale:?}"),
    }
}

#[test]
fn every_status_of_a_run_answers_each_operation_as_the_table_says() {
    let rows = table("| run |");
    for status in RunStatus::ALL {
        for is_paused in [false, true] {
            // the end of a run ends its pause
            if is_paused && (status.is_terminal() || status == RunStatus::Cancelling) {
                continue;
            }
            let name = name_of(status);
            let paused = format!("{name} paused");
            let find = |wanted: &str| {
                let is_it = |row: &&Vec<String>| row[0].split(", ").any(|one| one == wanted);
                rows.iter().find(is_it)
            };
            let wanted = if is_paused { &paused } else { &name };
            let row = find(wanted).unwrap_or_else(|| panic!("the table has no row {wanted}"));
            let run = RunStanding::of_status(status, is_paused);
            let answers = [
                answer(run.cancel(CancelMode::Graceful)),
                answer(run.cancel(CancelMode::Now)),
                answer(run.pause()),
                answer(run.resume()),
                answer(run.rerun().map_err(Outcome::Refused)),
            ];
            assert_eq!(row[1..], answers, "{wanted}");
        }
    }
}

fn standing_of(run: RunStatus, task: TaskStatus) -> TaskStanding {
    TaskStanding {
        run: RunStanding::of_status(run, false),
        section: Section::Main,
        status: task,
        fanout: None,
    }
}

fn answers_of(standing: TaskStanding) -> [&'static str; 4] {
    [
        answer(standing.retry().map_err(Outcome::Refused)),
        answer(standing.skip()),
        answer(standing.set_result(true).map_err(Outcome::Refused)),
        answer(standing.set_result(false).map_err(Outcome::Refused)),
    ]
}

#[test]
fn every_status_of_a_task_answers_each_operation_as_the_table_says() {
    let rows = table("| task of the main graph |");
    let is_in = |cell: &str, name: &str| cell.split(", ").any(|one| one == name || one == "any");
    for run in RunStatus::ALL {
        for task in TaskStatus::ALL {
            // a run that has ended has no open task, and one that has not begun no other
            let is_possible = match run {
                RunStatus::Pending => task == TaskStatus::Blocked,
                run => !run.is_terminal() || task.is_terminal(),
            };
            if !is_possible {
                continue;
            }
            let (of_run, of_task) = (name_of(run), name_of(task));
            let phase = if run.is_terminal() { "ended" } else { &of_run };
            let found: Vec<_> = rows
                .iter()
                .filter(|row| is_in(&row[0], &of_task) && is_in(&row[1], phase))
                .collect();
            let [row] = found.as_slice() else {
                panic!("{} rows for {of_task} of {of_run}", found.len());
            };
            assert_eq!(
                row[2..],
                answers_of(standing_of(run, task)),
                "{of_task} of {of_run}"
            );
        }
    }
}

/// `a → b` with something that undoes `a`, and a handler.
fn ordinary() -> Driver {
    let mut first = root("a");
    first.compensate = Some(Box::new(root("a.compensate")));
    let mut definition = workflow(vec![first, task("b", &["a"])]);
    definition.finally = vec![root("last")];
    Driver::new(definition)
}

/// A run in each phase.
fn phases() -> Vec<(&'static str, Driver)> {
    let started = || {
        let mut run = ordinary();
        run.start();
        run
    };
    let mut running = started();
    running.begin("a");
    let mut paused = started();
    operate(&mut paused, &pause());
    let mut cancelling = started();
    cancelling.begin("a");
    operate(&mut cancelling, &cancel(CancelMode::Graceful));
    let mut compensating = started();
    compensating.succeed("a");
    compensating.fail("b");
    let mut handling = started();
    handling.succeed("a");
    handling.succeed("b");
    let mut succeeded = started();
    for key in ["a", "b", "last"] {
        succeeded.succeed(key);
    }
    let mut failed = started();
    failed.fail("a");
    failed.succeed("last");
    let mut cancelled = started();
    operate(&mut cancelled, &cancel(CancelMode::Now));
    let mut compensated = started();
    compensated.succeed("a");
    compensated.fail("b");
    compensated.succeed("a.compensate");
    compensated.succeed("last");
    vec![
        ("pending", ordinary()),
        ("running", running),
        ("paused", paused),
        ("cancelling", cancelling),
        ("compensating", compensating),
        ("handling", handling),
        ("succeeded", succeeded),
        ("failed", failed),
        ("cancelled", cancelled),
        ("compensated", compensated),
    ]
}

fn pause() -> Input {
    Input::PauseRequested {
        actor: "me".into(),
        reason: None,
    }
}

fn cancel(mode: CancelMode) -> Input {
    Input::CancelRequested {
        mode,
        actor: "me".into(),
        reason: None,
    }
}

fn operate(run: &mut Driver, input: &Input) -> Outcome {
    run.feed(input.clone())
}

/// What the machine answers to an input, on a copy.
fn machine(run: &Driver, input: Input) -> Outcome {
    let mut state = run.state.clone();
    let moment = crate::Moment {
        now: run.now,
        entropy: 7,
    };
    crate::run::advance(
        &run.plan,
        &mut state,
        &input,
        &moment,
        &mut crate::run::Effects::default(),
    )
}

#[test]
fn the_machine_does_what_the_standing_allows_and_nothing_else() {
    let actor = || "me".into();
    for (phase, run) in phases() {
        let standing = RunStanding::new(run.state.status, run.state.is_paused, &run.state.extra);
        for (input, allowed) in [
            (
                cancel(CancelMode::Graceful),
                standing.cancel(CancelMode::Graceful),
            ),
            (cancel(CancelMode::Now), standing.cancel(CancelMode::Now)),
            (pause(), standing.pause()),
            (Input::ResumeRequested { actor: actor() }, standing.resume()),
        ] {
            let told = format!("{phase}: {input:?}");
            assert_eq!(
                machine(&run, input),
                allowed.err().unwrap_or(Outcome::Applied),
                "{told}"
            );
        }
        for at in 0..run.state.tasks.len() {
            let ix = crate::TaskIx(u32::try_from(at).unwrap());
            let task = &run.state.tasks[at];
            let standing = TaskStanding {
                run: standing,
                section: run.plan.section(task.template),
                status: task.status,
                fanout: None,
            };
            let set = |result| {
                let result = RerunInput::Override {
                    task: ix,
                    result,
                    actor: actor(),
                    reason: None,
                };
                Input::Rerun(result)
            };
            let retry = Input::TaskRetryRequested {
                task: ix,
                actor: actor(),
            };
            let skip = Input::TaskSkipRequested {
                task: ix,
                actor: actor(),
                reason: None,
            };
            for (input, allowed) in [
                (retry, standing.retry().map_err(Outcome::Refused)),
                (skip, standing.skip()),
                (
                    set(Ok("1".into())),
                    standing.set_result(true).map_err(Outcome::Refused),
                ),
                (
                    set(Err(failure("SET"))),
                    standing.set_result(false).map_err(Outcome::Refused),
                ),
            ] {
                let told = format!("{phase} {}: {input:?}", run.state.key(&run.plan, ix));
                let done = machine(&run, input);
                // what only the whole graph tells: a run that was compensated takes no result by hand
                let is_undone =
                    phase == "compensated" && allowed.is_ok() && matches!(done, Outcome::Refused(_));
                if !is_undone {
                    assert_eq!(done, allowed.err().unwrap_or(Outcome::Applied), "{told}");
                }
            }
        }
    }
}
