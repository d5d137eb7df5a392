// Lines that were added and removed: the longest common subsequence, after what both ends share is set aside.

export interface DiffLine {
  kind: 'same' | 'added' | 'removed';
  text: string;
  /** Number in the newer text, or in the older one for what was removed. */
  number: number;
}

/** Above this many pairs of lines, the middle is shown as removed and added as a whole. */
const CELLS_MAX = 4_000_000;

export function diffLines(older: string, newer: string): DiffLine[] {
  const a = older.split('\n');
  const b = newer.split('\n');
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const same = (text: string, at: number): DiffLine => ({ kind: 'same', text, number: at + 1 });
  const start = b.slice(0, head).map(same);
  const end = b.slice(b.length - tail).map((text, at) => same(text, b.length - tail + at));
  return [...start, ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail), head), ...end];
}

function middle(a: readonly string[], b: readonly string[], head: number): DiffLine[] {
  const removed = (at: number): DiffLine => ({ kind: 'removed', text: a[at] ?? '', number: head + at + 1 });
  const added = (at: number): DiffLine => ({ kind: 'added', text: b[at] ?? '', number: head + at + 1 });
  if (a.length * b.length > CELLS_MAX) return [...a.map((_, at) => removed(at)), ...b.map((_, at) => added(at))];
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: 'same', text: b[j] ?? '', number: head + j + 1 });
      i += 1;
      j += 1;
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(removed(i));
      i += 1;
    } else {
      lines.push(added(j));
      j += 1;
    }
  }
  return lines;
}
