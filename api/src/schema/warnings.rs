//! What a caller should know about an answer that is right all the same: `extensions.warnings` of the response.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, Value, value};

/// Warnings of one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Warnings(Arc<Mutex<Vec<Value>>>);

/// Most warnings of one answer.
const WARNINGS_MAX: usize = 20;

impl Warnings {
    /// All warnings as a list; `None` when there is none.
    pub(crate) fn take(&self) -> Option<Value> {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (!all.is_empty()).then_some(Value::List(all))
    }

    fn add(&self, warning: Value) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < WARNINGS_MAX && !all.contains(&warning) {
            all.push(warning);
        }
    }
}

/// Says that no index helps with conditions of a filter, so that the list may be slow when it is long.
pub(crate) fn unindexed(ctx: &Context<'_>, fields: &[&'static str]) {
    let (Some(warnings), false) = (ctx.data_opt::<Warnings>(), fields.is_empty()) else {
        return;
    };
    let fields: Vec<Value> = fields.iter().map(|field| Value::from(*field)).collect();
    let message =
        "no index helps with this filter, so that a long list is walked: add `createdAt.gte` or `workflow`";
    warnings.add(value!({
        "code": "UNINDEXED_FILTER",
        "message": (message),
        "fields": (Value::List(fields)),
    }));
}
