//! Reading, writing and, for the orchestrator's collection of garbage, listing and deleting.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload};

use super::{PAYLOAD_BYTES_MAX, PayloadRef, is_digest};

/// A place for payloads. Cheap to clone.
#[derive(Clone)]
pub struct PayloadStore {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    place: Arc<str>,
}

/// A payload as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPayload {
    /// Which.
    pub reference: PayloadRef,
    /// When it was last written, in microseconds since the epoch, by the store's clock.
    pub written_us: i64,
}

/// Why a payload could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// There is none of this name.
    #[error("payload {sha256} is not in the store")]
    NotFound {
        /// Its hash.
        sha256: String,
    },
    /// What is stored is not what its name says.
    #[error("payload {sha256} in the store is damaged: its bytes have another hash")]
    Damaged {
        /// Its hash.
        sha256: String,
    },
    /// Over the limit.
    #[error("a value has {bytes} bytes, more than the limit of {PAYLOAD_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// The store did not do what was asked; trying again may help.
    #[error("the payload store failed to {action}")]
    Unavailable {
        /// What was being done.
        action: &'static str,
        /// The cause.
        #[source]
        source: object_store::Error,
    },
}

impl fmt::Debug for PayloadStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PayloadStore({})", self.place)
    }
}

impl PayloadStore {
    pub(super) fn new(objects: Arc<dyn ObjectStore>, prefix: Path, place: String) -> Self {
        Self {
            objects,
            prefix,
            place: place.into(),
        }
    }

    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Writes a value, also one that is there already: that makes it young again.
    ///
    /// # Errors
    /// It is over the limit, or the store failed.
    pub async fn put(&self, value: Bytes) -> Result<PayloadRef, PayloadError> {
        let reference = digest(&value).await?;
        self.put_named(&reference, value).await?;
        Ok(reference)
    }

    /// The same for a value whose reference the caller has computed. A wrong one makes an object that no read accepts.
    ///
    /// # Errors
    /// See [`PayloadStore::put`].
    pub async fn put_named(&self, reference: &PayloadRef, value: Bytes) -> Result<(), PayloadError> {
        if value.len() > PAYLOAD_BYTES_MAX {
            return Err(too_large(&value));
        }
        self.objects
            .put(&self.path(&reference.sha256), PutPayload::from_bytes(value))
            .await
            .map(drop)
            .map_err(unavailable("write a payload"))
    }

    /// Reads a value and checks that it is the one meant.
    ///
    /// # Errors
    /// It is missing, damaged or over the limit, or the store failed.
    pub async fn get(&self, reference: &PayloadRef) -> Result<Bytes, PayloadError> {
        if reference.bytes > PAYLOAD_BYTES_MAX as u64 {
            return Err(PayloadError::TooLarge {
                bytes: reference.bytes,
            });
        }
        let found = self
            .objects
            .get(&self.path(&reference.sha256))
            .await
            .map_err(|error| judge("read a payload", error, reference))?;
        if found.meta.size != reference.bytes {
            return Err(damaged(reference));
        }
        let value = found
            .bytes()
            .await
            .map_err(|error| judge("read a payload", error, reference))?;
        if digest(&value).await? != *reference {
            return Err(damaged(reference));
        }
        Ok(value)
    }

    /// The first bytes of a value, for a preview; not checked against the hash.
    ///
    /// # Errors
    /// It is missing, or the store failed.
    pub async fn get_start(&self, reference: &PayloadRef, bytes: u64) -> Result<Bytes, PayloadError> {
        let end = bytes.min(reference.bytes);
        if end == 0 {
            return Ok(Bytes::new());
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(0..end)),
            ..GetOptions::default()
        };
        let failed = |error| judge("read a payload", error, reference);
        let found = self
            .objects
            .get_opts(&self.path(&reference.sha256), options)
            .await
            .map_err(failed)?;
        found.bytes().await.map_err(failed)
    }

    /// A value piece by piece, for a download; not checked against the hash.
    ///
    /// # Errors
    /// It is missing, or the store failed.
    pub async fn stream(
        &self,
        reference: &PayloadRef,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, PayloadError> {
        let found = self
            .objects
            .get(&self.path(&reference.sha256))
            .await
            .map_err(|error| judge("read a payload", error, reference))?;
        Ok(found.into_stream().map_err(std::io::Error::other).boxed())
    }

    /// What is stored under a hash; `None` when nothing is.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, sha256: &str) -> Result<Option<StoredPayload>, PayloadError> {
        match self.objects.head(&self.path(sha256)).await {
            Ok(meta) => Ok(stored(&meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(unavailable("look at a payload")(source)),
        }
    }

    /// Deletes; one that is not there counts as deleted.
    ///
    /// # Errors
    /// The store failed.
    pub async fn delete(&self, sha256: &str) -> Result<(), PayloadError> {
        match self.objects.delete(&self.path(sha256)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(unavailable("delete a payload")(source)),
        }
    }

    /// Up to `max` payloads that were last written before a moment. Foreign files are left out.
    ///
    /// # Errors
    /// The store failed.
    pub async fn written_before(&self, us: i64, max: usize) -> Result<Vec<StoredPayload>, PayloadError> {
        self.objects
            .list(Some(&self.prefix))
            .try_filter_map(|meta| {
                std::future::ready(Ok(stored(&meta).filter(|found| found.written_us < us)))
            })
            .take(max)
            .try_collect()
            .await
            .map_err(unavailable("list payloads"))
    }

    /// Two digits a directory, because some file systems dislike directories of a million files.
    fn path(&self, sha256: &str) -> Path {
        let shard = sha256.get(..2).unwrap_or("00");
        self.prefix.clone().join(shard).join(sha256)
    }
}

fn stored(meta: &object_store::ObjectMeta) -> Option<StoredPayload> {
    let sha256 = meta.location.filename().filter(|name| is_digest(name))?;
    Some(StoredPayload {
        reference: PayloadRef {
            sha256: sha256.to_owned(),
            bytes: meta.size,
        },
        written_us: meta.last_modified.timestamp_micros(),
    })
}

/// The hash of a large value takes long enough to keep a thread from its other tasks.
async fn digest(value: &Bytes) -> Result<PayloadRef, PayloadError> {
    const AT_ONCE: usize = 256 << 10;
    if value.len() > PAYLOAD_BYTES_MAX {
        return Err(too_large(value));
    }
    if value.len() <= AT_ONCE {
        return Ok(PayloadRef::of(value));
    }
    let shared = value.clone();
    let hashed = tokio::task::spawn_blocking(move || PayloadRef::of(&shared)).await;
    // only a runtime that ends refuses to run it
    Ok(hashed.unwrap_or_else(|_| PayloadRef::of(value)))
}

fn too_large(value: &Bytes) -> PayloadError {
    PayloadError::TooLarge {
        bytes: value.len() as u64,
    }
}

fn damaged(reference: &PayloadRef) -> PayloadError {
    PayloadError::Damaged {
        sha256: reference.sha256.clone(),
    }
}

fn judge(action: &'static str, error: object_store::Error, reference: &PayloadRef) -> PayloadError {
    match error {
        object_store::Error::NotFound { .. } => PayloadError::NotFound {
            sha256: reference.sha256.clone(),
        },
        source => PayloadError::Unavailable { action, source },
    }
}

fn unavailable(action: &'static str) -> impl Fn(object_store::Error) -> PayloadError {
    move |source| PayloadError::Unavailable { action, source }
}
