// All runs: one query box, chips that write into it, and operations on everything that matches.
import { useNavigate } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';

import { readOnce, useNews, usePages } from '../api/hooks';
import { RunRowsDocument, RunsDocument, type EventKind, type RunRowFragment } from '../gql/graphql';
import { BulkDialog, type BulkChoice } from '../run/BulkDialog';
import { toggleTerm, translate, terms } from '../run/query';
import { LinkPill } from '../Shell';
import { useAddress } from '../state/address';
import { CopyAs, quote } from '../ui/copy';
import { useKeys } from '../ui/keys';
import { Empty, Failure, Skeleton } from '../ui/states';
import { Status } from '../ui/status';
import { Ago, Elapsed } from '../ui/time';
import { shortId, spellTotal } from './parts';

const CHIPS: readonly [string, string][] = [
  ['status:running', 'running'],
  ['status:pending', 'pending'],
  ['status:failed,timed_out', 'failed'],
  ['status:succeeded', 'succeeded'],
  ['status:cancelled', 'cancelled'],
  ['is:paused', 'paused'],
  ['since:24h', 'last 24 h'],
];
const BULK: readonly [BulkChoice, string][] = [
  ['CANCEL', 'Cancel'],
  ['PAUSE', 'Pause'],
  ['RESUME', 'Resume'],
  ['RETRY_FAILED', 'Retry failed tasks'],
  ['RERUN', 'Run again'],
];
const NEWS: readonly EventKind[] = ['RUN_CREATED', 'RUN_STARTED', 'RUN_SUCCEEDED', 'RUN_FAILED', 'RUN_CANCELLED', 'RUN_TIMED_OUT', 'RUN_REOPENED', 'RUN_PAUSED', 'RUN_RESUMED', 'RUN_CANCEL_REQUESTED'];
const ROW = 36;
const PAGE = 100;
const REFRESHED_MAX = 50;

export function Runs() {
  const [search, setSearch] = useAddress();
  const words = search.q ?? '';
  const [typed, setTyped] = useState(words);
  useEffect(() => setTyped(words), [words]);
  const { query, problem } = useMemo(() => translate(words, Date.now()), [words]);
  const list = usePages(RunsDocument, { first: PAGE, query }, (data) => data.runs);
  const live = useLiveRows(list.nodes, query);
  const [bulk, setBulk] = useState<BulkChoice>();
  const input = useRef<HTMLInputElement>(null);
  const wrong = problem ? { code: 'FILTER_INVALID', message: problem } : list.problem;
  const commit = (text: string) => setSearch({ q: text.trim() || undefined });
  const active = new Set(terms(words));
  return (
    <div className="page fill">
      <header className="page-head">
        <h1>Runs</h1>
        <span className="soft" data-total={list.total?.value}>
          {spellTotal(list.total)}
        </span>
        <LinkPill />
        <div className="tools">
          <label className="check">
            <span className="visually-hidden">With all runs that match</span>
            <select
              aria-label="With all runs that match"
              value=""
              onChange={(event) => setBulk(event.target.value as BulkChoice)}
              disabled={list.nodes.length === 0}
            >
              <option value="">All matching…</option>
              {BULK.map(([action, name]) => (
                <option key={action} value={action}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <CopyAs cli={query ? `runnel runs --filter ${quote(query)}` : 'runnel runs'} document={RunsDocument as never} variables={{ first: PAGE, query }} />
        </div>
      </header>
      <form
        className="bar"
        onSubmit={(event) => {
          event.preventDefault();
          commit(typed);
        }}
      >
        <input
          ref={input}
          type="search"
          className="query mono"
          placeholder="status:failed workflow:etl* since:24h tag:urgent ( / )"
          aria-label="Query"
          aria-invalid={wrong ? true : undefined}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          onBlur={() => commit(typed)}
        />
      </form>
      <div className="bar chips" role="group" aria-label="Filters">
        {CHIPS.map(([term, name]) => (
          <button key={term} type="button" className="chip" aria-pressed={active.has(term)} onClick={() => setSearch({ q: toggleTerm(words, term) || undefined })}>
            {name}
          </button>
        ))}
        {live.fresh > 0 ? (
          <button
            type="button"
            className="chip"
            onClick={() => {
              live.clear();
              list.refetch();
            }}
          >
            ↑ {live.fresh} new
          </button>
        ) : null}
      </div>
      {wrong ? <Failure problem={wrong} onRetry={list.refetch} /> : null}
      {list.isLoading ? <Skeleton rows={10} /> : null}
      {!list.isLoading && !wrong && list.nodes.length === 0 ? (
        words ? (
          <Empty
            action={
              <button type="button" className="button" onClick={() => commit('')}>
                Clear the query
              </button>
            }
          >
            No run matches.
          </Empty>
        ) : (
          <Empty cli="runnel run hello --watch">No run yet. Start one from a workflow.</Empty>
        )
      ) : null}
      {live.rows.length > 0 ? <Rows rows={live.rows} onEnd={list.more} focusQuery={() => input.current?.focus()} /> : null}
      {bulk ? <BulkDialog action={bulk} query={query} words={words} onClose={() => setBulk(undefined)} onDone={list.refetch} /> : null}
    </div>
  );
}

/** Rows change in place and never jump: what is new is only counted until it is asked for. */
function useLiveRows(nodes: readonly RunRowFragment[], query: string | undefined) {
  const [latest, setLatest] = useState<ReadonlyMap<string, RunRowFragment>>(new Map());
  const [fresh, setFresh] = useState(0);
  useEffect(() => setFresh(0), [query, nodes]);
  const rows = useMemo(() => nodes.map((node) => latest.get(node.id) ?? node), [nodes, latest]);
  const refresh = async () => {
    const going = rows.filter((row) => row.finishedAt === null).slice(0, REFRESHED_MAX);
    const [first, others] = await Promise.all([
      readOnce(RunsDocument, { first: 50, query }),
      going.length ? readOnce(RunRowsDocument, { ids: going.map((row) => row.id) }) : undefined,
    ]);
    const found = [
      ...(first.data?.runs.nodes ?? []),
      ...(others?.data?.nodes ?? []).filter((node): node is RunRowFragment => node !== null && 'status' in node),
    ];
    const known = new Set(nodes.map((node) => node.id));
    setLatest(new Map(found.map((row) => [row.id, row])));
    setFresh((first.data?.runs.nodes ?? []).filter((row) => !known.has(row.id)).length);
  };
  useNews(NEWS, () => void refresh());
  return { rows, fresh, clear: () => setFresh(0) };
}

function Rows({ rows, onEnd, focusQuery }: { rows: readonly RunRowFragment[]; onEnd: () => void; focusQuery: () => void }) {
  const parent = useRef<HTMLDivElement>(null);
  const navigate = useNavigate();
  const [at, setAt] = useState(-1);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => parent.current, estimateSize: () => ROW, overscan: 2 });
  const shown = virtual.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - 20) onEnd();
    // a new page is asked for when the end comes near, not when the function changes
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [last, rows.length]);
  const move = (to: number) => {
    const next = Math.min(Math.max(to, 0), rows.length - 1);
    setAt(next);
    virtual.scrollToIndex(next);
  };
  const open = (index: number) => {
    const row = rows[index];
    if (row) void navigate({ to: '/runs/$id', params: { id: row.id } });
  };
  useKeys({ '/': focusQuery, j: () => move(at + 1), k: () => move(at - 1), Enter: () => open(at) });
  return (
    <>
      <div className="rows-head run-row" aria-hidden="true">
        <span>Status</span>
        <span>Run</span>
        <span>Error</span>
        <span>Tasks</span>
        <span>Took</span>
        <span>Started</span>
      </div>
      <div
        ref={parent}
        className="rows"
        role="listbox"
        tabIndex={0}
        aria-label="Runs"
        aria-activedescendant={rows[at] ? `run-${rows[at].id}` : undefined}
        onKeyDown={(event) => {
          const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
          if (to !== undefined) {
            event.preventDefault();
            move(to);
          }
        }}
      >
        <div role="presentation" style={{ height: virtual.getTotalSize() }} />
        {shown.map(({ index, start }) => {
          const run = rows[index];
          return run ? (
            <div
              key={run.id}
              id={`run-${run.id}`}
              className="row run-row"
              role="option"
              aria-selected={index === at}
              aria-posinset={index + 1}
              aria-setsize={rows.length}
              style={{ top: start }}
              onClick={() => open(index)}
            >
              <Status status={run.status} isPaused={run.isPaused} />
              <span title={run.id}>
                {run.workflow.key} <span className="mono soft">
                  {shortId(run.id)} {run.tags.join(' ')}
                </span>
              </span>
              <span className="soft" title={run.error?.message}>
                {run.error?.message ?? ''}
              </span>
              <span>
                {run.counts.succeeded} of {run.counts.total}
                {run.counts.failed ? `, ${run.counts.failed} failed` : ''}
              </span>
              <span>
                <Elapsed from={run.startedAt} to={run.finishedAt} />
              </span>
              <span>
                <Ago at={run.createdAt} />
              </span>
            </div>
          ) : null;
        })}
      </div>
    </>
  );
}
