// Drawing with semantic zoom: from far a heat map of statuses, nearer names, near everything.
import type { TaskStatus } from '../gql/graphql';
import { isFailure, LOOKS } from '../ui/status';
import { DETAILS_FROM, NAMES_FROM, type Graph, type View } from './model';

/** Colours as the theme has them now. */
export interface Palette {
  bg: string;
  surface: string;
  text: string;
  soft: string;
  border: string;
  accent: string;
  onStatus: string;
  status: Record<string, string>;
}

const TONES = ['succeeded', 'failed', 'running', 'queued', 'waiting', 'retry', 'skipped', 'cancelled', 'blocked'];

/** Reads the custom properties: the browser resolves them on a probe. */
export function readPalette(parent: HTMLElement): Palette {
  const probe = document.createElement('span');
  parent.append(probe);
  const colour = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = {
    bg: colour('bg'),
    surface: colour('surface'),
    text: colour('text'),
    soft: colour('text-soft'),
    border: colour('border-strong'),
    accent: colour('accent'),
    onStatus: colour('on-status'),
    status: Object.fromEntries(TONES.map((tone) => [tone, colour(`st-${tone}`)])),
  };
  probe.remove();
  return palette;
}

export interface Scene {
  graph: Graph;
  statuses?: readonly TaskStatus[];
  attempts?: readonly number[];
  selected?: number;
  isDimmed?: (node: number) => boolean;
}

const BLOCK_WIDTH_MIN = 7;
const BLOCK_HEIGHT_MIN = 4;
/** From far away, edges of a graph with more than this are only noise. */
const EDGES_FAR_MAX = 1_500;
const GLYPH_WIDTH = 26;

export function draw(context: CanvasRenderingContext2D, scene: Scene, view: View, size: { width: number; height: number }, palette: Palette): void {
  const { graph } = scene;
  const ratio = window.devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = palette.bg;
  context.fillRect(0, 0, size.width, size.height);
  const seen = visible(graph, view, size);
  drawEdges(context, scene, view, size, palette);
  const late: number[] = [];
  for (const node of seen) {
    const status = scene.statuses?.[node];
    if (node === scene.selected || (status && isFailure(status))) late.push(node);
    else drawNode(context, scene, view, node, palette);
  }
  // what matters lies on top
  for (const node of late) drawNode(context, scene, view, node, palette);
}

/** Nodes on the screen, column by column. */
export function visible(graph: Graph, view: View, size: { width: number; height: number }): number[] {
  const right = view.x + size.width / view.k;
  const bottom = view.y + size.height / view.k;
  const seen: number[] = [];
  for (const column of graph.columns) {
    if (column.x + graph.nodeWidth < view.x || column.x > right) continue;
    for (const node of column.nodes) {
      const y = graph.y[node] ?? 0;
      if (y + graph.nodeHeight >= view.y && y <= bottom) seen.push(node);
    }
  }
  return seen;
}

function drawEdges(context: CanvasRenderingContext2D, scene: Scene, view: View, size: { width: number; height: number }, palette: Palette): void {
  const { graph, selected } = scene;
  const isFar = view.k < NAMES_FROM;
  const all = !isFar || graph.edges.length <= EDGES_FAR_MAX;
  const bottom = view.y + size.height / view.k;
  const right = view.x + size.width / view.k;
  context.lineWidth = isFar ? 0.75 : 1.25;
  context.strokeStyle = palette.border;
  context.globalAlpha = isFar ? 0.4 : 0.75;
  context.beginPath();
  const chosen = [];
  for (const edge of graph.edges) {
    if (edge.from === selected || edge.to === selected) {
      chosen.push(edge);
      continue;
    }
    if (!all) continue;
    const x1 = (graph.x[edge.from] ?? 0) + graph.nodeWidth;
    const x2 = graph.x[edge.to] ?? 0;
    const y1 = graph.y[edge.from] ?? 0;
    const y2 = graph.y[edge.to] ?? 0;
    const isOutside = x2 < view.x || x1 > right || (edge.bends.length === 0 && (Math.max(y1, y2) + graph.nodeHeight < view.y || Math.min(y1, y2) > bottom));
    if (!isOutside) trace(context, graph, edge, view);
  }
  context.stroke();
  context.globalAlpha = 1;
  context.lineWidth = 2;
  context.strokeStyle = palette.accent;
  context.beginPath();
  for (const edge of chosen) trace(context, graph, edge, view);
  context.stroke();
}

function trace(context: CanvasRenderingContext2D, graph: Graph, edge: Graph['edges'][number], view: View): void {
  const toX = (x: number) => (x - view.x) * view.k;
  const toY = (y: number) => (y - view.y) * view.k;
  const middle = graph.nodeHeight / 2;
  let x = toX((graph.x[edge.from] ?? 0) + graph.nodeWidth);
  let y = toY((graph.y[edge.from] ?? 0) + middle);
  context.moveTo(x, y);
  const curve = (nextX: number, nextY: number) => {
    const bend = (nextX - x) / 2;
    context.bezierCurveTo(x + bend, y, nextX - bend, nextY, nextX, nextY);
    x = nextX;
    y = nextY;
  };
  for (let at = 0; at < edge.bends.length; at += 2) curve(toX(edge.bends[at] ?? 0), toY(edge.bends[at + 1] ?? 0));
  curve(toX(graph.x[edge.to] ?? 0), toY((graph.y[edge.to] ?? 0) + middle));
}

function drawNode(context: CanvasRenderingContext2D, scene: Scene, view: View, node: number, palette: Palette): void {
  const { graph } = scene;
  const status = scene.statuses?.[node];
  const tone = status ? LOOKS[status].tone : 'blocked';
  const colour = palette.status[tone] ?? palette.border;
  const x = ((graph.x[node] ?? 0) - view.x) * view.k;
  const y = ((graph.y[node] ?? 0) - view.y) * view.k;
  const width = graph.nodeWidth * view.k;
  const height = graph.nodeHeight * view.k;
  const isSelected = node === scene.selected;
  context.globalAlpha = scene.isDimmed?.(node) ? 0.25 : 1;
  if (view.k < NAMES_FROM) {
    drawBlock(context, { x, y, width, height }, colour, isSelected, status !== undefined && isFailure(status), palette);
    context.globalAlpha = 1;
    return;
  }
  const radius = Math.min(6 * view.k + 2, 6);
  context.fillStyle = palette.surface;
  context.strokeStyle = isSelected ? palette.accent : colour;
  context.lineWidth = isSelected ? 3 : 1.5;
  context.beginPath();
  context.roundRect(x, y, width, height, radius);
  context.fill();
  if (graph.isApproval.has(node)) context.setLineDash([5, 3]);
  context.stroke();
  context.setLineDash([]);
  if (graph.isFanout.has(node)) {
    // a second edge behind: many items
    context.beginPath();
    context.roundRect(x + 4 * view.k, y + 4 * view.k, width, height, radius);
    context.globalCompositeOperation = 'destination-over';
    context.stroke();
    context.globalCompositeOperation = 'source-over';
  }
  drawLabels(context, scene, node, { x, y, width, height, k: view.k, radius, colour }, palette);
  context.globalAlpha = 1;
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

function drawBlock(context: CanvasRenderingContext2D, box: Box, colour: string, isSelected: boolean, isFailed: boolean, palette: Palette): void {
  const grow = isFailed ? 1.35 : 1;
  const width = Math.max(box.width, BLOCK_WIDTH_MIN) * grow;
  const height = Math.max(box.height - 1, BLOCK_HEIGHT_MIN) * grow;
  const x = box.x + (box.width - width) / 2;
  const y = box.y + (box.height - height) / 2;
  context.fillStyle = colour;
  context.fillRect(x, y, width, height);
  if (!isFailed && !isSelected) return;
  context.strokeStyle = isSelected ? palette.accent : palette.text;
  context.lineWidth = isSelected ? 3 : 1.5;
  context.strokeRect(x - 1.5, y - 1.5, width + 3, height + 3);
}

function drawLabels(
  context: CanvasRenderingContext2D,
  scene: Scene,
  node: number,
  box: Box & { k: number; radius: number; colour: string },
  palette: Palette,
): void {
  const { graph } = scene;
  const { x, y, width, height, k } = box;
  const strip = GLYPH_WIDTH * k;
  context.fillStyle = box.colour;
  context.beginPath();
  context.roundRect(x, y, strip, height, [box.radius, 0, 0, box.radius]);
  context.fill();
  const status = scene.statuses?.[node];
  const middle = y + height / 2;
  context.textBaseline = 'middle';
  if (status) {
    context.fillStyle = palette.onStatus;
    context.font = `${Math.round(13 * k)}px system-ui, sans-serif`;
    context.textAlign = 'center';
    context.fillText(LOOKS[status].glyph, x + strip / 2, middle);
  }
  const isNear = k >= DETAILS_FROM;
  const left = x + strip + 7 * k;
  const room = width - strip - 13 * k;
  context.textAlign = 'left';
  context.fillStyle = palette.text;
  context.font = `600 ${(isNear ? 12.5 : 14) * k}px system-ui, sans-serif`;
  context.fillText(shorten(context, graph.keys[node] ?? '', room), left, isNear ? y + height * 0.34 : middle);
  if (!isNear) return;
  const attempt = scene.attempts?.[node] ?? 0;
  const kind = graph.isFanout.has(node) ? `${graph.types[node]} × items` : (graph.types[node] ?? '');
  context.fillStyle = palette.soft;
  context.font = `${11 * k}px system-ui, sans-serif`;
  context.fillText(shorten(context, attempt > 1 ? `${kind} · attempt ${attempt}` : kind, room), left, y + height * 0.72);
}

/** The middle goes first: keys differ at their ends. */
function shorten(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  let keep = text.length - 1;
  for (;;) {
    const head = Math.ceil(keep / 2);
    const short = `${text.slice(0, head)}…${text.slice(text.length - (keep - head))}`;
    if (keep <= 2 || context.measureText(short).width <= room) return short;
    keep -= 1;
  }
}
