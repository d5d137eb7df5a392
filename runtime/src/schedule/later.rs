//! Starts with a delay: a schedule of one nominal time.

use std::time::Duration;

use runnel_engine::Timestamp;
use runnel_engine::schedule::{CatchUp, Overlap, Policy, Spec, WINDOW_MAX, When as Times, nominal_text};
use runnel_engine::trigger::escape;
use runnel_entity::schedule;
use sha2::{Digest, Sha256};

use super::admin::first_look;
use super::check::text;
use super::query::schedule_from_row;
use super::view::{Origin, ScheduleView};
use crate::actor::Actor;
use crate::error::StartError;
use crate::orchestrator::{Orchestrator, StartRequest};
use crate::view::convert::corrupt;

/// When a run is to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// After so long, at most 366 days.
    Delay(Duration),
    /// At a moment, at most 366 days ahead; one that has passed means now.
    At(Timestamp),
}

/// A start that takes place later.
#[derive(Debug, Clone)]
pub struct DelayedStart {
    /// The schedule that holds it; deleting it takes the start back.
    pub schedule: ScheduleView,
    /// When it takes place.
    pub at: Timestamp,
    /// Whether it existed already under the idempotency key.
    pub is_replay: bool,
}

impl Orchestrator {
    /// Accepts a start for later. What would refuse it now refuses it now.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_later(
        &self,
        actor: &Actor,
        request: StartRequest,
        when: When,
    ) -> Result<DelayedStart, StartError> {
        let now = self.clock().now();
        let at = match when {
            When::Delay(delay) => now.after(delay),
            When::At(at) => at.max(now),
        };
        if at.since(now) > WINDOW_MAX {
            return Err(StartError::TooLarge {
                what: "the delay in seconds",
                actual: usize::try_from(at.since(now).as_secs()).unwrap_or(usize::MAX),
                limit: usize::try_from(WINDOW_MAX.as_secs()).unwrap_or(usize::MAX),
            });
        }
        let version = self.check_start(actor, &request).await?;
        let id = self.entropy().uuid(now);
        let key = match &request.idempotency_key {
            // a key of a client may be of any form and length; two of them never share this one
            Some(key) => format!("start-{}", &hex::encode(Sha256::digest(key))[..32]),
            None => format!("start-{}", id.simple()),
        };
        let (spec, policy) = once(at);
        let calendar = runnel_engine::schedule::Calendar::new(&spec)
            .map_err(|problem| corrupt("schedule", format!("{}: {problem}", nominal_text(at))))?;
        let cursor = Timestamp(at.0.saturating_sub(1).min(now.0));
        let row = schedule::Model {
            id,
            namespace: actor.namespace.to_string(),
            key,
            workflow_id: version.workflow_id.0,
            workflow_key: version.key.to_string(),
            // pinned as a start now would be
            version: Some(version.number),
            origin: Origin::Start as i16,
            slot: Some(crate::start::request_hash(&request)),
            spec: text(&spec)?,
            policy: text(&policy)?,
            inputs: text(&escape(&request.inputs))?,
            priority: request.priority.map_or(-1, i16::from),
            tags: text(&request.tags)?,
            is_enabled: true,
            is_paused: false,
            pause_reason: None,
            paused_by: None,
            cursor: cursor.0,
            next_at: first_look(&calendar, id, cursor),
            buffered: "[]".to_owned(),
            failures: 0,
            revision: 1,
            created_at: now.0,
            created_by: actor.name.to_string(),
            updated_at: now.0,
        };
        let (stored, is_new) = self.insert_schedule(row.clone()).await?;
        if !is_new && stored.slot != row.slot {
            return Err(StartError::DelayedConflict { key: stored.key });
        }
        let schedule = schedule_from_row(stored)?;
        let at = match &schedule.spec.when {
            Times::At { at } => *at,
            Times::Cron { .. } | Times::Every { .. } => at,
        };
        Ok(DelayedStart {
            schedule,
            at,
            is_replay: !is_new,
        })
    }
}

/// One time that takes place however late.
fn once(at: Timestamp) -> (Spec, Policy) {
    let spec = Spec {
        when: Times::At { at },
        start_at: None,
        end_at: None,
        jitter_ms: 0,
    };
    let policy = Policy {
        overlap: Overlap::Allow,
        catch_up: CatchUp::Latest,
        window_ms: u64::try_from(WINDOW_MAX.as_millis()).unwrap_or(u64::MAX),
        ..Policy::default()
    };
    (spec, policy)
}
