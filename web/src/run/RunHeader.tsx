// The head of a run: how it stands, what can be done with it.
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import type { Problem } from '../api/client';
import { change } from '../api/hooks';
import { RunCancelDocument, RunDocument, RunPauseDocument, RunRerunDocument, RunResumeDocument, type TaskStatus } from '../gql/graphql';
import { Progress, shortId } from '../screens/parts';
import { LinkPill } from '../Shell';
import { copy, CopyAs } from '../ui/copy';
import { Dialog } from '../ui/dialog';
import { LOOKS, Status } from '../ui/status';
import { Ago, Elapsed } from '../ui/time';
import { isFine, say } from '../ui/toast';
import type { LiveRun } from './useRun';

type Chip = readonly [name: string, statuses: readonly TaskStatus[], count: number];

export interface RunHeaderProps {
  live: LiveRun;
  statuses: ReadonlySet<TaskStatus>;
  onStatuses(statuses: string | undefined): void;
  onFirstFailure(): void;
}

export function RunHeader({ live, statuses, onStatuses, onFirstFailure }: RunHeaderProps) {
  const { run, details } = live;
  if (!run) return null;
  const { counts } = run;
  const chips: readonly Chip[] = [
    ['failed', ['FAILED', 'TIMED_OUT'], counts.failed + counts.timedOut],
    ['running', ['RUNNING'], counts.running],
    ['waiting', ['WAITING', 'RETRY_WAIT'], counts.waiting + counts.retryWait],
    ['queued', ['QUEUED', 'READY'], counts.queued + counts.ready],
    ['blocked', ['BLOCKED'], counts.blocked],
    ['skipped', ['SKIPPED', 'CANCELLED'], counts.skipped + counts.cancelled],
    ['succeeded', ['SUCCEEDED', 'CACHED'], counts.succeeded + counts.cached],
  ];
  const shown = chips.filter(([, , count]) => count > 0);
  return (
    <>
      <header className="run-head">
        <Status status={run.status} isPaused={run.isPaused} />
        <h1>
          <Link to="/workflows/$key" params={{ key: run.workflow.key }}>
            {run.workflow.name}
          </Link>
        </h1>
        <button type="button" className="button quiet mono" title={`Copy ${run.id}`} onClick={() => void copy(run.id, 'the id')}>
          {shortId(run.id)}
        </button>
        <span className="soft">v{run.version.number}</span>
        <Progress
          label={`${counts.succeeded + counts.cached} of ${counts.total} tasks succeeded`}
          segments={shown.toReversed().map(([, own, count]) => ({ tone: LOOKS[own[0] ?? 'BLOCKED'].tone, count }))}
        />
        <div className="chips" role="group" aria-label="Tasks by status">
          {shown.map(([name, own, count]) => {
            const text = own.join().toLowerCase();
            const isOn = own.some((status) => statuses.has(status));
            return (
              <button key={name} type="button" className="chip" aria-pressed={isOn} onClick={() => onStatuses(isOn ? undefined : text)}>
                {count.toLocaleString('en')} {name}
              </button>
            );
          })}
        </div>
        <span className="soft">
          <Elapsed from={run.startedAt} to={run.finishedAt} /> · <Ago at={run.createdAt} /> by {run.createdBy}
        </span>
        {details?.parent ? (
          <Link to="/runs/$id" params={{ id: details.parent.id }}>
            child of {details.parent.workflow.key}
          </Link>
        ) : null}
        {details?.rerunOf ? (
          <Link to="/runs/$id" params={{ id: details.rerunOf.id }}>
            repeats {shortId(details.rerunOf.id)}
          </Link>
        ) : null}
        <div className="tools">
          <LinkPill />
          <Actions live={live} />
        </div>
      </header>
      {run.error ? (
        <div className="banner bad">
          <p>
            <strong>{run.error.message}</strong> <code>{run.error.code}</code>
          </p>
          <button type="button" className="button quiet" onClick={onFirstFailure}>
            Show the first failure <kbd>f</kbd>
          </button>
        </div>
      ) : null}
    </>
  );
}

function Actions({ live }: { live: LiveRun }) {
  const { run, restart } = live;
  const navigate = useNavigate();
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);
  if (!run) return null;
  const { id } = run;
  const act = async (told: string, answering: Promise<{ problem?: Problem }>) => {
    setBusy(true);
    const answer = await answering;
    setBusy(false);
    if (isFine(answer, undefined)) say(told);
    restart();
  };
  const pause = () =>
    act(
      'Paused: what runs goes on, nothing new starts.',
      change(RunPauseDocument, { input: { id } }).then((answer) => withErrors(answer, (data) => data.runPause.userErrors)),
    );
  const resume = () =>
    act(
      'Resumed.',
      change(RunResumeDocument, { input: { id } }).then((answer) => withErrors(answer, (data) => data.runResume.userErrors)),
    );
  const retry = () =>
    act(
      'The failed tasks are tried again.',
      change(RunRerunDocument, { input: { id, from: 'FAILED' } }).then((answer) => withErrors(answer, (data) => data.runRerun.userErrors)),
    );
  const again = async () => {
    setBusy(true);
    const answer = await change(RunRerunDocument, { input: { id, from: 'START', newRun: true, idempotencyKey: crypto.randomUUID() } });
    setBusy(false);
    const next = answer.data?.runRerun.run;
    if (isFine(answer, answer.data?.runRerun.userErrors) && next) void navigate({ to: '/runs/$id', params: { id: next.id } });
  };
  const hasFailures = run.status === 'FAILED' || run.status === 'TIMED_OUT' || run.status === 'CANCELLED';
  return (
    <>
      {run.canPause ? (
        <button type="button" className="button" disabled={isBusy} onClick={() => void pause()}>
          Pause
        </button>
      ) : null}
      {run.canResume ? (
        <button type="button" className="button primary" disabled={isBusy} onClick={() => void resume()}>
          Resume
        </button>
      ) : null}
      {run.canRerun && hasFailures ? (
        <button type="button" className="button primary" disabled={isBusy} onClick={() => void retry()}>
          Retry failed
        </button>
      ) : null}
      {run.canRerun ? (
        <button type="button" className="button" disabled={isBusy} onClick={() => void again()}>
          Run again
        </button>
      ) : null}
      {run.canCancel ? (
        <button type="button" className="button danger" disabled={isBusy} onClick={() => setAsking(true)}>
          Cancel
        </button>
      ) : null}
      <CopyAs cli={`runnel show ${id}`} document={RunDocument as never} variables={{ id }} />
      <CancelDialog id={id} isOpen={isAsking} onClose={() => setAsking(false)} onDone={restart} />
    </>
  );
}

/** The first error of a payload is a problem like any other. */
function withErrors<T>(
  answer: { data?: T; problem?: Problem },
  pick: (data: T) => readonly Problem[],
): { problem?: Problem } {
  return { problem: answer.problem ?? (answer.data ? pick(answer.data)[0] : undefined) };
}

function CancelDialog({ id, isOpen, onClose, onDone }: { id: string; isOpen: boolean; onClose: () => void; onDone: () => void }) {
  const [reason, setReason] = useState('');
  const cancel = async (mode: 'GRACEFUL' | 'NOW') => {
    const answer = await change(RunCancelDocument, { input: { id, mode, reason: reason || undefined } });
    if (isFine(answer, answer.data?.runCancel.userErrors)) say(mode === 'NOW' ? 'Cancelled.' : 'Cancelling: what runs may end first.');
    onClose();
    onDone();
  };
  return (
    <Dialog title="Cancel this run?" isOpen={isOpen} onClose={onClose}>
      <p>Graceful lets running tasks end. At once stops them. Handlers (`finally`) run in both cases.</p>
      <label className="field">
        <span>Reason</span>
        <input type="text" value={reason} onChange={(event) => setReason(event.target.value)} placeholder="kept in the history" />
      </label>
      <footer className="dialog-foot">
        <CopyAs cli={`runnel cancel ${id}`} document={RunCancelDocument as never} variables={{ input: { id, mode: 'GRACEFUL' } }} />
        <button type="button" className="button" onClick={onClose}>
          Keep it running
        </button>
        <button type="button" className="button danger" onClick={() => void cancel('NOW')}>
          Cancel at once
        </button>
        <button type="button" className="button danger solid" onClick={() => void cancel('GRACEFUL')}>
          Cancel gracefully
        </button>
      </footer>
    </Dialog>
  );
}
