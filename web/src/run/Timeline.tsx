// When each task waited and ran. Rows are clicked as a whole: bars may be thin.
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef } from 'react';

import type { RunHeadFragment } from '../gql/graphql';
import type { Graph } from '../graph/model';
import { Empty } from '../ui/states';
import { LOOKS } from '../ui/status';
import { spell, useNow } from '../ui/time';
import type { Table } from './useRun';

const ROW = 28;
const RULER = 28;

export interface TimelineProps {
  graph: Graph;
  table: Table;
  run: RunHeadFragment;
  revision: number;
  selected: number | undefined;
  onSelect(node: number): void;
}

const at = (text: string | null | undefined) => (text ? Date.parse(text) : undefined);

export function Timeline({ graph, table, run, revision, selected, onSelect }: TimelineProps) {
  const parent = useRef<HTMLDivElement>(null);
  const now = useNow();
  const nodes = useMemo(() => {
    const begun = table.queuedAt.flatMap((queued, node) => (queued || table.startedAt[node] ? [node] : []));
    const from = (node: number) => at(table.queuedAt[node] ?? table.startedAt[node]) ?? 0;
    return begun.sort((a, b) => from(a) - from(b) || a - b);
    // `revision` stands for what is inside of the table
  }, [table, revision]);
  const virtual = useVirtualizer({ count: nodes.length, getScrollElement: () => parent.current, estimateSize: () => ROW, overscan: 8, paddingStart: RULER, scrollMargin: 0 });
  const start = at(run.startedAt) ?? at(run.createdAt) ?? 0;
  const end = Math.max(at(run.finishedAt) ?? now, start + 1);
  const percent = (ms: number) => Math.min(100, Math.max(0, (100 * (ms - start)) / (end - start)));
  if (nodes.length === 0) return <Empty>No task has been queued yet.</Empty>;
  return (
    <div ref={parent} className="task-rows" style={{ height: '100%' }} tabIndex={0} role="listbox" aria-label={`Timeline over ${spell(end - start)}`}>
      <div className="ruler" role="presentation">
        <span>{nodes.length.toLocaleString('en')} tasks</span>
        <span>
          {[0, 0.25, 0.5, 0.75, 1].map((share) => (
            <span key={share}>{share === 0 ? '0' : spell((end - start) * share)}</span>
          ))}
        </span>
        <span>ran</span>
      </div>
      <div role="presentation" style={{ height: virtual.getTotalSize() }} />
      {virtual.getVirtualItems().map(({ index, start: top }) => {
        const node = nodes[index] ?? 0;
        const status = table.statuses[node] ?? 'BLOCKED';
        const queued = at(table.queuedAt[node]);
        const started = at(table.startedAt[node]);
        const finished = at(table.finishedAt[node]) ?? (started ? end : undefined);
        const took = started && finished ? spell(finished - started) : 'queued';
        return (
          <div
            key={node}
            className="time-row"
            style={{ top }}
            role="option"
            aria-selected={node === selected}
            onClick={() => onSelect(node)}
          >
            <span title={graph.keys[node]}>{graph.keys[node]}</span>
            <span className="time-track">
              {queued !== undefined && (started ?? end) > queued ? (
                <span className="time-bar wait" style={{ left: `${percent(queued)}%`, width: `${percent(started ?? end) - percent(queued)}%` }} />
              ) : null}
              {started !== undefined && finished !== undefined ? (
                <span
                  className={`time-bar tone-${LOOKS[status].tone}`}
                  style={{ left: `min(${percent(started)}%, calc(100% - 3px))`, width: `${percent(finished) - percent(started)}%` }}
                />
              ) : null}
            </span>
            <span className="soft">
              <span className="visually-hidden">{LOOKS[status].word}, </span>
              {took}
            </span>
          </div>
        );
      })}
    </div>
  );
}
