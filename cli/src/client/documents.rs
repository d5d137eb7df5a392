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
           progress { fraction current total message }
           error { category code message }
         }"
    };
}

/// The newest run.
pub const LAST_RUN: &str = "query LastRun { runs(first: 1) { nodes { id } } }";

/// Runs, newest first.
pub const RUNS: &str = concat!(
    "query Runs($first: Int!, $after: String, $filter: RunFilter, $query: String) {
       runs(first: $first, after: $after, filter: $filter, query: $query) {
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

/// Why a run does not run.
pub const WHY_RUN: &str = "query WhyRun($id: ID!) {
    run(id: $id) {
      id status blockers { code message }
      timeSpent { blocked waitingForSlot queued running retryWait waiting }
      tasks(first: 100, filter: { status: { in: [BLOCKED, READY, QUEUED, WAITING, RETRY_WAIT] } }) {
        nodes { key status blockers { code message } }
      }
    }
  }";

/// Why a task does not run.
pub const WHY_TASK: &str = "query WhyTask($id: ID!, $task: String!) {
    run(id: $id) {
      task(key: $task) {
        key status attempt blockers { code message }
        timeSpent { blocked waitingForSlot queued running retryWait waiting }
      }
    }
  }";

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

/// Operates on many runs.
pub const RUNS_BULK: &str = "mutation RunsBulk($input: RunsBulkInput!) {
    runsBulk(input: $input) {
      operation { id } matched { value isExact } userErrors { code message path hint }
    }
  }";

/// How far an operation on many runs is.
pub const BULK_OPERATION: &str = "query BulkOperation($id: ID!) {
    bulkOperation(id: $id) {
      id action status total done failed createdAt startedAt finishedAt
      failures(first: 50) { nodes { runId code message } }
    }
  }";

/// Retries a task.
pub const RETRY: &str = concat!(
    "mutation TaskRetry($input: TaskIdInput!) {
       taskRetry(input: $input) {
         task { ...TaskFields } userErrors { code message path hint ... on RunStateConflict { allowed } }
       }
     } ",
    task_fields!()
);

/// Stored secrets, without values.
pub const SECRETS: &str = "query Secrets { secrets { name createdAt updatedAt updatedBy } }";

/// Stores a secret.
pub const SECRET_SET: &str = "mutation SecretSet($input: SecretSetInput!) {
    secretSet(input: $input) { secret { name updatedAt } userErrors { code message path hint } }
  }";

/// Deletes a secret.
pub const SECRET_DELETE: &str = "mutation SecretDelete($input: SecretDeleteInput!) {
    secretDelete(input: $input) { deletedName userErrors { code message path hint } }
  }";

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

/// Fields of a schedule that the commands print.
macro_rules! schedule_fields {
    () => {
        "fragment ScheduleFields on Schedule {
           id key workflow { key } version origin cron timezone every at description startAt endAt jitter
           overlap catchUp catchUpWindow catchUpLimit pauseAfterFailures inputs tags
           isEnabled isPaused pauseReason pausedBy failuresInRow bufferedAt nextRunAt revision createdAt createdBy
         }"
    };
}

/// Schedules by key.
pub const SCHEDULES: &str = concat!(
    "query Schedules($first: Int!, $after: String, $workflow: String) {
       schedules(first: $first, after: $after, workflow: $workflow) {
         nodes { ...ScheduleFields } pageInfo { hasNextPage endCursor }
       }
     } ",
    schedule_fields!()
);

/// One schedule, by its key or by its id.
pub const SCHEDULE: &str = concat!(
    "query Schedule($key: String!, $id: ID!) {
       schedule(key: $key) { ...ScheduleFields outcomes(first: 10) { nodes { ...OutcomeFields } } }
       node(id: $id) { ... on Schedule { ...ScheduleFields outcomes(first: 10) { nodes { ...OutcomeFields } } } }
     }
     fragment OutcomeFields on TriggerOutcome { kind status reason detail scheduledAt createdAt run { id status } } ",
    schedule_fields!()
);

/// The next times of a schedule.
pub const SCHEDULE_PREVIEW: &str = "query SchedulePreview($id: ID!, $first: Int!) {
    node(id: $id) { ... on Schedule { nextRuns(first: $first) { at local dst } } }
  }";

/// Makes a schedule.
pub const SCHEDULE_CREATE: &str = concat!(
    "mutation ScheduleCreate($input: ScheduleCreateInput!) {
       scheduleCreate(input: $input) { schedule { ...ScheduleFields } isNew userErrors { code message path hint } }
     } ",
    schedule_fields!()
);

/// Pauses a schedule.
pub const SCHEDULE_PAUSE: &str = concat!(
    "mutation SchedulePause($input: ScheduleIdInput!) {
       schedulePause(input: $input) { schedule { ...ScheduleFields } userErrors { code message path hint } }
     } ",
    schedule_fields!()
);

/// Resumes a schedule.
pub const SCHEDULE_RESUME: &str = concat!(
    "mutation ScheduleResume($input: ScheduleIdInput!) {
       scheduleResume(input: $input) { schedule { ...ScheduleFields } userErrors { code message path hint } }
     } ",
    schedule_fields!()
);

/// Deletes a schedule.
pub const SCHEDULE_DELETE: &str = "mutation ScheduleDelete($input: ScheduleIdInput!) {
    scheduleDelete(input: $input) { deletedId userErrors { code message path hint } }
  }";

/// Runs a range of the past.
pub const SCHEDULE_BACKFILL: &str = "mutation ScheduleBackfill($input: ScheduleBackfillInput!) {
    scheduleBackfill(input: $input) {
      backfill { id fromAt untilAt maxParallel total begun status createdAt } userErrors { code message path hint }
    }
  }";

/// Starts the workflow of a schedule now.
pub const SCHEDULE_TRIGGER: &str = "mutation ScheduleTrigger($input: ScheduleTriggerInput!) {
    scheduleTrigger(input: $input) {
      outcome { status reason detail run { id status } } userErrors { code message path hint }
    }
  }";

/// Sends events.
pub const EVENT_PUBLISH: &str = "mutation EventPublish($input: EventPublishInput!) {
    eventPublish(input: $input) {
      receipts { source eventId isDuplicate outcomes { triggerKey status reason detail run { id } } }
      userErrors { code message path hint }
    }
  }";

/// Fields of an approval that the commands print.
macro_rules! approval_fields {
    () => {
        "fragment ApprovalFields on Approval {
           id key message formSchema approvers quorum isOpen canResolve askedAt expiresAt
           votes { by decision note at } run { id }
         }"
    };
}

/// Votes on an approval.
pub const APPROVAL_RESOLVE: &str = concat!(
    "mutation ApprovalResolve($input: ApprovalResolveInput!) {
       approvalResolve(input: $input) {
         approval { ...ApprovalFields } userErrors { code message path hint ... on RunStateConflict { allowed } }
       }
     } ",
    approval_fields!()
);

/// Approvals that wait for a decision.
pub const APPROVALS: &str = concat!(
    "query Approvals($first: Int!, $filter: ApprovalFilter) {
       approvals(first: $first, filter: $filter) { nodes { ...ApprovalFields } }
     } ",
    approval_fields!()
);

/// Sends a signal.
pub const SIGNAL_SEND: &str = concat!(
    "mutation SignalSend($input: SignalSendInput!) {
       signalSend(input: $input) {
         run { ...RunFields } isReplay userErrors { code message path hint ... on RunStateConflict { allowed } }
       }
     } ",
    run_fields!()
);

/// Ends a task by its callback token.
pub const CALLBACK_COMPLETE: &str = concat!(
    "mutation CallbackComplete($input: CallbackCompleteInput!) {
       callbackComplete(input: $input) { task { ...TaskFields } userErrors { code message path hint } }
     } ",
    task_fields!()
);

/// Says that the work of a callback token goes on.
pub const CALLBACK_HEARTBEAT: &str = concat!(
    "mutation CallbackHeartbeat($input: CallbackHeartbeatInput!) {
       callbackHeartbeat(input: $input) { task { ...TaskFields } userErrors { code message path hint } }
     } ",
    task_fields!()
);

/// Runs a run again.
pub const RERUN: &str = concat!(
    "mutation RunRerun($input: RunRerunInput!) {
       runRerun(input: $input) {
         run { ...RunFields } userErrors { code message path hint ... on RunStateConflict { allowed } }
       }
     } ",
    run_fields!()
);

/// Sets the result of a task.
pub const OVERRIDE: &str = concat!(
    "mutation TaskOverride($input: TaskOverrideInput!) {
       taskOverride(input: $input) {
         task { ...TaskFields } userErrors { code message path hint ... on RunStateConflict { allowed } }
       }
     } ",
    task_fields!()
);

/// Fields of a dead letter that the commands print.
macro_rules! letter_fields {
    () => {
        "fragment LetterFields on DeadLetter {
           id kind status at workflow runId task attempt queue fingerprint resolvedAt resolvedBy reason
           error { category code message }
         }"
    };
}

/// Dead letters, newest first.
pub const DLQ_LIST: &str = concat!(
    "query DeadLetters($first: Int!, $filter: DeadLetterFilter) {
       deadLetters(first: $first, filter: $filter) { nodes { ...LetterFields } }
     } ",
    letter_fields!()
);

/// One dead letter.
pub const DLQ_SHOW: &str = "query DeadLetter($id: ID!) {
    deadLetter(id: $id) {
      id kind status at workflow runId task attempt queue fingerprint resolvedAt resolvedBy reason
      error { category code message details traceback } payload
    }
  }";

/// Dead letters by what they have in common.
pub const DLQ_GROUPS: &str = "query DeadLetterGroups($filter: DeadLetterFilter) {
    deadLetterGroups(filter: $filter) { fingerprint workflow category code summary count firstAt lastAt }
  }";

/// Tries dead letters again.
pub const DLQ_REPLAY: &str = concat!(
    "mutation DeadLetterReplay($input: DeadLetterIdsInput!) {
       deadLetterReplay(input: $input) {
         matched deadLetters { ...LetterFields } unresolved { deadLetterId message }
         userErrors { code message path hint }
       }
     } ",
    letter_fields!()
);

/// Discards dead letters.
pub const DLQ_DISCARD: &str = concat!(
    "mutation DeadLetterDiscard($input: DeadLetterDiscardInput!) {
       deadLetterDiscard(input: $input) {
         matched deadLetters { ...LetterFields } unresolved { deadLetterId message }
         userErrors { code message path hint }
       }
     } ",
    letter_fields!()
);

/// Circuit breakers by key.
pub const CIRCUITS: &str = "query Circuits($first: Int!, $after: String) {
    circuits(first: $first, after: $after) {
      nodes { key state failures openedAt probeAt } pageInfo { hasNextPage endCursor }
    }
  }";

/// Closes a circuit breaker.
pub const CIRCUIT_RESET: &str = "mutation CircuitReset($input: CircuitResetInput!) {
    circuitReset(input: $input) {
      circuit { key state failures openedAt probeAt } userErrors { code message path hint }
    }
  }";

macro_rules! trigger_fields {
    () => {
        "fragment TriggerFields on Trigger {
           id key kind workflow { key } origin match dedupe rateLimit inputs path hasSecret secretGeneration
           previousSecretExpiresAt isEnabled isPaused pauseReason pausedBy createdAt createdBy
         }"
    };
}

/// Triggers by key.
pub const TRIGGERS: &str = concat!(
    "query Triggers($first: Int!, $after: String, $workflow: String) {
       triggers(first: $first, after: $after, workflow: $workflow) {
         nodes { ...TriggerFields } pageInfo { hasNextPage endCursor }
       }
     } ",
    trigger_fields!()
);

/// One trigger, by its key or by its id.
pub const TRIGGER: &str = concat!(
    "query Trigger($key: String!, $id: ID!) {
       trigger(key: $key) { ...TriggerFields } node(id: $id) { ... on Trigger { ...TriggerFields } }
     } ",
    trigger_fields!()
);

/// Makes a webhook.
pub const WEBHOOK_CREATE: &str = concat!(
    "mutation WebhookCreate($input: WebhookCreateInput!) {
       webhookCreate(input: $input) { trigger { ...TriggerFields } secret userErrors { code message path hint } }
     } ",
    trigger_fields!()
);

/// Gives a webhook a new secret.
pub const WEBHOOK_ROTATE: &str = concat!(
    "mutation WebhookRotateSecret($input: WebhookRotateSecretInput!) {
       webhookRotateSecret(input: $input) { trigger { ...TriggerFields } secret userErrors { code message path hint } }
     } ",
    trigger_fields!()
);

/// Pauses a trigger.
pub const TRIGGER_PAUSE: &str = concat!(
    "mutation TriggerPause($input: TriggerIdInput!) {
       triggerPause(input: $input) { trigger { ...TriggerFields } userErrors { code message path hint } }
     } ",
    trigger_fields!()
);

/// Resumes a trigger.
pub const TRIGGER_RESUME: &str = concat!(
    "mutation TriggerResume($input: TriggerIdInput!) {
       triggerResume(input: $input) { trigger { ...TriggerFields } userErrors { code message path hint } }
     } ",
    trigger_fields!()
);

/// Deletes a webhook.
pub const TRIGGER_DELETE: &str = "mutation TriggerDelete($input: TriggerIdInput!) {
    triggerDelete(input: $input) { deletedId userErrors { code message path hint } }
  }";
