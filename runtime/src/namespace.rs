//! Namespaces: the tenants of workflows and runs. Made once, never renamed; everything else names the one it is in.

use runnel_engine::Timestamp;
use runnel_entity::namespace;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};

use crate::config::KEPT_DAYS_MAX;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::query::window::{Window, Windowed};
use crate::store::failed_to;
use crate::view::Page;

/// Longest name.
pub const NAMESPACE_CHARS_MAX: usize = 63;

/// A namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceView {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Days for which its ended runs are kept, if it says so itself; 0: for ever.
    pub runs_kept_days: Option<u32>,
}

/// Whether a text may name a namespace: letters from `a` to `z`, digits and `-`, and a letter or digit at both ends.
#[must_use]
pub fn is_namespace_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= NAMESPACE_CHARS_MAX
        && bytes.first().is_some_and(|b| is_plain(*b))
        && bytes.last().is_some_and(|b| is_plain(*b))
        && bytes.iter().all(|b| is_plain(*b) || *b == b'-')
}

impl Orchestrator {
    /// Days for which ended runs of a namespace are kept that says nothing else; 0: for ever.
    #[must_use]
    pub fn runs_kept_days(&self) -> u32 {
        self.shell().runs_kept_days
    }

    /// Makes a namespace; `None` when there is one of this name. The retention is at most [`KEPT_DAYS_MAX`].
    ///
    /// # Errors
    /// The store fails.
    pub async fn create_namespace(
        &self,
        name: &str,
        runs_kept_days: Option<u32>,
    ) -> Result<Option<NamespaceView>, StoreError> {
        let row = namespace::Model {
            id: name.to_owned(),
            created_at: self.clock().now().0,
            runs_kept_days: runs_kept_days.map(stored_days),
        };
        let made = row.clone();
        let inserted = self
            .reads()
            .store
            .tx("make a namespace", move |tx| {
                let row = made.clone().into_active_model();
                Box::pin(async move {
                    let unless_there = OnConflict::column(namespace::Column::Id).do_nothing().to_owned();
                    let rows = namespace::Entity::insert(row)
                        .on_conflict(unless_there)
                        .exec_without_returning(tx)
                        .await
                        .map_err(failed_to("make a namespace"))?;
                    Ok(rows > 0)
                })
            })
            .await?;
        Ok(inserted.then(|| view(row)))
    }

    /// Changes for how many days a namespace keeps ended runs; `None` in the answer when there is no namespace of this name.
    ///
    /// # Errors
    /// The store fails.
    pub async fn set_runs_kept(
        &self,
        name: &str,
        runs_kept_days: Option<u32>,
    ) -> Result<Option<NamespaceView>, StoreError> {
        let (name, days) = (name.to_owned(), runs_kept_days.map(stored_days));
        self.reads()
            .store
            .tx("change a namespace", move |tx| {
                let name = name.clone();
                Box::pin(async move {
                    let failed = failed_to("change a namespace");
                    let row = namespace::Entity::find_by_id(name)
                        .one(tx)
                        .await
                        .map_err(failed)?;
                    let Some(row) = row else { return Ok(None) };
                    let mut changed = row.into_active_model();
                    changed.runs_kept_days = Set(days);
                    Ok(Some(view(changed.update(tx).await.map_err(failed)?)))
                })
            })
            .await
    }

    /// The namespace of this name.
    ///
    /// # Errors
    /// The store fails.
    pub async fn namespace(&self, name: &str) -> Result<Option<NamespaceView>, StoreError> {
        let row = namespace::Entity::find_by_id(name.to_owned())
            .one(self.reads().store.read())
            .await;
        Ok(row.map_err(failed_to("read a namespace"))?.map(view))
    }

    /// All namespaces by name.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list_namespaces(&self, window: Window<String>) -> Result<Page<NamespaceView>, StoreError> {
        let walk = Windowed::new(&window);
        let rows = walk.ascending(namespace::Entity::find(), namespace::Column::Id, window.place());
        let rows = rows
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("list namespaces"))?;
        Ok(walk.page(rows.into_iter().map(view).collect()))
    }
}

fn view(row: namespace::Model) -> NamespaceView {
    NamespaceView {
        name: row.id,
        created_at: Timestamp(row.created_at),
        runs_kept_days: row.runs_kept_days.and_then(|days| u32::try_from(days).ok()),
    }
}

fn stored_days(days: u32) -> i32 {
    i32::try_from(days.min(KEPT_DAYS_MAX)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::is_namespace_name;

    #[test]
    fn names_are_plain_and_short() {
        for good in ["a", "team-a", "0", &"a".repeat(63)] {
            assert!(is_namespace_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a b", "ä", "a/b", &"a".repeat(64)] {
            assert!(!is_namespace_name(bad), "{bad}");
        }
    }
}
