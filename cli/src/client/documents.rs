//! The GraphQL documents that the commands send. A test checks each against the schema.

/// Fields of a run that the commands print.
macro_rules! run_fields {
    () => {
        "fragment RunFields on Run {
           id status isPaused workflow { key name } version { number }
           inputs outputs error { category code message }
           counts { blocked ready queued running waiting retryWait succeeded failed timedOut cancelled skipped cached }
           priority tags createdAt startedAt finishedAt
         }"
    };
}

/// Fields of a task that the commands print.
macro_rules! task_fields {
    () => {
        "fragment TaskFields on Task {
           id key index type status attempt waitingFor worker queuedAt startedAt finishedAt wakeAt
           error { category code message }
         }"
    };
}

/// The newest run.
pub const LAST_RUN: &str = "query LastRun { runs(first: 1) { nodes { id } } }";

/// Runs, newest first.
pub const RUNS: &str = concat!(
    "query Runs($first: Int!, $after: String, $filter: RunFilter) {
       runs(first: $first, after: $after, filter: $filter) {
         nodes { ...RunFields } pageInfo { hasNextPage endCursor }
       }
     } ",
    run_fields!()
);

/// One run.
pub const RUN: &str = concat!(
    "query Run($id: ID!) { run(id: $id) { ...RunFields } } ",
    run_fields!()
);

/// A page of the tasks of a run.
pub const TASKS: &str = concat!(
    "query Tasks($id: ID!, $first: Int!, $after: String) {
       run(id: $id) {
         tasks(first: $first, after: $after) { nodes { ...TaskFields } pageInfo { hasNextPage endCursor } }
       }
     } ",
    task_fields!()
);

/// What happens to a run, live.
pub const RUN_UPDATES: &str = concat!(
    "subscription RunUpdates($id: ID!, $after: String) {
       runUpdates(id: $id, after: $after) { kind cursor run { ...RunFields } tasks { ...TaskFields } }
     } ",
    run_fields!(),
    " ",
    task_fields!()
);

/// What a task prints, live; ends after the last line of a task that has ended.
pub const TASK_LOGS: &str =
    "subscription TaskLogs($run: ID!, $task: String!, $attempt: Int, $after: String) {
    taskLogs(run: $run, task: $task, attempt: $attempt, after: $after) {
      kind cursor lines { at text }
    }
  }";

/// Stores a workflow file.
pub const PUBLISH: &str = "mutation WorkflowPublish($input: WorkflowPublishInput!) {
    workflowPublish(input: $input) {
      workflow { id key name } version { number hash dialect taskCount } isNew
      userErrors { code message path hint ... on ValidationError { diagnostics {
        code severity message path help line column offset length
        labels { text line column offset length }
      } } }
    }
  }";

/// Starts a run.
pub const START: &str = concat!(
    "mutation RunStart($input: RunStartInput!) {
       runStart(input: $input) { run { ...RunFields } isReplay userErrors { code message path hint } }
     } ",
    run_fields!()
);

/// Cancels a run.
pub const CANCEL: &str = concat!(
    "mutation RunCancel($input: RunCancelInput!) {
       runCancel(input: $input) {
         run { ...RunFields } userErrors { code message path hint ... on RunStateConflict { allowed } }
       }
     } ",
    run_fields!()
);

/// Pauses a run.
pub const PAUSE: &str = concat!(
    "mutation RunPause($input: RunIdInput!) {
       runPause(input: $input) {
         run { ...RunFields } userErrors { code message path hint ... on RunStateConflict { allowed } }
       }
     } ",
    run_fields!()
);

/// Resumes a run.
pub const RESUME: &str = concat!(
    "mutation RunResume($input: RunIdInput!) {
       runResume(input: $input) {
         run { ...RunFields } userErrors { code message path hint ... on RunStateConflict { allowed } }
       }
     } ",
    run_fields!()
);

/// Retries a task.
pub const RETRY: &str = concat!(
    "mutation TaskRetry($input: TaskIdInput!) {
       taskRetry(input: $input) {
         task { ...TaskFields } userErrors { code message path hint ... on RunStateConflict { allowed } }
       }
     } ",
    task_fields!()
);

/// Changes the limits of a fan-out.
pub const FANOUT_UPDATE: &str = concat!(
    "mutation TaskFanoutUpdate($input: TaskFanoutUpdateInput!) {
       taskFanoutUpdate(input: $input) {
         task { ...TaskFields } userErrors { code message path hint ... on RunStateConflict { allowed } }
       }
     } ",
    task_fields!()
);

/// Skips a task.
pub const SKIP: &str = concat!(
    "mutation TaskSkip($input: TaskIdInput!) {
       taskSkip(input: $input) {
         task { ...TaskFields } userErrors { code message path hint ... on RunStateConflict { allowed } }
       }
     } ",
    task_fields!()
);
