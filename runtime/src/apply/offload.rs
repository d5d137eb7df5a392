//! Large values of a batch: packed for the payload store, and named in their rows. No database here.
//!
//! The engine keeps the value where somebody may read it; only the row holds the reference. The one exception is the input of
//! an attempt that is out: nobody reads it but its worker, so memory keeps the reference too, and the message carries it.

use std::collections::HashMap;
use std::sync::Arc;

use runnel_engine::TaskIx;
use runnel_engine::run::{RunState, TaskStatus};

use super::round::Round;
use super::turn::Turn;
use crate::payload::{Parcel, Payloads};

/// What stands in the rows of a turn in place of its large values.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// By the address of the value, which is kept here so that no other takes its place.
    by_address: HashMap<usize, (Arc<str>, Arc<str>)>,
    names: Vec<String>,
}

impl Stored {
    /// What stands in the row: the value, or its reference.
    pub(crate) fn of<'a>(&'a self, value: &'a Arc<str>) -> &'a str {
        if self.by_address.is_empty() {
            return value;
        }
        self.by_address
            .get(&address(value))
            .map_or(value, |(_, reference)| reference)
    }

    /// Hashes that the rows of the turn refer to.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    fn add(&mut self, value: &Arc<str>, parcels: &mut Vec<Parcel>) -> Arc<str> {
        if let Some((_, reference)) = self.by_address.get(&address(value)) {
            return Arc::clone(reference);
        }
        let parcel = Parcel::new(Arc::clone(value));
        let reference: Arc<str> = Arc::from(parcel.reference.to_string());
        self.names.push(parcel.reference.sha256.clone());
        self.by_address
            .insert(address(value), (Arc::clone(value), Arc::clone(&reference)));
        parcels.push(parcel);
        reference
    }
}

fn address(value: &Arc<str>) -> usize {
    value.as_ptr().addr()
}

impl Round {
    /// Names the large values of the changed runs and answers what must be in the store before the rows are written.
    pub(super) fn pack(&mut self, payloads: &Payloads) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        for turn in self.turns.iter_mut().filter(|turn| turn.is_changed) {
            turn.pack(payloads, &mut parcels);
        }
        parcels
    }
}

impl Turn {
    fn pack(&mut self, payloads: &Payloads, parcels: &mut Vec<Parcel>) {
        let is_large =
            |value: &Option<Arc<str>>| value.as_deref().is_some_and(|text| payloads.is_large(text));
        if let Some(start) = self
            .start
            .as_ref()
            .filter(|start| payloads.is_large(&start.inputs))
        {
            self.stored.add(&start.inputs, parcels);
        }
        if is_large(&self.known.state.outputs)
            && let Some(outputs) = &self.known.state.outputs
        {
            self.stored.add(outputs, parcels);
        }
        let stored_tasks = self.stored_tasks;
        let changed: Vec<TaskIx> = self
            .effects
            .touched
            .iter()
            .copied()
            .filter(|ix| ix.at() < stored_tasks)
            .chain(new_tasks(&self.known.state, stored_tasks))
            .filter(|ix| {
                let task = &self.known.state.tasks[ix.at()];
                is_large(&task.input)
                    || is_large(&task.output)
                    || task
                        .item
                        .as_ref()
                        .is_some_and(|item| payloads.is_large(&item.value))
            })
            .collect();
        for ix in changed {
            self.pack_task(ix, payloads, parcels);
        }
    }

    fn pack_task(&mut self, ix: TaskIx, payloads: &Payloads, parcels: &mut Vec<Parcel>) {
        let is_new = ix.at() >= self.stored_tasks;
        let saved_input = self.known.saved_inputs.get(ix.at()).and_then(Option::clone);
        let task = &mut self.known.state.tasks[ix.at()];
        if let Some(input) = task.input.clone().filter(|input| payloads.is_large(input)) {
            let is_saved = saved_input.is_some_and(|saved| Arc::ptr_eq(&saved, &input));
            if !is_saved {
                let reference = self.stored.add(&input, parcels);
                if task.status == TaskStatus::Queued {
                    task.input = Some(reference);
                }
            }
        }
        if let Some(output) = task.output.as_ref().filter(|output| payloads.is_large(output)) {
            self.stored.add(output, parcels);
        }
        if is_new && let Some(item) = task.item.as_ref().filter(|item| payloads.is_large(&item.value)) {
            self.stored.add(&item.value, parcels);
        }
    }
}

fn new_tasks(state: &RunState, stored_tasks: usize) -> impl Iterator<Item = TaskIx> + use<> {
    let count = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    (count(stored_tasks)..count(state.tasks.len())).map(TaskIx)
}
