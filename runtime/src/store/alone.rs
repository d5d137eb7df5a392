//! Statements that stand alone: a read outside a transaction, and a write that is a transaction of its own.

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};

use super::{Store, failed_to};
use crate::error::StoreError;

impl Store {
    /// Reads all rows of one statement, through connections that cannot write.
    pub(crate) async fn rows<T>(
        &self,
        action: &'static str,
        statement: Statement,
        read: impl Fn(&QueryResult) -> Result<T, DbErr>,
    ) -> Result<Vec<T>, StoreError> {
        let failed = failed_to(action);
        let rows = self.read().query_all_raw(statement).await.map_err(failed)?;
        rows.iter().map(|row| read(row).map_err(failed)).collect()
    }

    /// Carries out one statement in a transaction of its own; answers the number of rows that it touched.
    pub(crate) async fn execute(
        &self,
        action: &'static str,
        statement: Statement,
    ) -> Result<u64, StoreError> {
        self.tx(action, move |tx| {
            let statement = statement.clone();
            Box::pin(async move {
                let done = tx.execute_raw(statement).await.map_err(failed_to(action))?;
                Ok(done.rows_affected())
            })
        })
        .await
    }
}
