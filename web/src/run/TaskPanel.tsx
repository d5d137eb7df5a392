// One task: why it waits, what went wrong, its attempts, its data, its log.
import { Link } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';

import type { Problem } from '../api/client';
import { change, readOnce, useData } from '../api/hooks';
import { TaskDocument, TaskItemsDocument, TaskOverrideDocument, TaskRetryDocument, TaskSkipDocument, type TaskQuery } from '../gql/graphql';
import { Ballot } from './Ballot';
import { CopyAs, quote } from '../ui/copy';
import { Dialog } from '../ui/dialog';
import { PayloadBox } from '../ui/json';
import { useAddress } from '../state/address';
import { useKeys } from '../ui/keys';
import { Failure, Skeleton } from '../ui/states';
import { Glyph, Status } from '../ui/status';
import { Ago, Elapsed, milliseconds, spell } from '../ui/time';
import { isFine, say } from '../ui/toast';
import { Logs } from './Logs';

type TaskData = NonNullable<NonNullable<TaskQuery['run']>['task']>;
const REREAD_MS = 300;

export interface TaskPanelProps {
  run: string;
  task: string;
  revision: number;
  onClose(): void;
  onChanged(): void;
  onTask(task: string): void;
}

export function TaskPanel({ run, task, revision, onClose, onChanged, onTask }: TaskPanelProps) {
  const [found, setFound] = useState<TaskData | null>();
  const [problem, setProblem] = useState<Problem>();
  const asked = useRef('');
  useEffect(() => {
    let isGone = false;
    const isNew = asked.current !== task;
    if (isNew) setFound(undefined);
    asked.current = task;
    const timer = setTimeout(
      () => {
        void readOnce(TaskDocument, { run, task }).then((answer) => {
          if (isGone) return;
          setProblem(answer.problem);
          if (answer.data) setFound(answer.data.run?.task ?? null);
        });
      },
      isNew ? 0 : REREAD_MS,
    );
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [run, task, revision]);
  return (
    <aside className="panel" aria-label={`Task ${task}`} tabIndex={0}>
      <header className="bar">
        <h2>{task}</h2>
        <span className="tools">
          <CopyAs cli={`runnel why ${run} ${quote(task)}`} document={TaskDocument as never} variables={{ run, task }} />
          <button type="button" className="icon" aria-label="Close the task" onClick={onClose}>
            ✕
          </button>
        </span>
      </header>
      {problem ? <Failure problem={problem} /> : null}
      {found === undefined && !problem ? <Skeleton rows={6} /> : null}
      {found === null ? <p>This run has no such task.</p> : null}
      {found ? <Details key={found.id} run={run} task={found} onChanged={onChanged} onTask={onTask} /> : null}
    </aside>
  );
}

function Details({ run, task, onChanged, onTask }: { run: string; task: TaskData; onChanged: () => void; onTask: (task: string) => void }) {
  const isWaiting = task.blockers.length > 0;
  return (
    <>
      <div className="bar">
        <Status status={task.status} />
        <span className="soft">
          <Elapsed from={task.startedAt} to={task.finishedAt} />
        </span>
        <Actions run={run} task={task} onChanged={onChanged} />
      </div>
      {isWaiting ? (
        <section className="why" aria-label="Why it waits">
          <h3>Why it waits</h3>
          {task.blockers.map((blocker, at) => (
            <div key={at} className="bar">
              <span>{blocker.message}</span>
              {blocker.__typename === 'UpstreamBlocker'
                ? blocker.tasks.map((one) => (
                    <button key={one.key} type="button" className="button quiet" onClick={() => onTask(one.key)}>
                      <Glyph status={one.status} /> {one.key}
                    </button>
                  ))
                : null}
            </div>
          ))}
        </section>
      ) : null}
      {task.approval?.isOpen ? <Ballot run={run} approval={task.approval} onDone={onChanged} /> : null}
      {task.error ? (
        <section className="error-box" aria-label="Error">
          <p>
            <strong>{task.error.message}</strong> <code>{task.error.code}</code>
          </p>
          {task.error.traceback ? (
            <pre tabIndex={0} aria-label="Traceback">
              {task.error.traceback}
            </pre>
          ) : null}
        </section>
      ) : null}
      <Facts task={task} onTask={onTask} />
      {task.progress?.fraction != null ? (
        <label className="field">
          <span>{task.progress.message ?? 'Progress'}</span>
          <progress max={1} value={task.progress.fraction} />
        </label>
      ) : null}
      {task.itemCounts ? <Items run={run} task={task} onTask={onTask} /> : null}
      <Attempts run={run} task={task} />
      <PayloadBox title="Input" payload={task.inputPayload} empty="It has no input yet." />
      <PayloadBox title="Output" payload={task.outputPayload} empty="It has no output yet." />
    </>
  );
}

function Facts({ task, onTask }: { task: TaskData; onTask: (task: string) => void }) {
  return (
    <dl className="facts">
      <dt>Type</dt>
      <dd>{task.type}</dd>
      <dt>Queue</dt>
      <dd>{task.queue}</dd>
      {task.worker ? (
        <>
          <dt>Worker</dt>
          <dd>{task.worker}</dd>
        </>
      ) : null}
      {task.needs.length ? (
        <>
          <dt>Needs</dt>
          <dd>
            {task.needs.map((need) => (
              <button key={need} type="button" className="button quiet" onClick={() => onTask(need)}>
                {need}
              </button>
            ))}
          </dd>
        </>
      ) : null}
      {task.wakeAt ? (
        <>
          <dt>Goes on</dt>
          <dd>
            <Ago at={task.wakeAt} />
          </dd>
        </>
      ) : null}
      {task.childRun ? (
        <>
          <dt>Child run</dt>
          <dd>
            <Link to="/runs/$id" params={{ id: task.childRun.id }}>
              {task.childRun.workflow.key}
            </Link>
          </dd>
        </>
      ) : null}
    </dl>
  );
}

function Attempts({ run, task }: { run: string; task: TaskData }) {
  const [search, setSearch] = useAddress();
  const numbers = task.attempts.map((attempt) => attempt.number);
  const chosen = numbers.find((number) => String(number) === search.attempt) ?? numbers.at(-1);
  const attempt = task.attempts.find((one) => one.number === chosen);
  const move = (by: number) => {
    const next = numbers[numbers.indexOf(chosen ?? 0) + by];
    if (next !== undefined) setSearch({ attempt: String(next) });
  };
  useKeys({ '[': () => move(-1), ']': () => move(1) });
  if (!attempt) return null;
  return (
    <section aria-label="Attempts">
      <div className="chips" role="group" aria-label="Attempts">
        {task.attempts.map((one) => (
          <button key={one.number} type="button" className="chip" aria-pressed={one.number === chosen} onClick={() => setSearch({ attempt: String(one.number) })}>
            <Glyph status={one.status} /> Attempt {one.number}
          </button>
        ))}
      </div>
      <p className="soft note">
        {attempt.timeInQueue ? `queued ${spell(milliseconds(attempt.timeInQueue))}` : 'not queued'}
        {attempt.duration ? `, ran ${spell(milliseconds(attempt.duration))}` : ''}
        {attempt.worker ? `, on ${attempt.worker}` : ''}
      </p>
      {attempt.error ? (
        <p className="error-box">
          {attempt.error.message} <code>{attempt.error.code}</code>
        </p>
      ) : null}
      <Logs key={`${task.key}/${chosen}`} run={run} task={task.key} attempt={chosen} inPanel />
    </section>
  );
}

function Items({ run, task, onTask }: { run: string; task: TaskData; onTask: (task: string) => void }) {
  const counts = task.itemCounts;
  const [onlyFailed, setOnlyFailed] = useState((counts?.failed ?? 0) + (counts?.timedOut ?? 0) > 0);
  const items = useData(TaskItemsDocument, { run, task: task.key, status: onlyFailed ? ['FAILED', 'TIMED_OUT'] : undefined });
  const nodes = items.data?.run?.task?.items.nodes ?? [];
  const { refetch } = items;
  useEffect(refetch, [counts?.succeeded, counts?.failed, counts?.running, refetch]);
  if (!counts) return null;
  return (
    <section aria-label="Items">
      <div className="bar">
        <h3>
          {counts.succeeded} of {counts.total} items succeeded{counts.failed ? `, ${counts.failed} failed` : ''}
        </h3>
        <button type="button" className="chip" aria-pressed={onlyFailed} onClick={() => setOnlyFailed(!onlyFailed)}>
          only failed
        </button>
      </div>
      <div className="chips">
        {nodes.map((item) => (
          <button key={item.id} type="button" className="chip" onClick={() => onTask(item.key)} title={item.error?.message}>
            <Glyph status={item.status} /> {item.key.slice(task.key.length)}
          </button>
        ))}
      </div>
      {items.data && nodes.length === 0 ? <p className="soft">No such item.</p> : null}
      {items.data?.run?.task?.items.pageInfo.hasNextPage ? <p className="soft">The first 100 of them.</p> : null}
    </section>
  );
}

function Actions({ run, task, onChanged }: { run: string; task: TaskData; onChanged: () => void }) {
  const [isOverriding, setOverriding] = useState(false);
  const input = { run, task: task.key };
  const retry = async () => {
    const answer = await change(TaskRetryDocument, { input });
    if (isFine(answer, answer.data?.taskRetry.userErrors)) say(`${task.key} is tried again.`);
    onChanged();
  };
  const skip = async () => {
    const answer = await change(TaskSkipDocument, { input });
    if (isFine(answer, answer.data?.taskSkip.userErrors)) say(`${task.key} is skipped.`);
    onChanged();
  };
  useKeys({ r: () => task.canRetry && void retry() });
  return (
    <span className="tools">
      {task.canRetry ? (
        <button type="button" className="button primary" onClick={() => void retry()}>
          Retry <kbd>r</kbd>
        </button>
      ) : null}
      {task.canSkip ? (
        <button type="button" className="button" onClick={() => void skip()}>
          Skip
        </button>
      ) : null}
      {task.canOverride ? (
        <button type="button" className="button" onClick={() => setOverriding(true)}>
          Set result…
        </button>
      ) : null}
      <OverrideDialog run={run} task={task.key} isOpen={isOverriding} onClose={() => setOverriding(false)} onDone={onChanged} />
    </span>
  );
}

interface OverrideDialogProps {
  run: string;
  task: string;
  isOpen: boolean;
  onClose(): void;
  onDone(): void;
}

function OverrideDialog({ run, task, isOpen, onClose, onDone }: OverrideDialogProps) {
  const [text, setText] = useState('{}');
  const [reason, setReason] = useState('');
  const [wrong, setWrong] = useState<string>();
  const succeed = async () => {
    let output: unknown;
    try {
      output = JSON.parse(text);
    } catch {
      setWrong('This is no JSON.');
      return;
    }
    const answer = await change(TaskOverrideDocument, { input: { run, task, result: 'SUCCEED', output, reason: reason || undefined } });
    if (!isFine(answer, answer.data?.taskOverride.userErrors)) return;
    say(`${task} has succeeded with this output.`);
    onClose();
    onDone();
  };
  return (
    <Dialog title={`Let ${task} succeed with an output`} isOpen={isOpen} onClose={onClose}>
      <label className="field">
        <span>Output, JSON</span>
        <textarea rows={6} value={text} onChange={(event) => setText(event.target.value)} spellCheck={false} />
        {wrong ? <span className="bad">{wrong}</span> : null}
      </label>
      <label className="field">
        <span>Reason</span>
        <input type="text" value={reason} onChange={(event) => setReason(event.target.value)} placeholder="kept in the history" />
      </label>
      <footer className="dialog-foot">
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" className="button primary" onClick={() => void succeed()}>
          Let it succeed
        </button>
      </footer>
    </Dialog>
  );
}
