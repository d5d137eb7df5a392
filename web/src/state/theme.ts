// Light, dark, or what the system says. Kept in this browser.
import { createStore } from './store';

export type Theme = 'system' | 'light' | 'dark';
const KEY = 'runnel.theme';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

function stored(): Theme {
  const text = localStorage.getItem(KEY);
  return THEMES.find((theme) => theme === text) ?? 'system';
}

export const theme = createStore<Theme>(stored());

function apply(): void {
  if (theme.get() === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.get();
}

export function nextTheme(): void {
  const at = THEMES.indexOf(theme.get());
  theme.set(THEMES[(at + 1) % THEMES.length] ?? 'system');
  localStorage.setItem(KEY, theme.get());
}

theme.watch(apply);
apply();
