import { describe, expect, it } from 'vitest';

import { terms, toggleTerm, translate } from './query';

const NOW = Date.parse('2026-03-01T12:00:30Z');

describe('the query box', () => {
  it.each([
    ['', undefined],
    ['status:failed', 'status in ["FAILED"]'],
    ['status:failed,timed_out', 'status in ["FAILED", "TIMED_OUT"]'],
    ['workflow:etl*', 'workflow.startsWith("etl")'],
    ['workflow:a,b', 'workflow in ["a", "b"]'],
    ['since:24h', 'createdAt >= timestamp("2026-02-28T12:00:00Z")'],
    ['before:2026-01-31', 'createdAt < timestamp("2026-01-31T00:00:00Z")'],
    ['tag:urgent -status:succeeded', '"urgent" in tags && !(status in ["SUCCEEDED"])'],
    ['priority:>=50 is:paused', 'priority >= 50 && isPaused'],
    ['longer:5m', 'duration > duration("5m")'],
    ['night', 'workflow.contains("night")'],
    ['tag:"two words"', '"two words" in tags'],
    ['status == "FAILED" && isPaused', 'status == "FAILED" && isPaused'],
  ])('%s becomes %s', (words, query) => {
    expect(translate(words, NOW)).toEqual(query === undefined ? {} : { query });
  });

  it.each([
    ['colour:red', 'colour:'],
    ['status:great', 'great'],
    ['since:soon', 'soon'],
    ['priority:high', 'priority'],
    ['status:', 'value'],
    ['longer:red', 'duration'],
  ])('%s is refused with a reason', (words, part) => {
    expect(translate(words, NOW).problem).toContain(part);
  });

  it('the same words are the same request within a minute', () => {
    expect(translate('since:1h', NOW)).toEqual(translate('since:1h', NOW + 20_000));
  });

  it('a chip replaces the term of its name and takes itself out', () => {
    expect(toggleTerm('status:failed tag:a', 'status:running')).toBe('tag:a status:running');
    expect(toggleTerm('tag:a status:running', 'status:running')).toBe('tag:a');
    expect(terms('a "b c" d')).toEqual(['a', 'b c', 'd']);
  });
});
