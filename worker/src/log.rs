//! The log of one attempt: redacted, capped, sent in chunks while the attempt runs.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runnel_queue::{AttemptRef, LogLine, LogStream, Report};
use tokio::sync::Notify;

use crate::clock;
use crate::control::Control;
use crate::secret::Redactor;

/// Longest line in bytes; the rest of a longer one is cut off.
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1024;

/// Most lines of one attempt; further ones are dropped, and one line says so.
const LINES_MAX: usize = 10_000;

/// A chunk is sent when it has this many lines,
const CHUNK_LINES: usize = 64;

/// or this many bytes (a message has room for it even if every byte needs an escape),
const CHUNK_BYTES: usize = 64 * 1024;

/// or when its first line is this old.
const CHUNK_AGE: Duration = Duration::from_millis(250);

/// Lines that may wait to be sent; beyond, the writer waits.
const WAITING_LINES_MAX: usize = 512;

/// Log of one attempt, for handlers.
#[derive(Debug, Clone)]
pub struct AttemptLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    redactor: Redactor,
    buffer: Mutex<Buffer>,
    /// A line was added.
    added: Notify,
    /// Lines were taken.
    taken: Notify,
}

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<LogLine>,
    bytes: usize,
    total: usize,
}

impl Buffer {
    fn is_chunk(&self) -> bool {
        self.lines.len() >= CHUNK_LINES || self.bytes >= CHUNK_BYTES
    }
}

impl AttemptLog {
    pub(crate) fn new(redactor: Redactor) -> Self {
        let shared = Shared {
            redactor,
            buffer: Mutex::default(),
            added: Notify::new(),
            taken: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Writes one line; waits while too many wait to be sent.
    pub async fn line(&self, stream: LogStream, text: impl Into<String>) {
        loop {
            let taken = self.shared.taken.notified();
            if self.lock().lines.len() < WAITING_LINES_MAX {
                break;
            }
            taken.await;
        }
        self.push(stream, text.into());
    }

    /// Replaces secret values in a text.
    #[must_use]
    pub fn redact(&self, text: String) -> String {
        self.shared.redactor.text(text)
    }

    /// Replaces secret values in every text of a value.
    pub(crate) fn redact_value(&self, value: &mut serde_json::Value) {
        self.shared.redactor.value(value);
    }

    /// Writes without waiting, for lines of the worker itself.
    pub(crate) fn push(&self, stream: LogStream, text: String) {
        let mut text = self.redact(text);
        truncate(&mut text, LINE_BYTES_MAX);
        let mut buffer = self.lock();
        buffer.total += 1;
        let line = match buffer.total {
            ..=LINES_MAX => LogLine {
                at_us: clock::now_us(),
                stream,
                text,
            },
            total if total == LINES_MAX + 1 => LogLine {
                at_us: clock::now_us(),
                stream: LogStream::System,
                text: format!("the log ends here: an attempt may write {LINES_MAX} lines"),
            },
            _ => return,
        };
        buffer.bytes += line.text.len();
        buffer.lines.push(line);
        drop(buffer);
        self.shared.added.notify_one();
    }

    /// Sends chunks for as long as it is polled.
    pub(crate) async fn pump(&self, at: &AttemptRef, control: &Control) -> Infallible {
        loop {
            self.wait_until(|buffer| !buffer.lines.is_empty()).await;
            // a chunk that does not fill up goes by age
            let _ = tokio::time::timeout(CHUNK_AGE, self.wait_until(Buffer::is_chunk)).await;
            // room first: lines that were taken are never dropped between here and the channel
            let room = control.reserve().await;
            if let Some(lines) = self.take_chunk() {
                room.send(Report::Log {
                    at: at.clone(),
                    lines,
                });
            }
        }
    }

    /// The lines not sent yet, at most one chunk of them.
    pub(crate) fn take_chunk(&self) -> Option<Vec<LogLine>> {
        let mut buffer = self.lock();
        let mut bytes = 0;
        let fits = |line: &&LogLine| {
            bytes += line.text.len();
            bytes <= CHUNK_BYTES
        };
        let count = buffer.lines.iter().take(CHUNK_LINES).take_while(fits).count();
        let chunk: Vec<_> = buffer.lines.drain(..count).collect();
        buffer.bytes -= chunk.iter().map(|line| line.text.len()).sum::<usize>();
        drop(buffer);
        self.shared.taken.notify_waiters();
        (!chunk.is_empty()).then_some(chunk)
    }

    async fn wait_until(&self, is_ready: impl Fn(&Buffer) -> bool) {
        loop {
            let added = self.shared.added.notified();
            if is_ready(&self.lock()) {
                return;
            }
            added.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.shared.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shortens a text to at most `limit` bytes at a character boundary.
pub(crate) fn truncate(text: &mut String, limit: usize) {
    if text.len() > limit {
        let end = (0..=limit)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(log: &AttemptLog) -> Vec<Vec<LogLine>> {
        std::iter::from_fn(|| log.take_chunk()).collect()
    }

    #[test]
    fn chunks_are_limited_by_lines_and_by_bytes() {
        let log = AttemptLog::new(Redactor::default());
        (0..150).for_each(|i| log.push(LogStream::Stdout, i.to_string()));
        assert_eq!(drain(&log).iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 22]);
        (0..9).for_each(|_| log.push(LogStream::Stdout, "x".repeat(LINE_BYTES_MAX)));
        assert_eq!(drain(&log).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 1]);
    }

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        let log = AttemptLog::new(Redactor::default());
        log.push(LogStream::Stdout, format!("x{}", "ü".repeat(LINE_BYTES_MAX)));
        let text = drain(&log).remove(0).remove(0).text;
        assert_eq!(text.len(), LINE_BYTES_MAX - 1);
    }

    #[test]
    fn lines_over_the_cap_are_dropped_and_the_log_says_so() {
        let log = AttemptLog::new(Redactor::default());
        (0..LINES_MAX + 50).for_each(|i| log.push(LogStream::Stdout, i.to_string()));
        let lines: Vec<_> = drain(&log).concat();
        assert_eq!(lines.len(), LINES_MAX + 1);
        assert_eq!(lines[LINES_MAX].stream, LogStream::System);
    }

    #[tokio::test]
    async fn a_writer_waits_while_nobody_takes() {
        let log = AttemptLog::new(Redactor::default());
        for _ in 0..WAITING_LINES_MAX {
            log.line(LogStream::Stdout, "x").await;
        }
        let writer = log.clone();
        let waiting = tokio::spawn(async move { writer.line(LogStream::Stdout, "last").await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let _ = log.take_chunk();
        waiting.await.expect("the writer went on");
    }
}
