// How screens read and write.
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useQuery, type AnyVariables } from 'urql';

import { EventsDocument, type EventKind } from '../gql/graphql';
import { client, problemOf, type Problem } from './client';
import { subscribe } from './live';

export interface Loaded<T> {
  data: T | undefined;
  problem: Problem | undefined;
  /** Nothing to show yet. */
  isLoading: boolean;
  refetch(): void;
}

/** Reads; what was read stays on the screen while it is read again. */
export function useData<T, V extends AnyVariables>(
  query: TypedDocumentNode<T, V>,
  variables: V,
  options: { pause?: boolean } = {},
): Loaded<T> {
  const [result, execute] = useQuery<T, AnyVariables>({
    query: query as unknown as TypedDocumentNode<T, AnyVariables>,
    variables: variables as AnyVariables,
    pause: options.pause ?? false,
  });
  const refetch = useCallback(() => execute({ requestPolicy: 'network-only' }), [execute]);
  const problem = result.error ? problemOf(result.error) : undefined;
  return {
    data: result.data,
    problem,
    isLoading: !result.data && !problem && !options.pause,
    refetch,
  };
}

/** Changes something and answers the payload, or what went wrong. */
export async function change<T, V extends AnyVariables>(
  document: TypedDocumentNode<T, V>,
  variables: V,
): Promise<{ data?: T; problem?: Problem }> {
  const result = await client.mutation(document, variables).toPromise();
  if (result.error) return { problem: problemOf(result.error) };
  return { data: result.data };
}

/** Reads once, outside of any component's life. */
export async function readOnce<T, V extends AnyVariables>(
  document: TypedDocumentNode<T, V>,
  variables: V,
): Promise<{ data?: T; problem?: Problem }> {
  const result = await client.query(document, variables, { requestPolicy: 'network-only' }).toPromise();
  if (result.error) return { problem: problemOf(result.error) };
  return { data: result.data };
}

const VISIBLE_MS = 1_000;
const HIDDEN_MS = 15_000;

/** Calls `onNews` when something of these kinds happened: once a second at most, and seldom in a hidden tab. */
export function useNews(kinds: readonly EventKind[], onNews: () => void): void {
  const latest = useRef(onNews);
  latest.current = onNews;
  const wanted = kinds.join();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let toldAt = 0;
    const tell = () => {
      timer = undefined;
      toldAt = Date.now();
      latest.current();
    };
    const stop = subscribe(
      EventsDocument,
      { filter: { kind: { in: wanted.split(',') as EventKind[] } } },
      {
        onMessage({ events }) {
          if (events.kind === 'SYNC') return;
          const wait = (document.hidden ? HIDDEN_MS : VISIBLE_MS) - (Date.now() - toldAt);
          timer ??= setTimeout(tell, Math.max(wait, 100));
        },
        onProblem() {
          // the query of the screen tells it too, with a place to show it
        },
      },
    );
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [wanted]);
}

export interface Pages<N> {
  nodes: N[];
  total: { value: number; isExact: boolean } | null;
  hasMore: boolean;
  isLoading: boolean;
  isLoadingMore: boolean;
  problem: Problem | undefined;
  more(): void;
  refetch(): void;
}

interface Page<N> {
  nodes: N[];
  totalCount?: { value: number; isExact: boolean } | null;
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

/** A list that is read page by page. The first page is read again on news; what was read beyond it stays. */
export function usePages<T, V extends { after?: string | null }, N extends { id: string }>(
  document: TypedDocumentNode<T, V>,
  variables: V,
  pick: (data: T) => Page<N> | undefined,
): Pages<N> {
  const first = useData(document, variables as V & AnyVariables);
  const key = JSON.stringify(variables);
  const [rest, setRest] = useState<{ key: string; pages: Page<N>[] }>({ key, pages: [] });
  const [isLoadingMore, setLoadingMore] = useState(false);
  const [moreProblem, setMoreProblem] = useState<Problem>();
  const page = first.data ? pick(first.data) : undefined;
  const pages = useMemo(
    () => (page ? [page, ...(rest.key === key ? rest.pages : [])] : []),
    [page, rest, key],
  );
  const last = pages.at(-1);
  const nodes = useMemo(() => {
    const seen = new Set<string>();
    // a row that moved to an earlier page since is shown once
    return pages.flatMap((each) => each.nodes.filter((node) => !seen.has(node.id) && seen.add(node.id)));
  }, [pages]);
  const more = () => {
    if (isLoadingMore || !last?.pageInfo.hasNextPage) return;
    setLoadingMore(true);
    void readOnce(document, { ...variables, after: last.pageInfo.endCursor } as V & AnyVariables).then(({ data, problem }) => {
      setLoadingMore(false);
      setMoreProblem(problem);
      const found = data && pick(data as T);
      if (found) setRest((old) => ({ key, pages: [...(old.key === key ? old.pages : []), found] }));
    });
  };
  return {
    nodes,
    total: page?.totalCount ?? null,
    hasMore: last?.pageInfo.hasNextPage ?? false,
    isLoading: first.isLoading,
    isLoadingMore,
    problem: first.problem ?? moreProblem,
    more,
    refetch: first.refetch,
  };
}
