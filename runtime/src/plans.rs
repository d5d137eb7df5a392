//! Compiled workflow versions, by id. A version never changes, so neither does its plan.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use runnel_engine::{Plan, Workflow, WorkflowVersionId};
use runnel_entity::workflow_version;
use sea_orm::{ConnectionTrait, EntityTrait, QuerySelect};

use crate::error::StoreError;
use crate::store::failed_to;

/// Plans held at once; beyond it all are dropped and those in use are compiled again.
const PLANS_MAX: usize = 1_000;

/// A shared cache of plans.
#[derive(Clone, Default)]
pub(crate) struct Plans {
    plans: Arc<RwLock<HashMap<WorkflowVersionId, Arc<Plan>>>>,
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plans").finish_non_exhaustive()
    }
}

impl Plans {
    /// The plan of a version that a run or a caller names; one statement when it is not held.
    ///
    /// # Errors
    /// The store fails, or the stored definition is not a valid workflow.
    pub(crate) async fn get<C: ConnectionTrait>(
        &self,
        db: &C,
        version: WorkflowVersionId,
    ) -> Result<Arc<Plan>, StoreError> {
        if let Some(plan) = self.plans.read().unwrap_or_else(PoisonError::into_inner).get(&version) {
            return Ok(Arc::clone(plan));
        }
        let definition: Option<String> = workflow_version::Entity::find_by_id(version.0)
            .select_only()
            .column(workflow_version::Column::Definition)
            .into_tuple()
            .one(db)
            .await
            .map_err(failed_to("load a workflow version"))?;
        let plan = Arc::new(compile(version, definition)?);
        self.put(version, Arc::clone(&plan));
        Ok(plan)
    }

    /// Holds a plan that was just compiled.
    pub(crate) fn put(&self, version: WorkflowVersionId, plan: Arc<Plan>) {
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS_MAX {
            plans.clear();
        }
        plans.insert(version, plan);
    }
}

fn compile(version: WorkflowVersionId, definition: Option<String>) -> Result<Plan, StoreError> {
    let bad = |problem: String| StoreError::Corrupt { table: "workflow_version", problem: format!("{version}: {problem}") };
    let definition = definition.ok_or_else(|| bad("does not exist".to_owned()))?;
    let workflow: Workflow = serde_json::from_str(&definition).map_err(|e| bad(e.to_string()))?;
    Plan::build(workflow).map_err(|e| bad(e.to_string()))
}
