//! The same script without any shell or fault: the engine alone, every attempt answered in the order of its dispatch. What a
//! run ends with here is what it must end with under every order of deliveries.

use std::collections::VecDeque;

use runnel_engine::run::{
    Category, Command, Effects, GateCommand, GateInput, Input, NewRun, RunState, TaskFailure, Timings,
    advance,
};
use runnel_engine::{Moment, Plan, TaskIx};

use crate::client::plain_context;
use crate::script::{Ending, Script};

/// What is answered next.
enum Next {
    Attempt(TaskIx, u32),
    /// The gates let everybody pass.
    Gate(GateInput),
}

/// Inputs of one run; more mean that it does not end.
const INPUTS_MAX: usize = 20_000;

/// The end of a run of the script, without faults.
///
/// # Errors
/// It does not end.
pub fn end_of(script: &Script, run: usize) -> Result<RunState, String> {
    let plan = script.workflows[script.runs[run]].plan();
    let context = plain_context(run);
    let mut moment = Moment {
        now: context.created_at,
        entropy: 1,
    };
    let mut state = RunState::new(
        plan,
        NewRun {
            context,
            trigger: None,
        },
        &moment,
    );
    let mut open: VecDeque<Next> = VecDeque::new();
    feed(
        plan,
        &mut state,
        Input::Started {
            actor: "client".into(),
        },
        &moment,
        &mut open,
    );
    for _ in 0..INPUTS_MAX {
        if state.status.is_terminal() {
            return Ok(state);
        }
        let input = match open.pop_front() {
            Some(Next::Attempt(task, attempt)) => report(script, run, plan, &state, task, attempt, &moment),
            Some(Next::Gate(admitted)) => Input::Gate(admitted),
            None => {
                moment.now = state.wake_at.ok_or("nothing is due and nothing is in flight")?;
                Input::Tick
            }
        };
        feed(plan, &mut state, input, &moment, &mut open);
    }
    Err(format!("the run does not end: {:?}", state.counts))
}

fn feed(plan: &Plan, state: &mut RunState, input: Input, moment: &Moment, open: &mut VecDeque<Next>) {
    let mut effects = Effects::default();
    advance(plan, state, &input, moment, &mut effects);
    for command in effects.commands {
        match command {
            Command::Dispatch { task, attempt } => open.push_back(Next::Attempt(task, attempt)),
            Command::Gate(GateCommand::Request { task, attempt, .. }) => {
                open.push_back(Next::Gate(GateInput::Admitted { task, attempt }));
            }
            Command::Gate(GateCommand::RequestRun { .. }) => {
                open.push_back(Next::Gate(GateInput::RunAdmitted))
            }
            Command::Gate(_)
            | Command::Stop { .. }
            | Command::DeadLetter { .. }
            | Command::Wait(_)
            | Command::Child(_) => {}
        }
    }
}

fn report(
    script: &Script,
    run: usize,
    plan: &Plan,
    state: &RunState,
    task: TaskIx,
    attempt: u32,
    moment: &Moment,
) -> Input {
    let timings = Timings {
        worker: "w".into(),
        started_at: moment.now,
        finished_at: moment.now,
    };
    let retries = state.tasks[task.at()].retries;
    match script.ending(run, &state.key(plan, task), retries) {
        Ending::Output(output) => Input::AttemptSucceeded {
            task,
            attempt,
            output: output.to_string().into(),
            timings,
        },
        Ending::Failure(is_retryable) => Input::AttemptFailed {
            task,
            attempt,
            failure: TaskFailure::new(Category::User, "BROKEN", "it failed", is_retryable),
            timings,
        },
    }
}
