// All workflows with their last runs.
import { Link, useNavigate } from '@tanstack/react-router';
import { useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';

import { useNews, usePages } from '../api/hooks';
import { WorkflowsDocument } from '../gql/graphql';
import { RunDialog } from '../run/RunDialog';
import { LinkPill } from '../Shell';
import { useAddress } from '../state/address';
import { CopyAs } from '../ui/copy';
import { useKeys } from '../ui/keys';
import { Empty, Failure, Skeleton } from '../ui/states';
import { Ago } from '../ui/time';
import { LoadExamples } from './LoadExamples';
import { More, RecentBars, spellTotal } from './parts';

const PINS = 'runnel.pins';

function readPins(): string[] {
  return (localStorage.getItem(PINS) ?? '').split(',').filter(Boolean);
}

export function Workflows() {
  const [search, setSearch] = useAddress();
  const text = search.q ?? '';
  const wanted = useDeferredValue(text.trim());
  const list = usePages(WorkflowsDocument, { text: wanted || undefined }, (data) => data.workflows);
  useNews(['RUN_CREATED', 'RUN_SUCCEEDED', 'RUN_FAILED', 'RUN_CANCELLED'], list.refetch);
  useEffect(() => {
    // publishing leaves no event of a run
    const timer = setInterval(() => {
      if (!document.hidden) list.refetch();
    }, 5_000);
    return () => clearInterval(timer);
  }, [list.refetch]);
  const [starting, setStarting] = useState<string>();
  const [pins, setPins] = useState(readPins);
  const [at, setAt] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const navigate = useNavigate();
  const nodes = useMemo(
    () => [...list.nodes].sort((a, b) => Number(pins.includes(b.key)) - Number(pins.includes(a.key))),
    [list.nodes, pins],
  );
  const chosen = nodes[at];
  const pin = (key: string) => {
    const next = pins.includes(key) ? pins.filter((one) => one !== key) : [...pins, key];
    localStorage.setItem(PINS, next.join());
    setPins(next);
  };
  useKeys({
    '/': () => input.current?.focus(),
    j: () => setAt(Math.min(at + 1, nodes.length - 1)),
    k: () => setAt(Math.max(at - 1, 0)),
    c: () => chosen && setStarting(chosen.key),
    p: () => chosen && pin(chosen.key),
    Enter: () => chosen && void navigate({ to: '/workflows/$key', params: { key: chosen.key } }),
  });
  return (
    <div className="page">
      <header className="page-head">
        <h1>Workflows</h1>
        <span className="soft">{spellTotal(list.total)}</span>
        <LinkPill />
        <input
          ref={input}
          type="search"
          className="query"
          placeholder="Filter by name or key ( / )"
          aria-label="Filter workflows"
          value={text}
          onChange={(event) => setSearch({ q: event.target.value })}
        />
        <div className="tools">
          <CopyAs cli="runnel publish workflow.yaml" document={WorkflowsDocument as never} variables={{ text: wanted }} />
          <Link to="/workflows/new" className="button primary">
            New workflow
          </Link>
        </div>
      </header>
      {list.problem ? <Failure problem={list.problem} onRetry={list.refetch} /> : null}
      {list.isLoading ? <Skeleton rows={8} /> : null}
      {!list.isLoading && !list.problem && nodes.length === 0 ? (
        wanted ? (
          <Empty
            action={
              <button type="button" className="button" onClick={() => setSearch({ q: undefined })}>
                Clear the filter
              </button>
            }
          >
            No workflow matches “{wanted}”.
          </Empty>
        ) : (
          <Empty cli="runnel publish workflow.yaml" action={<LoadExamples onLoaded={list.refetch} />}>
            No workflow yet. Drop a file here, or load three examples.
          </Empty>
        )
      ) : null}
      {nodes.length > 0 ? (
        <div className="card">
          <table aria-label="Workflows">
            <thead>
              <tr>
                <th scope="col">Workflow</th>
                <th scope="col">Last 20 runs</th>
                <th scope="col">Schedule</th>
                <th scope="col" className="number">
                  Version
                </th>
                <th scope="col" className="number">
                  Changed
                </th>
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {nodes.map((workflow, index) => (
                <tr key={workflow.id} aria-current={index === at ? 'true' : undefined} className={index === at ? 'current' : undefined}>
                  <td>
                    <Link to="/workflows/$key" params={{ key: workflow.key }}>
                      {workflow.name}
                    </Link>
                    <div className="soft mono">{workflow.key}</div>
                  </td>
                  <td>{workflow.recentRuns.length ? <RecentBars runs={workflow.recentRuns} /> : <span className="soft">never ran</span>}</td>
                  <td>
                    <NextFire schedule={workflow.schedules.nodes[0]} />
                  </td>
                  <td className="number">{workflow.latestVersion}</td>
                  <td className="number">
                    <Ago at={workflow.updatedAt} />
                  </td>
                  <td className="number">
                    <button
                      type="button"
                      className="icon"
                      aria-pressed={pins.includes(workflow.key)}
                      aria-label={`Pin ${workflow.name}`}
                      onClick={() => pin(workflow.key)}
                    >
                      {pins.includes(workflow.key) ? '★' : '☆'}
                    </button>
                    <button type="button" className="button" onClick={() => setStarting(workflow.key)} aria-label={`Run ${workflow.name}`}>
                      Run
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      <More list={list} />
      {starting ? <RunDialog workflow={starting} onClose={() => setStarting(undefined)} /> : null}
    </div>
  );
}

function NextFire({ schedule }: { schedule: { isPaused: boolean; nextRunAt: string | null; cron: string | null } | undefined }) {
  if (!schedule) return <span className="soft">–</span>;
  if (schedule.isPaused) return <span>paused</span>;
  return (
    <span title={schedule.cron ?? undefined}>
      <Ago at={schedule.nextRunAt} />
    </span>
  );
}
