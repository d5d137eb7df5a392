//! What a dead letter is: kinds, statuses, and how its id and its group follow from what it is about.

use runnel_engine::run::TaskFailure;
use runnel_engine::{RunId, TaskIx, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Longest kept payload in bytes; a longer one is cut, the task itself has all of it.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 64 << 10;

/// Longest kept begin of a failure's message in characters.
const SUMMARY_CHARS_MAX: usize = 300;

const HOUR_MICROS: i64 = 3_600_000_000;

/// What came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Kind {
    /// A task that used up its attempts.
    Task = 0,
    /// An attempt whose message could not be sent.
    MessageUndeliverable = 1,
    /// A task message that was received too often without an end of its attempt.
    MessagePoison = 2,
    /// A message in the dead-letter queue of a task queue that is not a task message.
    QueueDlq = 3,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Status {
    /// It waits for a person.
    Open = 0,
    /// It was tried again.
    Replayed = 1,
    /// Somebody decided that it is not worth another try.
    Discarded = 2,
}

impl Kind {
    /// From the stored number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        [
            Self::Task,
            Self::MessageUndeliverable,
            Self::MessagePoison,
            Self::QueueDlq,
        ]
        .into_iter()
        .find(|kind| *kind as i16 == code)
    }
}

impl Status {
    /// From the stored number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Open, Self::Replayed, Self::Discarded]
            .into_iter()
            .find(|status| *status as i16 == code)
    }
}

/// The id of the letter about an attempt: whoever keeps it, and however often, it is one.
pub(crate) fn id_of_attempt(kind: Kind, run: RunId, task: TaskIx, attempt: u32, at: Timestamp) -> Uuid {
    let mut hash = Sha256::new();
    hash.update((kind as i16).to_be_bytes());
    hash.update(run.0.as_bytes());
    hash.update(task.0.to_be_bytes());
    hash.update(attempt.to_be_bytes());
    id(hash, at)
}

/// The id of the letter about a message that cannot be read: the same message within an hour is one letter.
pub(crate) fn id_of_message(queue: &str, body: &str, at: Timestamp) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(queue.as_bytes());
    hash.update([0]);
    hash.update(body.as_bytes());
    id(hash, Timestamp(at.0 - at.0.rem_euclid(HOUR_MICROS)))
}

/// UUIDv7: the time first, so that ids ascend, then the digest in place of chance.
fn id(hash: Sha256, at: Timestamp) -> Uuid {
    let digest = hash.finalize();
    let mut entropy = [0; 10];
    entropy.copy_from_slice(&digest[..10]);
    let millis = u64::try_from(at.0 / 1_000).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &entropy).into_uuid()
}

/// The same for failures that differ only in numbers and ids: workflow, task, category, code, and the message without these.
pub(crate) fn fingerprint(workflow: &str, task: &str, failure: &TaskFailure) -> String {
    let category = serde_json::to_string(&failure.category).unwrap_or_default();
    let message = normalised(&failure.message);
    let parts = serde_json::json!([workflow, task, category, failure.code, message]);
    let digest = Sha256::digest(parts.to_string());
    hex::encode(&digest[..16])
}

/// Words with a digit in them (counts, ids, times, addresses) become `#`.
fn normalised(message: &str) -> String {
    let mut text = String::new();
    for word in message
        .chars()
        .take(SUMMARY_CHARS_MAX)
        .collect::<String>()
        .split_inclusive(|c: char| !c.is_alphanumeric())
    {
        let (word, end) = match word.char_indices().next_back() {
            Some((at, last)) if !last.is_alphanumeric() => word.split_at(at),
            _ => (word, ""),
        };
        let has_digit = word.bytes().any(|b| b.is_ascii_digit());
        text.push_str(if has_digit { "#" } else { word });
        text.push_str(end);
    }
    text
}

/// For lists: the begin of the message, never empty, without the one character that PostgreSQL cannot store.
pub(crate) fn summary(message: &str) -> String {
    let text: String = message
        .chars()
        .filter(|c| *c != '\0')
        .take(SUMMARY_CHARS_MAX)
        .collect();
    if text.trim().is_empty() {
        "(no message)".to_owned()
    } else {
        text
    }
}

/// As [`summary`], for a code.
pub(crate) fn code(code: &str) -> String {
    let text: String = code
        .chars()
        .filter(|c| *c != '\0')
        .take(SUMMARY_CHARS_MAX)
        .collect();
    if text.is_empty() {
        "UNKNOWN".to_owned()
    } else {
        text
    }
}

/// A payload cut at the limit, at a boundary of characters.
pub(crate) fn cut(payload: &str) -> String {
    let mut end = payload.len().min(PAYLOAD_BYTES_MAX);
    while !payload.is_char_boundary(end) {
        end -= 1;
    }
    payload[..end].replace('\0', "")
}

#[cfg(test)]
mod tests {
    use runnel_engine::run::Category;

    use super::*;

    fn print(message: &str) -> String {
        fingerprint("w", "t", &TaskFailure::new(Category::User, "X", message, false))
    }

    #[test]
    fn failures_that_differ_in_numbers_only_are_of_one_group() {
        assert_eq!(
            print("order 17 of 0198-ab3f failed after 3.5s"),
            print("order 4242 of 7777-9999 failed after 12.25s")
        );
        assert_ne!(print("order 17 failed"), print("order 17 vanished"));
        assert_eq!(normalised("a1 b, 7"), "# b, #");
    }

    #[test]
    fn a_letter_about_the_same_attempt_has_the_same_id() {
        let id = |attempt| {
            id_of_attempt(
                Kind::Task,
                RunId(Uuid::nil()),
                TaskIx(1),
                attempt,
                Timestamp(5_000_000),
            )
        };
        assert_eq!(id(1), id(1));
        assert_ne!(id(1), id(2));
        assert_eq!(id(1).get_version_num(), 7);
    }

    #[test]
    fn a_payload_is_cut_between_characters() {
        let text = "ä".repeat(PAYLOAD_BYTES_MAX);
        assert_eq!(cut(&text).len(), PAYLOAD_BYTES_MAX);
        assert_eq!(cut("a\0b"), "ab");
    }
}
