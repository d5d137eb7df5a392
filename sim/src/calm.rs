//! The same script without any shell or fault: the engine alone, every attempt answered in the order of its dispatch. What a
//! run ends with here is what it must end with under every order of deliveries.

use std::collections::VecDeque;

use runnel_engine::run::{
    Approval, Category, ChildCommand, ChildInput, ChildRequest, Command, Effects, GateCommand, GateInput,
    Input, NewRun, RunState, TaskFailure, Timings, WaitCommand, WaitInput, WaitSubject, advance,
};
use runnel_engine::{Moment, Plan, RunId, TaskIx};
use runnel_runtime::offline::DEPTH_MAX;
use uuid::Uuid;

use crate::client::plain_context;
use crate::outside::callback;
use crate::script::{Ending, Lineage, Script, Tries, lineage_of_child};
use crate::secret::{REDACTED, TOKEN};

/// What is answered next.
enum Next {
    Attempt(TaskIx, u32),
    /// The gates let everybody pass.
    Gate(GateInput),
    /// Whoever is waited for comes at once.
    Wait(TaskIx, u32, WaitSubject),
    /// A child is played to its end at once.
    Child(TaskIx, u32),
}

/// Inputs of one run; more mean that it does not end.
const INPUTS_MAX: usize = 20_000;

/// The end of a run of the script, without faults.
///
/// # Errors
/// It does not end.
pub fn end_of(script: &Script, workflow: &str, lineage: Lineage) -> Result<RunState, String> {
    end_below(script, workflow, lineage, 0)
}

/// The end of a run that has so many runs above it.
fn end_below(script: &Script, workflow: &str, lineage: Lineage, depth: u32) -> Result<RunState, String> {
    let version = script.workflow(workflow).ok_or("there is no such workflow")?;
    let plan = version.plan();
    let context = plain_context(lineage);
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
        let inputs = match open.pop_front() {
            Some(Next::Attempt(task, attempt)) => {
                vec![report(script, lineage, plan, &state, task, attempt, &moment)]
            }
            Some(Next::Gate(admitted)) => vec![Input::Gate(admitted)],
            Some(Next::Wait(task, attempt, subject)) => {
                answers(script, lineage, plan, &state, task, attempt, &subject)
            }
            Some(Next::Child(task, attempt)) => child(script, (lineage, depth), plan, &state, task, attempt)?,
            None => {
                moment.now = state.wake_at.ok_or("nothing is due and nothing is in flight")?;
                vec![Input::Tick]
            }
        };
        for input in inputs {
            feed(plan, &mut state, input, &moment, &mut open);
        }
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
            Command::Wait(WaitCommand::Begin {
                task,
                attempt,
                subject,
            }) => open.push_back(Next::Wait(task, attempt, subject)),
            Command::Child(ChildCommand::Start { task, attempt }) => {
                open.push_back(Next::Child(task, attempt));
            }
            Command::Gate(_)
            | Command::Stop { .. }
            | Command::DeadLetter { .. }
            | Command::Wait(WaitCommand::End { .. })
            | Command::Child(ChildCommand::Cancel { .. }) => {}
        }
    }
}

/// Everybody who is waited for does their part.
fn answers(
    script: &Script,
    lineage: Lineage,
    plan: &Plan,
    state: &RunState,
    task: TaskIx,
    attempt: u32,
    subject: &WaitSubject,
) -> Vec<Input> {
    let row = &state.tasks[task.at()];
    let key = state.key(plan, task);
    let inputs = match subject {
        WaitSubject::Event(name, _) => {
            let event = serde_json::json!({"type": &**name, "data": {"good": true}});
            vec![WaitInput::Event {
                task,
                attempt,
                event: event.to_string().into(),
            }]
        }
        WaitSubject::Signal(name) => vec![WaitInput::Signal {
            name: name.clone(),
            data: "{}".into(),
            actor: "sender".into(),
            id: None,
        }],
        WaitSubject::Approval => {
            let quorum = Approval::of_extra(row.extra.as_deref()).map_or(1, |approval| approval.quorum);
            let voters = ["ann", "bob"].into_iter().take(quorum as usize);
            let vote = |name: &str| WaitInput::Decision {
                task,
                is_approved: script.is_approved(lineage, &key),
                form: None,
                note: None,
                actor: name.into(),
                groups: Vec::new(),
            };
            voters.map(vote).collect()
        }
        WaitSubject::Callback => vec![callback(
            task,
            attempt,
            &script.callback(lineage, &key, Tries::of(plan, row)),
        )],
    };
    inputs.into_iter().map(Input::Wait).collect()
}

/// A child is played to its end before its parent hears of it.
fn child(
    script: &Script,
    (lineage, depth): (Lineage, u32),
    plan: &Plan,
    state: &RunState,
    task: TaskIx,
    attempt: u32,
) -> Result<Vec<Input>, String> {
    let input = state.tasks[task.at()].input.as_deref().unwrap_or("null");
    let input = serde_json::from_str(input).map_err(|error| error.to_string())?;
    let request = ChildRequest::of(&input)?;
    if depth + 1 > DEPTH_MAX {
        let failure = TaskFailure::new(Category::Input, "CHILD_DEPTH", "too deep", false);
        return Ok(vec![Input::Child(ChildInput::Refused {
            task,
            attempt,
            failure,
        })]);
    }
    let own = lineage_of_child(lineage, &state.key(plan, task), attempt);
    let child = RunId(Uuid::from_u128(u128::from(own)));
    let started = ChildInput::Started { task, attempt, child };
    if !request.wait {
        return Ok(vec![Input::Child(started)]);
    }
    let end = end_below(script, &request.workflow, own, depth + 1)?;
    let ended = ChildInput::Ended {
        task,
        attempt,
        child,
        status: end.status,
        outputs: end.outputs,
        error: end.error,
    };
    Ok(vec![Input::Child(started), Input::Child(ended)])
}

fn report(
    script: &Script,
    lineage: Lineage,
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
        ..Timings::default()
    };
    let tries = Tries::of(plan, &state.tasks[task.at()]);
    match script.ending(lineage, &state.key(plan, task), tries) {
        Ending::Output(mut output) => {
            let template = state.tasks[task.at()].template;
            if plan.task(template).input["token"] == TOKEN {
                output["told"] = REDACTED.into();
            }
            Input::AttemptSucceeded {
                task,
                attempt,
                output: output.to_string().into(),
                timings,
            }
        }
        Ending::Failure(is_retryable) => Input::AttemptFailed {
            task,
            attempt,
            failure: TaskFailure::new(Category::User, "BROKEN", "it failed", is_retryable),
            timings,
        },
    }
}
