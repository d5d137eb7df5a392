// Statuses: always a word and a glyph, and a colour besides.
import type { AttemptStatus, RunStatus, TaskStatus } from '../gql/graphql';

export type AnyStatus = RunStatus | TaskStatus | AttemptStatus;

interface Look {
  word: string;
  glyph: string;
  /** The custom property without `--st-`. */
  tone: 'succeeded' | 'failed' | 'running' | 'queued' | 'waiting' | 'retry' | 'skipped' | 'cancelled' | 'blocked';
}

export const LOOKS: Record<AnyStatus, Look> = {
  SUCCEEDED: { word: 'succeeded', glyph: '✓', tone: 'succeeded' },
  CACHED: { word: 'cached', glyph: '✓', tone: 'succeeded' },
  COMPENSATED: { word: 'compensated', glyph: '↩', tone: 'cancelled' },
  FAILED: { word: 'failed', glyph: '✕', tone: 'failed' },
  TIMED_OUT: { word: 'timed out', glyph: '✕', tone: 'failed' },
  LOST: { word: 'lost', glyph: '✕', tone: 'failed' },
  COMPENSATION_FAILED: { word: 'compensation failed', glyph: '✕', tone: 'failed' },
  RUNNING: { word: 'running', glyph: '▶', tone: 'running' },
  COMPENSATING: { word: 'compensating', glyph: '↩', tone: 'running' },
  CANCELLING: { word: 'cancelling', glyph: '◼', tone: 'retry' },
  QUEUED: { word: 'queued', glyph: '≡', tone: 'queued' },
  READY: { word: 'ready', glyph: '≡', tone: 'queued' },
  PENDING: { word: 'pending', glyph: '≡', tone: 'queued' },
  WAITING: { word: 'waiting', glyph: '‖', tone: 'waiting' },
  RETRY_WAIT: { word: 'waits to retry', glyph: '↻', tone: 'retry' },
  SKIPPED: { word: 'skipped', glyph: '⤼', tone: 'skipped' },
  CANCELLED: { word: 'cancelled', glyph: '◼', tone: 'cancelled' },
  BLOCKED: { word: 'blocked', glyph: '·', tone: 'blocked' },
};

/** The order in which a person wants to see them: what needs a look first. */
export const TASK_ORDER: readonly TaskStatus[] = [
  'FAILED',
  'TIMED_OUT',
  'RETRY_WAIT',
  'WAITING',
  'RUNNING',
  'QUEUED',
  'READY',
  'BLOCKED',
  'CANCELLED',
  'SKIPPED',
  'SUCCEEDED',
  'CACHED',
];

export function isFailure(status: AnyStatus): boolean {
  return LOOKS[status].tone === 'failed';
}

const ENDED: ReadonlySet<AnyStatus> = new Set([
  'SUCCEEDED',
  'CACHED',
  'COMPENSATED',
  'FAILED',
  'TIMED_OUT',
  'LOST',
  'COMPENSATION_FAILED',
  'CANCELLED',
  'SKIPPED',
]);

export function hasEnded(status: AnyStatus): boolean {
  return ENDED.has(status);
}

export function Glyph({ status }: { status: AnyStatus }) {
  const { glyph, tone } = LOOKS[status];
  return (
    <span className={`glyph tone-${tone}`} aria-hidden="true">
      {glyph}
    </span>
  );
}

export function Status({ status, isPaused = false }: { status: AnyStatus; isPaused?: boolean }) {
  return (
    <span className="status">
      <Glyph status={isPaused ? 'WAITING' : status} />
      <span>{isPaused ? 'paused' : LOOKS[status].word}</span>
    </span>
  );
}
