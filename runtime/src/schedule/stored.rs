//! Rows of what starts workflows. Schedules and triggers are tables of their own, and are found, listed, made and locked in
//! the same way: by namespace and id, or by namespace and key.

use runnel_entity::{backfill, event_trigger, schedule, trigger_outcome};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, ModelTrait, QueryFilter, QuerySelect,
    Select,
};
use uuid::Uuid;

use crate::error::StoreError;
use crate::query::window::{Window, Windowed};
use crate::store::{Store, failed_to};
use crate::view::{Page, PageRequest};

/// A table whose rows belong to a namespace and have an id.
pub(crate) trait Scoped: EntityTrait {
    const ID: Self::Column;
    const NAMESPACE: Self::Column;

    /// The rows of a namespace.
    fn of(namespace: &str) -> Select<Self> {
        Self::find().filter(Self::NAMESPACE.eq(namespace))
    }
}

/// One whose rows also have a key, unique in the namespace, and start a workflow.
pub(crate) trait Keyed: Scoped {
    const KEY: Self::Column;
    const WORKFLOW_KEY: Self::Column;
}

impl Scoped for schedule::Entity {
    const ID: Self::Column = schedule::Column::Id;
    const NAMESPACE: Self::Column = schedule::Column::Namespace;
}

impl Keyed for schedule::Entity {
    const KEY: Self::Column = schedule::Column::Key;
    const WORKFLOW_KEY: Self::Column = schedule::Column::WorkflowKey;
}

impl Scoped for event_trigger::Entity {
    const ID: Self::Column = event_trigger::Column::Id;
    const NAMESPACE: Self::Column = event_trigger::Column::Namespace;
}

impl Keyed for event_trigger::Entity {
    const KEY: Self::Column = event_trigger::Column::Key;
    const WORKFLOW_KEY: Self::Column = event_trigger::Column::WorkflowKey;
}

impl Scoped for backfill::Entity {
    const ID: Self::Column = backfill::Column::Id;
    const NAMESPACE: Self::Column = backfill::Column::Namespace;
}

impl Scoped for trigger_outcome::Entity {
    const ID: Self::Column = trigger_outcome::Column::Id;
    const NAMESPACE: Self::Column = trigger_outcome::Column::Namespace;
}

/// The row with an id.
pub(crate) async fn find<E: Scoped>(
    store: &Store,
    action: &'static str,
    namespace: &str,
    id: Uuid,
) -> Result<Option<E::Model>, StoreError> {
    let rows = E::of(namespace).filter(E::ID.eq(id));
    rows.one(store.read()).await.map_err(failed_to(action))
}

/// The row with an id, locked until the transaction ends.
pub(crate) async fn lock<E: Scoped>(
    tx: &DatabaseTransaction,
    action: &'static str,
    namespace: &str,
    id: Uuid,
) -> Result<Option<E::Model>, StoreError> {
    let rows = E::of(namespace).filter(E::ID.eq(id)).lock_exclusive();
    rows.one(tx).await.map_err(failed_to(action))
}

/// Those of the rows with these ids that there are.
pub(crate) async fn find_all<E: Scoped>(
    store: &Store,
    action: &'static str,
    namespace: &str,
    ids: &[Uuid],
) -> Result<Vec<E::Model>, StoreError> {
    let rows = E::of(namespace).filter(E::ID.is_in(ids.iter().copied()));
    rows.all(store.read()).await.map_err(failed_to(action))
}

/// The row with a key.
pub(crate) async fn find_by_key<E: Keyed>(
    store: &Store,
    action: &'static str,
    namespace: &str,
    key: &str,
) -> Result<Option<E::Model>, StoreError> {
    let rows = E::of(namespace).filter(E::KEY.eq(key));
    rows.one(store.read()).await.map_err(failed_to(action))
}

/// One page in the order of keys; of one workflow when it is named.
pub(crate) async fn list<E: Keyed, V>(
    store: &Store,
    action: &'static str,
    (namespace, workflow): (&str, Option<&str>),
    page: PageRequest<String>,
    view: impl Fn(E::Model) -> Result<V, StoreError>,
) -> Result<Page<V>, StoreError> {
    let mut rows = E::of(namespace);
    if let Some(workflow) = workflow {
        rows = rows.filter(E::WORKFLOW_KEY.eq(workflow));
    }
    let window = Window::from(page);
    let walk = Windowed::new(&window);
    let rows = walk.ascending(rows, E::KEY, window.place());
    let rows = rows.all(store.read()).await.map_err(failed_to(action))?;
    let items = rows.into_iter().map(view).collect::<Result<_, _>>()?;
    Ok(walk.page(items))
}

/// Inserts a row unless its key is there; answers what is there.
pub(crate) async fn insert_unless_there<E>(
    store: &Store,
    action: &'static str,
    row: E::Model,
) -> Result<E::Model, StoreError>
where
    E: Keyed,
    E::Model: IntoActiveModel<E::ActiveModel> + Sync + 'static,
    E::ActiveModel: Send,
{
    store
        .tx(action, move |tx| {
            let row = row.clone();
            Box::pin(async move {
                let failed = failed_to(action);
                let (namespace, key) = (row.get(E::NAMESPACE), row.get(E::KEY));
                let unless_there = OnConflict::columns([E::NAMESPACE, E::KEY])
                    .do_nothing()
                    .to_owned();
                E::insert(row.into_active_model())
                    .on_conflict(unless_there)
                    .exec_without_returning(tx)
                    .await
                    .map_err(failed)?;
                let there = E::find()
                    .filter(E::NAMESPACE.eq(namespace))
                    .filter(E::KEY.eq(key));
                let found = there.one(tx).await.map_err(failed)?;
                found.ok_or(StoreError::Conflict { action })
            })
        })
        .await
}
