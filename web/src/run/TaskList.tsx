// The tasks of a run, failures first: the same as the graph says, as a list.
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, type RefObject } from 'react';

import type { TaskStatus } from '../gql/graphql';
import type { Graph } from '../graph/model';
import { Glyph, LOOKS, TASK_ORDER } from '../ui/status';
import type { Table } from './useRun';

const ROW = 30;
const RANK = Object.fromEntries(TASK_ORDER.map((status, at) => [status, at])) as Record<TaskStatus, number>;

/** Indices of the tasks to show: failures first, then what goes on, in the order of the file. */
export function ordered(graph: Graph, table: Table, text: string, statuses: ReadonlySet<TaskStatus>): number[] {
  const wanted = text.trim().toLowerCase();
  const found: number[] = [];
  graph.keys.forEach((key, node) => {
    const status = table.statuses[node];
    if (!status || (statuses.size > 0 && !statuses.has(status))) return;
    if (wanted && !key.toLowerCase().includes(wanted)) return;
    found.push(node);
  });
  return found.sort((a, b) => RANK[table.statuses[a] ?? 'BLOCKED'] - RANK[table.statuses[b] ?? 'BLOCKED'] || a - b);
}

export interface TaskListProps {
  graph: Graph;
  table: Table;
  nodes: readonly number[];
  selected: number | undefined;
  onSelect(node: number): void;
  text: string;
  onText(text: string): void;
  input: RefObject<HTMLInputElement | null>;
}

export function TaskList({ graph, table, nodes, selected, onSelect, text, onText, input }: TaskListProps) {
  const parent = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: nodes.length, getScrollElement: () => parent.current, estimateSize: () => ROW, overscan: 8 });
  const at = selected === undefined ? -1 : nodes.indexOf(selected);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at);
    // only a new choice scrolls
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [selected]);
  const choose = (to: number) => {
    const node = nodes[Math.min(Math.max(to, 0), nodes.length - 1)];
    if (node !== undefined) onSelect(node);
  };
  return (
    <section className="tasks" aria-label="Tasks">
      <input
        ref={input}
        type="search"
        placeholder="Filter tasks ( / )"
        aria-label="Filter tasks"
        value={text}
        onChange={(event) => onText(event.target.value)}
      />
      <div
        ref={parent}
        className="task-rows"
        role="listbox"
        aria-label="Tasks, failures first"
        tabIndex={0}
        aria-activedescendant={at >= 0 ? `task-${selected}` : undefined}
        onKeyDown={(event) => {
          const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: nodes.length - 1 }[event.key];
          if (to === undefined) return;
          event.preventDefault();
          choose(to);
        }}
      >
        <div role="presentation" style={{ height: virtual.getTotalSize() }} />
        {virtual.getVirtualItems().map(({ index, start }) => {
          const node = nodes[index] ?? 0;
          const status = table.statuses[node] ?? 'BLOCKED';
          return (
            <div
              key={node}
              id={`task-${node}`}
              className="task-row"
              role="option"
              aria-selected={node === selected}
              aria-posinset={index + 1}
              aria-setsize={nodes.length}
              style={{ top: start }}
              onClick={() => onSelect(node)}
            >
              <Glyph status={status} />
              <span title={graph.keys[node]}>{graph.keys[node]}</span>
              <span className="soft">{LOOKS[status].word}</span>
            </div>
          );
        })}
        {nodes.length === 0 ? <p className="soft note">No task matches.</p> : null}
      </div>
    </section>
  );
}
