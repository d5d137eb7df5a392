// The picture of a graph as the server laid it out, and pure questions about it: what is here, what is beside.
import type { LayoutFieldsFragment } from '../gql/graphql';

export interface Graph {
  count: number;
  width: number;
  height: number;
  nodeWidth: number;
  nodeHeight: number;
  keys: readonly string[];
  types: readonly string[];
  x: readonly number[];
  y: readonly number[];
  isFanout: ReadonlySet<number>;
  isApproval: ReadonlySet<number>;
  edges: readonly Edge[];
  /** Neighbours by node, from top to bottom. */
  up: readonly (readonly number[])[];
  down: readonly (readonly number[])[];
  /** Columns from left to right, each from top to bottom. */
  columns: readonly { x: number; nodes: readonly number[] }[];
}

export interface Edge {
  from: number;
  to: number;
  /** Right and down, alternately. */
  bends: readonly number[];
}

export function graphOf(layout: LayoutFieldsFragment): Graph {
  const count = layout.keys.length;
  const edges: Edge[] = [];
  let at = 0;
  layout.bendCounts.forEach((bends, edge) => {
    edges.push({
      from: layout.edges[2 * edge] ?? 0,
      to: layout.edges[2 * edge + 1] ?? 0,
      bends: layout.bends.slice(at, at + 2 * bends),
    });
    at += 2 * bends;
  });
  const up: number[][] = Array.from({ length: count }, () => []);
  const down: number[][] = Array.from({ length: count }, () => []);
  for (const { from, to } of edges) {
    down[from]?.push(to);
    up[to]?.push(from);
  }
  const y = (node: number) => layout.y[node] ?? 0;
  for (const list of [...up, ...down]) list.sort((a, b) => y(a) - y(b));
  const byX = new Map<number, number[]>();
  layout.x.forEach((x, node) => {
    const column = byX.get(x);
    if (column) column.push(node);
    else byX.set(x, [node]);
  });
  const columns = [...byX].map(([x, nodes]) => ({ x, nodes: nodes.sort((a, b) => y(a) - y(b)) }));
  columns.sort((a, b) => a.x - b.x);
  return {
    count,
    width: layout.width,
    height: layout.height,
    nodeWidth: layout.nodeWidth,
    nodeHeight: layout.nodeHeight,
    keys: layout.keys,
    types: layout.types,
    x: layout.x,
    y: layout.y,
    isFanout: new Set(layout.fanouts),
    isApproval: new Set(layout.approvals),
    edges,
    up,
    down,
    columns,
  };
}

/** What part of the picture is seen: the point at the upper left of the screen, and pixels per unit. */
export interface View {
  x: number;
  y: number;
  k: number;
}

export const ZOOM_MIN = 0.02;
export const ZOOM_MAX = 2;
const MARGIN = 24;
/** Above this many tasks the whole graph is shown first, as blocks. */
export const OVERVIEW_ABOVE = 300;
/** Names can be read from here on. */
export const NAMES_FROM = 0.35;
export const DETAILS_FROM = 0.7;

export function fit(graph: Pick<Graph, 'width' | 'height'>, width: number, height: number): View {
  const k = clamp(Math.min((width - 2 * MARGIN) / Math.max(graph.width, 1), (height - 2 * MARGIN) / Math.max(graph.height, 1), 1));
  return { k, x: graph.width / 2 - width / 2 / k, y: graph.height / 2 - height / 2 / k };
}

/** The first view: all of it, unless that would be too small to read for no good reason. */
export function firstView(graph: Graph, width: number, height: number, focus: number | undefined): View {
  const all = fit(graph, width, height);
  if (graph.count > OVERVIEW_ABOVE || all.k >= NAMES_FROM) return all;
  return centre(graph, focus ?? graph.columns[0]?.nodes[0] ?? 0, width, height, DETAILS_FROM);
}

export function centre(graph: Graph, node: number, width: number, height: number, k: number): View {
  const x = (graph.x[node] ?? 0) + graph.nodeWidth / 2;
  const y = (graph.y[node] ?? 0) + graph.nodeHeight / 2;
  return { k, x: x - width / 2 / k, y: y - height / 2 / k };
}

/** Zooms so that the point of the picture under the pointer stays there. */
export function zoom(view: View, factor: number, atX: number, atY: number): View {
  const k = clamp(view.k * factor);
  return { k, x: view.x + atX / view.k - atX / k, y: view.y + atY / view.k - atY / k };
}

function clamp(k: number): number {
  return Math.min(Math.max(k, ZOOM_MIN), ZOOM_MAX);
}

/** Moves no more than needed for the node to be seen. */
export function reveal(graph: Graph, view: View, node: number, width: number, height: number): View {
  const left = graph.x[node] ?? 0;
  const top = graph.y[node] ?? 0;
  const margin = MARGIN / view.k;
  const shift = (from: number, length: number, low: number, size: number) => {
    if (low - margin < from) return low - margin;
    if (low + size + margin > from + length) return low + size + margin - length;
    return from;
  };
  return {
    ...view,
    x: shift(view.x, width / view.k, left, graph.nodeWidth),
    y: shift(view.y, height / view.k, top, graph.nodeHeight),
  };
}

/** The node at a point of the picture. Half the space between two nodes still counts where nodes are tiny. */
export function nodeAt(graph: Graph, x: number, y: number, k: number): number | undefined {
  const slack = k < NAMES_FROM ? 3 / k : 0;
  const column = graph.columns.find((each) => x >= each.x - slack && x <= each.x + graph.nodeWidth + slack);
  let best: number | undefined;
  let distance = slack + graph.nodeHeight / 2;
  for (const node of column?.nodes ?? []) {
    const away = Math.abs(y - (graph.y[node] ?? 0) - graph.nodeHeight / 2);
    if (away <= distance) {
      best = node;
      distance = away;
    }
  }
  return best;
}

export type Direction = 'left' | 'right' | 'up' | 'down';

/**
 * The next node from this one: left to what it needs, right to what needs it, up and down within its column. Where there is no
 * dependency, to the nearest node of the column beside, so that every node is reached.
 */
export function step(graph: Graph, from: number, direction: Direction): number | undefined {
  if (direction === 'left' || direction === 'right') {
    const near = (direction === 'left' ? graph.up : graph.down)[from] ?? [];
    const column = graph.columns.findIndex((each) => each.x === graph.x[from]);
    const beside = graph.columns[column + (direction === 'left' ? -1 : 1)]?.nodes ?? [];
    const across = (node: number) => Math.abs((graph.x[node] ?? 0) - (graph.x[from] ?? 0));
    const along = (node: number) => Math.abs((graph.y[node] ?? 0) - (graph.y[from] ?? 0));
    // the nearest column first: a long edge must not jump over what lies between
    return [...(near.length ? near : beside)].sort((a, b) => across(a) - across(b) || along(a) - along(b))[0];
  }
  const nodes = graph.columns.find((column) => column.x === graph.x[from])?.nodes ?? [];
  return nodes[nodes.indexOf(from) + (direction === 'down' ? 1 : -1)];
}
