//! Replaying and discarding.

use std::time::Duration;

use runnel_engine::run::{Input, TaskStatus};
use runnel_entity::dead_letter::{Column, Entity};
use runnel_queue::{Outgoing, QueueName};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::list::{filtered, view};
use super::{DeadLetterFilter, DeadLetterView, Kind, RESOLVE_MAX, Status};
use crate::actor::Actor;
use crate::error::{OperateError, StoreError};
use crate::orchestrator::Orchestrator;
use crate::store::failed_to;

/// Which letters to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These.
    Ids(Vec<Uuid>),
    /// Open ones that the filter takes, the oldest first, at most [`RESOLVE_MAX`].
    Filter(Box<DeadLetterFilter>),
}

/// A letter that could not be acted on; it stays open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// The letter.
    pub id: Uuid,
    /// Why.
    pub message: String,
}

/// What a replay or discard did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolved {
    /// Letters that were selected and open.
    pub matched: u64,
    /// The selected letters as they are now.
    pub letters: Vec<DeadLetterView>,
    /// Those that could not be acted on.
    pub unresolved: Vec<Unresolved>,
    /// Ids that do not exist.
    pub unknown: Vec<Uuid>,
}

impl Orchestrator {
    /// Tries again what the letters are about: the task is retried in its run, a message goes back to its queue.
    /// With `is_dry_run` only counts.
    ///
    /// # Errors
    /// The store fails.
    pub async fn replay_dead_letters(
        &self,
        actor: &Actor,
        selection: &Selection,
        is_dry_run: bool,
    ) -> Result<Resolved, StoreError> {
        let (letters, mut resolved) = self.select(actor, selection).await?;
        if is_dry_run {
            return Ok(resolved);
        }
        let mut replayed = Vec::new();
        for letter in letters.iter().filter(|letter| letter.status == Status::Open) {
            match self.replay(actor, letter).await {
                Ok(()) => replayed.push(letter.id),
                Err(OperateError::Store(error)) => return Err(error),
                Err(refused) => resolved.unresolved.push(Unresolved {
                    id: letter.id,
                    message: refused.to_string(),
                }),
            }
            // each is marked at once: what was retried must not look open when a later one fails
            if let Some(id) = replayed.pop() {
                self.mark(actor, vec![id], Status::Replayed, None).await?;
            }
        }
        self.reread(actor, letters, resolved).await
    }

    /// Decides that the letters are not worth another try. With `is_dry_run` only counts.
    ///
    /// # Errors
    /// The store fails.
    pub async fn discard_dead_letters(
        &self,
        actor: &Actor,
        selection: &Selection,
        reason: Option<String>,
        is_dry_run: bool,
    ) -> Result<Resolved, StoreError> {
        let (letters, resolved) = self.select(actor, selection).await?;
        if is_dry_run {
            return Ok(resolved);
        }
        let open = letters.iter().filter(|letter| letter.status == Status::Open);
        let ids: Vec<Uuid> = open.map(|letter| letter.id).collect();
        if !ids.is_empty() {
            self.mark(actor, ids, Status::Discarded, reason).await?;
        }
        self.reread(actor, letters, resolved).await
    }

    async fn select(
        &self,
        actor: &Actor,
        selection: &Selection,
    ) -> Result<(Vec<DeadLetterView>, Resolved), StoreError> {
        let rows = match selection {
            Selection::Ids(ids) => {
                let all = filtered(actor, &DeadLetterFilter::default());
                all.filter(Column::Id.is_in(ids.iter().copied()))
            }
            Selection::Filter(filter) => {
                let open = DeadLetterFilter {
                    status_in: Some(vec![Status::Open]),
                    ..(**filter).clone()
                };
                filtered(actor, &open)
            }
        };
        let rows = rows
            .order_by_asc(Column::Id)
            .limit(u64::from(RESOLVE_MAX))
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("select dead letters"))?;
        let letters = rows.into_iter().map(view).collect::<Result<Vec<_>, _>>()?;
        let open = letters.iter().filter(|letter| letter.status == Status::Open);
        let mut resolved = Resolved {
            matched: open.count() as u64,
            letters: letters.clone(),
            ..Resolved::default()
        };
        if let Selection::Ids(ids) = selection {
            let is_known = |id: &Uuid| letters.iter().any(|letter| letter.id == *id);
            resolved.unknown = ids.iter().copied().filter(|id| !is_known(id)).collect();
        }
        Ok((letters, resolved))
    }

    async fn replay(&self, actor: &Actor, letter: &DeadLetterView) -> Result<(), OperateError> {
        let (Some(run), Some(key)) = (letter.run, &letter.task) else {
            return self.send_again(letter).await;
        };
        let task = self.find_task(actor, run, key).await?;
        let task = task.ok_or(OperateError::UnknownRun)?;
        let has_failed = matches!(
            task.status,
            TaskStatus::Failed | TaskStatus::TimedOut | TaskStatus::Cancelled
        );
        if !has_failed || letter.attempt.is_some_and(|attempt| attempt < task.attempt) {
            // somebody retried it since, or the queue's loss of it did: the run has gone on
            return Ok(());
        }
        let mut ix = task.ix;
        if task.ix != task.template {
            // the items of a fan-out that has ended go on with it
            let fanout = self.find_task_at(actor, run, task.template).await?;
            if fanout.is_some_and(|fanout| fanout.status.is_terminal()) {
                ix = task.template;
            }
        }
        let input = Input::TaskRetryRequested {
            task: ix,
            actor: actor.name.clone(),
        };
        self.operate_once(actor, run, input).await.map(drop)
    }

    async fn send_again(&self, letter: &DeadLetterView) -> Result<(), OperateError> {
        let (Some(queue), Some(body)) = (&letter.queue, &letter.payload) else {
            return Ok(());
        };
        if letter.kind == Kind::QueueDlq && body.len() >= super::letter::PAYLOAD_BYTES_MAX {
            return Err(OperateError::Conflict {
                status: runnel_engine::run::RunStatus::Pending,
                message: "the message was too large to be kept whole and cannot be sent again".to_owned(),
                allowed: vec!["deadLetterDiscard"],
            });
        }
        let message = Outgoing {
            body: body.clone(),
            delay: Duration::ZERO,
            traceparent: None,
        };
        let sent = self.queue().send(&QueueName(queue.clone()), vec![message]).await;
        match sent {
            Ok(failures) if failures.is_empty() => Ok(()),
            Ok(_) | Err(_) => Err(OperateError::Store(StoreError::Aborted {
                action: "send a message again",
            })),
        }
    }

    async fn mark(
        &self,
        actor: &Actor,
        ids: Vec<Uuid>,
        status: Status,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        let (namespace, by, now) = (actor.namespace.clone(), actor.name.clone(), self.clock().now());
        let failed = failed_to("mark dead letters");
        let store = &self.reads().store;
        store
            .tx("mark dead letters", move |tx| {
                let update = Entity::update_many()
                    .col_expr(Column::Status, Expr::value(status as i16))
                    .col_expr(Column::ResolvedAt, Expr::value(now.0))
                    .col_expr(Column::ResolvedBy, Expr::value(by.to_string()))
                    .col_expr(Column::Reason, Expr::value(reason.clone()))
                    .filter(Column::Namespace.eq(&*namespace))
                    .filter(Column::Id.is_in(ids.clone()))
                    .filter(Column::Status.eq(Status::Open as i16));
                Box::pin(async move { update.exec(tx).await.map(drop).map_err(failed) })
            })
            .await
    }

    async fn reread(
        &self,
        actor: &Actor,
        letters: Vec<DeadLetterView>,
        resolved: Resolved,
    ) -> Result<Resolved, StoreError> {
        let selection = Selection::Ids(letters.into_iter().map(|letter| letter.id).collect());
        let (letters, _) = self.select(actor, &selection).await?;
        Ok(Resolved { letters, ..resolved })
    }
}
