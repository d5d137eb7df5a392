/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';
/** For or against. */
export type ApprovalDecision =
  /** For it. */
  | 'APPROVE'
  /** Against it. */
  | 'REJECT';

/** How an approval is decided that nobody decided in time. */
export type ApprovalExpiry =
  /** As approved. */
  | 'APPROVE'
  /** The task is `TIMED_OUT`. */
  | 'FAIL'
  /** As rejected. */
  | 'REJECT';

/** Which approvals. */
export type ApprovalFilter = {
  /** Only those that the caller may decide and has not voted on. */
  mine?: boolean | null | undefined;
  /** Only those of this run. */
  run?: string | number | null | undefined;
};

/** Arguments of `approvalResolve`. */
export type ApprovalResolveInput = {
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** For or against. */
  decision: ApprovalDecision;
  /** The filled form; an object that fits the approval's `formSchema`. */
  form?: unknown;
  /** A note, kept with the decision. */
  note?: string | null | undefined;
  /** Id of the run. */
  run: string | number;
  /** Key of the task; an item of a fan-out as `ask[3]`. */
  task: string;
};

/** How an attempt stands. New values may be added. */
export type AttemptStatus =
  /** It is no longer wanted. */
  | 'CANCELLED'
  /** It ended with a failure. */
  | 'FAILED'
  /** Its worker is gone. */
  | 'LOST'
  /** Its message is on the way to a worker. */
  | 'QUEUED'
  /** A worker has said that it runs. */
  | 'RUNNING'
  /** It ended well. */
  | 'SUCCEEDED'
  /** It took too long. */
  | 'TIMED_OUT';

/** What is done to each run. */
export type BulkAction =
  /** As `runCancel`; of runs that have not ended. */
  | 'CANCEL'
  /** As `runPause`; of runs that wait or run and are not paused. */
  | 'PAUSE'
  /** As `runRerun`, from where `rerunFrom` says, with the same version and inputs; of runs that have ended. */
  | 'RERUN'
  /** As `runResume`; of paused runs. */
  | 'RESUME'
  /** As `taskRetry` of each failed task; of runs that failed or timed out. */
  | 'RETRY_FAILED';

/** Where each run of a `RERUN` begins. Chosen tasks are for `runRerun`. */
export type BulkRerunFrom =
  /** With what did not succeed, in the same run; of runs of which something did not. */
  | 'FAILED'
  /** At the beginning, each as a new run. */
  | 'START';

/** How far an operation is. */
export type BulkStatus =
  /** Every run is decided. */
  | 'FINISHED'
  /** Accepted; nothing is done yet. */
  | 'PENDING'
  /** At work. */
  | 'RUNNING';

/** How a run is cancelled. */
export type CancelMode =
  /** Running attempts get the workflow's `cancel_grace`. */
  | 'GRACEFUL'
  /** The run ends at once. */
  | 'NOW';

/** What happens to times of a schedule that nobody looked at in time, as while the server was down. */
export type CatchUpPolicy =
  /** Those within the window start, oldest first, up to the limit. */
  | 'ALL'
  /** The newest one within the window starts. */
  | 'LATEST'
  /** They are skipped. */
  | 'NONE';

/** Which span of time. */
export type DateTimeFilter = {
  /** After this moment. */
  gt?: string | null | undefined;
  /** At or after this moment. */
  gte?: string | null | undefined;
  /** Before this moment. */
  lt?: string | null | undefined;
  /** At or before this moment. */
  lte?: string | null | undefined;
};

/** Names dead letters to discard. */
export type DeadLetterDiscardInput = {
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** Only count. */
  dryRun?: boolean;
  /** All that the filter takes. */
  filter?: DeadLetterFilter | null | undefined;
  /** All of this group. */
  fingerprint?: string | null | undefined;
  /** A repeated request with the same key answers as before. */
  idempotencyKey?: string | null | undefined;
  /** Ids of letters, 1,000 at most. */
  ids?: Array<string | number> | null | undefined;
  /** Why they are not worth another try. */
  reason: string;
};

/** Which dead letters; all conditions must hold. */
export type DeadLetterFilter = {
  /** When it was kept. */
  at?: DateTimeFilter | null | undefined;
  /** Code of the failure. */
  code?: string | null | undefined;
  /** Of this group. */
  fingerprint?: string | null | undefined;
  /** Of these kinds. */
  kinds?: Array<DeadLetterKind> | null | undefined;
  /** Id of the run. */
  run?: string | number | null | undefined;
  /** By status. */
  status?: DeadLetterStatusFilter | null | undefined;
  /** Key of the task; an item of a fan-out as `clean[42]`. */
  task?: string | null | undefined;
  /** Key of the workflow. */
  workflow?: string | null | undefined;
};

/** Names dead letters: by id, by group, or by filter. Filters and groups mean open letters, 1,000 at most at once. */
export type DeadLetterIdsInput = {
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** Only count. */
  dryRun?: boolean;
  /** All that the filter takes. */
  filter?: DeadLetterFilter | null | undefined;
  /** All of this group. */
  fingerprint?: string | null | undefined;
  /** A repeated request with the same key answers as before. */
  idempotencyKey?: string | null | undefined;
  /** Ids of letters, 1,000 at most. */
  ids?: Array<string | number> | null | undefined;
};

/** What came to its end. New values may be added. */
export type DeadLetterKind =
  /** A task message that was received too often without an end of its attempt. */
  | 'MESSAGE_POISON'
  /** An attempt whose message could not be sent. */
  | 'MESSAGE_UNDELIVERABLE'
  /** A message in the dead-letter queue of a task queue that is not a task message. */
  | 'QUEUE_DLQ'
  /** A task with `on_exhausted: dead_letter` that used up its attempts. */
  | 'TASK';

/** What became of a dead letter. New values may be added. */
export type DeadLetterStatus =
  /** Somebody decided that it is not worth another try. */
  | 'DISCARDED'
  /** It waits for a person. */
  | 'OPEN'
  /** What it is about was tried again. */
  | 'REPLAYED';

/** Which statuses of dead letters. */
export type DeadLetterStatusFilter = {
  /** This status. */
  eq?: DeadLetterStatus | null | undefined;
  /** One of these statuses. */
  in?: Array<DeadLetterStatus> | null | undefined;
};

/** The form a workflow file was written in. */
export type Dialect =
  /** A list of tasks with `action_type`. */
  | 'ACTIONS'
  /** Tasks with `command` or `callable`. */
  | 'COMMANDS'
  /** `dag.nodes` with `handler`. */
  | 'NODES'
  /** Runnel's own format. */
  | 'V1';

/** What daylight saving does to a time of a schedule. */
export type DstMark =
  /** Clocks went back since the time before. */
  | 'AFTER_BACK'
  /** Clocks went forward since the time before. */
  | 'AFTER_FORWARD'
  /** The wall-clock time does not exist that day; this is the first moment after the gap. */
  | 'GAP'
  /** The wall-clock time exists twice that day; this is the first. */
  | 'OVERLAP';

/** Which lengths of time. */
export type DurationFilter = {
  /** Longer than this. */
  gt?: string | null | undefined;
  /** This long or longer. */
  gte?: string | null | undefined;
  /** Shorter than this. */
  lt?: string | null | undefined;
  /** This long or shorter. */
  lte?: string | null | undefined;
};

/** Codes of user errors. Each has a page, served at `docsUrl`. New values may be added. */
export type ErrorCode =
  /** The caller may not decide this approval. */
  | 'APPROVAL_FORBIDDEN'
  /** There is no such backfill. */
  | 'BACKFILL_NOT_FOUND'
  /** The token is no callback token of this server. */
  | 'CALLBACK_TOKEN_INVALID'
  /** The callback token has been used, or its attempt is over. */
  | 'CALLBACK_TOKEN_USED'
  /** There is no such dead letter. */
  | 'DEAD_LETTER_NOT_FOUND'
  /** The idempotency key was used for another request. */
  | 'IDEMPOTENCY_CONFLICT'
  /** An input does not fit. */
  | 'INPUT_INVALID'
  /** The key is taken by another one. */
  | 'KEY_TAKEN'
  /** There is a namespace of this name already. */
  | 'NAMESPACE_EXISTS'
  /** There is no namespace of this name. */
  | 'NAMESPACE_NOT_FOUND'
  /** It is part of a workflow file. */
  | 'OWNED_BY_FILE'
  /** It was changed since it was read. */
  | 'REVISION_CONFLICT'
  /** There is no such run. */
  | 'RUN_NOT_FOUND'
  /** The state of the run does not allow it. */
  | 'RUN_STATE_CONFLICT'
  /** There is no such schedule. */
  | 'SCHEDULE_NOT_FOUND'
  /** There is no such secret. */
  | 'SECRET_NOT_FOUND'
  /** The run has no such task. */
  | 'TASK_NOT_FOUND'
  /** A value is over its limit. */
  | 'TOO_LARGE'
  /** There is no such trigger. */
  | 'TRIGGER_NOT_FOUND'
  /** The workflow has no such version. */
  | 'VERSION_NOT_FOUND'
  /** The workflow file has problems; see `diagnostics`. */
  | 'WORKFLOW_INVALID'
  /** There is no workflow with this key. */
  | 'WORKFLOW_NOT_FOUND';

/** Which events; all conditions must hold. */
export type EventFilter = {
  /** Who, for what a person or a worker did. */
  actor?: string | null | undefined;
  /** All of these hold. */
  and?: Array<EventFilter> | null | undefined;
  /** When. */
  at?: DateTimeFilter | null | undefined;
  /** In this attempt. */
  attempt?: number | null | undefined;
  /** What happened. */
  kind?: EventKindFilter | null | undefined;
  /** This does not hold. */
  not?: EventFilter | null | undefined;
  /** One of these holds. */
  or?: Array<EventFilter> | null | undefined;
  /** Why, as an UPPER_SNAKE word. */
  reason?: string | null | undefined;
  /** Id of the run. */
  run?: string | number | null | undefined;
  /** Key of the task. */
  task?: string | null | undefined;
};

/** What an event says has happened. New values may be added. */
export type EventKind =
  /** A person decided on an approval. */
  | 'APPROVAL_DECIDED'
  /** Further people may approve. */
  | 'APPROVAL_ESCALATED'
  /** Those who may approve were reminded. */
  | 'APPROVAL_REMINDED'
  /** One attempt failed. */
  | 'ATTEMPT_FAILED'
  /** The worker of an attempt is gone. */
  | 'ATTEMPT_LOST'
  /** One attempt took too long. */
  | 'ATTEMPT_TIMED_OUT'
  /** The callback token of the attempt was used. */
  | 'CALLBACK_RECEIVED'
  /** The child run ended. */
  | 'CHILD_ENDED'
  /** The child run was accepted. */
  | 'CHILD_STARTED'
  /** A dead letter was kept. */
  | 'DEAD_LETTERED'
  /** An event arrived that the task waited for. */
  | 'EVENT_RECEIVED'
  /** An operator changed the limits of a fan-out. */
  | 'FANOUT_LIMITS_CHANGED'
  /** A report came too late and changed nothing. */
  | 'LATE_REPORT'
  /** The next attempt has its time. */
  | 'RETRY_SCHEDULED'
  /** The run ended by a cancel. */
  | 'RUN_CANCELLED'
  /** Somebody asked for a cancel. */
  | 'RUN_CANCEL_REQUESTED'
  /** The run ended and was undone. */
  | 'RUN_COMPENSATED'
  /** Succeeded tasks begin to be undone. */
  | 'RUN_COMPENSATING'
  /** The run ended, and undoing failed. */
  | 'RUN_COMPENSATION_FAILED'
  /** The run was accepted. */
  | 'RUN_CREATED'
  /** The run failed. */
  | 'RUN_FAILED'
  /** Nothing new starts until the run is resumed. */
  | 'RUN_PAUSED'
  /** An operator's retry opened an ended run again. */
  | 'RUN_REOPENED'
  /** An operator asked to run tasks again. */
  | 'RUN_RERUN_REQUESTED'
  /** The pause is over. */
  | 'RUN_RESUMED'
  /** The run took longer than its `sla`; only an alert. */
  | 'RUN_SLA_MISSED'
  /** The first tasks became ready. */
  | 'RUN_STARTED'
  /** The run ended well. */
  | 'RUN_SUCCEEDED'
  /** The run ended by its timeout. */
  | 'RUN_TIMED_OUT'
  /** The run gave up its start: its concurrency group was full. */
  | 'RUN_TURNED'
  /** A signal was sent to the run. */
  | 'SIGNAL_RECEIVED'
  /** The task took a kept result. */
  | 'TASK_CACHED'
  /** The task was cancelled. */
  | 'TASK_CANCELLED'
  /** The retries are used up. */
  | 'TASK_EXHAUSTED'
  /** A fan-out made its items. */
  | 'TASK_EXPANDED'
  /** The task failed for good. */
  | 'TASK_FAILED'
  /** An operator set the result. */
  | 'TASK_OVERRIDDEN'
  /** The task's message was put into the outbox. */
  | 'TASK_QUEUED'
  /** The upstreams allow the task. */
  | 'TASK_READY'
  /** One round of a loop ended; the next one follows. */
  | 'TASK_REPEATED'
  /** An operator asked for another attempt. */
  | 'TASK_RETRY_REQUESTED'
  /** The task will not run. */
  | 'TASK_SKIPPED'
  /** An operator asked to skip the task. */
  | 'TASK_SKIP_REQUESTED'
  /** The task took longer than its `sla`; only an alert. */
  | 'TASK_SLA_MISSED'
  /** A worker said that the attempt runs. */
  | 'TASK_STARTED'
  /** The task ended well. */
  | 'TASK_SUCCEEDED'
  /** The task ended by a timeout. */
  | 'TASK_TIMED_OUT'
  /** The task waits for a time, an event or a person. */
  | 'TASK_WAITING';

/** Which kinds of events. */
export type EventKindFilter = {
  /** This kind. */
  eq?: EventKind | null | undefined;
  /** One of these kinds; at least one must be named. */
  in?: Array<EventKind> | null | undefined;
};

/** What a message of the `events` subscription is. */
export type EventMessageKind =
  /** One event. */
  | 'EVENT'
  /** The cursor asked for is unknown or no longer kept: read what is needed anew, then subscribe without one. */
  | 'EXPIRED'
  /** The server could not keep up with this subscription and ends it: resume after the cursor, nothing is lost. */
  | 'LAGGED'
  /** The first message: the place from which events follow. */
  | 'SYNC';

/** Kind of a failure, chosen by what failed; decides about a retry. */
export type FailureCategory =
  /** An expression of the workflow failed. */
  | 'EXPRESSION'
  /** The task's input does not fit. */
  | 'INPUT'
  /** A fault of Runnel itself. */
  | 'INTERNAL'
  /** The worker is gone. */
  | 'LOST'
  /** The other side asked to slow down. */
  | 'RATE_LIMITED'
  /** It took too long. */
  | 'TIMEOUT'
  /** The other side refused the credentials. */
  | 'UNAUTHORISED'
  /** The other side could not be reached or answered that it cannot serve. */
  | 'UNAVAILABLE'
  /** The task's own work failed. */
  | 'USER';

/** Which whole numbers. */
export type IntFilter = {
  /** This number. */
  eq?: number | null | undefined;
  /** This number or more. */
  gte?: number | null | undefined;
  /** This number or less. */
  lte?: number | null | undefined;
};

/** What a message of the `taskLogs` subscription is. */
export type LogMessageKind =
  /** The task has ended and everything was sent. */
  | 'END'
  /** Some lines of one attempt. */
  | 'LINES'
  /** First message: where the lines begin. */
  | 'SYNC';

/** Where a log line came from. */
export type LogStream =
  /** Standard error of a command. */
  | 'STDERR'
  /** Standard output of a command. */
  | 'STDOUT'
  /** The worker or handler itself. */
  | 'SYSTEM';

/** What a start does when a run holds its idempotency key already. */
export type OnConflict =
  /** Cancels that run if it goes on, takes the key from it, and starts. The same request is a replay all the same. */
  | 'CANCEL_EXISTING'
  /** Is refused, also when the request is the same. */
  | 'FAIL'
  /** Answers that run, whatever it was started with. */
  | 'RETURN_EXISTING';

/** What happens to a time of a schedule while a run of it goes on. */
export type OverlapPolicy =
  /** It starts beside the run. */
  | 'ALLOW'
  /** It waits for its turn; 100 at most wait. */
  | 'BUFFER_ALL'
  /** It waits for the end of the run, if no other waits already. */
  | 'BUFFER_ONE'
  /** The run is cancelled; the newest time starts when it has ended. */
  | 'CANCEL_OTHER'
  /** It is skipped. */
  | 'SKIP';

/** A failure set by hand. */
export type OverrideError = {
  /** Stable code. */
  code?: string;
  /** One sentence. */
  message: string;
};

/** The result that a task is given by hand. */
export type OverrideResult =
  /** It counts as failed, with `error`. */
  | 'FAIL'
  /** It counts as succeeded, with `output`. */
  | 'SUCCEED';

/** What the caller may do; the scopes of tokens. */
export type Permission =
  /** `audit:read`: read the audit log. */
  | 'AUDIT_READ'
  /** `namespaces:write`: make namespaces. */
  | 'NAMESPACES_WRITE'
  /** `runs:operate`: start runs and operate on them. */
  | 'RUNS_OPERATE'
  /** `runs:read`: read runs, tasks, events and logs. */
  | 'RUNS_READ'
  /** List, store and delete secrets; nobody may read their values. */
  | 'SECRETS_WRITE'
  /** `workers:report`: report on attempts. */
  | 'WORKERS_REPORT'
  /** `workflows:read`: read workflows and their versions. */
  | 'WORKFLOWS_READ'
  /** `workflows:write`: publish workflows. */
  | 'WORKFLOWS_WRITE';

/** Where a rerun begins. */
export type RerunFrom =
  /** With what did not succeed; good results are kept. */
  | 'FAILED'
  /** At the beginning, keeping nothing; always a new run. */
  | 'START'
  /** With the named tasks and everything downstream of them; other good results are kept. */
  | 'TASKS';

/** Arguments of `runCancel`. */
export type RunCancelInput = {
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** Id of the run. */
  id: string | number;
  /** How. */
  mode?: CancelMode;
  /** Why; kept in the history. */
  reason?: string | null | undefined;
};

/** Which runs; all conditions must hold. A condition on what a run does not have, as `finishedAt` of one that runs, does not. */
export type RunFilter = {
  /** All of these hold. */
  and?: Array<RunFilter> | null | undefined;
  /** When the run was accepted. */
  createdAt?: DateTimeFilter | null | undefined;
  /** Who started it. */
  createdBy?: StringFilter | null | undefined;
  /** From start to end. */
  duration?: DurationFilter | null | undefined;
  /** When the run ended. */
  finishedAt?: DateTimeFilter | null | undefined;
  /** Whether a failure was tolerated. */
  hasToleratedFailures?: boolean | null | undefined;
  /** The id begins so: hexadecimal digits, with or without `run_`. */
  idPrefix?: string | null | undefined;
  /** Started with this idempotency key. */
  idempotencyKey?: string | null | undefined;
  /** Whether the run is paused. */
  isPaused?: boolean | null | undefined;
  /** This does not hold. */
  not?: RunFilter | null | undefined;
  /** One of these holds. */
  or?: Array<RunFilter> | null | undefined;
  /** Id of the run whose tasks started it; nothing has the parent of an id that is none. */
  parent?: string | number | null | undefined;
  /** 0 to 100. */
  priority?: IntFilter | null | undefined;
  /** When the first task became ready. */
  startedAt?: DateTimeFilter | null | undefined;
  /** By status. */
  status?: RunStatusFilter | null | undefined;
  /** Has this tag. */
  tag?: string | null | undefined;
  /** Has all of these tags. */
  tags?: Array<string> | null | undefined;
  /** Number of the version. */
  version?: IntFilter | null | undefined;
  /** Key of the workflow. */
  workflow?: string | null | undefined;
  /** Key of the workflow, by comparison. */
  workflowKey?: StringFilter | null | undefined;
};

/** Names a run. */
export type RunIdInput = {
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** Id of the run. */
  id: string | number;
  /** Why; kept in the history where the operation has a place for it. */
  reason?: string | null | undefined;
};

/** Arguments of `runRerun`. */
export type RunRerunInput = {
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** Where to begin. */
  from?: RerunFrom;
  /** Id of the run; it must have ended. */
  id: string | number;
  /** A repeated request with the same key answers as before. */
  idempotencyKey?: string | null | undefined;
  /** Other inputs: an object that fits the workflow's schema; those of the run when null. Other inputs make a new run. */
  inputs?: unknown;
  /** Make a new run also where the same one could go on. */
  newRun?: boolean;
  /** Why; kept in the history. */
  reason?: string | null | undefined;
  /** Keys of the tasks, for `from: TASKS`. */
  tasks?: Array<string> | null | undefined;
  /** A number, or "LATEST"; that of the run when null. Another version makes a new run. */
  version?: unknown;
};

/** Arguments of `runStart`. */
export type RunStartInput = {
  /** Start at this moment, at most 366 days ahead: the answer has a schedule and no run. */
  at?: string | null | undefined;
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** Start after so long, at most 366 days: the answer has a schedule and no run. */
  delay?: string | null | undefined;
  /** A repeated start with the same key answers the same run. */
  idempotencyKey?: string | null | undefined;
  /** Inputs: an object that fits the workflow's schema. */
  inputs?: unknown;
  /** What to do when another run holds the idempotency key; when null, the same request answers it and another is refused. */
  onConflict?: OnConflict | null | undefined;
  /** 0 to 100; the workflow's when null. */
  priority?: number | null | undefined;
  /** Tags besides the workflow's. */
  tags?: Array<string> | null | undefined;
  /** Whether tasks with `cache` may take the result of an earlier run. Their own results are kept in any case. */
  useCache?: boolean;
  /** Number of the version; the newest when null. */
  version?: number | null | undefined;
  /** Key of the workflow. */
  workflow: string;
};

/** Status of a run. New values may be added: treat an unknown one as not terminal. */
export type RunStatus =
  /** Ended by a cancel. */
  | 'CANCELLED'
  /** A cancel is in force; running attempts have their grace. */
  | 'CANCELLING'
  /** Ended and undone. */
  | 'COMPENSATED'
  /** The run did not succeed and succeeded tasks are being undone. */
  | 'COMPENSATING'
  /** Ended, and undoing failed. */
  | 'COMPENSATION_FAILED'
  /** Ended with a failure that was not tolerated. */
  | 'FAILED'
  /** Accepted; no task is ready yet. */
  | 'PENDING'
  /** Tasks run, wait or are queued. */
  | 'RUNNING'
  /** Ended well. */
  | 'SUCCEEDED'
  /** Ended by the workflow's timeout. */
  | 'TIMED_OUT';

/** Which run statuses. */
export type RunStatusFilter = {
  /** This status. */
  eq?: RunStatus | null | undefined;
  /** One of these statuses; at least one must be named. */
  in?: Array<RunStatus> | null | undefined;
  /** None of these statuses; at least one must be named. */
  notIn?: Array<RunStatus> | null | undefined;
};

/** What a message of the `runUpdates` subscription is. */
export type RunUpdateKind =
  /** The run has ended and everything was sent. */
  | 'END'
  /** The run and the tasks that changed: merge by task id. */
  | 'PATCH'
  /** The run and its tasks as they are: replace what is known. */
  | 'SNAPSHOT';

/** Arguments of `runsBulk`. */
export type RunsBulkInput = {
  /** What is done to each run. */
  action: BulkAction;
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** Count what matches, do nothing. */
  dryRun?: boolean;
  /** To which runs; of them those that the action is legal for. `{}` means all. */
  filter: RunFilter;
  /** A repeated request with the same key answers the same operation. */
  idempotencyKey?: string | null | undefined;
  /** To how many at most, 1 to 10,000: the newest first. */
  limit?: number;
  /** How runs are cancelled; of no meaning to other actions. */
  mode?: CancelMode;
  /** Further condition: a small part of CEL, see the page of FILTER_INVALID. */
  query?: string | null | undefined;
  /** Why; kept in the history of each run. */
  reason?: string | null | undefined;
  /** Where each run begins again; of no meaning to other actions than `RERUN`. */
  rerunFrom?: BulkRerunFrom;
};

/** Names a schedule. */
export type ScheduleIdInput = {
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** Id of the schedule. */
  id: string | number;
  /** Why; kept with the schedule where the operation has a place for it. */
  reason?: string | null | undefined;
};

/** Arguments of `scheduleTrigger`. */
export type ScheduleTriggerInput = {
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** Id of the schedule. */
  id: string | number;
  /** A repeated request with the same key answers the same run. */
  idempotencyKey?: string | null | undefined;
};

/** How bad a diagnostic is. */
export type Severity =
  /** The file is refused. */
  | 'ERROR'
  /** The file is accepted; look at it. */
  | 'WARNING';

/** Which texts. Letters are compared as they are. */
export type StringFilter = {
  /** Has this somewhere. */
  contains?: string | null | undefined;
  /** This text. */
  eq?: string | null | undefined;
  /** One of these texts; at least one must be named. */
  in?: Array<string> | null | undefined;
  /** Begins with this. */
  startsWith?: string | null | undefined;
};

/** Names a task. */
export type TaskIdInput = {
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** Why; kept in the history where the operation has a place for it. */
  reason?: string | null | undefined;
  /** Id of the run. */
  run: string | number;
  /** Key of the task; an item of a fan-out as `clean[42]`. */
  task: string;
};

/** Arguments of `taskOverride`. */
export type TaskOverrideInput = {
  /** Echoed in the answer. */
  clientMutationId?: string | null | undefined;
  /** Its failure, for `FAIL`. */
  error?: OverrideError | null | undefined;
  /** A repeated request with the same key answers as before. */
  idempotencyKey?: string | null | undefined;
  /** Its output, for `SUCCEED`. */
  output?: unknown;
  /** Why; kept in the history. */
  reason?: string | null | undefined;
  /** How the task ends. */
  result: OverrideResult;
  /** Id of the run. */
  run: string | number;
  /** Key of the task; an item of a fan-out as `clean[42]`. */
  task: string;
};

/** Status of a task. New values may be added: treat an unknown one as not terminal. */
export type TaskStatus =
  /** Waits for upstreams. */
  | 'BLOCKED'
  /** Took an earlier result. */
  | 'CACHED'
  /** Ended by a cancel. */
  | 'CANCELLED'
  /** Ended with a failure. */
  | 'FAILED'
  /** Its message is on the way to a worker. */
  | 'QUEUED'
  /** Eligible; waits for a slot, a worker or the end of a pause. */
  | 'READY'
  /** Waits for the delay before its next attempt. */
  | 'RETRY_WAIT'
  /** A worker has said that it runs. */
  | 'RUNNING'
  /** Never ran: its condition was false, or an upstream rules it out. */
  | 'SKIPPED'
  /** Ended well. */
  | 'SUCCEEDED'
  /** Ended by a timeout. */
  | 'TIMED_OUT'
  /** Waits for a timer, an event or a person; takes no worker. */
  | 'WAITING';

/** Kinds of what starts runs. New values may be added. */
export type TriggerKind =
  /** The backfill of a schedule. */
  | 'BACKFILL'
  /** An event. */
  | 'EVENT'
  /** A schedule, because somebody said "now". */
  | 'MANUAL'
  /** A schedule, at its time. */
  | 'SCHEDULE'
  /** A webhook. */
  | 'WEBHOOK';

/** Who made a schedule or a trigger. */
export type TriggerOrigin =
  /** Somebody through the API. */
  | 'API'
  /** The `triggers` of a workflow file. */
  | 'FILE'
  /** A start with a delay. */
  | 'START';

/** What became of a time of a schedule or of an event. New values may be added. */
export type TriggerOutcomeStatus =
  /** It waits for a run to end. */
  | 'BUFFERED'
  /** It had a run already, or the event had come before. */
  | 'DEDUPED'
  /** The trigger is about other events. */
  | 'FILTERED'
  /** Too many in a time. */
  | 'RATE_LIMITED'
  /** It cannot have a run: the inputs do not fit, the signature is wrong. */
  | 'REJECTED'
  /** It has no run: another one goes on, or it was missed. */
  | 'SKIPPED'
  /** It has a run. */
  | 'STARTED'
  /** Its run is being started. */
  | 'STARTING';

export type RunRowFragment = { id: string, status: RunStatus, isPaused: boolean, hasToleratedFailures: boolean, createdAt: string, startedAt: string | null, finishedAt: string | null, duration: string | null, createdBy: string, tags: Array<string>, priority: number, workflow: { key: string, name: string }, version: { number: number }, counts: { total: number, succeeded: number, failed: number, running: number }, error: { code: string, message: string } | null };

type Problem_IdempotencyConflict_Fragment = { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null };

type Problem_InputError_Fragment = { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null };

type Problem_LimitError_Fragment = { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null };

type Problem_NotFoundError_Fragment = { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null };

type Problem_RunStateConflict_Fragment = { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null };

type Problem_ValidationError_Fragment = { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null };

export type ProblemFragment =
  | Problem_IdempotencyConflict_Fragment
  | Problem_InputError_Fragment
  | Problem_LimitError_Fragment
  | Problem_NotFoundError_Fragment
  | Problem_RunStateConflict_Fragment
  | Problem_ValidationError_Fragment
;

export type DiagnosticFieldsFragment = { code: string, severity: Severity, message: string, help: string | null, path: string, line: number | null, column: number | null, offset: number | null, length: number | null, labels: Array<{ text: string, line: number, column: number, offset: number, length: number }> };

export type LayoutFieldsFragment = { width: number, height: number, nodeWidth: number, nodeHeight: number, keys: Array<string>, types: Array<string>, fanouts: Array<number>, approvals: Array<number>, x: Array<number>, y: Array<number>, ranks: Array<number>, edges: Array<number>, bendCounts: Array<number>, bends: Array<number> };

export type FailureFieldsFragment = { code: string, category: FailureCategory, message: string, isRetryable: boolean, details: unknown, traceback: string | null };

export type CountsFieldsFragment = { total: number, blocked: number, ready: number, queued: number, running: number, waiting: number, retryWait: number, succeeded: number, failed: number, timedOut: number, skipped: number, cancelled: number, cached: number };

export type OverviewQueryVariables = Exact<{
  since: string;
}>;


export type OverviewQuery = { running: { totalCount: { value: number, isExact: boolean } | null, nodes: Array<{ id: string, status: RunStatus, isPaused: boolean, hasToleratedFailures: boolean, createdAt: string, startedAt: string | null, finishedAt: string | null, duration: string | null, createdBy: string, tags: Array<string>, priority: number, workflow: { key: string, name: string }, version: { number: number }, counts: { total: number, succeeded: number, failed: number, running: number }, error: { code: string, message: string } | null }> }, pending: { totalCount: { value: number, isExact: boolean } | null, nodes: Array<{ id: string }> }, failed: { totalCount: { value: number, isExact: boolean } | null, nodes: Array<{ id: string, status: RunStatus, isPaused: boolean, hasToleratedFailures: boolean, createdAt: string, startedAt: string | null, finishedAt: string | null, duration: string | null, createdBy: string, tags: Array<string>, priority: number, workflow: { key: string, name: string }, version: { number: number }, counts: { total: number, succeeded: number, failed: number, running: number }, error: { code: string, message: string } | null }> }, finished: { totalCount: { value: number, isExact: boolean } | null, nodes: Array<{ id: string, status: RunStatus, duration: string | null, finishedAt: string | null }> }, approvals: { pageInfo: { hasNextPage: boolean }, nodes: Array<{ id: string, key: string, message: string, askedAt: string, run: { id: string, workflow: { key: string, name: string } } }> }, deadLetterGroups: Array<{ fingerprint: string, count: number }>, workflows: { totalCount: { value: number, isExact: boolean } | null, nodes: Array<{ id: string }> }, serverInfo: { version: string } };

export type InboxQueryVariables = Exact<{ [key: string]: never; }>;


export type InboxQuery = { approvals: { pageInfo: { hasNextPage: boolean }, nodes: Array<{ id: string }> }, deadLetterGroups: Array<{ fingerprint: string, count: number }>, viewer: { name: string, namespace: string, permissions: Array<Permission> } };

export type WorkflowsQueryVariables = Exact<{
  text?: string | null | undefined;
  after?: string | null | undefined;
}>;


export type WorkflowsQuery = { workflows: { totalCount: { value: number, isExact: boolean } | null, pageInfo: { hasNextPage: boolean, endCursor: string | null }, nodes: Array<{ id: string, key: string, name: string, latestVersion: number, updatedAt: string, recentRuns: Array<{ id: string, status: RunStatus, duration: string | null, createdAt: string }>, schedules: { nodes: Array<{ id: string, key: string, cron: string | null, every: string | null, at: string | null, isPaused: boolean, nextRunAt: string | null }> } }> } };

export type WorkflowQueryVariables = Exact<{
  key: string;
}>;


export type WorkflowQuery = { workflow: { id: string, key: string, name: string, latestVersion: number, createdAt: string, updatedAt: string, version: { id: string, number: number, source: string, taskCount: number, dialect: Dialect, createdAt: string, createdBy: string, layout: { width: number, height: number, nodeWidth: number, nodeHeight: number, keys: Array<string>, types: Array<string>, fanouts: Array<number>, approvals: Array<number>, x: Array<number>, y: Array<number>, ranks: Array<number>, edges: Array<number>, bendCounts: Array<number>, bends: Array<number> } | null } | null, recentRuns: Array<{ id: string, status: RunStatus, taskTable: { statuses: Array<TaskStatus>, attempts: Array<number> }, version: { number: number } }> } | null };

export type WorkflowRunsQueryVariables = Exact<{
  key: string;
  after?: string | null | undefined;
}>;


export type WorkflowRunsQuery = { workflow: { id: string, runs: { totalCount: { value: number, isExact: boolean } | null, pageInfo: { hasNextPage: boolean, endCursor: string | null }, nodes: Array<{ id: string, status: RunStatus, isPaused: boolean, hasToleratedFailures: boolean, createdAt: string, startedAt: string | null, finishedAt: string | null, duration: string | null, createdBy: string, tags: Array<string>, priority: number, workflow: { key: string, name: string }, version: { number: number }, counts: { total: number, succeeded: number, failed: number, running: number }, error: { code: string, message: string } | null }> } } | null };

export type WorkflowVersionsQueryVariables = Exact<{
  key: string;
  after?: string | null | undefined;
}>;


export type WorkflowVersionsQuery = { workflow: { id: string, versions: { pageInfo: { hasNextPage: boolean, endCursor: string | null }, nodes: Array<{ id: string, number: number, hash: string, createdAt: string, createdBy: string, taskCount: number, dialect: Dialect }> } } | null };

export type WorkflowVersionSourceQueryVariables = Exact<{
  key: string;
  number: number;
}>;


export type WorkflowVersionSourceQuery = { workflow: { id: string, version: { id: string, number: number, source: string } | null } | null };

export type WorkflowTriggersQueryVariables = Exact<{
  key: string;
}>;


export type WorkflowTriggersQuery = { workflow: { id: string, schedules: { nodes: Array<{ id: string, key: string, cron: string | null, every: string | null, at: string | null, timezone: string | null, isEnabled: boolean, isPaused: boolean, pauseReason: string | null, pausedBy: string | null, nextRunAt: string | null, overlap: OverlapPolicy, catchUp: CatchUpPolicy, origin: TriggerOrigin, workflow: { key: string, name: string }, nextRuns: Array<{ at: string, dst: DstMark | null, local: string }> }> }, triggers: { nodes: Array<{ id: string, key: string, kind: TriggerKind, isPaused: boolean, isEnabled: boolean, pauseReason: string | null, event: string | null, source: string | null, match: string | null, path: string | null, rateLimit: string | null, origin: TriggerOrigin, updatedAt: string }> } } | null };

export type RunFormQueryVariables = Exact<{
  key: string;
}>;


export type RunFormQuery = { workflow: { id: string, key: string, name: string, latestVersion: number, version: { id: string, number: number, inputs: unknown } | null, recentRuns: Array<{ id: string, inputs: unknown }> } | null };

export type RunsQueryVariables = Exact<{
  first: number;
  after?: string | null | undefined;
  filter?: RunFilter | null | undefined;
  query?: string | null | undefined;
}>;


export type RunsQuery = { runs: { totalCount: { value: number, isExact: boolean } | null, pageInfo: { hasNextPage: boolean, endCursor: string | null }, nodes: Array<{ id: string, status: RunStatus, isPaused: boolean, hasToleratedFailures: boolean, createdAt: string, startedAt: string | null, finishedAt: string | null, duration: string | null, createdBy: string, tags: Array<string>, priority: number, workflow: { key: string, name: string }, version: { number: number }, counts: { total: number, succeeded: number, failed: number, running: number }, error: { code: string, message: string } | null }> } };

export type RunHeadFragment = { id: string, status: RunStatus, isPaused: boolean, hasToleratedFailures: boolean, createdAt: string, startedAt: string | null, finishedAt: string | null, duration: string | null, createdBy: string, priority: number, tags: Array<string>, canCancel: boolean, canPause: boolean, canResume: boolean, canRerun: boolean, cursor: string, counts: { total: number, blocked: number, ready: number, queued: number, running: number, waiting: number, retryWait: number, succeeded: number, failed: number, timedOut: number, skipped: number, cancelled: number, cached: number }, error: { code: string, category: FailureCategory, message: string, isRetryable: boolean, details: unknown, traceback: string | null } | null, workflow: { key: string, name: string }, version: { id: string, number: number } };

export type RunQueryVariables = Exact<{
  id: string | number;
}>;


export type RunQuery = { run: { idempotencyKey: string | null, id: string, status: RunStatus, isPaused: boolean, hasToleratedFailures: boolean, createdAt: string, startedAt: string | null, finishedAt: string | null, duration: string | null, createdBy: string, priority: number, tags: Array<string>, canCancel: boolean, canPause: boolean, canResume: boolean, canRerun: boolean, cursor: string, parent: { id: string, workflow: { key: string } } | null, rerunOf: { id: string } | null, layout: { width: number, height: number, nodeWidth: number, nodeHeight: number, keys: Array<string>, types: Array<string>, fanouts: Array<number>, approvals: Array<number>, x: Array<number>, y: Array<number>, ranks: Array<number>, edges: Array<number>, bendCounts: Array<number>, bends: Array<number> } | null, taskTable: { statuses: Array<TaskStatus>, attempts: Array<number>, queuedAt: Array<string | null>, startedAt: Array<string | null>, finishedAt: Array<string | null> }, counts: { total: number, blocked: number, ready: number, queued: number, running: number, waiting: number, retryWait: number, succeeded: number, failed: number, timedOut: number, skipped: number, cancelled: number, cached: number }, error: { code: string, category: FailureCategory, message: string, isRetryable: boolean, details: unknown, traceback: string | null } | null, workflow: { key: string, name: string }, version: { id: string, number: number } } | null };

export type RunTableQueryVariables = Exact<{
  id: string | number;
}>;


export type RunTableQuery = { run: { id: string, status: RunStatus, isPaused: boolean, hasToleratedFailures: boolean, createdAt: string, startedAt: string | null, finishedAt: string | null, duration: string | null, createdBy: string, priority: number, tags: Array<string>, canCancel: boolean, canPause: boolean, canResume: boolean, canRerun: boolean, cursor: string, taskTable: { statuses: Array<TaskStatus>, attempts: Array<number>, queuedAt: Array<string | null>, startedAt: Array<string | null>, finishedAt: Array<string | null> }, counts: { total: number, blocked: number, ready: number, queued: number, running: number, waiting: number, retryWait: number, succeeded: number, failed: number, timedOut: number, skipped: number, cancelled: number, cached: number }, error: { code: string, category: FailureCategory, message: string, isRetryable: boolean, details: unknown, traceback: string | null } | null, workflow: { key: string, name: string }, version: { id: string, number: number } } | null };

export type RunUpdatesSubscriptionVariables = Exact<{
  id: string | number;
  after?: string | null | undefined;
}>;


export type RunUpdatesSubscription = { runUpdates: { kind: RunUpdateKind, cursor: string, isTruncated: boolean, run: { id: string, status: RunStatus, isPaused: boolean, hasToleratedFailures: boolean, createdAt: string, startedAt: string | null, finishedAt: string | null, duration: string | null, createdBy: string, priority: number, tags: Array<string>, canCancel: boolean, canPause: boolean, canResume: boolean, canRerun: boolean, cursor: string, counts: { total: number, blocked: number, ready: number, queued: number, running: number, waiting: number, retryWait: number, succeeded: number, failed: number, timedOut: number, skipped: number, cancelled: number, cached: number }, error: { code: string, category: FailureCategory, message: string, isRetryable: boolean, details: unknown, traceback: string | null } | null, workflow: { key: string, name: string }, version: { id: string, number: number } }, tasks: Array<{ index: number, key: string, status: TaskStatus, attempt: number, queuedAt: string | null, startedAt: string | null, finishedAt: string | null }> } };

export type RunDataQueryVariables = Exact<{
  id: string | number;
}>;


export type RunDataQuery = { run: { id: string, inputs: unknown, outputs: unknown, inputsPayload: { bytes: number, isTruncated: boolean, downloadUrl: string, inline: string } | null, outputsPayload: { bytes: number, isTruncated: boolean, downloadUrl: string, inline: string } | null } | null };

export type RunEventsQueryVariables = Exact<{
  id: string | number;
  after?: string | null | undefined;
  before?: string | null | undefined;
  first: number;
  last?: number | null | undefined;
}>;


export type RunEventsQuery = { run: { id: string, events: { totalCount: { value: number, isExact: boolean } | null, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, endCursor: string | null, startCursor: string | null }, nodes: Array<{ cursor: string, seq: number, kind: EventKind, task: string | null, attempt: number | null, at: string, actor: string | null, reason: string | null, data: unknown }> } } | null };

export type TaskQueryVariables = Exact<{
  run: string | number;
  task: string;
}>;


export type TaskQuery = { run: { id: string, status: RunStatus, task: { id: string, key: string, index: number, type: string, queue: string, status: TaskStatus, attempt: number, retries: number, losses: number, needs: Array<string>, worker: string | null, waitingFor: string | null, wakeAt: string | null, readyAt: string | null, queuedAt: string | null, startedAt: string | null, finishedAt: string | null, duration: string | null, canRetry: boolean, canSkip: boolean, canOverride: boolean, error: { code: string, category: FailureCategory, message: string, isRetryable: boolean, details: unknown, traceback: string | null } | null, progress: { current: number | null, total: number | null, fraction: number | null, message: string | null } | null, inputPayload: { bytes: number, isTruncated: boolean, downloadUrl: string, inline: string } | null, outputPayload: { bytes: number, isTruncated: boolean, downloadUrl: string, inline: string } | null, attempts: Array<{ number: number, status: AttemptStatus, worker: string | null, queuedAt: string | null, startedAt: string | null, finishedAt: string | null, duration: string | null, timeInQueue: string | null, error: { code: string, message: string } | null }>, itemCounts: { total: number, blocked: number, ready: number, queued: number, running: number, waiting: number, retryWait: number, succeeded: number, failed: number, timedOut: number, skipped: number, cancelled: number, cached: number } | null, childRun: { id: string, status: RunStatus, workflow: { key: string } } | null, approval: { id: string, key: string, message: string, approvers: Array<string>, quorum: number, askedAt: string, expiresAt: string | null, remindsAt: string | null, onExpire: ApprovalExpiry, isOpen: boolean, canResolve: boolean, isSelfApprovalRefused: boolean, formSchema: unknown, votes: Array<{ at: string, by: string, decision: ApprovalDecision, note: string | null }> } | null, blockers: Array<
        | { __typename: 'ApprovalBlocker', code: string, message: string }
        | { __typename: 'CallbackBlocker', code: string, message: string }
        | { __typename: 'ChildRunBlocker', code: string, message: string }
        | { __typename: 'CircuitBlocker', code: string, message: string }
        | { __typename: 'ConcurrencyBlocker', code: string, message: string }
        | { __typename: 'EventBlocker', code: string, message: string }
        | { __typename: 'ItemsBlocker', code: string, message: string }
        | { __typename: 'MainGraphBlocker', code: string, message: string }
        | { __typename: 'NoWorkerBlocker', code: string, message: string }
        | { __typename: 'PausedBlocker', code: string, message: string }
        | { __typename: 'QueuedBlocker', code: string, message: string }
        | { __typename: 'RateLimitBlocker', code: string, message: string }
        | { __typename: 'RetryBlocker', code: string, message: string }
        | { __typename: 'RunPendingBlocker', code: string, message: string }
        | { __typename: 'SignalBlocker', code: string, message: string }
        | { __typename: 'TimerBlocker', code: string, message: string }
        | { __typename: 'UpstreamBlocker', code: string, message: string, tasks: Array<{ key: string, status: TaskStatus }> }
        | { __typename: 'WindowBlocker', code: string, message: string }
      > } | null } | null };

export type TaskItemsQueryVariables = Exact<{
  run: string | number;
  task: string;
  after?: string | null | undefined;
  status?: Array<TaskStatus> | TaskStatus | null | undefined;
}>;


export type TaskItemsQuery = { run: { id: string, task: { id: string, items: { pageInfo: { hasNextPage: boolean, endCursor: string | null }, nodes: Array<{ id: string, key: string, index: number, status: TaskStatus, attempt: number, startedAt: string | null, finishedAt: string | null, error: { message: string } | null }> } } | null } | null };

export type TaskLogsSubscriptionVariables = Exact<{
  run: string | number;
  task: string;
  attempt?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type TaskLogsSubscription = { taskLogs: { kind: LogMessageKind, cursor: string, attempt: number | null, lines: Array<{ at: string, stream: LogStream, text: string }> } };

export type EventsSubscriptionVariables = Exact<{
  filter?: EventFilter | null | undefined;
  after?: string | null | undefined;
}>;


export type EventsSubscription = { events: { kind: EventMessageKind, cursor: string } };

export type ApprovalFieldsFragment = { id: string, key: string, message: string, approvers: Array<string>, quorum: number, askedAt: string, expiresAt: string | null, remindsAt: string | null, onExpire: ApprovalExpiry, isOpen: boolean, canResolve: boolean, isSelfApprovalRefused: boolean, formSchema: unknown, votes: Array<{ at: string, by: string, decision: ApprovalDecision, note: string | null }> };

export type ApprovalsQueryVariables = Exact<{
  after?: string | null | undefined;
  filter?: ApprovalFilter | null | undefined;
}>;


export type ApprovalsQuery = { approvals: { pageInfo: { hasNextPage: boolean, endCursor: string | null }, nodes: Array<{ id: string, key: string, message: string, approvers: Array<string>, quorum: number, askedAt: string, expiresAt: string | null, remindsAt: string | null, onExpire: ApprovalExpiry, isOpen: boolean, canResolve: boolean, isSelfApprovalRefused: boolean, formSchema: unknown, run: { id: string, createdAt: string, workflow: { key: string, name: string } }, votes: Array<{ at: string, by: string, decision: ApprovalDecision, note: string | null }> }> } };

export type ScheduleFieldsFragment = { id: string, key: string, cron: string | null, every: string | null, at: string | null, timezone: string | null, isEnabled: boolean, isPaused: boolean, pauseReason: string | null, pausedBy: string | null, nextRunAt: string | null, overlap: OverlapPolicy, catchUp: CatchUpPolicy, origin: TriggerOrigin, workflow: { key: string, name: string }, nextRuns: Array<{ at: string, dst: DstMark | null, local: string }> };

export type SchedulesQueryVariables = Exact<{
  after?: string | null | undefined;
}>;


export type SchedulesQuery = { schedules: { pageInfo: { hasNextPage: boolean, endCursor: string | null }, nodes: Array<{ id: string, key: string, cron: string | null, every: string | null, at: string | null, timezone: string | null, isEnabled: boolean, isPaused: boolean, pauseReason: string | null, pausedBy: string | null, nextRunAt: string | null, overlap: OverlapPolicy, catchUp: CatchUpPolicy, origin: TriggerOrigin, workflow: { key: string, name: string }, nextRuns: Array<{ at: string, dst: DstMark | null, local: string }> }> } };

export type DeadLettersQueryVariables = Exact<{
  after?: string | null | undefined;
  filter?: DeadLetterFilter | null | undefined;
}>;


export type DeadLettersQuery = { groups: Array<{ fingerprint: string, code: string, category: FailureCategory, summary: string, workflow: string | null, count: number, firstAt: string, lastAt: string }>, deadLetters: { pageInfo: { hasNextPage: boolean, endCursor: string | null }, nodes: Array<{ id: string, kind: DeadLetterKind, status: DeadLetterStatus, at: string, task: string | null, attempt: number | null, workflow: string | null, runId: string | null, fingerprint: string, payload: string | null, queue: string | null, reason: string | null, resolvedAt: string | null, resolvedBy: string | null, error: { code: string, category: FailureCategory, message: string, isRetryable: boolean, details: unknown, traceback: string | null } }> } };

export type WorkflowValidateMutationVariables = Exact<{
  source: string;
}>;


export type WorkflowValidateMutation = { workflowValidate: { isValid: boolean, dialect: Dialect, convertedSource: string | null, diagnostics: Array<{ code: string, severity: Severity, message: string, help: string | null, path: string, line: number | null, column: number | null, offset: number | null, length: number | null, labels: Array<{ text: string, line: number, column: number, offset: number, length: number }> }>, layout: { width: number, height: number, nodeWidth: number, nodeHeight: number, keys: Array<string>, types: Array<string>, fanouts: Array<number>, approvals: Array<number>, x: Array<number>, y: Array<number>, ranks: Array<number>, edges: Array<number>, bendCounts: Array<number>, bends: Array<number> } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type WorkflowPublishMutationVariables = Exact<{
  source: string;
}>;


export type WorkflowPublishMutation = { workflowPublish: { isNew: boolean, workflow: { id: string, key: string, name: string, latestVersion: number } | null, version: { id: string, number: number } | null, diagnostics: Array<{ code: string, severity: Severity, message: string, help: string | null, path: string, line: number | null, column: number | null, offset: number | null, length: number | null, labels: Array<{ text: string, line: number, column: number, offset: number, length: number }> }>, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null, diagnostics: Array<{ code: string, severity: Severity, message: string, help: string | null, path: string, line: number | null, column: number | null, offset: number | null, length: number | null, labels: Array<{ text: string, line: number, column: number, offset: number, length: number }> }> }
    > } };

export type RunStartMutationVariables = Exact<{
  input: RunStartInput;
}>;


export type RunStartMutation = { runStart: { isReplay: boolean, run: { id: string } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type RunCancelMutationVariables = Exact<{
  input: RunCancelInput;
}>;


export type RunCancelMutation = { runCancel: { run: { id: string, status: RunStatus } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type RunPauseMutationVariables = Exact<{
  input: RunIdInput;
}>;


export type RunPauseMutation = { runPause: { run: { id: string, status: RunStatus, isPaused: boolean } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type RunResumeMutationVariables = Exact<{
  input: RunIdInput;
}>;


export type RunResumeMutation = { runResume: { run: { id: string, status: RunStatus, isPaused: boolean } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type RunRerunMutationVariables = Exact<{
  input: RunRerunInput;
}>;


export type RunRerunMutation = { runRerun: { run: { id: string, status: RunStatus } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type RunsBulkMutationVariables = Exact<{
  input: RunsBulkInput;
}>;


export type RunsBulkMutation = { runsBulk: { matched: { value: number, isExact: boolean } | null, operation: { id: string } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type BulkOperationQueryVariables = Exact<{
  id: string | number;
}>;


export type BulkOperationQuery = { bulkOperation: { id: string, action: string, status: BulkStatus, total: number, done: number, failed: number, createdAt: string, finishedAt: string | null, failures: { nodes: Array<{ runId: string, code: string, message: string }> } } | null };

export type TaskRetryMutationVariables = Exact<{
  input: TaskIdInput;
}>;


export type TaskRetryMutation = { taskRetry: { task: { id: string, status: TaskStatus } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type TaskSkipMutationVariables = Exact<{
  input: TaskIdInput;
}>;


export type TaskSkipMutation = { taskSkip: { task: { id: string, status: TaskStatus } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type TaskOverrideMutationVariables = Exact<{
  input: TaskOverrideInput;
}>;


export type TaskOverrideMutation = { taskOverride: { task: { id: string, status: TaskStatus } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type ApprovalResolveMutationVariables = Exact<{
  input: ApprovalResolveInput;
}>;


export type ApprovalResolveMutation = { approvalResolve: { approval: { id: string, isOpen: boolean } | null, run: { id: string, status: RunStatus } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type SchedulePauseMutationVariables = Exact<{
  input: ScheduleIdInput;
}>;


export type SchedulePauseMutation = { schedulePause: { schedule: { id: string, isPaused: boolean } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type ScheduleResumeMutationVariables = Exact<{
  input: ScheduleIdInput;
}>;


export type ScheduleResumeMutation = { scheduleResume: { schedule: { id: string, isPaused: boolean } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type ScheduleTriggerMutationVariables = Exact<{
  input: ScheduleTriggerInput;
}>;


export type ScheduleTriggerMutation = { scheduleTrigger: { outcome: { id: string, status: TriggerOutcomeStatus, run: { id: string } | null } | null, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type DeadLetterReplayMutationVariables = Exact<{
  input: DeadLetterIdsInput;
}>;


export type DeadLetterReplayMutation = { deadLetterReplay: { matched: number, deadLetters: Array<{ id: string, status: DeadLetterStatus }>, unresolved: Array<{ deadLetterId: string, message: string }>, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type DeadLetterDiscardMutationVariables = Exact<{
  input: DeadLetterDiscardInput;
}>;


export type DeadLetterDiscardMutation = { deadLetterDiscard: { matched: number, deadLetters: Array<{ id: string, status: DeadLetterStatus }>, unresolved: Array<{ deadLetterId: string, message: string }>, userErrors: Array<
      | { __typename: 'IdempotencyConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'InputError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'LimitError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'NotFoundError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'RunStateConflict', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
      | { __typename: 'ValidationError', code: ErrorCode, message: string, path: Array<string> | null, hint: string | null }
    > } };

export type RunRowsQueryVariables = Exact<{
  ids: Array<string | number> | string | number;
}>;


export type RunRowsQuery = { nodes: Array<
    | { id: string, status: RunStatus, isPaused: boolean, hasToleratedFailures: boolean, createdAt: string, startedAt: string | null, finishedAt: string | null, duration: string | null, createdBy: string, tags: Array<string>, priority: number, workflow: { key: string, name: string }, version: { number: number }, counts: { total: number, succeeded: number, failed: number, running: number }, error: { code: string, message: string } | null }
    | Record<PropertyKey, never>
   | null> };

export const RunRowFragmentDoc = {"kind":"Document","definitions":[{"kind":"FragmentDefinition","name":{"kind":"Name","value":"RunRow"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Run"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"hasToleratedFailures"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"createdBy"}},{"kind":"Field","name":{"kind":"Name","value":"tags"}},{"kind":"Field","name":{"kind":"Name","value":"priority"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"number"}}]}},{"kind":"Field","name":{"kind":"Name","value":"counts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"succeeded"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"running"}}]}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]} as unknown as DocumentNode<RunRowFragment, unknown>;
export const ProblemFragmentDoc = {"kind":"Document","definitions":[{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<ProblemFragment, unknown>;
export const DiagnosticFieldsFragmentDoc = {"kind":"Document","definitions":[{"kind":"FragmentDefinition","name":{"kind":"Name","value":"DiagnosticFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Diagnostic"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"severity"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"help"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"line"}},{"kind":"Field","name":{"kind":"Name","value":"column"}},{"kind":"Field","name":{"kind":"Name","value":"offset"}},{"kind":"Field","name":{"kind":"Name","value":"length"}},{"kind":"Field","name":{"kind":"Name","value":"labels"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"text"}},{"kind":"Field","name":{"kind":"Name","value":"line"}},{"kind":"Field","name":{"kind":"Name","value":"column"}},{"kind":"Field","name":{"kind":"Name","value":"offset"}},{"kind":"Field","name":{"kind":"Name","value":"length"}}]}}]}}]} as unknown as DocumentNode<DiagnosticFieldsFragment, unknown>;
export const LayoutFieldsFragmentDoc = {"kind":"Document","definitions":[{"kind":"FragmentDefinition","name":{"kind":"Name","value":"LayoutFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"GraphLayout"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"width"}},{"kind":"Field","name":{"kind":"Name","value":"height"}},{"kind":"Field","name":{"kind":"Name","value":"nodeWidth"}},{"kind":"Field","name":{"kind":"Name","value":"nodeHeight"}},{"kind":"Field","name":{"kind":"Name","value":"keys"}},{"kind":"Field","name":{"kind":"Name","value":"types"}},{"kind":"Field","name":{"kind":"Name","value":"fanouts"}},{"kind":"Field","name":{"kind":"Name","value":"approvals"}},{"kind":"Field","name":{"kind":"Name","value":"x"}},{"kind":"Field","name":{"kind":"Name","value":"y"}},{"kind":"Field","name":{"kind":"Name","value":"ranks"}},{"kind":"Field","name":{"kind":"Name","value":"edges"}},{"kind":"Field","name":{"kind":"Name","value":"bendCounts"}},{"kind":"Field","name":{"kind":"Name","value":"bends"}}]}}]} as unknown as DocumentNode<LayoutFieldsFragment, unknown>;
export const CountsFieldsFragmentDoc = {"kind":"Document","definitions":[{"kind":"FragmentDefinition","name":{"kind":"Name","value":"CountsFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskCounts"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"blocked"}},{"kind":"Field","name":{"kind":"Name","value":"ready"}},{"kind":"Field","name":{"kind":"Name","value":"queued"}},{"kind":"Field","name":{"kind":"Name","value":"running"}},{"kind":"Field","name":{"kind":"Name","value":"waiting"}},{"kind":"Field","name":{"kind":"Name","value":"retryWait"}},{"kind":"Field","name":{"kind":"Name","value":"succeeded"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"timedOut"}},{"kind":"Field","name":{"kind":"Name","value":"skipped"}},{"kind":"Field","name":{"kind":"Name","value":"cancelled"}},{"kind":"Field","name":{"kind":"Name","value":"cached"}}]}}]} as unknown as DocumentNode<CountsFieldsFragment, unknown>;
export const FailureFieldsFragmentDoc = {"kind":"Document","definitions":[{"kind":"FragmentDefinition","name":{"kind":"Name","value":"FailureFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskFailure"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"category"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"isRetryable"}},{"kind":"Field","name":{"kind":"Name","value":"details"}},{"kind":"Field","name":{"kind":"Name","value":"traceback"}}]}}]} as unknown as DocumentNode<FailureFieldsFragment, unknown>;
export const RunHeadFragmentDoc = {"kind":"Document","definitions":[{"kind":"FragmentDefinition","name":{"kind":"Name","value":"RunHead"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Run"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"hasToleratedFailures"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"createdBy"}},{"kind":"Field","name":{"kind":"Name","value":"priority"}},{"kind":"Field","name":{"kind":"Name","value":"tags"}},{"kind":"Field","name":{"kind":"Name","value":"canCancel"}},{"kind":"Field","name":{"kind":"Name","value":"canPause"}},{"kind":"Field","name":{"kind":"Name","value":"canResume"}},{"kind":"Field","name":{"kind":"Name","value":"canRerun"}},{"kind":"Field","name":{"kind":"Name","value":"cursor"}},{"kind":"Field","name":{"kind":"Name","value":"counts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"CountsFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"FailureFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"number"}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"CountsFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskCounts"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"blocked"}},{"kind":"Field","name":{"kind":"Name","value":"ready"}},{"kind":"Field","name":{"kind":"Name","value":"queued"}},{"kind":"Field","name":{"kind":"Name","value":"running"}},{"kind":"Field","name":{"kind":"Name","value":"waiting"}},{"kind":"Field","name":{"kind":"Name","value":"retryWait"}},{"kind":"Field","name":{"kind":"Name","value":"succeeded"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"timedOut"}},{"kind":"Field","name":{"kind":"Name","value":"skipped"}},{"kind":"Field","name":{"kind":"Name","value":"cancelled"}},{"kind":"Field","name":{"kind":"Name","value":"cached"}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"FailureFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskFailure"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"category"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"isRetryable"}},{"kind":"Field","name":{"kind":"Name","value":"details"}},{"kind":"Field","name":{"kind":"Name","value":"traceback"}}]}}]} as unknown as DocumentNode<RunHeadFragment, unknown>;
export const ApprovalFieldsFragmentDoc = {"kind":"Document","definitions":[{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ApprovalFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Approval"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"approvers"}},{"kind":"Field","name":{"kind":"Name","value":"quorum"}},{"kind":"Field","name":{"kind":"Name","value":"askedAt"}},{"kind":"Field","name":{"kind":"Name","value":"expiresAt"}},{"kind":"Field","name":{"kind":"Name","value":"remindsAt"}},{"kind":"Field","name":{"kind":"Name","value":"onExpire"}},{"kind":"Field","name":{"kind":"Name","value":"isOpen"}},{"kind":"Field","name":{"kind":"Name","value":"canResolve"}},{"kind":"Field","name":{"kind":"Name","value":"isSelfApprovalRefused"}},{"kind":"Field","name":{"kind":"Name","value":"formSchema"}},{"kind":"Field","name":{"kind":"Name","value":"votes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"by"}},{"kind":"Field","name":{"kind":"Name","value":"decision"}},{"kind":"Field","name":{"kind":"Name","value":"note"}}]}}]}}]} as unknown as DocumentNode<ApprovalFieldsFragment, unknown>;
export const ScheduleFieldsFragmentDoc = {"kind":"Document","definitions":[{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ScheduleFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Schedule"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"cron"}},{"kind":"Field","name":{"kind":"Name","value":"every"}},{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"timezone"}},{"kind":"Field","name":{"kind":"Name","value":"isEnabled"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"pauseReason"}},{"kind":"Field","name":{"kind":"Name","value":"pausedBy"}},{"kind":"Field","name":{"kind":"Name","value":"nextRunAt"}},{"kind":"Field","name":{"kind":"Name","value":"overlap"}},{"kind":"Field","name":{"kind":"Name","value":"catchUp"}},{"kind":"Field","name":{"kind":"Name","value":"origin"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nextRuns"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"10"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"dst"}},{"kind":"Field","name":{"kind":"Name","value":"local"}}]}}]}}]} as unknown as DocumentNode<ScheduleFieldsFragment, unknown>;
export const OverviewDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Overview"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"since"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"DateTime"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","alias":{"kind":"Name","value":"running"},"name":{"kind":"Name","value":"runs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"8"}},{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"status"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"in"},"value":{"kind":"ListValue","values":[{"kind":"EnumValue","value":"RUNNING"},{"kind":"EnumValue","value":"CANCELLING"},{"kind":"EnumValue","value":"COMPENSATING"}]}}]}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"value"}},{"kind":"Field","name":{"kind":"Name","value":"isExact"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"RunRow"}}]}}]}},{"kind":"Field","alias":{"kind":"Name","value":"pending"},"name":{"kind":"Name","value":"runs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}},{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"status"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"eq"},"value":{"kind":"EnumValue","value":"PENDING"}}]}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"value"}},{"kind":"Field","name":{"kind":"Name","value":"isExact"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}}]}},{"kind":"Field","alias":{"kind":"Name","value":"failed"},"name":{"kind":"Name","value":"runs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"8"}},{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"status"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"in"},"value":{"kind":"ListValue","values":[{"kind":"EnumValue","value":"FAILED"},{"kind":"EnumValue","value":"TIMED_OUT"},{"kind":"EnumValue","value":"COMPENSATION_FAILED"}]}}]}},{"kind":"ObjectField","name":{"kind":"Name","value":"finishedAt"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"gte"},"value":{"kind":"Variable","name":{"kind":"Name","value":"since"}}}]}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"value"}},{"kind":"Field","name":{"kind":"Name","value":"isExact"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"RunRow"}}]}}]}},{"kind":"Field","alias":{"kind":"Name","value":"finished"},"name":{"kind":"Name","value":"runs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"200"}},{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"finishedAt"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"gte"},"value":{"kind":"Variable","name":{"kind":"Name","value":"since"}}}]}}]}},{"kind":"Argument","name":{"kind":"Name","value":"orderBy"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"field"},"value":{"kind":"EnumValue","value":"FINISHED_AT"}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"value"}},{"kind":"Field","name":{"kind":"Name","value":"isExact"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"approvals"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"50"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"askedAt"}},{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}}]}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"deadLetterGroups"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"status"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"eq"},"value":{"kind":"EnumValue","value":"OPEN"}}]}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"fingerprint"}},{"kind":"Field","name":{"kind":"Name","value":"count"}}]}},{"kind":"Field","name":{"kind":"Name","value":"workflows"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"value"}},{"kind":"Field","name":{"kind":"Name","value":"isExact"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"serverInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"version"}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"RunRow"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Run"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"hasToleratedFailures"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"createdBy"}},{"kind":"Field","name":{"kind":"Name","value":"tags"}},{"kind":"Field","name":{"kind":"Name","value":"priority"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"number"}}]}},{"kind":"Field","name":{"kind":"Name","value":"counts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"succeeded"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"running"}}]}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]} as unknown as DocumentNode<OverviewQuery, OverviewQueryVariables>;
export const InboxDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Inbox"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"approvals"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"50"}},{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"mine"},"value":{"kind":"BooleanValue","value":true}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"deadLetterGroups"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"status"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"eq"},"value":{"kind":"EnumValue","value":"OPEN"}}]}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"fingerprint"}},{"kind":"Field","name":{"kind":"Name","value":"count"}}]}},{"kind":"Field","name":{"kind":"Name","value":"viewer"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"namespace"}},{"kind":"Field","name":{"kind":"Name","value":"permissions"}}]}}]}}]} as unknown as DocumentNode<InboxQuery, InboxQueryVariables>;
export const WorkflowsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Workflows"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"text"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"workflows"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"50"}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}},{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"text"},"value":{"kind":"Variable","name":{"kind":"Name","value":"text"}}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"value"}},{"kind":"Field","name":{"kind":"Name","value":"isExact"}}]}},{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}},{"kind":"Field","name":{"kind":"Name","value":"endCursor"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"latestVersion"}},{"kind":"Field","name":{"kind":"Name","value":"updatedAt"}},{"kind":"Field","name":{"kind":"Name","value":"recentRuns"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"20"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}}]}},{"kind":"Field","name":{"kind":"Name","value":"schedules"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"cron"}},{"kind":"Field","name":{"kind":"Name","value":"every"}},{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"nextRunAt"}}]}}]}}]}}]}}]}}]} as unknown as DocumentNode<WorkflowsQuery, WorkflowsQueryVariables>;
export const WorkflowDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Workflow"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"key"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"workflow"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"key"},"value":{"kind":"Variable","name":{"kind":"Name","value":"key"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"latestVersion"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"updatedAt"}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"number"}},{"kind":"Field","name":{"kind":"Name","value":"source"}},{"kind":"Field","name":{"kind":"Name","value":"taskCount"}},{"kind":"Field","name":{"kind":"Name","value":"dialect"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"createdBy"}},{"kind":"Field","name":{"kind":"Name","value":"layout"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"LayoutFields"}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"recentRuns"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"taskTable"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"statuses"}},{"kind":"Field","name":{"kind":"Name","value":"attempts"}}]}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"number"}}]}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"LayoutFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"GraphLayout"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"width"}},{"kind":"Field","name":{"kind":"Name","value":"height"}},{"kind":"Field","name":{"kind":"Name","value":"nodeWidth"}},{"kind":"Field","name":{"kind":"Name","value":"nodeHeight"}},{"kind":"Field","name":{"kind":"Name","value":"keys"}},{"kind":"Field","name":{"kind":"Name","value":"types"}},{"kind":"Field","name":{"kind":"Name","value":"fanouts"}},{"kind":"Field","name":{"kind":"Name","value":"approvals"}},{"kind":"Field","name":{"kind":"Name","value":"x"}},{"kind":"Field","name":{"kind":"Name","value":"y"}},{"kind":"Field","name":{"kind":"Name","value":"ranks"}},{"kind":"Field","name":{"kind":"Name","value":"edges"}},{"kind":"Field","name":{"kind":"Name","value":"bendCounts"}},{"kind":"Field","name":{"kind":"Name","value":"bends"}}]}}]} as unknown as DocumentNode<WorkflowQuery, WorkflowQueryVariables>;
export const WorkflowRunsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"WorkflowRuns"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"key"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"workflow"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"key"},"value":{"kind":"Variable","name":{"kind":"Name","value":"key"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"runs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"50"}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"value"}},{"kind":"Field","name":{"kind":"Name","value":"isExact"}}]}},{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}},{"kind":"Field","name":{"kind":"Name","value":"endCursor"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"RunRow"}}]}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"RunRow"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Run"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"hasToleratedFailures"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"createdBy"}},{"kind":"Field","name":{"kind":"Name","value":"tags"}},{"kind":"Field","name":{"kind":"Name","value":"priority"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"number"}}]}},{"kind":"Field","name":{"kind":"Name","value":"counts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"succeeded"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"running"}}]}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]} as unknown as DocumentNode<WorkflowRunsQuery, WorkflowRunsQueryVariables>;
export const WorkflowVersionsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"WorkflowVersions"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"key"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"workflow"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"key"},"value":{"kind":"Variable","name":{"kind":"Name","value":"key"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"versions"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"50"}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}},{"kind":"Field","name":{"kind":"Name","value":"endCursor"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"number"}},{"kind":"Field","name":{"kind":"Name","value":"hash"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"createdBy"}},{"kind":"Field","name":{"kind":"Name","value":"taskCount"}},{"kind":"Field","name":{"kind":"Name","value":"dialect"}}]}}]}}]}}]}}]} as unknown as DocumentNode<WorkflowVersionsQuery, WorkflowVersionsQueryVariables>;
export const WorkflowVersionSourceDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"WorkflowVersionSource"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"key"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"number"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"workflow"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"key"},"value":{"kind":"Variable","name":{"kind":"Name","value":"key"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"version"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"number"},"value":{"kind":"Variable","name":{"kind":"Name","value":"number"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"number"}},{"kind":"Field","name":{"kind":"Name","value":"source"}}]}}]}}]}}]} as unknown as DocumentNode<WorkflowVersionSourceQuery, WorkflowVersionSourceQueryVariables>;
export const WorkflowTriggersDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"WorkflowTriggers"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"key"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"workflow"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"key"},"value":{"kind":"Variable","name":{"kind":"Name","value":"key"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"schedules"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"50"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"ScheduleFields"}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"triggers"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"50"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"kind"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"isEnabled"}},{"kind":"Field","name":{"kind":"Name","value":"pauseReason"}},{"kind":"Field","name":{"kind":"Name","value":"event"}},{"kind":"Field","name":{"kind":"Name","value":"source"}},{"kind":"Field","name":{"kind":"Name","value":"match"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"rateLimit"}},{"kind":"Field","name":{"kind":"Name","value":"origin"}},{"kind":"Field","name":{"kind":"Name","value":"updatedAt"}}]}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ScheduleFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Schedule"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"cron"}},{"kind":"Field","name":{"kind":"Name","value":"every"}},{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"timezone"}},{"kind":"Field","name":{"kind":"Name","value":"isEnabled"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"pauseReason"}},{"kind":"Field","name":{"kind":"Name","value":"pausedBy"}},{"kind":"Field","name":{"kind":"Name","value":"nextRunAt"}},{"kind":"Field","name":{"kind":"Name","value":"overlap"}},{"kind":"Field","name":{"kind":"Name","value":"catchUp"}},{"kind":"Field","name":{"kind":"Name","value":"origin"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nextRuns"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"10"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"dst"}},{"kind":"Field","name":{"kind":"Name","value":"local"}}]}}]}}]} as unknown as DocumentNode<WorkflowTriggersQuery, WorkflowTriggersQueryVariables>;
export const RunFormDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"RunForm"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"key"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"workflow"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"key"},"value":{"kind":"Variable","name":{"kind":"Name","value":"key"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"latestVersion"}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"number"}},{"kind":"Field","name":{"kind":"Name","value":"inputs"}}]}},{"kind":"Field","name":{"kind":"Name","value":"recentRuns"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"inputs"}}]}}]}}]}}]} as unknown as DocumentNode<RunFormQuery, RunFormQueryVariables>;
export const RunsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Runs"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"first"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"filter"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"RunFilter"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"query"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"runs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"Variable","name":{"kind":"Name","value":"first"}}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}},{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"Variable","name":{"kind":"Name","value":"filter"}}},{"kind":"Argument","name":{"kind":"Name","value":"query"},"value":{"kind":"Variable","name":{"kind":"Name","value":"query"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"value"}},{"kind":"Field","name":{"kind":"Name","value":"isExact"}}]}},{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}},{"kind":"Field","name":{"kind":"Name","value":"endCursor"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"RunRow"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"RunRow"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Run"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"hasToleratedFailures"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"createdBy"}},{"kind":"Field","name":{"kind":"Name","value":"tags"}},{"kind":"Field","name":{"kind":"Name","value":"priority"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"number"}}]}},{"kind":"Field","name":{"kind":"Name","value":"counts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"succeeded"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"running"}}]}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]} as unknown as DocumentNode<RunsQuery, RunsQueryVariables>;
export const RunDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Run"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"RunHead"}},{"kind":"Field","name":{"kind":"Name","value":"idempotencyKey"}},{"kind":"Field","name":{"kind":"Name","value":"parent"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"rerunOf"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}},{"kind":"Field","name":{"kind":"Name","value":"layout"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"LayoutFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"taskTable"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"statuses"}},{"kind":"Field","name":{"kind":"Name","value":"attempts"}},{"kind":"Field","name":{"kind":"Name","value":"queuedAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"CountsFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskCounts"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"blocked"}},{"kind":"Field","name":{"kind":"Name","value":"ready"}},{"kind":"Field","name":{"kind":"Name","value":"queued"}},{"kind":"Field","name":{"kind":"Name","value":"running"}},{"kind":"Field","name":{"kind":"Name","value":"waiting"}},{"kind":"Field","name":{"kind":"Name","value":"retryWait"}},{"kind":"Field","name":{"kind":"Name","value":"succeeded"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"timedOut"}},{"kind":"Field","name":{"kind":"Name","value":"skipped"}},{"kind":"Field","name":{"kind":"Name","value":"cancelled"}},{"kind":"Field","name":{"kind":"Name","value":"cached"}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"FailureFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskFailure"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"category"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"isRetryable"}},{"kind":"Field","name":{"kind":"Name","value":"details"}},{"kind":"Field","name":{"kind":"Name","value":"traceback"}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"RunHead"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Run"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"hasToleratedFailures"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"createdBy"}},{"kind":"Field","name":{"kind":"Name","value":"priority"}},{"kind":"Field","name":{"kind":"Name","value":"tags"}},{"kind":"Field","name":{"kind":"Name","value":"canCancel"}},{"kind":"Field","name":{"kind":"Name","value":"canPause"}},{"kind":"Field","name":{"kind":"Name","value":"canResume"}},{"kind":"Field","name":{"kind":"Name","value":"canRerun"}},{"kind":"Field","name":{"kind":"Name","value":"cursor"}},{"kind":"Field","name":{"kind":"Name","value":"counts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"CountsFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"FailureFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"number"}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"LayoutFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"GraphLayout"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"width"}},{"kind":"Field","name":{"kind":"Name","value":"height"}},{"kind":"Field","name":{"kind":"Name","value":"nodeWidth"}},{"kind":"Field","name":{"kind":"Name","value":"nodeHeight"}},{"kind":"Field","name":{"kind":"Name","value":"keys"}},{"kind":"Field","name":{"kind":"Name","value":"types"}},{"kind":"Field","name":{"kind":"Name","value":"fanouts"}},{"kind":"Field","name":{"kind":"Name","value":"approvals"}},{"kind":"Field","name":{"kind":"Name","value":"x"}},{"kind":"Field","name":{"kind":"Name","value":"y"}},{"kind":"Field","name":{"kind":"Name","value":"ranks"}},{"kind":"Field","name":{"kind":"Name","value":"edges"}},{"kind":"Field","name":{"kind":"Name","value":"bendCounts"}},{"kind":"Field","name":{"kind":"Name","value":"bends"}}]}}]} as unknown as DocumentNode<RunQuery, RunQueryVariables>;
export const RunTableDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"RunTable"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"RunHead"}},{"kind":"Field","name":{"kind":"Name","value":"taskTable"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"statuses"}},{"kind":"Field","name":{"kind":"Name","value":"attempts"}},{"kind":"Field","name":{"kind":"Name","value":"queuedAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"CountsFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskCounts"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"blocked"}},{"kind":"Field","name":{"kind":"Name","value":"ready"}},{"kind":"Field","name":{"kind":"Name","value":"queued"}},{"kind":"Field","name":{"kind":"Name","value":"running"}},{"kind":"Field","name":{"kind":"Name","value":"waiting"}},{"kind":"Field","name":{"kind":"Name","value":"retryWait"}},{"kind":"Field","name":{"kind":"Name","value":"succeeded"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"timedOut"}},{"kind":"Field","name":{"kind":"Name","value":"skipped"}},{"kind":"Field","name":{"kind":"Name","value":"cancelled"}},{"kind":"Field","name":{"kind":"Name","value":"cached"}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"FailureFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskFailure"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"category"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"isRetryable"}},{"kind":"Field","name":{"kind":"Name","value":"details"}},{"kind":"Field","name":{"kind":"Name","value":"traceback"}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"RunHead"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Run"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"hasToleratedFailures"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"createdBy"}},{"kind":"Field","name":{"kind":"Name","value":"priority"}},{"kind":"Field","name":{"kind":"Name","value":"tags"}},{"kind":"Field","name":{"kind":"Name","value":"canCancel"}},{"kind":"Field","name":{"kind":"Name","value":"canPause"}},{"kind":"Field","name":{"kind":"Name","value":"canResume"}},{"kind":"Field","name":{"kind":"Name","value":"canRerun"}},{"kind":"Field","name":{"kind":"Name","value":"cursor"}},{"kind":"Field","name":{"kind":"Name","value":"counts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"CountsFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"FailureFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"number"}}]}}]}}]} as unknown as DocumentNode<RunTableQuery, RunTableQueryVariables>;
export const RunUpdatesDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"RunUpdates"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"runUpdates"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"kind"}},{"kind":"Field","name":{"kind":"Name","value":"cursor"}},{"kind":"Field","name":{"kind":"Name","value":"isTruncated"}},{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"RunHead"}}]}},{"kind":"Field","name":{"kind":"Name","value":"tasks"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"index"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"attempt"}},{"kind":"Field","name":{"kind":"Name","value":"queuedAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"CountsFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskCounts"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"blocked"}},{"kind":"Field","name":{"kind":"Name","value":"ready"}},{"kind":"Field","name":{"kind":"Name","value":"queued"}},{"kind":"Field","name":{"kind":"Name","value":"running"}},{"kind":"Field","name":{"kind":"Name","value":"waiting"}},{"kind":"Field","name":{"kind":"Name","value":"retryWait"}},{"kind":"Field","name":{"kind":"Name","value":"succeeded"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"timedOut"}},{"kind":"Field","name":{"kind":"Name","value":"skipped"}},{"kind":"Field","name":{"kind":"Name","value":"cancelled"}},{"kind":"Field","name":{"kind":"Name","value":"cached"}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"FailureFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskFailure"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"category"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"isRetryable"}},{"kind":"Field","name":{"kind":"Name","value":"details"}},{"kind":"Field","name":{"kind":"Name","value":"traceback"}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"RunHead"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Run"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"hasToleratedFailures"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"createdBy"}},{"kind":"Field","name":{"kind":"Name","value":"priority"}},{"kind":"Field","name":{"kind":"Name","value":"tags"}},{"kind":"Field","name":{"kind":"Name","value":"canCancel"}},{"kind":"Field","name":{"kind":"Name","value":"canPause"}},{"kind":"Field","name":{"kind":"Name","value":"canResume"}},{"kind":"Field","name":{"kind":"Name","value":"canRerun"}},{"kind":"Field","name":{"kind":"Name","value":"cursor"}},{"kind":"Field","name":{"kind":"Name","value":"counts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"CountsFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"FailureFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"number"}}]}}]}}]} as unknown as DocumentNode<RunUpdatesSubscription, RunUpdatesSubscriptionVariables>;
export const RunDataDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"RunData"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"inputs"}},{"kind":"Field","name":{"kind":"Name","value":"outputs"}},{"kind":"Field","name":{"kind":"Name","value":"inputsPayload"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"maxBytes"},"value":{"kind":"IntValue","value":"65536"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"bytes"}},{"kind":"Field","name":{"kind":"Name","value":"isTruncated"}},{"kind":"Field","name":{"kind":"Name","value":"downloadUrl"}},{"kind":"Field","name":{"kind":"Name","value":"inline"}}]}},{"kind":"Field","name":{"kind":"Name","value":"outputsPayload"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"maxBytes"},"value":{"kind":"IntValue","value":"65536"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"bytes"}},{"kind":"Field","name":{"kind":"Name","value":"isTruncated"}},{"kind":"Field","name":{"kind":"Name","value":"downloadUrl"}},{"kind":"Field","name":{"kind":"Name","value":"inline"}}]}}]}}]}}]} as unknown as DocumentNode<RunDataQuery, RunDataQueryVariables>;
export const RunEventsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"RunEvents"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"before"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"first"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"last"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"events"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"Variable","name":{"kind":"Name","value":"first"}}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}},{"kind":"Argument","name":{"kind":"Name","value":"last"},"value":{"kind":"Variable","name":{"kind":"Name","value":"last"}}},{"kind":"Argument","name":{"kind":"Name","value":"before"},"value":{"kind":"Variable","name":{"kind":"Name","value":"before"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"value"}},{"kind":"Field","name":{"kind":"Name","value":"isExact"}}]}},{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}},{"kind":"Field","name":{"kind":"Name","value":"hasPreviousPage"}},{"kind":"Field","name":{"kind":"Name","value":"endCursor"}},{"kind":"Field","name":{"kind":"Name","value":"startCursor"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"cursor"}},{"kind":"Field","name":{"kind":"Name","value":"seq"}},{"kind":"Field","name":{"kind":"Name","value":"kind"}},{"kind":"Field","name":{"kind":"Name","value":"task"}},{"kind":"Field","name":{"kind":"Name","value":"attempt"}},{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"actor"}},{"kind":"Field","name":{"kind":"Name","value":"reason"}},{"kind":"Field","name":{"kind":"Name","value":"data"}}]}}]}}]}}]}}]} as unknown as DocumentNode<RunEventsQuery, RunEventsQueryVariables>;
export const TaskDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Task"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"run"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"task"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"run"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"task"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"key"},"value":{"kind":"Variable","name":{"kind":"Name","value":"task"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"index"}},{"kind":"Field","name":{"kind":"Name","value":"type"}},{"kind":"Field","name":{"kind":"Name","value":"queue"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"attempt"}},{"kind":"Field","name":{"kind":"Name","value":"retries"}},{"kind":"Field","name":{"kind":"Name","value":"losses"}},{"kind":"Field","name":{"kind":"Name","value":"needs"}},{"kind":"Field","name":{"kind":"Name","value":"worker"}},{"kind":"Field","name":{"kind":"Name","value":"waitingFor"}},{"kind":"Field","name":{"kind":"Name","value":"wakeAt"}},{"kind":"Field","name":{"kind":"Name","value":"readyAt"}},{"kind":"Field","name":{"kind":"Name","value":"queuedAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"canRetry"}},{"kind":"Field","name":{"kind":"Name","value":"canSkip"}},{"kind":"Field","name":{"kind":"Name","value":"canOverride"}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"FailureFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"progress"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"current"}},{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"fraction"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}},{"kind":"Field","name":{"kind":"Name","value":"inputPayload"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"maxBytes"},"value":{"kind":"IntValue","value":"65536"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"bytes"}},{"kind":"Field","name":{"kind":"Name","value":"isTruncated"}},{"kind":"Field","name":{"kind":"Name","value":"downloadUrl"}},{"kind":"Field","name":{"kind":"Name","value":"inline"}}]}},{"kind":"Field","name":{"kind":"Name","value":"outputPayload"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"maxBytes"},"value":{"kind":"IntValue","value":"65536"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"bytes"}},{"kind":"Field","name":{"kind":"Name","value":"isTruncated"}},{"kind":"Field","name":{"kind":"Name","value":"downloadUrl"}},{"kind":"Field","name":{"kind":"Name","value":"inline"}}]}},{"kind":"Field","name":{"kind":"Name","value":"attempts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"number"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"worker"}},{"kind":"Field","name":{"kind":"Name","value":"queuedAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"timeInQueue"}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"itemCounts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"CountsFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"childRun"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"approval"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"ApprovalFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"blockers"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UpstreamBlocker"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"tasks"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"status"}}]}}]}}]}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"FailureFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskFailure"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"category"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"isRetryable"}},{"kind":"Field","name":{"kind":"Name","value":"details"}},{"kind":"Field","name":{"kind":"Name","value":"traceback"}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"CountsFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskCounts"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"blocked"}},{"kind":"Field","name":{"kind":"Name","value":"ready"}},{"kind":"Field","name":{"kind":"Name","value":"queued"}},{"kind":"Field","name":{"kind":"Name","value":"running"}},{"kind":"Field","name":{"kind":"Name","value":"waiting"}},{"kind":"Field","name":{"kind":"Name","value":"retryWait"}},{"kind":"Field","name":{"kind":"Name","value":"succeeded"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"timedOut"}},{"kind":"Field","name":{"kind":"Name","value":"skipped"}},{"kind":"Field","name":{"kind":"Name","value":"cancelled"}},{"kind":"Field","name":{"kind":"Name","value":"cached"}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ApprovalFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Approval"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"approvers"}},{"kind":"Field","name":{"kind":"Name","value":"quorum"}},{"kind":"Field","name":{"kind":"Name","value":"askedAt"}},{"kind":"Field","name":{"kind":"Name","value":"expiresAt"}},{"kind":"Field","name":{"kind":"Name","value":"remindsAt"}},{"kind":"Field","name":{"kind":"Name","value":"onExpire"}},{"kind":"Field","name":{"kind":"Name","value":"isOpen"}},{"kind":"Field","name":{"kind":"Name","value":"canResolve"}},{"kind":"Field","name":{"kind":"Name","value":"isSelfApprovalRefused"}},{"kind":"Field","name":{"kind":"Name","value":"formSchema"}},{"kind":"Field","name":{"kind":"Name","value":"votes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"by"}},{"kind":"Field","name":{"kind":"Name","value":"decision"}},{"kind":"Field","name":{"kind":"Name","value":"note"}}]}}]}}]} as unknown as DocumentNode<TaskQuery, TaskQueryVariables>;
export const TaskItemsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"TaskItems"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"run"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"task"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"status"}},"type":{"kind":"ListType","type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"TaskStatus"}}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"run"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"task"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"key"},"value":{"kind":"Variable","name":{"kind":"Name","value":"task"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"items"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"100"}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}},{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"status"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"in"},"value":{"kind":"Variable","name":{"kind":"Name","value":"status"}}}]}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}},{"kind":"Field","name":{"kind":"Name","value":"endCursor"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"index"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"attempt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]}}]}}]}}]}}]} as unknown as DocumentNode<TaskItemsQuery, TaskItemsQueryVariables>;
export const TaskLogsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"TaskLogs"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"run"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"task"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"attempt"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"taskLogs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"run"},"value":{"kind":"Variable","name":{"kind":"Name","value":"run"}}},{"kind":"Argument","name":{"kind":"Name","value":"task"},"value":{"kind":"Variable","name":{"kind":"Name","value":"task"}}},{"kind":"Argument","name":{"kind":"Name","value":"attempt"},"value":{"kind":"Variable","name":{"kind":"Name","value":"attempt"}}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"kind"}},{"kind":"Field","name":{"kind":"Name","value":"cursor"}},{"kind":"Field","name":{"kind":"Name","value":"attempt"}},{"kind":"Field","name":{"kind":"Name","value":"lines"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"stream"}},{"kind":"Field","name":{"kind":"Name","value":"text"}}]}}]}}]}}]} as unknown as DocumentNode<TaskLogsSubscription, TaskLogsSubscriptionVariables>;
export const EventsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"Events"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"filter"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"EventFilter"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"events"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"Variable","name":{"kind":"Name","value":"filter"}}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"kind"}},{"kind":"Field","name":{"kind":"Name","value":"cursor"}}]}}]}}]} as unknown as DocumentNode<EventsSubscription, EventsSubscriptionVariables>;
export const ApprovalsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Approvals"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"filter"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"ApprovalFilter"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"approvals"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"50"}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}},{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"Variable","name":{"kind":"Name","value":"filter"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}},{"kind":"Field","name":{"kind":"Name","value":"endCursor"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"ApprovalFields"}},{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}}]}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ApprovalFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Approval"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"approvers"}},{"kind":"Field","name":{"kind":"Name","value":"quorum"}},{"kind":"Field","name":{"kind":"Name","value":"askedAt"}},{"kind":"Field","name":{"kind":"Name","value":"expiresAt"}},{"kind":"Field","name":{"kind":"Name","value":"remindsAt"}},{"kind":"Field","name":{"kind":"Name","value":"onExpire"}},{"kind":"Field","name":{"kind":"Name","value":"isOpen"}},{"kind":"Field","name":{"kind":"Name","value":"canResolve"}},{"kind":"Field","name":{"kind":"Name","value":"isSelfApprovalRefused"}},{"kind":"Field","name":{"kind":"Name","value":"formSchema"}},{"kind":"Field","name":{"kind":"Name","value":"votes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"by"}},{"kind":"Field","name":{"kind":"Name","value":"decision"}},{"kind":"Field","name":{"kind":"Name","value":"note"}}]}}]}}]} as unknown as DocumentNode<ApprovalsQuery, ApprovalsQueryVariables>;
export const SchedulesDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Schedules"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"schedules"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"50"}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}},{"kind":"Field","name":{"kind":"Name","value":"endCursor"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"ScheduleFields"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ScheduleFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Schedule"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"cron"}},{"kind":"Field","name":{"kind":"Name","value":"every"}},{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"timezone"}},{"kind":"Field","name":{"kind":"Name","value":"isEnabled"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"pauseReason"}},{"kind":"Field","name":{"kind":"Name","value":"pausedBy"}},{"kind":"Field","name":{"kind":"Name","value":"nextRunAt"}},{"kind":"Field","name":{"kind":"Name","value":"overlap"}},{"kind":"Field","name":{"kind":"Name","value":"catchUp"}},{"kind":"Field","name":{"kind":"Name","value":"origin"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nextRuns"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"10"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"dst"}},{"kind":"Field","name":{"kind":"Name","value":"local"}}]}}]}}]} as unknown as DocumentNode<SchedulesQuery, SchedulesQueryVariables>;
export const DeadLettersDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"DeadLetters"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"filter"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"DeadLetterFilter"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","alias":{"kind":"Name","value":"groups"},"name":{"kind":"Name","value":"deadLetterGroups"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"Variable","name":{"kind":"Name","value":"filter"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"fingerprint"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"category"}},{"kind":"Field","name":{"kind":"Name","value":"summary"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"}},{"kind":"Field","name":{"kind":"Name","value":"count"}},{"kind":"Field","name":{"kind":"Name","value":"firstAt"}},{"kind":"Field","name":{"kind":"Name","value":"lastAt"}}]}},{"kind":"Field","name":{"kind":"Name","value":"deadLetters"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"50"}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}},{"kind":"Argument","name":{"kind":"Name","value":"filter"},"value":{"kind":"Variable","name":{"kind":"Name","value":"filter"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}},{"kind":"Field","name":{"kind":"Name","value":"endCursor"}}]}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"kind"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"at"}},{"kind":"Field","name":{"kind":"Name","value":"task"}},{"kind":"Field","name":{"kind":"Name","value":"attempt"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"}},{"kind":"Field","name":{"kind":"Name","value":"runId"}},{"kind":"Field","name":{"kind":"Name","value":"fingerprint"}},{"kind":"Field","name":{"kind":"Name","value":"payload"}},{"kind":"Field","name":{"kind":"Name","value":"queue"}},{"kind":"Field","name":{"kind":"Name","value":"reason"}},{"kind":"Field","name":{"kind":"Name","value":"resolvedAt"}},{"kind":"Field","name":{"kind":"Name","value":"resolvedBy"}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"FailureFields"}}]}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"FailureFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TaskFailure"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"category"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"isRetryable"}},{"kind":"Field","name":{"kind":"Name","value":"details"}},{"kind":"Field","name":{"kind":"Name","value":"traceback"}}]}}]} as unknown as DocumentNode<DeadLettersQuery, DeadLettersQueryVariables>;
export const WorkflowValidateDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"WorkflowValidate"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"source"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"workflowValidate"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"source"},"value":{"kind":"Variable","name":{"kind":"Name","value":"source"}}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"isValid"}},{"kind":"Field","name":{"kind":"Name","value":"dialect"}},{"kind":"Field","name":{"kind":"Name","value":"convertedSource"}},{"kind":"Field","name":{"kind":"Name","value":"diagnostics"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"DiagnosticFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"layout"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"LayoutFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"DiagnosticFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Diagnostic"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"severity"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"help"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"line"}},{"kind":"Field","name":{"kind":"Name","value":"column"}},{"kind":"Field","name":{"kind":"Name","value":"offset"}},{"kind":"Field","name":{"kind":"Name","value":"length"}},{"kind":"Field","name":{"kind":"Name","value":"labels"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"text"}},{"kind":"Field","name":{"kind":"Name","value":"line"}},{"kind":"Field","name":{"kind":"Name","value":"column"}},{"kind":"Field","name":{"kind":"Name","value":"offset"}},{"kind":"Field","name":{"kind":"Name","value":"length"}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"LayoutFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"GraphLayout"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"width"}},{"kind":"Field","name":{"kind":"Name","value":"height"}},{"kind":"Field","name":{"kind":"Name","value":"nodeWidth"}},{"kind":"Field","name":{"kind":"Name","value":"nodeHeight"}},{"kind":"Field","name":{"kind":"Name","value":"keys"}},{"kind":"Field","name":{"kind":"Name","value":"types"}},{"kind":"Field","name":{"kind":"Name","value":"fanouts"}},{"kind":"Field","name":{"kind":"Name","value":"approvals"}},{"kind":"Field","name":{"kind":"Name","value":"x"}},{"kind":"Field","name":{"kind":"Name","value":"y"}},{"kind":"Field","name":{"kind":"Name","value":"ranks"}},{"kind":"Field","name":{"kind":"Name","value":"edges"}},{"kind":"Field","name":{"kind":"Name","value":"bendCounts"}},{"kind":"Field","name":{"kind":"Name","value":"bends"}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<WorkflowValidateMutation, WorkflowValidateMutationVariables>;
export const WorkflowPublishDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"WorkflowPublish"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"source"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"workflowPublish"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"source"},"value":{"kind":"Variable","name":{"kind":"Name","value":"source"}}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"isNew"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"latestVersion"}}]}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"number"}}]}},{"kind":"Field","name":{"kind":"Name","value":"diagnostics"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"DiagnosticFields"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"ValidationError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"diagnostics"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"DiagnosticFields"}}]}}]}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"DiagnosticFields"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Diagnostic"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"severity"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"help"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"line"}},{"kind":"Field","name":{"kind":"Name","value":"column"}},{"kind":"Field","name":{"kind":"Name","value":"offset"}},{"kind":"Field","name":{"kind":"Name","value":"length"}},{"kind":"Field","name":{"kind":"Name","value":"labels"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"text"}},{"kind":"Field","name":{"kind":"Name","value":"line"}},{"kind":"Field","name":{"kind":"Name","value":"column"}},{"kind":"Field","name":{"kind":"Name","value":"offset"}},{"kind":"Field","name":{"kind":"Name","value":"length"}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<WorkflowPublishMutation, WorkflowPublishMutationVariables>;
export const RunStartDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"RunStart"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"RunStartInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"runStart"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"isReplay"}},{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<RunStartMutation, RunStartMutationVariables>;
export const RunCancelDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"RunCancel"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"RunCancelInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"runCancel"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<RunCancelMutation, RunCancelMutationVariables>;
export const RunPauseDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"RunPause"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"RunIdInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"runPause"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<RunPauseMutation, RunPauseMutationVariables>;
export const RunResumeDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"RunResume"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"RunIdInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"runResume"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<RunResumeMutation, RunResumeMutationVariables>;
export const RunRerunDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"RunRerun"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"RunRerunInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"runRerun"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<RunRerunMutation, RunRerunMutationVariables>;
export const RunsBulkDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"RunsBulk"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"RunsBulkInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"runsBulk"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"matched"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"value"}},{"kind":"Field","name":{"kind":"Name","value":"isExact"}}]}},{"kind":"Field","name":{"kind":"Name","value":"operation"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<RunsBulkMutation, RunsBulkMutationVariables>;
export const BulkOperationDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"BulkOperation"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"bulkOperation"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"action"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"done"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"failures"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"5"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"runId"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]}}]}}]} as unknown as DocumentNode<BulkOperationQuery, BulkOperationQueryVariables>;
export const TaskRetryDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"TaskRetry"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"TaskIdInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"taskRetry"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"task"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<TaskRetryMutation, TaskRetryMutationVariables>;
export const TaskSkipDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"TaskSkip"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"TaskIdInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"taskSkip"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"task"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<TaskSkipMutation, TaskSkipMutationVariables>;
export const TaskOverrideDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"TaskOverride"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"TaskOverrideInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"taskOverride"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"task"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<TaskOverrideMutation, TaskOverrideMutationVariables>;
export const ApprovalResolveDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"ApprovalResolve"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ApprovalResolveInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"approvalResolve"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"approval"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"isOpen"}}]}},{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<ApprovalResolveMutation, ApprovalResolveMutationVariables>;
export const SchedulePauseDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"SchedulePause"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ScheduleIdInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"schedulePause"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"schedule"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<SchedulePauseMutation, SchedulePauseMutationVariables>;
export const ScheduleResumeDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"ScheduleResume"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ScheduleIdInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"scheduleResume"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"schedule"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<ScheduleResumeMutation, ScheduleResumeMutationVariables>;
export const ScheduleTriggerDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"ScheduleTrigger"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ScheduleTriggerInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"scheduleTrigger"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"outcome"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<ScheduleTriggerMutation, ScheduleTriggerMutationVariables>;
export const DeadLetterReplayDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"DeadLetterReplay"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"DeadLetterIdsInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"deadLetterReplay"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"matched"}},{"kind":"Field","name":{"kind":"Name","value":"deadLetters"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}}]}},{"kind":"Field","name":{"kind":"Name","value":"unresolved"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"deadLetterId"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<DeadLetterReplayMutation, DeadLetterReplayMutationVariables>;
export const DeadLetterDiscardDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"DeadLetterDiscard"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"DeadLetterDiscardInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"deadLetterDiscard"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"matched"}},{"kind":"Field","name":{"kind":"Name","value":"deadLetters"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}}]}},{"kind":"Field","name":{"kind":"Name","value":"unresolved"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"deadLetterId"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}},{"kind":"Field","name":{"kind":"Name","value":"userErrors"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"Problem"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"Problem"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"UserError"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"path"}},{"kind":"Field","name":{"kind":"Name","value":"hint"}}]}}]} as unknown as DocumentNode<DeadLetterDiscardMutation, DeadLetterDiscardMutationVariables>;
export const RunRowsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"RunRows"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"ids"}},"type":{"kind":"NonNullType","type":{"kind":"ListType","type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"nodes"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"ids"},"value":{"kind":"Variable","name":{"kind":"Name","value":"ids"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Run"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"RunRow"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"RunRow"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Run"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"isPaused"}},{"kind":"Field","name":{"kind":"Name","value":"hasToleratedFailures"}},{"kind":"Field","name":{"kind":"Name","value":"createdAt"}},{"kind":"Field","name":{"kind":"Name","value":"startedAt"}},{"kind":"Field","name":{"kind":"Name","value":"finishedAt"}},{"kind":"Field","name":{"kind":"Name","value":"duration"}},{"kind":"Field","name":{"kind":"Name","value":"createdBy"}},{"kind":"Field","name":{"kind":"Name","value":"tags"}},{"kind":"Field","name":{"kind":"Name","value":"priority"}},{"kind":"Field","name":{"kind":"Name","value":"workflow"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"key"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"version"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"number"}}]}},{"kind":"Field","name":{"kind":"Name","value":"counts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"succeeded"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"running"}}]}},{"kind":"Field","name":{"kind":"Name","value":"error"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]} as unknown as DocumentNode<RunRowsQuery, RunRowsQueryVariables>;