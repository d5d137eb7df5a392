// Logs beside the list of tasks: the chosen task's, or the first one's that deserves a look.
import type { Graph } from '../graph/model';
import { Empty } from '../ui/states';
import { Logs } from './Logs';

export interface LogsLensProps {
  id: string;
  graph: Graph;
  nodes: readonly number[];
  selected: number | undefined;
  onSelect(node: number): void;
}

export function LogsLens({ id, graph, nodes, selected, onSelect }: LogsLensProps) {
  const shown = selected ?? nodes[0];
  const key = shown === undefined ? undefined : graph.keys[shown];
  if (shown === undefined || key === undefined) return <Empty>Choose a task to see its log.</Empty>;
  return (
    <div className="tasks" style={{ height: '100%' }}>
      <div className="bar">
        <h2>{key}</h2>
        {selected === undefined ? (
          <button type="button" className="button quiet" onClick={() => onSelect(shown)}>
            Open the task
          </button>
        ) : null}
      </div>
      <Logs key={key} run={id} task={key} />
    </div>
  );
}
