import { describe, expect, it } from 'vitest';

import { diffLines } from './diff';
import { quote } from './copy';
import { nameOf } from './keys';
import { emptyValues, fieldsOf, fieldsOfObject, valuesOf } from './schema';
import { hasEnded, isFailure, LOOKS, TASK_ORDER } from './status';
import { milliseconds, relative, spell } from './time';

describe('times', () => {
  it.each([
    ['PT0.25S', 250],
    ['PT1M30S', 90_000],
    ['P1DT2H', 93_600_000],
  ])('%s is %d ms', (text, ms) => expect(milliseconds(text)).toBe(ms));

  it.each([
    [12, '12 ms'],
    [1_500, '1.5 s'],
    [59_900, '59 s'],
    [60_000, '1 min'],
    [3_661_000, '1 h 1 min'],
    [90_000_000, '1 d 1 h'],
  ])('%d ms is spelt %s', (ms, text) => expect(spell(ms)).toBe(text));

  it('says what was and what will be', () => {
    expect(relative(0, 65_000)).toBe('1 min 5 s ago');
    expect(relative(65_000, 0)).toBe('in 1 min 5 s');
    expect(relative(0, 500)).toBe('now');
  });
});

describe('statuses', () => {
  it('every status has a word and a glyph, and failures come first', () => {
    for (const look of Object.values(LOOKS)) expect(look.word && look.glyph).toBeTruthy();
    expect(TASK_ORDER.slice(0, 2).every(isFailure)).toBe(true);
    expect(new Set(TASK_ORDER).size).toBe(12);
    expect(hasEnded('SKIPPED') && !hasEnded('RETRY_WAIT')).toBe(true);
  });
});

describe('forms', () => {
  const fields = fieldsOf({
    name: { type: 'string', default: 'world' },
    count: { type: 'integer', minimum: 1 },
    size: { enum: ['s', 'm'], default: 's' },
    dry: { type: 'boolean', default: false },
    list: { type: 'array' },
    at: { type: 'string', default: '${{ run.id }}' },
  });

  it('begin with the defaults of the file, templates excepted', () => {
    expect(emptyValues(fields)).toEqual({ name: 'world', count: '', size: '"s"', dry: 'false', list: '', at: '' });
  });

  it('send values of the declared types, and leave out what was left empty', () => {
    const { values, problems } = valuesOf(fields, { name: '', count: '3', size: '"m"', dry: 'true', list: '[1]', at: '' });
    expect(problems).toEqual({});
    expect(values).toEqual({ count: 3, size: 'm', dry: true, list: [1] });
  });

  it('say at each field what is wrong', () => {
    const { problems } = valuesOf(fields, { name: 'x', count: '1.5', list: 'abc' });
    expect(Object.keys(problems)).toEqual(['count', 'list']);
    expect(valuesOf(fieldsOfObject({ required: ['a'], properties: { a: { type: 'integer' }, b: {} } }), {}).problems).toEqual({ a: 'This is needed.' });
  });
});

describe('the difference of two texts', () => {
  const kinds = (a: string, b: string) => diffLines(a, b).map((line) => `${{ same: ' ', added: '+', removed: '-' }[line.kind]}${line.text}`);

  it('shows what was added and removed between what stayed', () => {
    expect(kinds('a\nb\nc', 'a\nx\nc')).toEqual([' a', '-b', '+x', ' c']);
    expect(kinds('a\nb', 'a\nb')).toEqual([' a', ' b']);
    expect(kinds('a\nb\nc\nd', 'b\nd\ne')).toEqual(['-a', ' b', '-c', ' d', '+e']);
  });
});

it('words of commands are quoted when a shell would split them', () => {
  expect(quote('a=1')).toBe('a=1');
  expect(quote("it's")).toBe(`'it'\\''s'`);
});

it('keys are named with their modifiers', () => {
  expect(nameOf({ key: 'k', ctrlKey: true, metaKey: false, altKey: false })).toBe('mod+k');
  expect(nameOf({ key: 'F', ctrlKey: false, metaKey: false, altKey: false })).toBe('F');
});
