//! What an attempt says of itself while it runs: how far it is, and from where another attempt could go on.
//!
//! The last word counts. New words go with a heartbeat a second later at most; each regular heartbeat repeats them, because
//! heartbeats may be lost; and the last of them goes before the end of the attempt.

use std::sync::{Mutex, MutexGuard, PoisonError};

use runnel_queue::message::CHECKPOINT_BYTES_MAX;
use runnel_queue::{AttemptRef, Progress, Report, Usage};
use serde_json::value::RawValue;

/// The last words of one attempt.
#[derive(Debug, Default)]
pub(crate) struct Said {
    words: Mutex<Words>,
}

#[derive(Debug, Default)]
struct Words {
    progress: Option<Progress>,
    checkpoint: Option<Box<RawValue>>,
    is_progress_new: bool,
    is_checkpoint_new: bool,
    usage: Usage,
}

impl Said {
    pub(crate) fn progress(&self, progress: Progress) {
        let mut words = self.words();
        if words.progress.as_ref() != Some(&progress) {
            words.progress = Some(progress);
            words.is_progress_new = true;
        }
    }

    /// False when it is over the limit: then the one before stands.
    pub(crate) fn checkpoint(&self, checkpoint: Box<RawValue>) -> bool {
        if checkpoint.get().len() > CHECKPOINT_BYTES_MAX {
            return false;
        }
        let mut words = self.words();
        if words.checkpoint.as_ref().map(|known| known.get()) != Some(checkpoint.get()) {
            words.checkpoint = Some(checkpoint);
            words.is_checkpoint_new = true;
        }
        true
    }

    /// What its processes took so far: times only grow, and of memory the most counts.
    pub(crate) fn measured(&self, cpu_us: Option<u64>, memory_bytes: Option<u64>) {
        let usage = &mut self.words().usage;
        usage.cpu_us = usage.cpu_us.max(cpu_us);
        usage.memory_bytes = usage.memory_bytes.max(memory_bytes);
    }

    /// What was measured.
    pub(crate) fn usage(&self) -> Usage {
        self.words().usage
    }

    pub(crate) fn has_news(&self) -> bool {
        let words = self.words();
        words.is_progress_new || words.is_checkpoint_new
    }

    /// A heartbeat with what is new.
    pub(crate) fn news(&self, at: &AttemptRef) -> Report {
        let mut words = self.words();
        let (progress, checkpoint) = (words.is_progress_new, words.is_checkpoint_new);
        words.is_progress_new = false;
        words.is_checkpoint_new = false;
        Report::Heartbeat {
            at: at.clone(),
            progress: words.progress.clone().filter(|_| progress),
            checkpoint: words.checkpoint.clone().filter(|_| checkpoint),
        }
    }

    /// A heartbeat with everything.
    pub(crate) fn all(&self, at: &AttemptRef) -> Report {
        let mut words = self.words();
        words.is_progress_new = false;
        words.is_checkpoint_new = false;
        Report::Heartbeat {
            at: at.clone(),
            progress: words.progress.clone(),
            checkpoint: words.checkpoint.clone(),
        }
    }

    /// The last heartbeat, before the end; `None` when the attempt never said anything.
    pub(crate) fn last(&self, at: &AttemptRef) -> Option<Report> {
        let is_silent = {
            let words = self.words();
            words.progress.is_none() && words.checkpoint.is_none()
        };
        (!is_silent).then(|| self.all(at))
    }

    fn words(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("JSON")
    }

    fn at() -> AttemptRef {
        crate::testing::message("shell", 1, &serde_json::Value::Null).at
    }

    fn shown(report: Report) -> (Option<f64>, Option<String>) {
        match report {
            Report::Heartbeat {
                progress, checkpoint, ..
            } => (
                progress.and_then(|progress| progress.fraction),
                checkpoint.map(|text| text.get().to_owned()),
            ),
            other => panic!("not a heartbeat: {other:?}"),
        }
    }

    fn fraction(fraction: f64) -> Progress {
        Progress {
            fraction: Some(fraction),
            ..Progress::default()
        }
    }

    #[test]
    fn news_are_told_once_and_regular_heartbeats_repeat_everything() {
        let said = Said::default();
        assert!(!said.has_news() && said.last(&at()).is_none());
        said.progress(fraction(0.1));
        said.progress(fraction(0.2));
        assert!(said.has_news());
        assert_eq!(shown(said.news(&at())), (Some(0.2), None));
        assert!(!said.has_news());
        assert!(said.checkpoint(raw("7")));
        assert_eq!(shown(said.news(&at())), (None, Some("7".to_owned())));
        assert_eq!(shown(said.all(&at())), (Some(0.2), Some("7".to_owned())));
        said.progress(fraction(0.2));
        assert!(!said.has_news(), "the same again is no news");
    }

    #[test]
    fn a_checkpoint_over_the_limit_leaves_the_one_before() {
        let said = Said::default();
        assert!(said.checkpoint(raw("1")));
        assert!(!said.checkpoint(raw(&format!("\"{}\"", "x".repeat(CHECKPOINT_BYTES_MAX)))));
        assert_eq!(shown(said.all(&at())).1.as_deref(), Some("1"));
    }
}
