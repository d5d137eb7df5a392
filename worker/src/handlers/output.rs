//! Output of a process: split into lines for the log, its end kept for the result.

use runnel_queue::LogStream;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::log::{AttemptLog, LINE_BYTES_MAX};

/// Part of the output that goes into the result.
const TAIL_BYTES: usize = 8 * 1024;

/// Longest last line that may be a JSON result.
const LAST_LINE_BYTES_MAX: usize = 512 * 1024;

const READ_BYTES: usize = 16 * 1024;

/// What is kept of one stream.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    /// The last lines, without secrets.
    pub(crate) tail: String,
    /// The last line that is not empty, as it was written.
    pub(crate) last_line: String,
}

impl Captured {
    fn keep(&mut self, line: String, clean: &str) {
        self.tail.push_str(clean);
        self.tail.push('\n');
        // trimmed only now and then, so that every byte is moved about once
        if self.tail.len() > 4 * TAIL_BYTES {
            self.trim();
        }
        if !line.trim().is_empty() {
            self.last_line = line;
        }
    }

    fn trim(&mut self) {
        let excess = self.tail.len().saturating_sub(TAIL_BYTES);
        let start = (excess..=self.tail.len())
            .find(|at| self.tail.is_char_boundary(*at))
            .unwrap_or(0);
        self.tail.drain(..start);
    }
}

/// Reads a stream to its end, logging each line. Memory is bounded: a longer line than any result is cut.
pub(crate) async fn capture(
    stream: impl AsyncRead + Unpin,
    kind: LogStream,
    log: &AttemptLog,
    into: &mut Captured,
) {
    tokio::pin!(stream);
    let mut line = Vec::new();
    let mut chunk = vec![0; READ_BYTES];
    loop {
        // an error means the same as the end: the process has gone
        let count = stream.read(&mut chunk).await.unwrap_or(0);
        let mut rest = &chunk[..count];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            append(&mut line, &rest[..end]);
            emit(&mut line, kind, log, into).await;
            rest = &rest[end + 1..];
        }
        append(&mut line, rest);
        if count == 0 {
            break;
        }
    }
    if !line.is_empty() {
        emit(&mut line, kind, log, into).await;
    }
    into.trim();
}

fn append(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LAST_LINE_BYTES_MAX.saturating_sub(line.len());
    line.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

async fn emit(line: &mut Vec<u8>, kind: LogStream, log: &AttemptLog, into: &mut Captured) {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    let mut clean = log.redact(text.clone());
    crate::log::truncate(&mut clean, LINE_BYTES_MAX);
    into.keep(text, &clean);
    log.line(kind, clean).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Redactor;

    async fn captured(bytes: &[u8]) -> Captured {
        let mut kept = Captured::default();
        capture(
            bytes,
            LogStream::Stdout,
            &AttemptLog::new(Redactor::default()),
            &mut kept,
        )
        .await;
        kept
    }

    #[tokio::test]
    async fn lines_without_an_end_and_with_any_bytes_are_kept() {
        let kept = captured(b"one\r\ntwo \xff\n\nlast").await;
        assert_eq!(kept.tail, "one\ntwo \u{fffd}\n\nlast\n");
        assert_eq!(kept.last_line, "last");
    }

    #[tokio::test]
    async fn only_the_tail_is_kept() {
        let many: String = (0..400)
            .map(|i| format!("line {i} {}\n", "ü".repeat(40)))
            .collect();
        let kept = captured(many.as_bytes()).await;
        assert!(kept.tail.len() <= TAIL_BYTES && kept.tail.len() > TAIL_BYTES - 4);
        assert!(kept.tail.contains("line 399") && !kept.tail.contains("line 0 "));
    }

    #[tokio::test]
    async fn a_line_without_end_takes_bounded_memory() {
        let kept = captured(&vec![b'x'; 2 * LAST_LINE_BYTES_MAX]).await;
        assert_eq!(kept.last_line.len(), LAST_LINE_BYTES_MAX);
        assert!(kept.tail.len() <= TAIL_BYTES);
    }
}
