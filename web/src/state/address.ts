// The address is the state: filters, tabs, tasks and lenses stand in it, so that every view is a link.
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';

export type Search = Record<string, string | undefined>;

export function parseSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text));
}

export function stringifySearch(search: Record<string, unknown>): string {
  const pairs = Object.entries(search).flatMap(([name, value]) => (value ? [[name, String(value)]] : []));
  const text = new URLSearchParams(pairs as [string, string][]).toString();
  return text ? `?${text}` : '';
}

/** What stands behind the question mark, and how to change a part of it in place. */
export function useAddress(): [Search, (patch: Search) => void] {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const change = useCallback(
    (patch: Search) => {
      void navigate({ to: '.', search: ((old: Search) => ({ ...old, ...patch })) as never, replace: true });
    },
    [navigate],
  );
  return [search, change];
}
