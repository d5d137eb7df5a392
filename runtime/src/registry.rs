//! Which workers are there and what they run: kept in memory, written to `worker`, and read from there for what other
//! replicas have heard.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runnel_engine::Timestamp;
use runnel_entity::worker;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use crate::error::StoreError;
use crate::store::{Store, failed_to};

/// Without a sign for so long, a worker is gone. Three times the interval at which it says that it is there.
pub(crate) const WORKER_TTL: Duration = Duration::from_secs(90);

/// What a worker said about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hello {
    pub name: String,
    pub queue: String,
    pub types: Vec<String>,
    pub slots: u32,
}

#[derive(Debug)]
struct Seen {
    queue: String,
    types: BTreeSet<String>,
    at: Timestamp,
}

/// The workers known to this process.
#[derive(Debug)]
pub(crate) struct Registry {
    local_types: BTreeSet<String>,
    workers: Mutex<HashMap<String, Seen>>,
}

impl Registry {
    pub(crate) fn new(local_types: impl IntoIterator<Item = String>) -> Self {
        Self {
            local_types: local_types.into_iter().collect(),
            workers: Mutex::default(),
        }
    }

    /// Whether somebody receives such tasks from the queue.
    pub(crate) fn is_served(&self, queue: &str, kind: &str, now: Timestamp) -> bool {
        self.local_types.contains(kind)
            || self.workers().values().any(|seen| {
                seen.queue == queue && seen.types.contains(kind) && now.since(seen.at) < WORKER_TTL
            })
    }

    /// Notes a worker; answers whether it serves something that it did not serve before.
    pub(crate) fn note(&self, hello: &Hello, at: Timestamp) -> bool {
        let types: BTreeSet<String> = hello.types.iter().cloned().collect();
        let seen = Seen {
            queue: hello.queue.clone(),
            types: types.clone(),
            at,
        };
        let before = self.workers().insert(hello.name.clone(), seen);
        before.is_none_or(|before| {
            before.queue != hello.queue
                || !types.is_subset(&before.types)
                || at.since(before.at) >= WORKER_TTL
        })
    }

    /// Task queues of the known workers.
    pub(crate) fn queues(&self) -> BTreeSet<String> {
        self.workers().values().map(|seen| seen.queue.clone()).collect()
    }

    /// Forgets a worker that said goodbye.
    pub(crate) fn forget(&self, name: &str) {
        self.workers().remove(name);
    }

    /// Learns what other replicas have heard; answers whether something is served that was not.
    pub(crate) async fn refresh(&self, store: &Store, now: Timestamp) -> Result<bool, StoreError> {
        let oldest = now
            .0
            .saturating_sub(i64::try_from(WORKER_TTL.as_micros()).unwrap_or(i64::MAX));
        let rows = worker::Entity::find()
            .filter(worker::Column::SeenAt.gt(oldest))
            .filter(worker::Column::LeftAt.is_null())
            .all(store.read())
            .await
            .map_err(failed_to("load workers"))?;
        let mut is_news = false;
        for row in rows {
            // a list that cannot be read serves nothing
            let types = serde_json::from_str(&row.types).unwrap_or_default();
            let slots = u32::try_from(row.slots).unwrap_or_default();
            is_news |= self.note(
                &Hello {
                    name: row.id,
                    queue: row.queue,
                    types,
                    slots,
                },
                Timestamp(row.seen_at),
            );
        }
        Ok(is_news)
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes workers that said that they are there.
pub(crate) async fn save(store: &Store, hellos: Vec<Hello>, now: Timestamp) -> Result<(), StoreError> {
    let rows: Vec<worker::ActiveModel> = hellos
        .into_iter()
        .map(|hello| worker::ActiveModel {
            id: Set(hello.name),
            queue: Set(hello.queue),
            types: Set(serde_json::Value::from(hello.types).to_string()),
            slots: Set(i32::try_from(hello.slots).unwrap_or(i32::MAX)),
            started_at: Set(now.0),
            seen_at: Set(now.0),
            left_at: Set(None),
        })
        .collect();
    let update = OnConflict::column(worker::Column::Id)
        .update_columns([
            worker::Column::Queue,
            worker::Column::Types,
            worker::Column::Slots,
            worker::Column::SeenAt,
            worker::Column::LeftAt,
        ])
        .to_owned();
    store
        .tx("save workers", move |tx| {
            let insert = worker::Entity::insert_many(rows.clone()).on_conflict(update.clone());
            Box::pin(async move {
                insert
                    .exec_without_returning(tx)
                    .await
                    .map_err(failed_to("save workers"))?;
                Ok(())
            })
        })
        .await
}

/// Writes that workers have left.
pub(crate) async fn leave(store: &Store, names: Vec<String>, now: Timestamp) -> Result<(), StoreError> {
    store
        .tx("save workers", move |tx| {
            let update = worker::Entity::update_many()
                .col_expr(worker::Column::LeftAt, sea_orm::sea_query::Expr::value(now.0))
                .filter(worker::Column::Id.is_in(names.clone()));
            Box::pin(async move {
                update.exec(tx).await.map_err(failed_to("save workers"))?;
                Ok(())
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(types: &[&str]) -> Hello {
        Hello {
            name: "w".into(),
            queue: "default".into(),
            types: types.iter().map(|t| (*t).to_owned()).collect(),
            slots: 1,
        }
    }

    #[test]
    fn a_worker_serves_its_types_on_its_queue_until_its_time_is_over() {
        let registry = Registry::new(["local".to_owned()]);
        let now = Timestamp(0);
        assert!(registry.is_served("any", "local", now));
        assert!(!registry.is_served("default", "x", now));
        assert!(registry.note(&hello(&["x"]), now));
        assert!(!registry.note(&hello(&["x"]), now), "nothing new");
        assert!(registry.note(&hello(&["x", "y"]), now), "a new type");
        assert!(registry.is_served("default", "y", now));
        assert!(!registry.is_served("gpu", "y", now));
        assert!(!registry.is_served("default", "y", now.after(WORKER_TTL)));
        registry.forget("w");
        assert!(!registry.is_served("default", "y", now));
    }
}
