// Whether what a screen shows is live. Everything that ticks asks here first: a lost server must never look alive.
import { createStore } from '../state/store';

/** `idle`: this screen follows nothing. */
export type LinkState = 'idle' | 'live' | 'reconnecting' | 'offline';

export interface Link {
  state: LinkState;
  /** When the server was last heard of, in milliseconds. */
  heardAt: number;
}

/** Reconnecting for longer than this is being offline. */
export const OFFLINE_AFTER_MS = 15_000;

export const link = createStore<Link>({ state: 'idle', heardAt: Date.now() });
/** Ticks once a second, and stands still while the link is down or the tab is hidden. */
export const clock = createStore<number>(Date.now());

let offlineTimer: ReturnType<typeof setTimeout> | undefined;

export function heard(): void {
  clearTimeout(offlineTimer);
  offlineTimer = undefined;
  link.set({ state: 'live', heardAt: Date.now() });
}

export function lost(): void {
  if (link.get().state === 'idle') return;
  if (link.get().state === 'live') link.set({ ...link.get(), state: 'reconnecting' });
  offlineTimer ??= setTimeout(() => link.set({ ...link.get(), state: 'offline' }), OFFLINE_AFTER_MS);
}

export function idle(): void {
  clearTimeout(offlineTimer);
  offlineTimer = undefined;
  link.set({ ...link.get(), state: 'idle' });
}

/** Whether timers may move. */
export function isTicking(): boolean {
  const { state } = link.get();
  return state === 'live' || state === 'idle';
}

function tick(): void {
  if (isTicking() && !document.hidden) clock.set(Date.now());
}

setInterval(tick, 1_000);
document.addEventListener('visibilitychange', tick);
