//! What a pass reads: questions, and what attempts have said at their end.

use runnel_engine::Timestamp;
use runnel_engine::gate::{GateKey, GateKind, Ticket};
use sea_orm::{ConnectionTrait, DbBackend};

use super::{LANES, PER_LANE, Pass};
use crate::apply::{Column, Kind, RowSet, source};
use crate::error::StoreError;
use crate::gate::rows::{WAIT_COLUMNS, WaitRow, ticket};
use crate::store::failed_to;

/// Verdicts of one pass.
const VERDICTS: usize = 2_000;

/// What an attempt that a breaker had let pass has said at its end.
pub(super) struct Said {
    pub id: i64,
    pub key: GateKey,
    pub ticket: Ticket,
    pub verdict: Option<bool>,
    pub at: Timestamp,
}

impl Pass<'_> {
    /// The first questions of the next lanes, locked; what another gatekeeper decides about right now is left out.
    pub(super) async fn candidates(&self, after: &(String, String)) -> Result<Vec<WaitRow>, StoreError> {
        let sql = if self.backend == DbBackend::Postgres {
            format!(
                "WITH RECURSIVE lanes AS ( \
                 (SELECT namespace, lane FROM gate_wait WHERE state = 0 AND (namespace, lane) > ($1, $2) \
                  ORDER BY namespace, lane LIMIT 1) \
                 UNION ALL \
                 SELECT n.namespace, n.lane FROM lanes l CROSS JOIN LATERAL \
                 (SELECT namespace, lane FROM gate_wait WHERE state = 0 AND (namespace, lane) > (l.namespace, l.lane) \
                  ORDER BY namespace, lane LIMIT 1) n) \
                 SELECT {WAIT_COLUMNS} FROM (SELECT * FROM lanes LIMIT {LANES}) l CROSS JOIN LATERAL \
                 (SELECT * FROM gate_wait x WHERE x.state = 0 AND x.namespace = l.namespace AND x.lane = l.lane \
                  ORDER BY x.rank, x.id LIMIT {PER_LANE} FOR UPDATE SKIP LOCKED) w"
            )
        } else {
            format!(
                "WITH RECURSIVE lanes(namespace, lane) AS ( \
                 SELECT namespace, lane FROM (SELECT namespace, lane FROM gate_wait \
                  WHERE state = 0 AND (namespace, lane) > (?1, ?2) ORDER BY namespace, lane LIMIT 1) \
                 UNION ALL \
                 SELECT n.namespace, n.lane FROM lanes l JOIN gate_wait n ON n.id = (SELECT x.id FROM gate_wait x \
                  WHERE x.state = 0 AND (x.namespace, x.lane) > (l.namespace, l.lane) \
                  ORDER BY x.namespace, x.lane, x.rank, x.id LIMIT 1) \
                 LIMIT {LANES}) \
                 SELECT {WAIT_COLUMNS} FROM lanes l JOIN gate_wait w ON w.id IN (SELECT x.id FROM gate_wait x \
                  WHERE x.state = 0 AND x.namespace = l.namespace AND x.lane = l.lane \
                  ORDER BY x.rank, x.id LIMIT {PER_LANE})"
            )
        };
        let statement = sea_orm::Statement::from_sql_and_values(
            self.backend,
            sql,
            [after.0.clone().into(), after.1.clone().into()],
        );
        let rows = self
            .tx
            .query_all_raw(statement)
            .await
            .map_err(failed_to("read questions to the gates"))?;
        rows.iter().map(WaitRow::read).collect()
    }

    pub(super) async fn verdicts(&self) -> Result<Vec<Said>, StoreError> {
        let lock = if self.backend == DbBackend::Postgres {
            " FOR UPDATE SKIP LOCKED"
        } else {
            ""
        };
        let sql = format!(
            "SELECT id, namespace, name, run_id, ix, attempt, verdict, at FROM circuit_verdict ORDER BY id LIMIT {VERDICTS}{lock}"
        );
        let failed = failed_to("read verdicts");
        let rows = self
            .tx
            .query_all_raw(sea_orm::Statement::from_string(self.backend, sql))
            .await
            .map_err(failed)?;
        let mut said = Vec::with_capacity(rows.len());
        for row in rows {
            let verdict: Option<i16> = row.try_get_by_index(6).map_err(failed)?;
            said.push(Said {
                id: row.try_get_by_index(0).map_err(failed)?,
                key: GateKey {
                    namespace: row.try_get_by_index(1).map_err(failed)?,
                    kind: GateKind::Circuit,
                    name: row.try_get_by_index(2).map_err(failed)?,
                },
                ticket: ticket(&row, 3)?,
                verdict: verdict.map(|verdict| verdict != 0),
                at: Timestamp(row.try_get_by_index(7).map_err(failed)?),
            });
        }
        Ok(said)
    }

    pub(super) async fn forget(&self, said: &[Said]) -> Result<(), StoreError> {
        if said.is_empty() {
            return Ok(());
        }
        const ID: &[Column] = &[("id", Kind::Int)];
        let mut rows = RowSet::new(self.backend, ID);
        for said in said {
            rows.int(said.id);
        }
        let sql = format!(
            "DELETE FROM circuit_verdict WHERE id IN (SELECT c.id FROM {})",
            source(self.backend, ID)
        );
        let statement = rows.bind(self.backend, &sql, vec![]);
        self.tx
            .execute_raw(statement)
            .await
            .map_err(failed_to("delete verdicts"))?;
        Ok(())
    }
}
