// The first screen: what runs, what failed, what waits for somebody. Every number leads to its list.
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';

import { useData, useNews } from '../api/hooks';
import { OverviewDocument, type EventKind, type OverviewQuery } from '../gql/graphql';
import { LinkPill } from '../Shell';
import { CopyAs } from '../ui/copy';
import { Empty, Failure, Skeleton } from '../ui/states';
import { LOOKS } from '../ui/status';
import { Ago, milliseconds, spell } from '../ui/time';
import { LoadExamples } from './LoadExamples';
import { RunTable, spellRead, spellTotal } from './parts';

const DAY_MS = 86_400_000;
const RUN_KINDS: readonly EventKind[] = [
  'RUN_CREATED',
  'RUN_STARTED',
  'RUN_SUCCEEDED',
  'RUN_FAILED',
  'RUN_CANCELLED',
  'RUN_TIMED_OUT',
  'RUN_REOPENED',
  'TASK_WAITING',
  'APPROVAL_DECIDED',
  'DEAD_LETTERED',
];

export function Overview() {
  // whole minutes: the same question while the screen is open
  const since = useMemo(() => new Date(Math.floor((Date.now() - DAY_MS) / 60_000) * 60_000).toISOString(), []);
  const overview = useData(OverviewDocument, { since });
  useNews(RUN_KINDS, overview.refetch);
  const { data, problem } = overview;
  return (
    <div className="page">
      <header className="page-head">
        <h1>Overview</h1>
        <LinkPill />
        <div className="tools">
          <CopyAs cli="runnel runs --status running" document={OverviewDocument as never} variables={{ since }} />
          <Link to="/workflows/new" className="button primary">
            New workflow
          </Link>
        </div>
      </header>
      {problem ? <Failure problem={problem} onRetry={overview.refetch} /> : null}
      {overview.isLoading ? <Skeleton rows={8} /> : null}
      {data ? <Numbers data={data} /> : null}
      {data && data.workflows.nodes.length === 0 ? <FirstSteps onLoaded={overview.refetch} /> : null}
      {data && data.workflows.nodes.length > 0 ? <Lists data={data} /> : null}
    </div>
  );
}

/** The value below which a share of the sorted values lies. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

function Numbers({ data }: { data: OverviewQuery }) {
  const finished = data.finished.nodes;
  const good = finished.filter((run) => run.status === 'SUCCEEDED').length;
  const took = finished.flatMap((run) => (run.duration ? [milliseconds(run.duration)] : []));
  const spellAt = (share: number) => {
    const found = percentile(took, share);
    return found === undefined ? '–' : spell(found);
  };
  const letters = data.deadLetterGroups.reduce((sum, group) => sum + group.count, 0);
  const basis = finished.length >= 200 ? 'newest 200 runs that ended' : 'runs that ended in 24 h';
  return (
    <section className="tiles" aria-label="Now and in the last 24 hours">
      <Tile to="/runs?q=status:running" name="Running" value={spellTotal(data.running.totalCount)} />
      <Tile to="/runs?q=status:pending" name="Pending" value={spellTotal(data.pending.totalCount)} />
      <Tile
        to="/runs?q=status:failed,timed_out finished:24h"
        name="Failed in 24 h"
        value={spellTotal(data.failed.totalCount)}
        isAlarm={Boolean(data.failed.totalCount?.value)}
      />
      <Tile to="/approvals" name="Wait for a person" value={spellRead({ nodes: data.approvals.nodes, hasMore: data.approvals.pageInfo.hasNextPage })} />
      <Tile to="/dlq" name="Dead letters" value={letters.toLocaleString('en')} isAlarm={letters > 0} />
      <Tile
        to="/runs?q=finished:24h"
        name="Success rate"
        value={finished.length ? `${Math.round((100 * good) / finished.length)} %` : '–'}
        detail={basis}
      />
      <Tile to="/runs?q=finished:24h" name="Took, half of them" value={spellAt(0.5)} detail={`95 %: ${spellAt(0.95)}`} />
      <Tile to="/workflows" name="Workflows" value={spellTotal(data.workflows.totalCount)} />
    </section>
  );
}

function Tile(props: { to: string; name: string; value: string; detail?: string; isAlarm?: boolean }) {
  const [path = '/', search = ''] = props.to.split('?q=');
  return (
    <Link to={path} search={(search ? { q: search } : {}) as never} className={props.isAlarm ? 'tile alarm' : 'tile'}>
      <span className="soft">{props.name}</span>
      <strong>{props.value}</strong>
      {props.detail ? <span className="soft">{props.detail}</span> : null}
    </Link>
  );
}

function Lists({ data }: { data: OverviewQuery }) {
  return (
    <>
      <div className="two">
        <section className="card">
          <div className="bar">
            <h2>Running</h2>
          </div>
          {data.running.nodes.length ? (
            <RunTable runs={data.running.nodes} label="Running" />
          ) : (
            <Empty cli="runnel run hello --watch">Nothing runs now.</Empty>
          )}
        </section>
        <section className="card">
          <div className="bar">
            <h2>Failed in the last 24 hours</h2>
          </div>
          {data.failed.nodes.length ? <RunTable runs={data.failed.nodes} label="Failed" /> : <Empty>Nothing failed.</Empty>}
        </section>
      </div>
      {data.approvals.nodes.length ? (
        <section className="card">
          <div className="bar">
            <h2>Waits for a person</h2>
          </div>
          <table aria-label="Waits for a person">
            <tbody>
              {data.approvals.nodes.slice(0, 5).map((approval) => (
                <tr key={approval.id}>
                  <td>
                    <Link to="/approvals">{approval.message}</Link>
                  </td>
                  <td>{approval.run.workflow.key}</td>
                  <td className="number">
                    <Ago at={approval.askedAt} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      ) : null}
      <p className="soft note">
        Statuses: {(['SUCCEEDED', 'FAILED', 'RUNNING', 'WAITING'] as const).map((status) => `${LOOKS[status].glyph} ${LOOKS[status].word}`).join('   ')}
      </p>
    </>
  );
}

function FirstSteps({ onLoaded }: { onLoaded: () => void }) {
  return (
    <section className="card">
      <Empty cli="runnel publish examples/*/workflow.yaml" action={<LoadExamples onLoaded={onLoaded} />}>
        No workflow yet. Drop workflow files anywhere on this page, <Link to="/workflows/new">write one</Link>, or begin with three
        examples.
      </Empty>
    </section>
  );
}
