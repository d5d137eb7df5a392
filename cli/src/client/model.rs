//! The parts of answers that the commands look into.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::exit::Exit;

/// A run.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Opaque id.
    pub id: String,
    /// Status word.
    pub status: String,
    /// Whether nothing new starts.
    pub is_paused: bool,
    /// Of which workflow.
    pub workflow: Workflow,
    /// Of which version.
    pub version: Version,
    /// The result.
    #[serde(default)]
    pub outputs: Value,
    /// Why it did not succeed.
    pub error: Option<TaskFailure>,
    /// Tasks by status.
    pub counts: Counts,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When its first task could start.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Run {
    /// Whether nothing changes any more.
    pub fn is_terminal(&self) -> bool {
        self.finished_at.is_some()
    }

    /// The exit code that stands for its end.
    pub fn exit(&self) -> Exit {
        match self.status.as_str() {
            "SUCCEEDED" => Exit::Ok,
            "CANCELLED" => Exit::Cancelled,
            "TIMED_OUT" => Exit::TimedOut,
            _ => Exit::Failed,
        }
    }

    /// Status with the overlay that explains why nothing moves.
    pub fn shown_status(&self) -> String {
        if self.is_paused && !self.is_terminal() {
            format!("{} (PAUSED)", self.status)
        } else {
            self.status.clone()
        }
    }
}

/// A workflow.
#[derive(Debug, Clone, Deserialize)]
pub struct Workflow {
    /// Its key.
    pub key: String,
}

/// A version.
#[derive(Debug, Clone, Deserialize)]
pub struct Version {
    /// Its number.
    pub number: i32,
}

/// A task.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its key.
    pub key: String,
    /// Position in the run.
    pub index: u32,
    /// Task type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Status word.
    pub status: String,
    /// Attempt it is in.
    pub attempt: u32,
    /// Why it does not run.
    #[serde(default)]
    pub waiting_for: Option<String>,
    /// Why it did not succeed.
    pub error: Option<TaskFailure>,
    /// How far its attempt is.
    #[serde(default)]
    pub progress: Option<Progress>,
    /// When its attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// How far an attempt is.
#[derive(Debug, Clone, Deserialize)]
pub struct Progress {
    /// From 0 to 1.
    pub fraction: Option<f64>,
    /// Units done.
    pub current: Option<f64>,
    /// Units there are.
    pub total: Option<f64>,
    /// One sentence.
    pub message: Option<String>,
}

impl Task {
    /// Its progress with two blanks before it, as `  42 % 5/12 page 5`; empty when it says nothing.
    pub fn shown_progress(&self) -> String {
        let Some(progress) = &self.progress else {
            return String::new();
        };
        let mut parts = Vec::new();
        parts.extend(
            progress
                .fraction
                .map(|fraction| format!("{:.0} %", fraction * 100.0)),
        );
        parts.extend(match (progress.current, progress.total) {
            (Some(current), Some(total)) => Some(format!("{current}/{total}")),
            (Some(current), None) => Some(current.to_string()),
            (None, _) => None,
        });
        parts.extend(progress.message.clone());
        format!("  {}", parts.join(" "))
    }
}

/// Why a task or run did not succeed.
#[derive(Debug, Clone, Deserialize)]
pub struct TaskFailure {
    /// Kind of failure.
    pub category: String,
    /// Code within the kind.
    pub code: String,
    /// One sentence.
    pub message: String,
}

impl TaskFailure {
    /// On one line.
    pub fn line(&self) -> String {
        format!("{}/{}: {}", self.category, self.code, self.message)
    }
}

/// Number of tasks per status.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    pub blocked: u32,
    pub ready: u32,
    pub queued: u32,
    pub running: u32,
    pub waiting: u32,
    pub retry_wait: u32,
    pub succeeded: u32,
    pub failed: u32,
    pub timed_out: u32,
    pub cancelled: u32,
    pub skipped: u32,
    pub cached: u32,
}

impl Counts {
    /// All tasks.
    pub fn total(&self) -> u32 {
        self.blocked + self.ready + self.queued + self.running + self.waiting + self.retry_wait + self.ended()
    }

    /// Tasks that have ended.
    pub fn ended(&self) -> u32 {
        self.succeeded + self.failed + self.timed_out + self.cancelled + self.skipped + self.cached
    }

    /// Totals in words, without the statuses that nothing is in.
    pub fn line(&self) -> String {
        let parts = [
            (self.succeeded + self.cached, "succeeded"),
            (self.failed + self.timed_out, "failed"),
            (self.cancelled, "cancelled"),
            (self.skipped, "skipped"),
            (self.running, "running"),
            (self.queued + self.ready, "queued"),
            (self.waiting + self.retry_wait, "waiting"),
            (self.blocked, "blocked"),
        ];
        let words: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        format!("{}/{} tasks: {}", self.ended(), self.total(), words.join(", "))
    }
}

/// One message of `runUpdates`.
#[derive(Debug, Clone, Deserialize)]
pub struct RunUpdate {
    /// `SNAPSHOT`, `PATCH` or `END`.
    pub kind: String,
    /// Where to resume.
    pub cursor: Option<String>,
    /// The run as it is now.
    pub run: Option<Run>,
    /// Tasks that changed.
    #[serde(default)]
    pub tasks: Option<Vec<Task>>,
}

/// One message of `taskLogs`.
#[derive(Debug, Clone, Deserialize)]
pub struct LogMessage {
    /// What the message is.
    pub kind: String,
    /// Where to resume.
    pub cursor: Option<String>,
    /// New lines.
    #[serde(default)]
    pub lines: Option<Vec<LogLine>>,
}

/// One line that a task printed.
#[derive(Debug, Clone, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: DateTime<Utc>,
    /// The text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn totals_name_only_what_there_is() {
        let counts = Counts {
            succeeded: 3,
            failed: 1,
            running: 2,
            ..Counts::default()
        };
        assert_eq!(counts.line(), "4/6 tasks: 3 succeeded, 1 failed, 2 running");
    }
}
