//! One queue: its messages, who holds them until when, and who waits.
//!
//! Invariant: every waiting receiver's alarm is at or before the earliest moment in `alarms`; whoever makes that moment
//! earlier wakes all receivers.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::faults::{FaultPlan, FaultSource};
use crate::task_queue::{Delivery, Depth, Receipt};

#[derive(Debug)]
pub(super) struct Channel {
    receive_limit: Option<u32>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    messages: HashMap<u64, Message>,
    /// Ids in order of arrival; an id whose message is gone or not visible is skipped.
    visible: VecDeque<u64>,
    /// When delayed and received messages become visible.
    alarms: BTreeSet<(Instant, u64)>,
    in_flight: u64,
    delayed: u64,
    last_id: u64,
    last_delivery: u64,
    faults: Option<FaultSource>,
}

#[derive(Debug)]
struct Message {
    body: String,
    receive_count: u32,
    /// The newest delivery; older receipts are void.
    delivery: u64,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Visible,
    Delayed(Instant),
    InFlight(Instant),
}

/// What a receiver got.
pub(super) struct Taken {
    pub(super) deliveries: Vec<Delivery>,
    /// Messages over the receive limit, for the dead-letter queue.
    pub(super) dead: Vec<(String, Duration)>,
    /// When the next message becomes visible.
    pub(super) next_visible_at: Option<Instant>,
}

impl Channel {
    pub(super) fn new(receive_limit: Option<u32>, faults: Option<&FaultPlan>) -> Self {
        let state = State {
            faults: faults.copied().map(FaultSource::new),
            ..State::default()
        };
        Self {
            receive_limit,
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    /// Ends when a message arrives or an alarm moves forward.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    pub(super) fn send(&self, messages: Vec<(String, Duration)>, now: Instant) {
        let mut state = self.lock();
        let alarm = state.first_alarm();
        let mut has_visible = false;
        for (body, delay) in messages {
            has_visible |= delay.is_zero();
            state.insert(body, delay, now);
        }
        self.announce(state, alarm, has_visible);
    }

    pub(super) fn take(&self, max: usize, visibility: Duration, now: Instant) -> Taken {
        let mut state = self.lock();
        let alarm = state.first_alarm();
        state.promote(now);
        let mut taken = Taken {
            deliveries: Vec::new(),
            dead: Vec::new(),
            next_visible_at: None,
        };
        while taken.deliveries.len() < max {
            let Some(id) = state.next_visible() else { break };
            if self
                .receive_limit
                .is_some_and(|limit| state.messages[&id].receive_count >= limit)
            {
                taken
                    .dead
                    .extend(state.messages.remove(&id).map(|m| (m.body, Duration::ZERO)));
            } else {
                taken.deliveries.extend(state.deliver(id, now + visibility));
            }
        }
        taken.next_visible_at = state.first_alarm();
        let has_more = !taken.deliveries.is_empty() && !state.visible.is_empty();
        self.announce(state, alarm, has_more);
        taken
    }

    pub(super) fn extend(&self, receipts: &[Receipt], visibility: Duration, now: Instant) -> Vec<Receipt> {
        let mut state = self.lock();
        let alarm = state.first_alarm();
        state.promote(now);
        let mut lost = Vec::new();
        for receipt in receipts {
            match state.held(receipt) {
                Some(id) => state.hold_until(id, now + visibility),
                None => lost.push(receipt.clone()),
            }
        }
        state.promote(now);
        let has_visible = !state.visible.is_empty();
        self.announce(state, alarm, has_visible);
        lost
    }

    pub(super) fn delete(&self, receipts: &[Receipt]) {
        let mut state = self.lock();
        for receipt in receipts {
            let Some((id, _)) = state.find(receipt) else {
                continue;
            };
            if state.faults.as_mut().is_some_and(FaultSource::forgets_delete) {
                continue;
            }
            state.leave_place(id);
            state.messages.remove(&id);
        }
    }

    pub(super) fn depth(&self, now: Instant) -> Depth {
        let mut state = self.lock();
        state.promote(now);
        let (in_flight, delayed) = (state.in_flight, state.delayed);
        Depth {
            visible: state.messages.len() as u64 - in_flight - delayed,
            in_flight,
            delayed,
        }
    }

    /// Wakes one receiver for messages (it wakes the next if it leaves some), all of them when the first alarm is earlier.
    fn announce(&self, state: MutexGuard<'_, State>, alarm_before: Option<Instant>, has_visible: bool) {
        let is_earlier = match (alarm_before, state.first_alarm()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(after)) => after < before,
        };
        drop(state);
        if is_earlier {
            self.changed.notify_waiters();
        }
        if has_visible {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn first_alarm(&self) -> Option<Instant> {
        self.alarms.first().map(|(at, _)| *at)
    }

    fn insert(&mut self, body: String, delay: Duration, now: Instant) {
        self.last_id += 1;
        let id = self.last_id;
        let place = if delay.is_zero() {
            self.visible.push_back(id);
            Place::Visible
        } else {
            self.alarms.insert((now + delay, id));
            self.delayed += 1;
            Place::Delayed(now + delay)
        };
        self.messages.insert(
            id,
            Message {
                body,
                receive_count: 0,
                delivery: 0,
                place,
            },
        );
    }

    /// Makes visible what is due.
    fn promote(&mut self, now: Instant) {
        while let Some((at, id)) = self.alarms.first().copied() {
            if at > now {
                return;
            }
            self.leave_place(id);
            if let Some(message) = self.messages.get_mut(&id) {
                message.place = Place::Visible;
                self.visible.push_back(id);
            }
        }
    }

    /// Takes the next visible message out of the line, skipping those that were deleted meanwhile.
    fn next_visible(&mut self) -> Option<u64> {
        loop {
            let at = match &mut self.faults {
                Some(faults) => faults.pick(self.visible.len()),
                None => 0,
            };
            if at > 0 {
                self.visible.swap(0, at);
            }
            let id = self.visible.pop_front()?;
            if self.messages.get(&id).is_some_and(|m| m.place == Place::Visible) {
                return Some(id);
            }
        }
    }

    fn deliver(&mut self, id: u64, until: Instant) -> Option<Delivery> {
        let is_repeated = self.faults.as_mut().is_some_and(FaultSource::repeats_delivery);
        self.last_delivery += 1;
        let delivery = self.last_delivery;
        let message = self.messages.get_mut(&id)?;
        message.receive_count += 1;
        message.delivery = delivery;
        message.place = Place::InFlight(until);
        let (body, receive_count) = (message.body.clone(), message.receive_count);
        self.alarms.insert((until, id));
        self.in_flight += 1;
        if is_repeated {
            self.last_id += 1;
            let copy = Message {
                body: body.clone(),
                receive_count,
                delivery: 0,
                place: Place::Visible,
            };
            self.messages.insert(self.last_id, copy);
            self.visible.push_back(self.last_id);
        }
        Some(Delivery {
            receipt: Receipt(format!("{id}-{delivery}")),
            body,
            receive_count,
        })
    }

    /// The message of the newest delivery, and where it is.
    fn find(&self, receipt: &Receipt) -> Option<(u64, Place)> {
        let (id, delivery) = receipt.0.split_once('-')?;
        let (id, delivery) = (id.parse().ok()?, delivery.parse::<u64>().ok()?);
        let message = self.messages.get(&id)?;
        (message.delivery == delivery).then_some((id, message.place))
    }

    fn held(&self, receipt: &Receipt) -> Option<u64> {
        self.find(receipt)
            .filter(|(_, place)| matches!(place, Place::InFlight(_)))
            .map(|(id, _)| id)
    }

    fn hold_until(&mut self, id: u64, until: Instant) {
        self.leave_place(id);
        if let Some(message) = self.messages.get_mut(&id) {
            message.place = Place::InFlight(until);
            self.alarms.insert((until, id));
            self.in_flight += 1;
        }
    }

    /// Takes the message off the alarms and counters; a visible one stays in line and is skipped there.
    fn leave_place(&mut self, id: u64) {
        match self.messages.get(&id).map(|m| m.place) {
            Some(Place::Delayed(at)) => {
                self.alarms.remove(&(at, id));
                self.delayed -= 1;
            }
            Some(Place::InFlight(until)) => {
                self.alarms.remove(&(until, id));
                self.in_flight -= 1;
            }
            Some(Place::Visible) | None => {}
        }
    }
}
