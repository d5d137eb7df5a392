//! Live progress on a terminal: one line for each of a few running tasks, failures kept above, totals at the bottom.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::client::model::{RunUpdate, Task};
use crate::client::watch::Observer;

/// Running tasks shown at once; the totals count the others. Keeps the view within the smallest usual terminal.
const ROWS_MAX: usize = 8;
const TICK: Duration = Duration::from_millis(120);

/// The live view.
pub struct Live {
    bars: MultiProgress,
    totals: ProgressBar,
    rows: BTreeMap<u32, ProgressBar>,
    /// Failures and retries already told, by index and attempt.
    told: std::collections::HashSet<(u32, u32)>,
}

impl Live {
    /// An empty view.
    pub fn new() -> Self {
        let bars = MultiProgress::new();
        let totals = bars.add(ProgressBar::new(0));
        totals.set_style(style("{wide_bar:.cyan/blue} {msg}  {elapsed}"));
        totals.enable_steady_tick(TICK);
        Self {
            bars,
            totals,
            rows: BTreeMap::new(),
            told: std::collections::HashSet::new(),
        }
    }

    fn task(&mut self, task: &Task) {
        let is_active = matches!(task.status.as_str(), "RUNNING" | "WAITING" | "RETRY_WAIT");
        if let Some(error) = task
            .error
            .as_ref()
            .filter(|_| matches!(task.status.as_str(), "FAILED" | "TIMED_OUT" | "RETRY_WAIT"))
            && self.told.insert((task.index, task.attempt))
        {
            // Failures stay visible above the view. The terminal being gone does not concern the run.
            let _ = self
                .bars
                .println(format!("{:<10} {}  {}", task.status, task.key, error.line()));
        }
        if !is_active {
            if let Some(row) = self.rows.remove(&task.index) {
                row.finish_and_clear();
                self.bars.remove(&row);
            }
            return;
        }
        if !self.rows.contains_key(&task.index) {
            if self.rows.len() >= ROWS_MAX {
                return;
            }
            let row = self.bars.insert_before(&self.totals, ProgressBar::new_spinner());
            row.set_style(style("{spinner} {msg}  {elapsed}"));
            row.enable_steady_tick(TICK);
            self.rows.insert(task.index, row);
        }
        if let Some(row) = self.rows.get(&task.index) {
            let attempt = if task.attempt > 1 {
                format!("  attempt {}", task.attempt)
            } else {
                String::new()
            };
            let progress = task.shown_progress();
            row.set_message(format!("{:<10} {}{attempt}{progress}", task.status, task.key));
        }
    }
}

impl Observer for Live {
    fn update(&mut self, update: &RunUpdate) {
        for task in update.tasks.iter().flatten() {
            self.task(task);
        }
        let Some(run) = &update.run else { return };
        self.totals.set_length(u64::from(run.counts.total()));
        self.totals.set_position(u64::from(run.counts.ended()));
        self.totals
            .set_message(format!("{} {}", run.shown_status(), run.counts.line()));
        if run.is_terminal() && !self.totals.is_finished() {
            for row in self.rows.values() {
                row.finish_and_clear();
            }
            self.totals.finish_and_clear();
            // An ordinary line: the result is printed below it.
            eprintln!(
                "{} {} version {} · {}",
                run.status,
                run.workflow.key,
                run.version.number,
                run.counts.line()
            );
        }
    }

    fn lost(&mut self, reason: &str) {
        self.totals
            .set_message(format!("NOT LIVE: connection lost ({reason}); trying again"));
    }
}

/// A template is a constant of this file; the default style stands in where it does not parse.
fn style(template: &'static str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_view_stays_bounded_however_many_tasks_run() {
        let mut live = Live::new();
        for index in 0..500 {
            let task = serde_json::json!({
                "key": format!("t{index}"), "index": index, "type": "shell", "status": "RUNNING", "attempt": 1
            });
            live.task(&serde_json::from_value(task).unwrap());
        }
        assert_eq!(live.rows.len(), ROWS_MAX);
    }
}
