//! Values that are too large for a message or a row: kept once in an object store, by the SHA-256 of their bytes.
//!
//! Guarantees: a value that was read is the value that was written (its hash is checked); writing the same value again changes
//! nothing, so a crash between the write and whatever refers to it costs a repetition and loses nothing. The store knows
//! nothing of runs: what still refers to a value is the orchestrator's to know, and deleting is its business alone.

mod open;
mod store;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use open::{PayloadLocation, PayloadOpenError};
pub use store::{PayloadError, PayloadStore, StoredPayload};

/// Values up to this many bytes stay in rows and messages, unless configured otherwise.
pub const INLINE_BYTES_DEFAULT: usize = 64 << 10;

/// The largest inline limit that may be configured: half a message, which also has to carry the rest.
pub const INLINE_BYTES_MAX: usize = 512 << 10;

/// Largest value of an input or output, in bytes of JSON.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// How the text of a reference begins. JSON never begins so, hence a reference is never taken for a value, nor a value for one.
const MARK: &str = "@payload:sha256:";

/// Names a stored value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PayloadRef {
    /// SHA-256 of its bytes, 64 lower-case hex digits.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

impl PayloadRef {
    /// The reference of a value.
    #[must_use]
    pub fn of(value: &[u8]) -> Self {
        Self {
            sha256: hex::encode(Sha256::digest(value)),
            bytes: value.len() as u64,
        }
    }

    /// Reads what stands in a row in place of a value; `None` for a value.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (sha256, bytes) = text.strip_prefix(MARK)?.split_once(':')?;
        Some(Self {
            sha256: is_digest(sha256).then(|| sha256.to_owned())?,
            bytes: bytes.parse().ok()?,
        })
    }

    /// Whether a text stands for a value elsewhere: one comparison, for every value that is read.
    #[must_use]
    pub fn is_text(text: &str) -> bool {
        text.starts_with(MARK)
    }
}

/// The text that stands in a row in place of the value.
impl fmt::Display for PayloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}{}:{}", self.sha256, self.bytes)
    }
}

/// Whether a text is a SHA-256 as [`PayloadRef`] writes it.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
