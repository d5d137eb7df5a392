// What several lists share.
import { Link } from '@tanstack/react-router';

import type { RunRowFragment, RunStatus } from '../gql/graphql';
import { LOOKS, Status } from '../ui/status';
import { Ago, Elapsed, milliseconds, spell } from '../ui/time';

export interface Total {
  value: number;
  isExact: boolean;
}

export function spellTotal(total: Total | null | undefined): string {
  return total ? `${total.value.toLocaleString('en')}${total.isExact ? '' : '+'}` : '–';
}

/** Where the server does not count: what was read, and whether there is more. */
export function spellRead(list: { nodes: readonly unknown[]; hasMore: boolean }): string {
  return `${list.nodes.length.toLocaleString('en')}${list.hasMore ? '+' : ''}`;
}

/** The end of an id: enough to tell runs of one day apart. */
export function shortId(id: string): string {
  return id.length > 14 ? `…${id.slice(-8)}` : id;
}

export function RunTable({ runs, label }: { runs: readonly RunRowFragment[]; label: string }) {
  return (
    <table aria-label={label}>
      <thead>
        <tr>
          <th scope="col">Status</th>
          <th scope="col">Run</th>
          <th scope="col">Tasks</th>
          <th scope="col" className="number">
            Took
          </th>
          <th scope="col" className="number">
            Started
          </th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.id}>
            <td>
              <Status status={run.status} isPaused={run.isPaused} />
            </td>
            <td className="grow">
              <Link to="/runs/$id" params={{ id: run.id }} title={run.id}>
                {run.workflow.key} <span className="mono">{shortId(run.id)}</span>
              </Link>
              {run.error ? (
                <div className="soft" title={run.error.message}>
                  {run.error.message.slice(0, 200)}
                </div>
              ) : null}
            </td>
            <td className="tight">
              {run.counts.succeeded} of {run.counts.total}
            </td>
            <td className="number">
              <Elapsed from={run.startedAt} to={run.finishedAt} />
            </td>
            <td className="number">
              <Ago at={run.createdAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface RecentRun {
  id: string;
  status: RunStatus;
  duration: string | null;
}

/** The last runs as bars, oldest on the left: the higher, the longer they took. */
export function RecentBars({ runs }: { runs: readonly RecentRun[] }) {
  const took = (run: RecentRun) => (run.duration ? milliseconds(run.duration) : 0);
  const longest = Math.max(1, ...runs.map(took));
  return (
    <span className="bars">
      {runs.toReversed().map((run) => {
        const word = LOOKS[run.status].word;
        const text = run.duration ? `${word}, ${spell(took(run))}` : word;
        return (
          <Link
            key={run.id}
            to="/runs/$id"
            params={{ id: run.id }}
            className={`tone-${LOOKS[run.status].tone}`}
            style={{ height: `${8 + 14 * (took(run) / longest)}px` }}
            title={text}
            aria-label={text}
          />
        );
      })}
    </span>
  );
}

export interface Segment {
  count: number;
  tone: string;
}

export function Progress({ segments, label }: { segments: readonly Segment[]; label: string }) {
  const total = Math.max(
    1,
    segments.reduce((sum, segment) => sum + segment.count, 0),
  );
  return (
    <span className="progress" role="img" aria-label={label}>
      {segments.map((segment) => (
        <span key={segment.tone} className={`tone-${segment.tone}`} style={{ width: `${(100 * segment.count) / total}%` }} />
      ))}
    </span>
  );
}

export function Tabs<T extends string>({
  tabs,
  chosen,
  onChoose,
  label,
}: {
  tabs: readonly (readonly [T, string])[];
  chosen: T;
  onChoose: (tab: T) => void;
  label: string;
}) {
  return (
    <div className="tabs" role="tablist" aria-label={label}>
      {tabs.map(([tab, name], at) => (
        <button
          key={tab}
          type="button"
          role="tab"
          aria-selected={tab === chosen}
          tabIndex={tab === chosen ? 0 : -1}
          onClick={() => onChoose(tab)}
          onKeyDown={(event) => {
            const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
            const next = move && tabs[(at + move + tabs.length) % tabs.length];
            if (!next) return;
            onChoose(next[0]);
            const buttons = event.currentTarget.parentElement?.querySelectorAll('button');
            buttons?.[tabs.indexOf(next)]?.focus();
          }}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

export function More({ list }: { list: { hasMore: boolean; isLoadingMore: boolean; more(): void } }) {
  if (!list.hasMore) return null;
  return (
    <p className="note">
      <button type="button" className="button" onClick={list.more} disabled={list.isLoadingMore}>
        {list.isLoadingMore ? 'Loading…' : 'Show more'}
      </button>
    </p>
  );
}
