//! What a command says of itself while it runs: the last line of `$RUNNEL_PROGRESS` and of `$RUNNEL_CHECKPOINT`.
//!
//! Both files may be appended to or replaced. While the command runs only finished lines count, so that nothing half-written is
//! believed; after its end an unfinished last line counts too.

use std::convert::Infallible;
use std::io::SeekFrom;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use runnel_queue::message::CHECKPOINT_BYTES_MAX;
use runnel_queue::{LogStream, Progress};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::command::Workspace;
use crate::task::TaskContext;

/// Name of the file in the workspace.
pub(super) const PROGRESS_FILE: &str = "progress";
/// Name of the file in the workspace.
pub(super) const CHECKPOINT_FILE: &str = "checkpoint";

/// How often the files are looked at.
const EVERY: Duration = Duration::from_millis(250);

/// Longest last line; the end of a longer one is no line.
const LINE_BYTES_MAX: u64 = CHECKPOINT_BYTES_MAX as u64 + 1024;

/// Watches the two files of one command.
pub(super) struct Watch<'a> {
    ctx: &'a TaskContext,
    progress: Tail,
    checkpoint: Tail,
}

/// The end of a file, and what is known of it.
struct Tail {
    path: PathBuf,
    seen: Option<(u64, Option<SystemTime>)>,
}

/// A last line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Text(String),
    TooLong,
}

impl<'a> Watch<'a> {
    pub(super) fn new(ctx: &'a TaskContext, workspace: &Workspace) -> Self {
        let tail = |name| Tail {
            path: workspace.path(name),
            seen: None,
        };
        Self {
            ctx,
            progress: tail(PROGRESS_FILE),
            checkpoint: tail(CHECKPOINT_FILE),
        }
    }

    /// Watches for as long as it is polled.
    pub(super) async fn run(&mut self) -> Infallible {
        loop {
            tokio::time::sleep(EVERY).await;
            self.look(false).await;
        }
    }

    /// Looks once; `has_ended`: nobody writes any more.
    pub(super) async fn look(&mut self, has_ended: bool) {
        if let Some(Line::Text(line)) = self.progress.last_line(has_ended).await
            && let Some(progress) = serde_json::from_str::<Value>(&line)
                .ok()
                .as_ref()
                .and_then(Progress::read)
        {
            self.ctx.progress(progress);
        }
        match self.checkpoint.last_line(has_ended).await {
            None => {}
            Some(Line::Text(line)) => {
                // what is no JSON is a text: `echo page-7 > "$RUNNEL_CHECKPOINT"` is meant well
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                self.ctx.checkpoint(&value);
            }
            Some(Line::TooLong) => {
                let text = format!(
                    "a checkpoint has more than {CHECKPOINT_BYTES_MAX} bytes; the one before it stands"
                );
                self.ctx.log.push(LogStream::System, text);
            }
        }
    }
}

impl Tail {
    /// The last line, when the file has changed since the last look.
    async fn last_line(&mut self, has_ended: bool) -> Option<Line> {
        let found = tokio::fs::metadata(&self.path).await.ok()?;
        let seen = (found.len(), found.modified().ok());
        // within one tick of the file system's clock a file may change and look the same: the last look reads it anyway
        if self.seen == Some(seen) && !has_ended {
            return None;
        }
        self.seen = Some(seen);
        let start = found.len().saturating_sub(LINE_BYTES_MAX);
        let mut file = tokio::fs::File::open(&self.path).await.ok()?;
        file.seek(SeekFrom::Start(start)).await.ok()?;
        let mut bytes = Vec::new();
        file.take(LINE_BYTES_MAX).read_to_end(&mut bytes).await.ok()?;
        last_line(&bytes, start > 0, has_ended)
    }
}

fn last_line(bytes: &[u8], is_cut: bool, has_ended: bool) -> Option<Line> {
    let finished = if has_ended {
        bytes
    } else {
        &bytes[..bytes.iter().rposition(|byte| *byte == b'\n')?]
    };
    let text = String::from_utf8_lossy(finished);
    let text = text.trim_end();
    let line = match text.rfind('\n') {
        Some(at) => &text[at + 1..],
        None if is_cut => return Some(Line::TooLong),
        None => text,
    };
    let line = line.trim();
    (!line.is_empty()).then(|| Line::Text(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Option<Line> {
        Some(Line::Text(line.to_owned()))
    }

    #[test]
    fn the_last_finished_line_counts_while_the_command_runs() {
        assert_eq!(last_line(b"", false, false), None);
        assert_eq!(last_line(b"0.1\n0.2\n{\"cur", false, false), text("0.2"));
        assert_eq!(last_line(b"{\"cur", false, false), None);
        assert_eq!(last_line(b"0.1\n\n  \n", false, false), text("0.1"));
    }

    #[test]
    fn after_the_end_an_unfinished_line_counts_too() {
        assert_eq!(last_line(b"0.1\n0.2", false, true), text("0.2"));
        assert_eq!(last_line(b"\n \n", false, true), None);
    }

    #[test]
    fn the_end_of_a_line_that_is_too_long_is_no_line() {
        assert_eq!(last_line(b"xxxx\n", true, false), Some(Line::TooLong));
        assert_eq!(last_line(b"xxxx\n7\n", true, false), text("7"));
    }
}
