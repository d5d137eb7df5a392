// The graph on a canvas. Mouse and keyboard do the same; a list beside it says the same in text.
import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';

import type { TaskStatus } from '../gql/graphql';
import { theme } from '../state/theme';
import { isFailure, LOOKS } from '../ui/status';
import { draw, readPalette, type Palette } from './draw';
import { centre, DETAILS_FROM, firstView, fit, NAMES_FROM, nodeAt, reveal, step, zoom, type Direction, type Graph, type View } from './model';

export interface GraphViewProps {
  graph: Graph;
  statuses?: readonly TaskStatus[];
  attempts?: readonly number[];
  /** Changes whenever `statuses` was written to. */
  revision?: number;
  selected?: number;
  onSelect?(node: number | undefined): void;
  isDimmed?: (node: number) => boolean;
  label: string;
}

const ARROWS: Record<string, Direction> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
};
const CLICK_PIXELS = 4;

export default function GraphView(props: GraphViewProps) {
  const { graph, selected, onSelect } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [view, setView] = useState<View>();
  const palette = useRef<Palette>(undefined);
  const [paletteRevision, setPaletteRevision] = useState(0);
  const drag = useRef<{ x: number; y: number; view: View; hasMoved: boolean }>(undefined);
  const place = useRef<{ view: View | undefined; size: typeof size }>({ view, size });
  place.current = { view, size };

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      const ratio = window.devicePixelRatio || 1;
      element.width = Math.round(width * ratio);
      element.height = Math.round(height * ratio);
      setSize({ width, height });
    });
    observer.observe(element);
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const factor = Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015));
      const box = element.getBoundingClientRect();
      setView((old) => old && zoom(old, factor, event.clientX - box.x, event.clientY - box.y));
    };
    // React listens passively, which may not stop the page from scrolling
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      observer.disconnect();
      element.removeEventListener('wheel', onWheel);
    };
  }, []);

  useEffect(() => {
    const refresh = () => {
      palette.current = undefined;
      setPaletteRevision((old) => old + 1);
    };
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', refresh);
    const stop = theme.watch(refresh);
    return () => {
      dark.removeEventListener('change', refresh);
      stop();
    };
  }, []);

  const hasSize = size.width > 0;
  useEffect(() => {
    if (!hasSize) return;
    const failed = props.statuses?.findIndex(isFailure) ?? -1;
    const focus = selected ?? (failed >= 0 ? failed : undefined);
    setView(firstView(graph, place.current.size.width, place.current.size.height, focus));
    // only a new graph moves the view by itself
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [graph, hasSize]);

  useEffect(() => {
    const { view: now, size: room } = place.current;
    if (selected === undefined || !now || room.width === 0) return;
    setView(reveal(graph, now, selected, room.width, room.height));
    // also when the panel that opens beside takes room
  }, [selected, graph, size.width]);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context || !view || size.width === 0) return;
    const frame = requestAnimationFrame(() => {
      palette.current ??= readPalette(element.parentElement ?? document.body);
      draw(context, props, view, size, palette.current);
      element.dataset.painted = String(graph.count);
    });
    return () => cancelAnimationFrame(frame);
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [graph, view, size, selected, props.statuses, props.revision, props.isDimmed, paletteRevision]);

  const toNode = (event: { clientX: number; clientY: number }) => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box || !view) return undefined;
    return nodeAt(graph, view.x + (event.clientX - box.x) / view.k, view.y + (event.clientY - box.y) / view.k, view.k);
  };
  const onPointerDown = (event: PointerEvent<HTMLCanvasElement>) => {
    if (event.button !== 0 || !view) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { x: event.clientX, y: event.clientY, view, hasMoved: false };
  };
  const onPointerMove = (event: PointerEvent<HTMLCanvasElement>) => {
    const from = drag.current;
    if (!from) return;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    from.hasMoved ||= Math.hypot(dx, dy) > CLICK_PIXELS;
    if (from.hasMoved) setView({ ...from.view, x: from.view.x - dx / from.view.k, y: from.view.y - dy / from.view.k });
  };
  const onPointerUp = (event: PointerEvent<HTMLCanvasElement>) => {
    const from = drag.current;
    drag.current = undefined;
    if (!from || from.hasMoved) return;
    const node = toNode(event);
    onSelect?.(node);
    // a click on a block goes where it can be read
    if (node !== undefined && view && view.k < NAMES_FROM) setView(centre(graph, node, size.width, size.height, DETAILS_FROM));
  };
  const byFactor = (factor: number) => setView((old) => old && zoom(old, factor, size.width / 2, size.height / 2));
  const all = () => setView(fit(graph, size.width, size.height));
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = ARROWS[event.key];
    const act: Record<string, () => void> = { '+': () => byFactor(1.25), '=': () => byFactor(1.25), '-': () => byFactor(0.8), '0': all };
    if (direction) {
      const next = selected === undefined ? graph.columns[0]?.nodes[0] : step(graph, selected, direction);
      if (next !== undefined) onSelect?.(next);
    } else if (event.key === 'Enter' && selected !== undefined) {
      setView(centre(graph, selected, size.width, size.height, Math.max(view?.k ?? 1, DETAILS_FROM)));
    } else if (act[event.key]) {
      act[event.key]?.();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const key = selected === undefined ? undefined : graph.keys[selected];
  const status = selected === undefined ? undefined : props.statuses?.[selected];
  return (
    <div
      className="graph"
      role="group"
      tabIndex={0}
      aria-label={`${props.label}. Arrow keys go along dependencies, plus and minus zoom, 0 shows everything.`}
      onKeyDown={onKeyDown}
    >
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${graph.count} tasks, ${graph.edges.length} dependencies`}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
      />
      <p className="visually-hidden" aria-live="polite">
        {key ? `${key}${status ? `, ${LOOKS[status].word}` : ''}` : ''}
      </p>
      <div className="graph-tools">
        <button type="button" className="icon" onClick={() => byFactor(1.25)} aria-label="Zoom in">
          +
        </button>
        <button type="button" className="icon" onClick={() => byFactor(0.8)} aria-label="Zoom out">
          −
        </button>
        <button type="button" className="icon" onClick={all} aria-label="Show everything">
          ⤢
        </button>
        <span className="soft">{graph.count} {graph.count === 1 ? 'task' : 'tasks'}</span>
      </div>
    </div>
  );
}
