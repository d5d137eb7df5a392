//! Large values of rows and inputs, put back where the engine reads them.

use std::sync::{Arc, Mutex, PoisonError};

use runnel_engine::Plan;
use runnel_engine::TaskIx;
use runnel_engine::run::{ChildInput, GateInput, Input, RerunInput, TaskStatus, WaitInput};
use runnel_entity::{run, task};
use runnel_queue::PayloadRef;

use super::convert::{item_with_value, large_item};
use crate::error::StoreError;
use crate::payload::{Parcel, Payloads, Values};

/// What a transaction needed and may not ask a service for while it holds locks.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    pub reads: Vec<PayloadRef>,
    pub writes: Vec<Parcel>,
}

impl Missing {
    pub(super) fn is_empty(&self) -> bool {
        self.reads.is_empty() && self.writes.is_empty()
    }

    /// Reads and writes it, outside any transaction.
    pub(super) async fn supply(self, payloads: &Payloads) -> Result<(), StoreError> {
        payloads.write(&self.writes).await?;
        payloads.read_all(self.reads).await.map(drop)
    }
}

/// Where large values come from.
pub(crate) enum Fetch<'a> {
    /// From the store.
    Store(&'a Payloads),
    /// From memory; what is not there is noted, and the reader gives up.
    Memory(&'a Payloads, &'a Mutex<Missing>),
    /// From nowhere: `null` stands for each, for readers of statuses only.
    Nowhere,
}

impl Fetch<'_> {
    async fn read(&self, wanted: Vec<PayloadRef>) -> Result<Values, StoreError> {
        if wanted.is_empty() {
            return Ok(Values::new());
        }
        match self {
            Self::Store(payloads) => payloads.read_all(wanted).await,
            Self::Memory(payloads, missing) => {
                let mut values = Values::new();
                let mut missing = missing.lock().unwrap_or_else(PoisonError::into_inner);
                for reference in wanted {
                    match payloads.remembered(&reference) {
                        Some(text) => drop(values.insert(reference, text)),
                        None => missing.reads.push(reference),
                    }
                }
                if missing.reads.is_empty() {
                    Ok(values)
                } else {
                    Err(StoreError::Aborted {
                        action: "read a payload in a transaction",
                    })
                }
            }
            Self::Nowhere => Ok(Values::new()),
        }
    }

    /// Puts the values that the engine reads in place of their references.
    pub(super) async fn fill(
        &self,
        plan: &Plan,
        run: &mut run::Model,
        tasks: &mut [task::Model],
    ) -> Result<(), StoreError> {
        let mut wanted: Vec<PayloadRef> = PayloadRef::read(&run.inputs).into_iter().collect();
        for task in tasks.iter().filter(|task| has_reference(task)) {
            wanted.extend(references(plan, task).into_iter().flatten());
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let values = self.read(wanted).await?;
        let value = |reference: &PayloadRef, otherwise: &str| {
            values
                .get(reference)
                .map_or_else(|| otherwise.to_owned(), |text| text.to_string())
        };
        if let Some(reference) = PayloadRef::read(&run.inputs) {
            run.inputs = value(&reference, "{}");
        }
        for task in tasks.iter_mut().filter(|task| has_reference(task)) {
            let [output, input, item] = references(plan, task);
            if let Some(reference) = output {
                task.output = Some(value(&reference, "null"));
            }
            if let Some(reference) = input {
                task.input = Some(value(&reference, "null"));
            }
            if let (Some(reference), Some(text)) = (item, &task.item) {
                task.item = Some(item_with_value(text, &value(&reference, "null"))?);
            }
        }
        Ok(())
    }
}

/// Where the output, the input and the value of the item are, as far as the engine reads them.
fn references(plan: &Plan, task: &task::Model) -> [Option<PayloadRef>; 3] {
    let template = TaskIx(u32::try_from(task.template).unwrap_or(u32::MAX));
    if template.at() >= plan.len() {
        // the reader of the row says what is wrong with it
        return [None, None, None];
    }
    let definition = plan.task(template);
    let is_item = task.item.is_some();
    let is_list = !is_item && (definition.for_each.is_some() || definition.matrix.is_some());
    let reference = |text: &Option<String>| text.as_deref().and_then(PayloadRef::read);
    [
        reference(&task.output)
            .filter(|_| is_item || definition.repeat.is_some() || plan.is_output_read(template)),
        reference(&task.input).filter(|_| is_list || is_input_read(task.status)),
        task.item.as_deref().and_then(large_item),
    ]
}

/// One comparison for most tasks: an item holds its reference inside, which only large ones do.
fn has_reference(task: &task::Model) -> bool {
    let is_reference = |text: &Option<String>| text.as_deref().is_some_and(PayloadRef::is_text);
    is_reference(&task.input)
        || is_reference(&task.output)
        || task
            .item
            .as_deref()
            .is_some_and(|item| large_item(item).is_some())
}

/// Whether the engine may read the input of a task in this state: not once it is out, nor before it is resolved anew.
fn is_input_read(status: i16) -> bool {
    matches!(
        TaskStatus::from_code(status),
        Some(TaskStatus::Blocked | TaskStatus::Ready | TaskStatus::Waiting)
    )
}

/// Puts the values in place of references that inputs carry, wherever they come from.
pub(super) async fn fill_inputs(inputs: &mut [Input], payloads: &Payloads) -> Result<(), StoreError> {
    for input in inputs {
        if let Some(text) = carried(input)
            && PayloadRef::is_text(text)
        {
            *text = payloads.resolve(text).await?;
        }
    }
    Ok(())
}

/// The one large value that an input may carry.
fn carried(input: &mut Input) -> Option<&mut Arc<str>> {
    match input {
        Input::AttemptSucceeded { output, .. }
        | Input::Gate(GateInput::Cached { output, .. })
        | Input::Child(ChildInput::Ended {
            outputs: Some(output),
            ..
        })
        | Input::Rerun(RerunInput::Override {
            result: Ok(output), ..
        })
        | Input::Wait(
            WaitInput::Callback {
                result: Ok(output), ..
            }
            | WaitInput::Event { event: output, .. }
            | WaitInput::Signal { data: output, .. },
        ) => Some(output),
        Input::Started { .. }
        | Input::AttemptStarted { .. }
        | Input::Heartbeat { .. }
        | Input::AttemptFailed { .. }
        | Input::AttemptLost { .. }
        | Input::CancelRequested { .. }
        | Input::PauseRequested { .. }
        | Input::ResumeRequested { .. }
        | Input::TaskRetryRequested { .. }
        | Input::TaskSkipRequested { .. }
        | Input::FanoutLimitsChanged { .. }
        | Input::Rerun(_)
        | Input::Wait(_)
        | Input::Child(_)
        | Input::Gate(_)
        | Input::Tick => None,
    }
}
