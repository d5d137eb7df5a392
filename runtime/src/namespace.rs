//! Namespaces: the tenants of workflows and runs. Made once, never renamed; everything else names the one it is in.

use runnel_engine::Timestamp;
use runnel_entity::namespace;
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, IntoActiveModel};

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
    /// Makes a namespace; `None` when there is one of this name.
    ///
    /// # Errors
    /// The store fails.
    pub async fn create_namespace(&self, name: &str) -> Result<Option<NamespaceView>, StoreError> {
        let row = namespace::Model {
            id: name.to_owned(),
            created_at: self.clock().now().0,
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

    /// Whether there is a namespace of this name.
    ///
    /// # Errors
    /// The store fails.
    pub async fn has_namespace(&self, name: &str) -> Result<bool, StoreError> {
        let row = namespace::Entity::find_by_id(name.to_owned())
            .one(self.reads().store.read())
            .await;
        Ok(row.map_err(failed_to("read a namespace"))?.is_some())
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
    }
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
