// Keyboard shortcuts. They can be turned off (WCAG 2.1.4), and never act while somebody types.
import { useEffect, useRef } from 'react';

import { createStore } from '../state/store';

const KEY = 'runnel.shortcuts';
export const hasShortcuts = createStore<boolean>(localStorage.getItem(KEY) !== 'off');

export function setShortcuts(on: boolean): void {
  localStorage.setItem(KEY, on ? 'on' : 'off');
  hasShortcuts.set(on);
}

/** As `j`, `F`, `Escape`, `mod+k`; `mod` is Ctrl or ⌘. Letters tell capitals from small ones. */
export function nameOf(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey'>): string {
  const mod = event.ctrlKey || event.metaKey ? 'mod+' : '';
  return `${mod}${event.altKey ? 'alt+' : ''}${event.key}`;
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.shadowRoot !== null;
}

export type Keys = Record<string, (event: KeyboardEvent) => void>;

/** Acts on keys while the component is there and no dialog is open above it. */
export function useKeys(keys: Keys, options: { inDialog?: boolean } = {}): void {
  const latest = useRef(keys);
  latest.current = keys;
  const { inDialog = false } = options;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const name = nameOf(event);
      const isChord = name.startsWith('mod+');
      if (event.defaultPrevented || event.isComposing || (!isChord && (!hasShortcuts.get() || isTyping(event.target)))) return;
      if (!inDialog && document.querySelector('dialog[open]')) return;
      const act = latest.current[name];
      if (!act) return;
      event.preventDefault();
      act(event);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [inDialog]);
}
