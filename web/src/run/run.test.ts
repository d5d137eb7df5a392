import { expect, it } from 'vitest';

import type { TaskStatus } from '../gql/graphql';
import type { Graph } from '../graph/model';
import { marksOf, toUnits } from '../screens/CodeEditor';
import { percentile } from '../screens/Overview';
import { parseSearch, stringifySearch } from '../state/address';
import { plain } from './Logs';
import { ordered } from './TaskList';
import { patch, type Table } from './useRun';

const table = (...statuses: TaskStatus[]): Table => ({
  statuses,
  attempts: statuses.map(() => 1),
  queuedAt: statuses.map(() => null),
  startedAt: statuses.map(() => null),
  finishedAt: statuses.map(() => null),
});
const graph = { keys: ['load', 'store', 'mail', 'clean'] } as unknown as Graph;

it('failures stand first, then what goes on, then the order of the file', () => {
  expect(ordered(graph, table('SUCCEEDED', 'RUNNING', 'FAILED', 'SUCCEEDED'), '', new Set())).toEqual([2, 1, 0, 3]);
});

it('tasks are filtered by text and status', () => {
  const all = table('SUCCEEDED', 'RUNNING', 'FAILED', 'SUCCEEDED');
  expect(ordered(graph, all, 'EA', new Set())).toEqual([3]);
  expect(ordered(graph, all, '', new Set<TaskStatus>(['SUCCEEDED']))).toEqual([0, 3]);
});

it('a patch changes the tasks of the file and leaves out items of fan-outs', () => {
  const own = table('QUEUED', 'BLOCKED');
  const task = { key: 'a', attempt: 2, queuedAt: null, startedAt: '2026-01-01T00:00:00Z', finishedAt: null };
  patch(own, [
    { ...task, index: 0, status: 'RUNNING' },
    { ...task, index: 7, status: 'FAILED' },
  ]);
  expect(own.statuses).toEqual(['RUNNING', 'BLOCKED']);
  expect(own.attempts).toEqual([2, 1]);
});

it('marks of the server stand at the right words, also behind letters of several bytes', () => {
  const text = 'id: größe\nneeds: x';
  expect(toUnits('plain')(3)).toBe(3);
  const offset = new TextEncoder().encode('id: größe\n').length;
  const [mark] = marksOf(text, [{ severity: 'ERROR', message: 'm', offset, length: 5 } as never]);
  expect(text.slice(mark?.from, mark?.to)).toBe('needs');
});

it('colours of terminals are not in the way', () => {
  expect(plain('\u001b[31mred\u001b[0m')).toBe('red');
});

it('the address keeps texts as they are', () => {
  const search = { q: 'status:failed "a b"', page: '1' };
  expect(parseSearch(stringifySearch({ ...search, gone: undefined }).slice(1))).toEqual(search);
});

it('percentiles are values that were measured', () => {
  expect(percentile([3, 1, 2], 0.5)).toBe(2);
  expect(percentile([], 0.5)).toBeUndefined();
});
