//! Read and write models of schedules, as `api` and `cli` see them.

use runnel_engine::schedule::{Policy, Spec};
use runnel_engine::trigger::TriggerKind;
use runnel_engine::{RunId, Timestamp, WorkflowId};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Who made a schedule or a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Somebody through the API.
    Api,
    /// The `triggers:` of a workflow file.
    File,
    /// A start with a delay.
    Start,
}

/// A schedule.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct ScheduleView {
    pub id: Uuid,
    pub key: String,
    pub workflow_id: WorkflowId,
    pub workflow_key: String,
    pub version: Option<i32>,
    pub origin: Origin,
    pub spec: Spec,
    pub policy: Policy,
    pub inputs: Map<String, Value>,
    pub priority: Option<u8>,
    pub tags: Vec<String>,
    /// Whether the file turns it on.
    pub is_enabled: bool,
    pub is_paused: bool,
    pub pause_reason: Option<String>,
    pub paused_by: Option<String>,
    /// Everything up to here has been decided upon.
    pub cursor: Timestamp,
    /// Nominal times that wait for a run to end.
    pub buffered: Vec<Timestamp>,
    /// Runs in a row that did not succeed.
    pub failures: u32,
    pub revision: i64,
    pub created_at: Timestamp,
    pub created_by: String,
    pub updated_at: Timestamp,
}

impl ScheduleView {
    /// Whether its times are looked at.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_enabled && !self.is_paused
    }
}

/// A schedule to be made.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct NewSchedule {
    pub key: String,
    pub workflow: String,
    pub version: Option<i32>,
    pub spec: Spec,
    pub policy: Policy,
    pub inputs: Map<String, Value>,
    pub priority: Option<u8>,
    pub tags: Vec<String>,
    pub is_paused: bool,
}

/// What of a schedule changes; `None` leaves it.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct SchedulePatch {
    pub spec: Option<Spec>,
    pub policy: Option<Policy>,
    pub inputs: Option<Map<String, Value>>,
    pub version: Option<Option<i32>>,
    pub priority: Option<Option<u8>>,
    pub tags: Option<Vec<String>>,
    /// Refused when the revision is another one.
    pub expected_revision: Option<i64>,
}

/// What became of a moment or of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeStatus {
    /// Its run is being started.
    Starting,
    /// It has a run.
    Started,
    /// It had a run already.
    Deduped,
    /// The trigger is about other events.
    Filtered,
    /// Too many in a time.
    RateLimited,
    /// It cannot have a run: the inputs do not fit, the signature is wrong.
    Rejected,
    /// It has no run: another one goes on, or it was missed.
    Skipped,
    /// It waits for a run to end.
    Buffered,
}

impl OutcomeStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Starting,
        Self::Started,
        Self::Deduped,
        Self::Filtered,
        Self::RateLimited,
        Self::Rejected,
        Self::Skipped,
        Self::Buffered,
    ];

    /// As stored.
    pub(crate) fn code(self) -> i16 {
        self as i16
    }

    /// From the stored number.
    pub(crate) fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// What became of one moment of a schedule, or of one event for one trigger.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct OutcomeView {
    pub id: Uuid,
    /// The schedule or the trigger.
    pub owner: Uuid,
    pub owner_key: String,
    pub backfill: Option<Uuid>,
    pub kind: TriggerKind,
    pub status: OutcomeStatus,
    /// Why, as an UPPER_SNAKE word.
    pub reason: Option<String>,
    /// Why, as a sentence.
    pub detail: Option<String>,
    pub nominal_at: Option<Timestamp>,
    pub event_source: Option<String>,
    pub event_id: Option<String>,
    pub run: Option<RunId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Which outcomes.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct OutcomeFilter {
    /// Of this schedule or trigger.
    pub owner: Option<Uuid>,
    pub status_in: Option<Vec<OutcomeStatus>>,
}

/// State of a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillStatus {
    /// Goes on.
    Running,
    /// Every nominal time was begun and every run has ended.
    Done,
    /// An operator ended it; its runs go on.
    Cancelled,
}

/// A range of the past to make up for.
#[derive(Debug, Clone)]
pub struct BackfillRequest {
    /// Begin of the range; a nominal time at it is part of it.
    pub from: Timestamp,
    /// End of the range; not part of it.
    pub until: Timestamp,
    /// Most runs at once.
    pub max_parallel: u32,
    /// Count only.
    pub is_dry_run: bool,
}

/// A backfill.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct BackfillView {
    pub id: Uuid,
    pub schedule: Uuid,
    pub from: Timestamp,
    pub until: Timestamp,
    pub max_parallel: u32,
    /// Nominal times in the range.
    pub total: u32,
    /// Those begun so far.
    pub begun: u32,
    pub status: BackfillStatus,
    pub created_at: Timestamp,
    pub created_by: String,
    pub finished_at: Option<Timestamp>,
}
