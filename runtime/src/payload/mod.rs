//! Large values: out of rows and messages, into the payload store, and back where somebody needs them.
//!
//! Guarantees: a value is in the store before the transaction that refers to it; what a run refers to is not collected as
//! garbage. For that the orchestrator first claims the value's name in the table `payload` (which makes it young), then
//! writes the object, then commits the reference together with a row of `payload_use`. The collector locks the row while it
//! deletes the object: a claim comes before it and keeps the object, or after it and is followed by a new write.
//!
//! Small values never come here: each costs one comparison of its length.

mod access;
mod collect;
mod memory;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use runnel_engine::Timestamp;
use runnel_queue::payload::{INLINE_BYTES_DEFAULT, INLINE_BYTES_MAX, PayloadError, PayloadRef, PayloadStore};

use crate::apply::{Column, Kind, RowSet, source};
use crate::clock::Clock;
use crate::error::StoreError;
use crate::store::Store;
use memory::Memory;

pub use access::{PayloadPut, PayloadStream};
pub use collect::Collected;
pub(crate) use collect::Collector;
pub use view::{PayloadPreview, PayloadText};

/// Objects written or read at once.
const AT_ONCE: usize = 16;

/// How long this process believes that what it has written is still there. Far below the age at which garbage is collected.
const WRITTEN_FOR: Duration = Duration::from_secs(30 * 60);

/// Youngest garbage that may be collected, whatever is configured: an attempt may report long after it has written.
pub const KEEP_MIN: Duration = Duration::from_secs(2 * 60 * 60);

/// Names of written values that are remembered; beyond it they are claimed and written again.
const WRITTEN_MAX: usize = 10_000;

const WRITTEN: &str = "runnel_payloads_written_total";
const READ: &str = "runnel_payloads_read_total";

/// Where large values go.
#[derive(Debug, Clone)]
pub struct PayloadConfig {
    /// The store.
    pub store: PayloadStore,
    /// Values up to this many bytes stay in rows and messages; 64 KiB by default, 512 KiB at most.
    pub inline_bytes: usize,
    /// Age at which a value that no run refers to is deleted; a day by default, two hours at least.
    pub keep: Duration,
}

impl PayloadConfig {
    /// The defaults over a store.
    #[must_use]
    pub fn new(store: PayloadStore) -> Self {
        Self {
            store,
            inline_bytes: INLINE_BYTES_DEFAULT,
            keep: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// Values by their references.
pub(crate) type Values = HashMap<PayloadRef, Arc<str>>;

/// A value that is to be written, and its name.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub reference: PayloadRef,
    pub text: Arc<str>,
}

impl Parcel {
    pub(crate) fn new(text: Arc<str>) -> Self {
        Self {
            reference: PayloadRef::of(text.as_bytes()),
            text,
        }
    }
}

/// The orchestrator's way to the payloads. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Payloads {
    inner: Arc<Inner>,
}

struct Inner {
    store: PayloadStore,
    inline_bytes: usize,
    keep: Duration,
    rows: Store,
    clock: Arc<dyn Clock>,
    written: Mutex<HashMap<String, Timestamp>>,
    memory: Mutex<Memory>,
}

impl std::fmt::Debug for Payloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.store.fmt(f)
    }
}

/// Bytes of a shared text, without a copy.
struct Text(Arc<str>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Names to claim.
const CLAIMS: &[Column] = &[
    ("sha256", Kind::Text),
    ("bytes", Kind::Int),
    ("used_at", Kind::Int),
];

impl Payloads {
    pub(crate) fn new(config: PayloadConfig, rows: Store, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Arc::new(Inner {
                store: config.store,
                inline_bytes: config.inline_bytes.clamp(1, INLINE_BYTES_MAX),
                keep: config.keep.max(KEEP_MIN),
                rows,
                clock,
                written: Mutex::default(),
                memory: Mutex::default(),
            }),
        }
    }

    /// Whether a value is to leave its row.
    pub(crate) fn is_large(&self, text: &str) -> bool {
        text.len() > self.inner.inline_bytes
    }

    /// Whether this process wrote the value a short while ago: then it is there, and nothing need be done.
    pub(crate) fn is_written(&self, reference: &PayloadRef) -> bool {
        let oldest = self.inner.clock.now().0 - micros(WRITTEN_FOR);
        let written = self.inner.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.get(&reference.sha256).is_some_and(|at| at.0 > oldest)
    }

    /// Writes values, those written a short while ago excepted. Safe to repeat.
    pub(crate) async fn write(&self, parcels: &[Parcel]) -> Result<(), StoreError> {
        let mut missing: Vec<&Parcel> = parcels
            .iter()
            .filter(|parcel| !self.is_written(&parcel.reference))
            .collect();
        missing.sort_by(|a, b| a.reference.cmp(&b.reference));
        missing.dedup_by(|a, b| a.reference == b.reference);
        if missing.is_empty() {
            return Ok(());
        }
        self.claim(missing.iter().map(|parcel| &parcel.reference)).await?;
        let writes: Vec<_> = missing
            .iter()
            .map(|parcel| put(self.inner.store.clone(), Parcel::clone(parcel)))
            .collect();
        stream::iter(writes)
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await
            .map_err(failed)?;
        metrics::counter!(WRITTEN).increment(missing.len() as u64);
        self.note_written(missing.iter().map(|parcel| &parcel.reference));
        Ok(())
    }

    /// Makes names young, so that no collector deletes what they stand for. Must be committed before the object is written.
    pub(crate) async fn claim(&self, names: impl Iterator<Item = &PayloadRef>) -> Result<(), StoreError> {
        let backend = self.inner.rows.backend().into();
        let now = self.inner.clock.now();
        let mut rows = RowSet::new(backend, CLAIMS);
        for name in names {
            rows.text(&name.sha256)
                .int(i64::try_from(name.bytes).unwrap_or(i64::MAX))
                .int(now.0);
        }
        let sql = format!(
            "INSERT INTO payload(sha256, bytes, used_at) SELECT c.sha256, c.bytes, c.used_at FROM {} WHERE true \
             ON CONFLICT (sha256) DO UPDATE SET used_at = excluded.used_at",
            source(backend, CLAIMS)
        );
        let statement = rows.bind(backend, &sql, vec![]);
        self.inner.rows.execute("claim payloads", statement).await?;
        Ok(())
    }

    fn note_written<'a>(&self, names: impl Iterator<Item = &'a PayloadRef>) {
        let now = self.inner.clock.now();
        let mut written = self.inner.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() > WRITTEN_MAX {
            written.clear();
        }
        written.extend(names.map(|name| (name.sha256.clone(), now)));
    }

    /// The value, from this process's memory only.
    pub(crate) fn remembered(&self, reference: &PayloadRef) -> Option<Arc<str>> {
        self.memory().get(reference)
    }

    /// The value.
    pub(crate) async fn read(&self, reference: &PayloadRef) -> Result<Arc<str>, StoreError> {
        if let Some(text) = self.remembered(reference) {
            return Ok(text);
        }
        let value = self.inner.store.get(reference).await.map_err(failed)?;
        let text = std::str::from_utf8(&value).map_err(|_| StoreError::Corrupt {
            table: "payload",
            problem: format!("{} is not text", reference.sha256),
        })?;
        let text: Arc<str> = Arc::from(text);
        metrics::counter!(READ).increment(1);
        self.memory().put(reference, &text);
        Ok(text)
    }

    /// The values, each read once.
    pub(crate) async fn read_all(&self, mut wanted: Vec<PayloadRef>) -> Result<Values, StoreError> {
        wanted.sort_unstable();
        wanted.dedup();
        let reads: Vec<_> = wanted
            .into_iter()
            .map(|reference| {
                let payloads = self.clone();
                async move {
                    let text = payloads.read(&reference).await?;
                    Ok::<_, StoreError>((reference, text))
                }
            })
            .collect();
        stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// The value of a stored text: itself, or what it refers to.
    pub(crate) async fn resolve(&self, text: &Arc<str>) -> Result<Arc<str>, StoreError> {
        match PayloadRef::read(text) {
            Some(reference) => self.read(&reference).await,
            None => Ok(Arc::clone(text)),
        }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.inner.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn put(store: PayloadStore, parcel: Parcel) -> Result<(), PayloadError> {
    let value = Bytes::from_owner(Text(parcel.text));
    store.put_named(&parcel.reference, value).await
}

/// What is missing or damaged stays so; anything else may pass.
pub(crate) fn failed(error: PayloadError) -> StoreError {
    match error {
        PayloadError::NotFound { .. } | PayloadError::Damaged { .. } | PayloadError::TooLarge { .. } => {
            StoreError::Corrupt {
                table: "payload",
                problem: error.to_string(),
            }
        }
        PayloadError::Unavailable { .. } => StoreError::Payload(error),
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
