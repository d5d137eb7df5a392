// What an action led to, told once and gone after a while. Problems stay until they are closed.
import { useEffect, useRef } from 'react';

import type { Problem } from '../api/client';
import { createStore, useStore } from '../state/store';

interface Toast {
  id: number;
  text: string;
  isProblem: boolean;
}

const toasts = createStore<readonly Toast[]>([]);
const SHOWN_MS = 6_000;
let lastId = 0;

function dismiss(id: number): void {
  toasts.set(toasts.get().filter((toast) => toast.id !== id));
}

export function say(text: string): void {
  const id = (lastId += 1);
  toasts.set([...toasts.get().slice(-3), { id, text, isProblem: false }]);
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function complain(problem: Problem): void {
  const id = (lastId += 1);
  const text = `${problem.message}${problem.hint ? ` ${problem.hint}` : ''} (${problem.code})`;
  toasts.set([...toasts.get().slice(-3), { id, text, isProblem: true }]);
}

/** Tells the first problem of an answer. True when there was none. */
export function isFine(
  answer: { problem?: Problem },
  userErrors: readonly { code: string; message: string; hint?: string | null }[] | undefined,
): boolean {
  const found = answer.problem ?? userErrors?.[0];
  if (found) complain(found);
  return !found;
}

export function Toasts() {
  const all = useStore(toasts);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // shown last is on top: above a dialog that is open
    box.current?.hidePopover?.();
    if (all.length > 0) box.current?.showPopover?.();
  }, [all]);
  return (
    <div ref={box} className="toasts" role="status" aria-live="polite" popover="manual">
      {all.map((toast) => (
        <div key={toast.id} className={toast.isProblem ? 'toast problem' : 'toast'}>
          <span>{toast.text}</span>
          <button type="button" className="icon" onClick={() => dismiss(toast.id)} aria-label="Dismiss">
            ✕
          </button>
        </div>
      ))}
    </div>
  );
}
