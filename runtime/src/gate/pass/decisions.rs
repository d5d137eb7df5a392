//! The decisions as rows: places that were taken, and the verdict beside each question.

use std::collections::HashMap;

use runnel_engine::gate::{Decided, Decision, Ticket};
use sea_orm::ConnectionTrait;

use super::{Answer, Pass};
use crate::apply::{Column, Kind, RowSet, source};
use crate::error::StoreError;
use crate::gate::rows::WaitRow;
use crate::store::failed_to;

const MARK: &[Column] = &[("id", Kind::Int), ("state", Kind::Int)];
const SLOT_NEW: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("attempt", Kind::Int),
    ("namespace", Kind::Text),
    ("group_name", Kind::Text),
    ("holders_max", Kind::Int),
    ("held_at", Kind::Int),
];

impl Pass<'_> {
    pub(super) async fn take_places(
        &self,
        candidates: &[WaitRow],
        decided: &Decided,
    ) -> Result<(), StoreError> {
        let by_ticket: HashMap<Ticket, &WaitRow> = candidates.iter().map(|row| (row.ticket, row)).collect();
        let mut rows = RowSet::new(self.backend, SLOT_NEW);
        for (ticket, decision) in &decided.decisions {
            let Some(row) = by_ticket.get(ticket).filter(|_| *decision == Decision::Admitted) else {
                continue;
            };
            if let Some(group) = &row.request.group {
                rows.id(ticket.run.0).int(ticket.ix).int(ticket.attempt);
                rows.text(&row.namespace).text(&group.name);
                rows.int(i32::try_from(group.limit).unwrap_or(i32::MAX))
                    .int(self.now.0);
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "INSERT INTO concurrency_slot(run_id, ix, attempt, namespace, group_name, holders_max, held_at) \
             SELECT c.run_id, c.ix, c.attempt, c.namespace, c.group_name, c.holders_max, c.held_at FROM {} \
             WHERE true ON CONFLICT DO NOTHING",
            source(self.backend, SLOT_NEW)
        );
        let statement = rows.bind(self.backend, &sql, vec![]);
        self.tx
            .execute_raw(statement)
            .await
            .map_err(failed_to("take places"))?;
        Ok(())
    }

    /// Notes the decisions with their questions: whoever hands them over next knows them.
    pub(super) async fn mark(&self, candidates: &[WaitRow], answers: &[Answer]) -> Result<(), StoreError> {
        let by_ticket: HashMap<Ticket, &WaitRow> = candidates.iter().map(|row| (row.ticket, row)).collect();
        let mut rows = RowSet::new(self.backend, MARK);
        for answer in answers {
            if let Some(row) = by_ticket.get(&answer.ticket) {
                rows.int(row.id).int(answer.verdict.code());
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "UPDATE gate_wait SET state = c.state, decided_at = {} FROM {} WHERE gate_wait.id = c.id",
            self.now.0,
            source(self.backend, MARK)
        );
        let statement = rows.bind(self.backend, &sql, vec![]);
        self.tx
            .execute_raw(statement)
            .await
            .map_err(failed_to("note decisions"))?;
        Ok(())
    }
}
