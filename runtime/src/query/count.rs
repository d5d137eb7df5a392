//! How many items a list has, without ever walking all of a long one.

use sea_orm::sea_query::{Expr, Func, Query};
use sea_orm::{ConnectionTrait, EntityTrait, QuerySelect, QueryTrait, Select};

use super::Reads;
use crate::error::StoreError;
use crate::store::failed_to;

/// Counting stops here.
pub const COUNT_MAX: u32 = 10_000;

/// How many items a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The number, or [`COUNT_MAX`].
    pub value: u32,
    /// Whether there are not more.
    pub is_exact: bool,
}

impl Count {
    /// From a number of items of which one more than [`COUNT_MAX`] was looked for.
    pub(crate) fn of(found: i64) -> Self {
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        Self {
            value: found.min(COUNT_MAX),
            is_exact: found <= COUNT_MAX,
        }
    }
}

/// Counts rows, at most one more than [`COUNT_MAX`].
pub(super) async fn capped<E: EntityTrait>(
    reads: &Reads,
    rows: Select<E>,
    action: &'static str,
) -> Result<Count, StoreError> {
    let some = rows
        .select_only()
        .expr_as(Expr::val(1), "one")
        .limit(u64::from(COUNT_MAX) + 1)
        .into_query();
    let count = Query::select()
        .expr(Func::count(Expr::cust("*")))
        .from_subquery(some, "some")
        .to_owned();
    let failed = failed_to(action);
    let row = reads.store.read().query_one(&count).await.map_err(failed)?;
    let found = match row {
        Some(row) => row.try_get_by_index::<i64>(0).map_err(failed)?,
        None => 0,
    };
    Ok(Count::of(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_says_whether_there_are_more() {
        assert_eq!(
            Count::of(3),
            Count {
                value: 3,
                is_exact: true
            }
        );
        assert!(Count::of(10_000).is_exact);
        assert_eq!(
            Count::of(10_001),
            Count {
                value: 10_000,
                is_exact: false
            }
        );
    }
}
