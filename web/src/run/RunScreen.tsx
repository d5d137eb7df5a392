// One run: its tasks on the left, one of several lenses in the middle, the chosen task on the right.
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { lazy, Suspense, useCallback, useMemo, useRef, useState } from 'react';

import type { TaskStatus } from '../gql/graphql';
import { Tabs } from '../screens/parts';
import { useAddress } from '../state/address';
import { useKeys } from '../ui/keys';
import { Failure, Skeleton } from '../ui/states';
import { isFailure } from '../ui/status';
import { DataLens } from './DataLens';
import { EventsLens } from './EventsLens';
import { LogsLens } from './LogsLens';
import { RunHeader } from './RunHeader';
import { ordered, TaskList } from './TaskList';
import { TaskPanel } from './TaskPanel';
import { Timeline } from './Timeline';
import { useRun, type LiveRun } from './useRun';

const GraphView = lazy(() => import('../graph/GraphView'));

type Lens = 'graph' | 'timeline' | 'events' | 'logs' | 'io';
const LENSES: readonly (readonly [Lens, string])[] = [
  ['graph', 'Graph'],
  ['timeline', 'Timeline'],
  ['events', 'Events'],
  ['logs', 'Logs'],
  ['io', 'Inputs & outputs'],
];

export function RunScreen() {
  const { id, task } = useParams({ strict: false }) as { id: string; task?: string };
  const live = useRun(id);
  if (live.isMissing) {
    return (
      <div className="page">
        <h1>This run does not exist</h1>
        <p>
          It may have been removed by retention. Look among the <Link to="/runs">runs</Link>.
        </p>
      </div>
    );
  }
  if (live.problem && !live.run) {
    return (
      <div className="page">
        <Failure problem={live.problem} onRetry={live.restart} />
      </div>
    );
  }
  if (live.isLoading || !live.run) {
    return (
      <div className="page">
        <Skeleton rows={10} />
      </div>
    );
  }
  return <Loaded id={id} task={task} live={live} />;
}

function Loaded({ id, task, live }: { id: string; task: string | undefined; live: LiveRun }) {
  const { run, graph, table, revision } = live;
  const [search, setSearch] = useAddress();
  const navigate = useNavigate();
  const lens = LENSES.find(([name]) => name === search.lens)?.[0] ?? 'graph';
  const [text, setText] = useState('');
  const input = useRef<HTMLInputElement>(null);
  const wanted = search.status;
  const statuses = useMemo(() => new Set((wanted?.toUpperCase().split(',') ?? []) as TaskStatus[]), [wanted]);
  // `revision` stands for what is inside of the table
  const nodes = useMemo(() => (graph && table ? ordered(graph, table, text, statuses) : []), [graph, table, revision, text, statuses]);
  // items of fan-outs and compensations are tasks too, but not nodes
  const found = task && graph ? graph.keys.indexOf(task) : -1;
  const selected = found >= 0 ? found : undefined;
  const select = useCallback(
    (key: string | undefined) => {
      const search = ((old: Record<string, unknown>) => ({ ...old, attempt: undefined })) as never;
      void navigate(
        key ? { to: '/runs/$id/tasks/$task', params: { id, task: key }, search, replace: true } : { to: '/runs/$id', params: { id }, search, replace: true },
      );
    },
    [id, navigate],
  );
  const selectNode = (node: number | undefined) => select(node === undefined ? undefined : graph?.keys[node]);
  const toFailure = (by: 1 | -1) => {
    const failures = nodes.filter((node) => isFailure(table?.statuses[node] ?? 'BLOCKED'));
    const at = selected === undefined ? -1 : failures.indexOf(selected);
    const next = failures[at < 0 && by < 0 ? failures.length - 1 : (at + by + failures.length) % Math.max(failures.length, 1)];
    if (next !== undefined) selectNode(next);
  };
  const move = (by: number) => {
    const at = selected === undefined ? -1 : nodes.indexOf(selected);
    const next = nodes[Math.min(Math.max(at + by, 0), nodes.length - 1)];
    if (next !== undefined) selectNode(next);
  };
  const look = (name: Lens) => () => setSearch({ lens: name });
  useKeys({
    '/': () => input.current?.focus(),
    g: look('graph'),
    t: look('timeline'),
    e: look('events'),
    l: look('logs'),
    i: look('io'),
    f: () => toFailure(1),
    F: () => toFailure(-1),
    j: () => move(1),
    k: () => move(-1),
    Escape: () => select(undefined),
  });
  const dim = useMemo(() => {
    if ((!text && statuses.size === 0) || nodes.length === 0) return undefined;
    const shown = new Set(nodes);
    return (node: number) => !shown.has(node);
  }, [nodes, text, statuses]);
  if (!run) return null;
  return (
    <div className="run-screen">
      <RunHeader live={live} statuses={statuses} onStatuses={(status) => setSearch({ status })} onFirstFailure={() => toFailure(1)} />
      <div className={task ? 'run-body has-task' : 'run-body'}>
        {graph && table ? (
          <TaskList graph={graph} table={table} nodes={nodes} selected={selected} onSelect={selectNode} text={text} onText={setText} input={input} />
        ) : (
          <section className="tasks">
            <Skeleton />
          </section>
        )}
        <section className="lens" aria-label="Lenses">
          <Tabs tabs={LENSES} chosen={lens} onChoose={(name) => setSearch({ lens: name })} label="Lenses" />
          <div className={lens === 'graph' || lens === 'timeline' || lens === 'logs' ? 'lens-body' : 'lens-body padded'}>
            {lens === 'graph' && graph && table ? (
              <Suspense fallback={<Skeleton />}>
                <GraphView
                  graph={graph}
                  statuses={table.statuses}
                  attempts={table.attempts}
                  revision={revision}
                  selected={selected}
                  onSelect={selectNode}
                  isDimmed={dim}
                  label={`Graph of run ${id}`}
                />
              </Suspense>
            ) : null}
            {lens === 'timeline' && graph && table ? (
              <Timeline graph={graph} table={table} run={run} revision={revision} selected={selected} onSelect={selectNode} />
            ) : null}
            {lens === 'events' ? <EventsLens id={id} revision={revision} onTask={select} /> : null}
            {lens === 'logs' && graph && table ? <LogsLens id={id} graph={graph} nodes={nodes} selected={selected} onSelect={selectNode} /> : null}
            {lens === 'io' ? <DataLens id={id} status={run.status} /> : null}
          </div>
        </section>
        {task ? <TaskPanel run={id} task={task} revision={revision} onClose={() => select(undefined)} onChanged={live.restart} onTask={select} /> : null}
      </div>
    </div>
  );
}
