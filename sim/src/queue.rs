//! A queue with the semantics of SQS: visibility, redelivery, receive counts, dead letters, duplicates, any order.

use std::collections::BTreeMap;

use runnel_runtime::offline::Attempt;

use crate::chance::Chance;

/// A message in a queue.
#[derive(Debug, Clone)]
struct Message {
    body: String,
    /// Attempts that go on as long as this message is there.
    carries: Vec<Attempt>,
    receive_count: u32,
    /// Nobody sees it before.
    visible_at: i64,
    /// The newest delivery; older receipts are void.
    delivery: u64,
}

/// What a receiver got.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What deletes it.
    pub receipt: Receipt,
    /// The text.
    pub body: String,
    /// Attempts that go on as long as the message is there.
    pub carries: Vec<Attempt>,
}

/// The right to delete or extend a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt {
    id: u64,
    delivery: u64,
}

/// How badly a queue behaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manners {
    /// Deliveries of a hundred that come again although the first was deleted.
    pub duplicates: u64,
    /// Deletions of a hundred that are forgotten.
    pub lost_deletes: u64,
    /// Whether messages come in any order.
    pub is_reordering: bool,
}

/// One queue.
#[derive(Debug, Default)]
pub struct Queue {
    messages: BTreeMap<u64, Message>,
    /// Messages that were received too often.
    dead: BTreeMap<u64, Message>,
    last_id: u64,
    /// Deliveries of a message before it goes to the dead letters.
    receive_max: Option<u32>,
}

impl Queue {
    /// A queue whose messages die when they were received too often.
    #[must_use]
    pub fn mortal(receive_max: u32) -> Self {
        Self {
            receive_max: Some(receive_max),
            ..Self::default()
        }
    }

    /// Adds a message.
    pub fn send(&mut self, body: String, carries: Vec<Attempt>, visible_at: i64) {
        self.last_id += 1;
        let message = Message {
            body,
            carries,
            receive_count: 0,
            visible_at,
            delivery: 0,
        };
        self.messages.insert(self.last_id, message);
    }

    /// Whether a receiver would get something.
    #[must_use]
    pub fn has_visible(&self, now: i64) -> bool {
        self.messages.values().any(|message| message.visible_at <= now)
    }

    /// When the next message becomes visible.
    #[must_use]
    pub fn next_visible_at(&self) -> Option<i64> {
        self.messages.values().map(|message| message.visible_at).min()
    }

    /// Whether there are dead letters to read.
    #[must_use]
    pub fn has_dead(&self, now: i64) -> bool {
        self.dead.values().any(|message| message.visible_at <= now)
    }

    /// Takes up to `max` messages for a time.
    pub fn receive(
        &mut self,
        max: usize,
        now: i64,
        visibility: i64,
        manners: Manners,
        chance: &mut Chance,
    ) -> Vec<Delivery> {
        let mut taken = Vec::new();
        while taken.len() < max {
            let visible: Vec<u64> = self
                .messages
                .iter()
                .filter(|(_, message)| message.visible_at <= now)
                .map(|(id, _)| *id)
                .take(if manners.is_reordering { usize::MAX } else { 1 })
                .collect();
            if visible.is_empty() {
                break;
            }
            let id = visible[chance.index(visible.len())];
            let Some(message) = self.messages.get_mut(&id) else {
                break;
            };
            if self.receive_max.is_some_and(|max| message.receive_count >= max) {
                if let Some(mut dead) = self.messages.remove(&id) {
                    dead.receive_count = 0;
                    self.dead.insert(id, dead);
                }
                continue;
            }
            message.receive_count += 1;
            message.delivery += 1;
            message.visible_at = now + visibility;
            let delivery = Delivery {
                receipt: Receipt {
                    id,
                    delivery: message.delivery,
                },
                body: message.body.clone(),
                carries: message.carries.clone(),
            };
            if chance.percent(manners.duplicates) {
                let copy = Message {
                    visible_at: now,
                    ..message.clone()
                };
                self.last_id += 1;
                self.messages.insert(self.last_id, copy);
            }
            taken.push(delivery);
        }
        taken
    }

    /// Takes dead letters for a time.
    pub fn receive_dead(&mut self, now: i64, visibility: i64) -> Vec<Delivery> {
        let visible = self
            .dead
            .iter_mut()
            .filter(|(_, message)| message.visible_at <= now);
        visible
            .map(|(id, message)| {
                message.delivery += 1;
                message.visible_at = now + visibility;
                Delivery {
                    receipt: Receipt {
                        id: *id,
                        delivery: message.delivery,
                    },
                    body: message.body.clone(),
                    carries: message.carries.clone(),
                }
            })
            .collect()
    }

    /// Deletes what was received, unless somebody else has received it since.
    pub fn delete(&mut self, receipt: Receipt, manners: Manners, chance: &mut Chance) {
        for messages in [&mut self.messages, &mut self.dead] {
            let is_held = messages
                .get(&receipt.id)
                .is_some_and(|message| message.delivery == receipt.delivery);
            if is_held && !chance.percent(manners.lost_deletes) {
                messages.remove(&receipt.id);
            }
        }
    }

    /// Hides what was received for longer; `false` when somebody else has received it since.
    pub fn extend(&mut self, receipt: Receipt, until: i64) -> bool {
        match self.messages.get_mut(&receipt.id) {
            Some(message) if message.delivery == receipt.delivery => {
                message.visible_at = until;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Forgets everything, as a queue in the memory of a process that died.
    pub fn forget(&mut self) {
        self.messages.clear();
        self.dead.clear();
    }

    /// Attempts that go on because of a message here.
    pub fn carried(&self) -> impl Iterator<Item = Attempt> {
        let all = self.messages.values().chain(self.dead.values());
        all.flat_map(|message| message.carries.iter().copied())
    }
}
