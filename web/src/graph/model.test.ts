import { describe, expect, it } from 'vitest';

import { centre, fit, graphOf, nodeAt, reveal, step, zoom } from './model';

// a diamond: 0 → 1, 2 → 3, and a long edge 0 → 3 with a bend
const graph = graphOf({
  __typename: 'GraphLayout',
  width: 700,
  height: 200,
  nodeWidth: 168,
  nodeHeight: 40,
  keys: ['a', 'b', 'c', 'd'],
  types: ['pass', 'pass', 'pass', 'pass'],
  fanouts: [1],
  approvals: [],
  x: [0, 256, 256, 512],
  y: [60, 0, 120, 60],
  ranks: [0, 1, 1, 2],
  edges: [0, 1, 0, 2, 1, 3, 2, 3, 0, 3],
  bendCounts: [0, 0, 0, 0, 2],
  bends: [256, 90, 424, 90],
} as never);

describe('the picture of a graph', () => {
  it('unpacks edges with their bends', () => {
    expect(graph.edges[4]).toEqual({ from: 0, to: 3, bends: [256, 90, 424, 90] });
    expect(graph.up[3]).toEqual([1, 0, 2]);
    expect(graph.columns.map((column) => column.nodes)).toEqual([[0], [1, 2], [3]]);
  });

  it('finds the node under the pointer and nothing between nodes', () => {
    expect(nodeAt(graph, 300, 20, 1)).toBe(1);
    expect(nodeAt(graph, 300, 80, 1)).toBeUndefined();
    expect(nodeAt(graph, 220, 80, 1)).toBeUndefined();
  });

  it('arrow keys go along dependencies and within columns', () => {
    expect(step(graph, 1, 'left')).toBe(0);
    expect(step(graph, 1, 'right')).toBe(3);
    expect(step(graph, 1, 'down')).toBe(2);
    expect(step(graph, 2, 'up')).toBe(1);
    expect(step(graph, 2, 'down')).toBeUndefined();
    expect(step(graph, 0, 'left')).toBeUndefined();
  });

  it('every node is reached by arrow keys from the first', () => {
    const seen = new Set([0]);
    const open = [0];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      for (const direction of ['left', 'right', 'up', 'down'] as const) {
        const next = step(graph, node, direction);
        if (next !== undefined && !seen.has(next)) {
          seen.add(next);
          open.push(next);
        }
      }
    }
    expect(seen.size).toBe(graph.count);
  });

  it('the point under the pointer stays where it is when zooming', () => {
    const before = { x: 10, y: 20, k: 0.5 };
    const after = zoom(before, 1.7, 100, 60);
    expect(after.x + 100 / after.k).toBeCloseTo(before.x + 100 / before.k);
    expect(after.y + 60 / after.k).toBeCloseTo(before.y + 60 / before.k);
  });

  it('fits all of it, and never larger than full size', () => {
    const small = fit(graph, 400, 300);
    expect(small.k * graph.width).toBeLessThanOrEqual(400);
    expect(fit(graph, 4_000, 3_000).k).toBe(1);
  });

  it('moves to a node only when it is out of sight', () => {
    const view = centre(graph, 0, 800, 600, 1);
    expect(reveal(graph, view, 0, 800, 600)).toEqual(view);
    const moved = reveal(graph, { x: 5_000, y: 60, k: 1 }, 0, 800, 600);
    expect(moved.x).toBeLessThanOrEqual(0);
  });
});
