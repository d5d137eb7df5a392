//! Append-only progress for logs and pipes: the status is always a word, never a colour.

use std::collections::HashMap;
use std::io::Write;

use crate::client::model::{Run, RunUpdate, Task};
use crate::client::watch::Observer;
use crate::table::elapsed;

/// Prints one line for every task that starts, waits for a retry or ends.
pub struct Lines<W> {
    out: W,
    /// Last status and attempt that was told, by index of the task.
    told: HashMap<u32, (String, u32)>,
    run_status: Option<String>,
}

impl<W: Write> Lines<W> {
    /// Has told nothing yet.
    pub fn new(out: W) -> Self {
        Self {
            out,
            told: HashMap::new(),
            run_status: None,
        }
    }

    fn say(&mut self, line: &str) {
        // Nobody reads progress any more: the run and its result do not depend on it.
        let _ = writeln!(self.out, "{line}");
    }

    fn task(&mut self, task: &Task) {
        let state = (task.status.clone(), task.attempt);
        if self.told.get(&task.index) == Some(&state) {
            return;
        }
        self.told.insert(task.index, state);
        let detail = match task.status.as_str() {
            "SUCCEEDED" | "CACHED" => took(task),
            "FAILED" | "TIMED_OUT" | "RETRY_WAIT" => {
                task.error.as_ref().map(|e| e.line()).unwrap_or_default()
            }
            "RUNNING" if task.attempt > 1 => format!("attempt {}", task.attempt),
            "SKIPPED" | "CANCELLED" | "RUNNING" | "WAITING" => String::new(),
            _ => return,
        };
        self.say(format!("  {:<10} {:<28} {detail}", task.status, task.key).trim_end());
    }

    fn run(&mut self, run: &Run) {
        let status = run.shown_status();
        if self.run_status.as_ref() == Some(&status) {
            return;
        }
        self.say(&format!(
            "{status} {} version {} · {}",
            run.workflow.key,
            run.version.number,
            run.counts.line()
        ));
        self.run_status = Some(status);
    }
}

impl<W: Write> Observer for Lines<W> {
    fn update(&mut self, update: &RunUpdate) {
        // The first line names the run; its last line comes after the tasks that ended it.
        let is_first = self.run_status.is_none();
        if is_first && let Some(run) = &update.run {
            self.run(run);
        }
        // The server lists tasks by index; a reader wants them in the order in which things happened.
        let mut tasks: Vec<&Task> = update.tasks.iter().flatten().collect();
        tasks.sort_by_key(|task| (task.finished_at.is_none(), task.finished_at, task.started_at));
        for task in tasks {
            self.task(task);
        }
        if let Some(run) = &update.run {
            self.run(run);
        }
    }

    fn lost(&mut self, reason: &str) {
        self.say(&format!("connection lost ({reason}); trying again"));
    }
}

fn took(task: &Task) -> String {
    let took = match (task.started_at, task.finished_at) {
        (Some(_), Some(finished)) => elapsed(task.started_at, task.finished_at, finished),
        _ => String::new(),
    };
    if task.attempt > 1 {
        format!("{took} (attempt {})", task.attempt)
    } else {
        took
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn update(run_status: &str, tasks: &[(&str, u32, &str, u32)]) -> RunUpdate {
        let tasks: Vec<Value> = tasks
            .iter()
            .map(|(key, index, status, attempt)| {
                json!({ "key": key, "index": index, "type": "shell", "status": status, "attempt": attempt })
            })
            .collect();
        serde_json::from_value(json!({
            "kind": "PATCH", "cursor": "1", "tasks": tasks,
            "run": {
                "id": "run_1", "status": run_status, "isPaused": false, "workflow": { "key": "etl" },
                "version": { "number": 2 }, "counts": { "succeeded": 1, "blocked": 1 },
                "createdAt": "2026-01-01T00:00:00Z",
            },
        }))
        .unwrap()
    }

    fn printed(updates: &[RunUpdate]) -> String {
        let mut lines = Lines::new(Vec::new());
        for update in updates {
            lines.update(update);
        }
        String::from_utf8(lines.out).unwrap()
    }

    #[test]
    fn a_repeated_update_is_told_once() {
        let once = update("RUNNING", &[("a", 0, "SUCCEEDED", 1)]);
        let text = printed(&[once.clone(), once]);
        assert_eq!(text.matches("SUCCEEDED").count(), 1, "{text}");
    }

    #[test]
    fn another_attempt_of_a_task_is_told_again() {
        let text = printed(&[
            update("RUNNING", &[("a", 0, "RUNNING", 1)]),
            update("RUNNING", &[("a", 0, "RUNNING", 2)]),
        ]);
        assert!(text.contains("attempt 2"), "{text}");
    }

    #[test]
    fn the_end_of_the_run_comes_after_the_end_of_its_tasks() {
        let text = printed(&[
            update("RUNNING", &[]),
            update("SUCCEEDED", &[("b", 1, "SKIPPED", 0)]),
        ]);
        assert!(text.find("SKIPPED") < text.find("SUCCEEDED etl"), "{text}");
    }
}
