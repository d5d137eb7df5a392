// Times and durations. Relative times stand still when the link is down: see `link.ts`.
import { clock } from '../api/link';
import { useStore } from '../state/store';

const DURATION = /^P(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** Milliseconds of an ISO 8601 duration of days and below. */
export function milliseconds(text: string): number {
  const [, days, hours, minutes, seconds] = DURATION.exec(text) ?? [];
  const of = (part: string | undefined, unit: number) => Number(part ?? 0) * unit;
  return of(days, 86_400_000) + of(hours, 3_600_000) + of(minutes, 60_000) + of(seconds, 1_000);
}

/** Two units at most, as people say it. */
export function spell(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = ms / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const two = (big: number, bigName: string, small: number, smallName: string) =>
    small ? `${big} ${bigName} ${small} ${smallName}` : `${big} ${bigName}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return two(minutes, 'min', Math.floor(seconds) % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return two(hours, 'h', minutes % 60, 'min');
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

export function relative(at: number, now: number): string {
  const ms = now - at;
  if (Math.abs(ms) < 2_000) return 'now';
  const one = spell(Math.floor(Math.abs(ms) / 1_000) * 1_000).replace(/\.0 s/, ' s');
  return ms > 0 ? `${one} ago` : `in ${one}`;
}

export function useNow(): number {
  return useStore(clock);
}

export function Ago({ at }: { at: string | null | undefined }) {
  const now = useNow();
  if (!at) return <span className="soft">–</span>;
  return (
    <time dateTime={at} title={new Date(at).toLocaleString(undefined, { timeZoneName: 'short' })}>
      {relative(Date.parse(at), now)}
    </time>
  );
}

/** From start to end, or to now while it goes on. */
export function Elapsed({ from, to }: { from: string | null | undefined; to: string | null | undefined }) {
  return from && !to ? <Running from={from} /> : <span>{from && to ? spell(Date.parse(to) - Date.parse(from)) : '–'}</span>;
}

function Running({ from }: { from: string }) {
  const now = useNow();
  return <span data-timer="">{spell(Math.max(0, now - Date.parse(from)))}</span>;
}
