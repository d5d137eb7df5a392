// A run as it goes on: read once with its picture, then patched by what the subscription tells after that cursor.
import { useCallback, useEffect, useRef, useState } from 'react';

import type { Problem } from '../api/client';
import { readOnce } from '../api/hooks';
import { subscribe } from '../api/live';
import {
  EventsDocument,
  RunDocument,
  RunTableDocument,
  RunUpdatesDocument,
  type RunHeadFragment,
  type RunQuery,
  type RunUpdatesSubscription,
  type TaskStatus,
} from '../gql/graphql';
import { graphOf, type Graph } from '../graph/model';
import { hasEnded } from '../ui/status';

/** Tasks of the file by index; changed in place, since a run has up to 10,000 of them. */
export interface Table {
  statuses: TaskStatus[];
  attempts: number[];
  queuedAt: (string | null)[];
  startedAt: (string | null)[];
  finishedAt: (string | null)[];
}

export interface LiveRun {
  run: RunHeadFragment | undefined;
  details: NonNullable<RunQuery['run']> | undefined;
  graph: Graph | undefined;
  table: Table | undefined;
  /** Counts the changes of `table`. */
  revision: number;
  problem: Problem | undefined;
  isLoading: boolean;
  isMissing: boolean;
  /** Reads anew and follows again: after an action that may reopen the run. */
  restart(): void;
}

type Update = RunUpdatesSubscription['runUpdates'];
const HIDDEN_MS = 1_000;

/** Writes what changed into the table. Items of fan-outs stand after the tasks of the file and are left out. */
export function patch(table: Table, tasks: Update['tasks']): void {
  for (const task of tasks) {
    if (task.index >= table.statuses.length) continue;
    table.statuses[task.index] = task.status;
    table.attempts[task.index] = task.attempt;
    table.queuedAt[task.index] = task.queuedAt;
    table.startedAt[task.index] = task.startedAt;
    table.finishedAt[task.index] = task.finishedAt;
  }
}

interface Base {
  details: NonNullable<RunQuery['run']>;
  graph: Graph | undefined;
  table: Table;
}

export function useRun(id: string): LiveRun {
  const [epoch, setEpoch] = useState(0);
  const [base, setBase] = useState<Base>();
  const [run, setRun] = useState<RunHeadFragment>();
  const [revision, setRevision] = useState(0);
  const [problem, setProblem] = useState<Problem>();
  const [isMissing, setMissing] = useState(false);
  const restart = useCallback(() => setEpoch((old) => old + 1), []);
  const latest = useRef<RunHeadFragment>(undefined);

  useEffect(() => {
    let isGone = false;
    let stop: (() => void) | undefined;
    let timer: ReturnType<typeof setTimeout> | number | undefined;
    // messages are written into the table at once and shown with the next frame, or once a second when nobody looks
    const show = () => {
      if (timer !== undefined) return;
      const render = () => {
        timer = undefined;
        setRun(latest.current);
        setRevision((old) => old + 1);
      };
      timer = document.hidden ? setTimeout(render, HIDDEN_MS) : requestAnimationFrame(render);
    };
    const reread = async (table: Table) => {
      const { data } = await readOnce(RunTableDocument, { id });
      if (isGone || !data?.run) return;
      Object.assign(table, structuredClone(data.run.taskTable));
      latest.current = data.run;
      show();
    };
    const follow = (table: Table, after: string) => {
      stop = subscribe(
        RunUpdatesDocument,
        { id, after },
        {
          onMessage({ runUpdates }) {
            latest.current = runUpdates.run;
            patch(table, runUpdates.tasks);
            if (runUpdates.isTruncated) void reread(table);
            show();
          },
          onProblem: setProblem,
          onEnd() {
            if (!isGone) wait();
          },
        },
      );
    };
    // a run that has ended may be opened again by anybody
    const wait = () => {
      stop = subscribe(
        EventsDocument,
        { filter: { run: id } },
        {
          onMessage({ events }) {
            if (events.kind !== 'SYNC') restart();
          },
          onProblem: setProblem,
        },
      );
    };
    void readOnce(RunDocument, { id }).then(({ data, problem: found }) => {
      if (isGone) return;
      setProblem(found);
      setMissing(data?.run === null);
      if (!data?.run) return;
      const details = data.run;
      const table = structuredClone(details.taskTable) as Table;
      latest.current = details;
      setRun(details);
      setBase((old) => ({
        details,
        // the picture of a run never changes: the view stays where it is
        graph: old && old.details.id === details.id ? old.graph : details.layout ? graphOf(details.layout) : undefined,
        table,
      }));
      setRevision((old) => old + 1);
      if (hasEnded(details.status)) wait();
      else follow(table, details.cursor);
    });
    return () => {
      isGone = true;
      stop?.();
      if (typeof timer === 'number') cancelAnimationFrame(timer);
      clearTimeout(timer);
    };
  }, [id, epoch, restart]);

  const isCurrent = base?.details.id === id;
  return {
    run: isCurrent ? run : undefined,
    details: isCurrent ? base.details : undefined,
    graph: isCurrent ? base.graph : undefined,
    table: isCurrent ? base.table : undefined,
    revision,
    problem,
    isLoading: !isCurrent && !problem && !isMissing,
    isMissing,
    restart,
  };
}
