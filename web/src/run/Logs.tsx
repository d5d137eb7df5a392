// The log of a task, followed while it runs. The newest lines are kept; the whole is a command away.
import { useEffect, useRef, useState } from 'react';

import type { Problem } from '../api/client';
import { subscribe } from '../api/live';
import { TaskLogsDocument, type TaskLogsSubscription } from '../gql/graphql';
import { copy, CopyAs, quote } from '../ui/copy';
import { Failure } from '../ui/states';

export type Line = TaskLogsSubscription['taskLogs']['lines'][number];

const LINES_MAX = 5_000;
const SHOWN_MAX = 1_000;
/** Escape sequences of terminals: colours are not shown, and must not be in the way. */
// oxlint-disable-next-line no-control-regex
const ANSI = /\u001b\[[0-9;?]*[A-Za-z]/g;

export function plain(text: string): string {
  return text.replace(ANSI, '');
}

export function Logs({ run, task, attempt, inPanel = false }: { run: string; task: string; attempt?: number; inPanel?: boolean }) {
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [isOver, setOver] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [wanted, setWanted] = useState('');
  const [wraps, setWraps] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    setLines([]);
    setOver(false);
    setProblem(undefined);
    return subscribe(
      TaskLogsDocument,
      { run, task, attempt },
      {
        onMessage({ taskLogs }) {
          if (taskLogs.lines.length > 0) setLines((old) => [...old, ...taskLogs.lines].slice(-LINES_MAX));
          if (taskLogs.kind === 'END') setOver(true);
        },
        onProblem: setProblem,
        onEnd: () => setOver(true),
      },
    );
  }, [run, task, attempt]);
  useEffect(() => {
    if (follows.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, wanted]);
  const search = wanted.trim().toLowerCase();
  const found = search ? lines.filter((line) => line.text.toLowerCase().includes(search)) : lines;
  const shown = found.slice(-SHOWN_MAX);
  if (problem) return <Failure problem={problem} />;
  return (
    <>
      <div className="bar">
        <input type="search" className="query" placeholder="Search" aria-label={`Search the log of ${task}`} value={wanted} onChange={(event) => setWanted(event.target.value)} />
        <button type="button" className="chip" aria-pressed={wraps} onClick={() => setWraps(!wraps)}>
          Wrap
        </button>
        <button type="button" className="button quiet" onClick={() => void copy(lines.map((line) => plain(line.text)).join('\n'), 'the log')}>
          Copy
        </button>
        <CopyAs
          cli={`runnel logs ${run} ${quote(task)}${attempt ? ` --attempt ${attempt}` : ''}`}
          document={TaskLogsDocument as never}
          variables={{ run, task, attempt }}
        />
      </div>
      <div
        ref={box}
        className={`log${inPanel ? ' in-panel' : ''}${wraps ? '' : ' no-wrap'}`}
        role="log"
        aria-live="off"
        aria-label={`Log of ${task}`}
        tabIndex={0}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          follows.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        {found.length > shown.length ? <p className="soft">{found.length - shown.length} earlier lines are not shown; copy them, or use the command.</p> : null}
        {shown.map((line, at) => (
          <div key={at} className={`log-line ${line.stream.toLowerCase()}`}>
            <span className="soft">{line.at.slice(11, 23)}</span>
            <span>{plain(line.text)}</span>
          </div>
        ))}
        {found.length === 0 ? <p className="soft">{lines.length > 0 ? 'No line matches.' : isOver ? 'No output.' : 'No output yet.'}</p> : null}
      </div>
    </>
  );
}
