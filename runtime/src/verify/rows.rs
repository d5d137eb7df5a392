//! The rows of one run against each other and against its history.

use std::collections::HashSet;

use runnel_engine::TaskIx;
use runnel_engine::run::{Counts, RunStatus, TaskStatus};
use runnel_entity::{outbox, run};

use super::history::History;
use super::{Finding, TaskRow};

/// Every rule that the rows break. Messages that are overdue should have been sent by now.
pub(super) fn check(
    run: &run::Model,
    tasks: &[TaskRow],
    messages: &[outbox::Model],
    is_overdue: impl Fn(&outbox::Model) -> bool,
    history: &History,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(status) = RunStatus::from_code(run.status) else {
        return vec![(None, "status", format!("the run has status {}", run.status))];
    };
    let mut known = Vec::with_capacity(tasks.len());
    for (at, row) in tasks.iter().enumerate() {
        let ix = TaskIx(u32::try_from(row.ix).unwrap_or(u32::MAX));
        if ix.at() != at {
            findings.push((Some(ix), "indices", format!("task {ix:?} stands at place {at}")));
        }
        match TaskStatus::from_code(row.status) {
            Some(status) => known.push(Task { ix, row, status }),
            None => findings.push((Some(ix), "status", format!("the task has status {}", row.status))),
        }
    }
    check_counts(run, &known, &mut findings);
    check_alarms(run, status, &known, &mut findings);
    check_end(run, status, &known, &mut findings);
    check_messages(&known, messages.iter().filter(|m| is_overdue(m)), &mut findings);
    check_dispatches(&known, messages, history, &mut findings);
    check_history(run, status, &known, history, &mut findings);
    findings
}

struct Task<'a> {
    ix: TaskIx,
    row: &'a TaskRow,
    status: TaskStatus,
}

impl Task<'_> {
    fn is_in_flight(&self) -> bool {
        matches!(self.status, TaskStatus::Queued | TaskStatus::Running)
    }
}

fn check_counts(run: &run::Model, tasks: &[Task<'_>], findings: &mut Vec<Finding>) {
    let mut recount = Counts::default();
    for task in tasks {
        *count_of(&mut recount, task.status) += 1;
    }
    match serde_json::from_str::<Counts>(&run.counts) {
        Ok(counts) if counts == recount => {}
        Ok(counts) => findings.push((
            None,
            "counts",
            format!("the run says {counts:?}, its tasks are {recount:?}"),
        )),
        Err(error) => findings.push((None, "counts", format!("the counts cannot be read: {error}"))),
    }
}

pub(super) fn count_of(counts: &mut Counts, status: TaskStatus) -> &mut u32 {
    match status {
        TaskStatus::Blocked => &mut counts.blocked,
        TaskStatus::Ready => &mut counts.ready,
        TaskStatus::Queued => &mut counts.queued,
        TaskStatus::Running => &mut counts.running,
        TaskStatus::Waiting => &mut counts.waiting,
        TaskStatus::RetryWait => &mut counts.retry_wait,
        TaskStatus::Succeeded => &mut counts.succeeded,
        TaskStatus::Failed => &mut counts.failed,
        TaskStatus::TimedOut => &mut counts.timed_out,
        TaskStatus::Cancelled => &mut counts.cancelled,
        TaskStatus::Skipped => &mut counts.skipped,
        TaskStatus::Cached => &mut counts.cached,
    }
}

/// Nothing but its alarm wakes a run: one that is late or missing leaves it stuck.
fn check_alarms(run: &run::Model, status: RunStatus, tasks: &[Task<'_>], findings: &mut Vec<Finding>) {
    for task in tasks {
        let must_have = task.is_in_flight() || task.status == TaskStatus::RetryWait;
        if must_have && task.row.wake_at.is_none() {
            findings.push((
                Some(task.ix),
                "alarm",
                format!("the task is {:?} without an alarm", task.status),
            ));
        }
        if task.status.is_terminal() && task.row.wake_at.is_some() {
            findings.push((
                Some(task.ix),
                "alarm",
                "the task has ended and has an alarm".to_owned(),
            ));
        }
    }
    if status.is_terminal() {
        if run.wake_at.is_some() {
            findings.push((None, "alarm", "the run has ended and has an alarm".to_owned()));
        }
        return;
    }
    let earliest = tasks.iter().filter_map(|task| task.row.wake_at).min();
    let is_late = earliest.is_some_and(|earliest| run.wake_at.is_none_or(|wake_at| wake_at > earliest));
    if is_late {
        findings.push((
            None,
            "alarm",
            format!("the run wakes at {:?}, a task at {earliest:?}", run.wake_at),
        ));
    }
    // what a gate or the outside holds is checked by the engine, which knows the definition
    let is_held = |task: &Task<'_>| matches!(task.status, TaskStatus::Ready | TaskStatus::Waiting);
    let has_reason = run.wake_at.is_some()
        || run.is_paused
        || status == RunStatus::Pending
        || tasks.iter().any(|task| task.is_in_flight() || is_held(task));
    if !has_reason {
        findings.push((
            None,
            "stuck",
            "nothing is in flight, nothing is due, and nobody paused the run".to_owned(),
        ));
    }
}

fn check_end(run: &run::Model, status: RunStatus, tasks: &[Task<'_>], findings: &mut Vec<Finding>) {
    if status.is_terminal() != run.finished_at.is_some() {
        findings.push((
            None,
            "end",
            format!("the run is {status:?}, its end is at {:?}", run.finished_at),
        ));
    }
    for task in tasks {
        if status.is_terminal() && !task.status.is_terminal() {
            findings.push((
                Some(task.ix),
                "end",
                format!("the run has ended, the task is {:?}", task.status),
            ));
        }
        if task.status.is_terminal() != task.row.finished_at.is_some() {
            let message = format!(
                "the task is {:?}, its end is at {:?}",
                task.status, task.row.finished_at
            );
            findings.push((Some(task.ix), "end", message));
        }
    }
}

/// A message is wanted as long as its attempt is the current one and goes on.
fn check_messages<'a>(
    tasks: &[Task<'_>],
    messages: impl Iterator<Item = &'a outbox::Model>,
    findings: &mut Vec<Finding>,
) {
    for message in messages {
        let ix = TaskIx(u32::try_from(message.ix).unwrap_or(u32::MAX));
        let is_wanted = tasks
            .get(ix.at())
            .is_some_and(|t| t.is_in_flight() && t.row.attempt == message.attempt);
        if !is_wanted {
            let text = format!(
                "a message of attempt {} waits in the outbox and nobody wants it",
                message.attempt
            );
            findings.push((Some(ix), "outbox", text));
        }
    }
}

/// A queued attempt has a message: one that waits in the outbox, or one whose dispatch the history tells.
fn check_dispatches(
    tasks: &[Task<'_>],
    messages: &[outbox::Model],
    history: &History,
    findings: &mut Vec<Finding>,
) {
    let waiting: HashSet<(i32, i32)> = messages.iter().map(|m| (m.ix, m.attempt)).collect();
    for task in tasks.iter().filter(|task| task.status == TaskStatus::Queued) {
        let told = history.tasks.get(&task.ix).map_or(0, |told| told.attempt);
        let was_dispatched = i64::from(told) == i64::from(task.row.attempt);
        if !was_dispatched && !waiting.contains(&(task.row.ix, task.row.attempt)) {
            let message = format!("attempt {} is queued and was never dispatched", task.row.attempt);
            findings.push((Some(task.ix), "dispatch", message));
        }
    }
}

fn check_history(
    run: &run::Model,
    status: RunStatus,
    tasks: &[Task<'_>],
    history: &History,
    findings: &mut Vec<Finding>,
) {
    if history.last_seq + 1 != run.next_seq {
        let message = format!(
            "the history ends at {}, the run continues at {}",
            history.last_seq, run.next_seq
        );
        findings.push((None, "gapless", message));
    }
    if history.run_ended != Some(status).filter(|status| status.is_terminal()) {
        let told = history.run_ended;
        findings.push((
            None,
            "replay",
            format!("the run is {status:?}, its history ends it as {told:?}"),
        ));
    }
    for task in tasks {
        let told = history.tasks.get(&task.ix);
        let told_status = told.map_or(TaskStatus::Blocked, |told| told.status);
        // an item of a fan-out has no event of its own until something happens to it
        if told_status != task.status {
            let message = format!("the task is {:?}, its history says {told_status:?}", task.status);
            findings.push((Some(task.ix), "replay", message));
        }
        let attempt = told.map_or(0, |told| told.attempt);
        if task.is_in_flight() && i64::from(task.row.attempt) != i64::from(attempt) {
            let message = format!(
                "attempt {} is in flight, the history dispatched {attempt}",
                task.row.attempt
            );
            findings.push((Some(task.ix), "attempts", message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::sample::bare_run;
    use crate::verify::history::TaskHistory;

    /// A run with one task in flight, and the history that leads there.
    struct Sample {
        run: run::Model,
        tasks: Vec<TaskRow>,
        messages: Vec<outbox::Model>,
        history: History,
    }

    fn sound() -> Sample {
        let id = uuid::Uuid::from_u128(1);
        let run = run::Model {
            next_seq: 4,
            wake_at: Some(70),
            counts: r#"{"queued":1,"blocked":1}"#.to_owned(),
            started_at: Some(0),
            ..bare_run(id)
        };
        let task = |ix, status: TaskStatus, attempt, wake_at| TaskRow {
            ix,
            status: status as i16,
            attempt,
            wake_at,
            finished_at: None,
        };
        let message = outbox::Model {
            id: 1,
            run_id: id,
            ix: 0,
            attempt: 1,
            queue: "default".to_owned(),
            kind: "http".to_owned(),
            priority: 50,
            created_at: 0,
            leased_until: 0,
            namespace: "default".to_owned(),
            rank: 0,
        };
        let mut history = History::default();
        history.last_seq = 3;
        history.tasks.insert(
            TaskIx(0),
            TaskHistory {
                status: TaskStatus::Queued,
                attempt: 1,
            },
        );
        Sample {
            run,
            tasks: vec![
                task(0, TaskStatus::Queued, 1, Some(70)),
                task(1, TaskStatus::Blocked, 0, None),
            ],
            messages: vec![message],
            history,
        }
    }

    /// The rules that are broken after one thing was changed.
    fn broken(change: impl FnOnce(&mut Sample)) -> Vec<&'static str> {
        let mut sample = sound();
        change(&mut sample);
        let findings = check(
            &sample.run,
            &sample.tasks,
            &sample.messages,
            |_| true,
            &sample.history,
        );
        findings.into_iter().map(|(_, rule, _)| rule).collect()
    }

    #[test]
    fn sound_rows_break_no_rule() {
        assert_eq!(broken(|_| {}), Vec::<&str>::new());
    }

    #[test]
    fn each_rule_finds_its_fault() {
        assert_eq!(broken(|s| s.run.counts = "{}".to_owned()), ["counts"]);
        assert_eq!(broken(|s| s.run.wake_at = Some(71)), ["alarm"]);
        assert_eq!(broken(|s| s.tasks[0].wake_at = None), ["alarm"]);
        assert_eq!(broken(|s| s.tasks[1].finished_at = Some(1)), ["end"]);
        assert_eq!(broken(|s| s.messages[0].attempt = 2), ["outbox"]);
        assert_eq!(broken(|s| s.messages[0].ix = 9), ["outbox"]);
        assert_eq!(broken(|s| s.run.next_seq = 5), ["gapless"]);
        assert_eq!(
            broken(|s| s.history.run_ended = Some(RunStatus::Failed)),
            ["replay"]
        );
        assert_eq!(broken(|s| s.run.status = 99), ["status"]);
    }

    #[test]
    fn a_queued_attempt_without_message_and_dispatch_is_found() {
        let never_told = |s: &mut Sample| {
            s.messages.clear();
            s.history.tasks.clear();
        };
        assert_eq!(broken(never_told), ["dispatch", "replay", "attempts"]);
        assert_eq!(broken(|s| s.messages.clear()), Vec::<&str>::new(), "it was sent");
    }

    #[test]
    fn a_run_that_nothing_will_wake_is_stuck_unless_paused() {
        let idle = |s: &mut Sample| {
            s.tasks.remove(0);
            s.tasks[0].ix = 0;
            s.messages.clear();
            s.history.tasks.clear();
            s.run.wake_at = None;
            s.run.counts = r#"{"blocked":1}"#.to_owned();
        };
        assert_eq!(broken(idle), ["stuck"]);
        assert_eq!(
            broken(|s| {
                idle(s);
                s.run.is_paused = true;
            }),
            Vec::<&str>::new()
        );
    }

    #[test]
    fn an_ended_run_leaves_nothing_alive() {
        let rules = broken(|s| {
            s.run.status = RunStatus::Cancelled as i16;
            s.run.finished_at = Some(1);
            s.run.wake_at = None;
            s.history.run_ended = Some(RunStatus::Cancelled);
        });
        assert_eq!(rules, ["end", "end"]);
    }
}
