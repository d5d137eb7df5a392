// What stands around every screen: navigation, the link, drag & drop, shortcuts, messages.
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { useEffect, useState } from 'react';

import { useData } from './api/hooks';
import { clock, link } from './api/link';
import { InboxDocument } from './gql/graphql';
import { dropped, readFiles } from './state/dropped';
import { useStore } from './state/store';
import { nextTheme, theme } from './state/theme';
import { Dialog } from './ui/dialog';
import { hasShortcuts, setShortcuts, useKeys } from './ui/keys';
import { Palette } from './ui/palette';
import { complain, Toasts } from './ui/toast';
import { spell } from './ui/time';

const INBOX_MS = 30_000;

export function Shell() {
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  useKeys({ '?': () => setHelpOpen(true), 'mod+k': () => setPaletteOpen(true) });
  return (
    <DropTarget>
      <a className="skip-link" href="#main">
        Skip to the content
      </a>
      <Sidebar onHelp={() => setHelpOpen(true)} onSearch={() => setPaletteOpen(true)} />
      <main id="main" tabIndex={-1}>
        <LinkBanner />
        <Outlet />
      </main>
      <Toasts />
      <Help isOpen={isHelpOpen} onClose={() => setHelpOpen(false)} />
      <Palette isOpen={isPaletteOpen} onClose={() => setPaletteOpen(false)} />
    </DropTarget>
  );
}

function Sidebar({ onHelp, onSearch }: { onHelp: () => void; onSearch: () => void }) {
  const inbox = useData(InboxDocument, {});
  const path = useRouterState({ select: (state) => state.location.pathname });
  const { refetch } = inbox;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) refetch();
    }, INBOX_MS);
    return () => clearInterval(timer);
  }, [refetch]);
  useEffect(refetch, [path, refetch]);
  const chosen = useStore(theme);
  const count = (found: number, hasMore = false) => (found > 0 ? <span className="badge">{`${found}${hasMore ? '+' : ''}`}</span> : null);
  const approvals = inbox.data?.approvals;
  const letters = inbox.data?.deadLetterGroups.reduce((sum, group) => sum + group.count, 0) ?? 0;
  return (
    <nav className="sidebar" aria-label="Main">
      <Link to="/" className="brand">
        <img src="/favicon.svg" alt="" width="22" height="22" /> Runnel
      </Link>
      <button type="button" className="search-button" onClick={onSearch}>
        Go to… <kbd>Ctrl K</kbd>
      </button>
      <Link to="/" activeOptions={{ exact: true }}>
        Overview
      </Link>
      <Link to="/workflows">Workflows</Link>
      <Link to="/runs">Runs</Link>
      <Link to="/approvals">Approvals {count(approvals?.nodes.length ?? 0, approvals?.pageInfo.hasNextPage)}</Link>
      <Link to="/dlq">Dead letters {count(letters)}</Link>
      <Link to="/schedules">Schedules</Link>
      <div className="spacer" />
      <a href="/graphiql">GraphiQL</a>
      <a href="/schema.graphql">Schema</a>
      <button type="button" className="nav-button" onClick={nextTheme}>
        Theme: {chosen}
      </button>
      <button type="button" className="nav-button" onClick={onHelp}>
        Shortcuts <kbd>?</kbd>
      </button>
      {inbox.data ? (
        <span className="viewer soft" title={`Namespace ${inbox.data.viewer.namespace}`}>
          {inbox.data.viewer.name} · {inbox.data.viewer.namespace}
        </span>
      ) : null}
    </nav>
  );
}

const WORDS = { idle: '', live: 'Live', reconnecting: 'Reconnecting', offline: 'Offline' };

/** Whether what the screen shows is live. */
export function LinkPill() {
  const { state } = useStore(link);
  if (state === 'idle') return null;
  return (
    <span className={`pill link-${state}`} role="status" data-link={state}>
      {WORDS[state]}
    </span>
  );
}

function LinkBanner() {
  const { state, heardAt } = useStore(link);
  useStore(clock);
  const [now, setNow] = useState(Date.now());
  const isDown = state === 'reconnecting' || state === 'offline';
  useEffect(() => {
    document.documentElement.classList.toggle('is-stale', isDown);
    if (!isDown) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [isDown]);
  if (!isDown) return null;
  return (
    <div className="banner warn" role="alert">
      {state === 'offline' ? 'The server cannot be reached.' : 'The connection is lost; trying again.'} What you see is from{' '}
      {spell(Math.max(1_000, now - heardAt))} ago, and timers stand still.
    </div>
  );
}

/** Files may be dropped anywhere. */
function DropTarget({ children }: { children: React.ReactNode }) {
  const navigate = useNavigate();
  const [isOver, setOver] = useState(false);
  const take = async (items: DataTransfer) => {
    const { files, problem } = await readFiles(items);
    if (problem) complain(problem);
    if (files.length === 0) return;
    dropped.set(files);
    void navigate({ to: '/workflows/new' });
  };
  const hasFiles = (event: React.DragEvent) => event.dataTransfer.types.includes('Files');
  return (
    <div
      className={isOver ? 'app drop-over' : 'app'}
      onDragOver={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (event.relatedTarget === null) setOver(false);
      }}
      onDrop={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        setOver(false);
        void take(event.dataTransfer);
      }}
    >
      {children}
      {isOver ? <div className="drop-hint">Drop workflow files, YAML or JSON, 1 MiB each at most</div> : null}
    </div>
  );
}

const SHORTCUTS: readonly [string, string][] = [
  ['Ctrl K', 'go to a workflow, a run or a screen'],
  ['?', 'this list'],
  ['/', 'filter'],
  ['j, k', 'next and previous row'],
  ['Enter', 'open the row'],
  ['Esc', 'close, or clear the selection'],
  ['f, F', 'next and previous failure of a run'],
  ['g t e l i', 'graph, timeline, events, logs, inputs and outputs of a run'],
  ['[ ]', 'previous and next attempt of a task'],
  ['c', 'start a run of the workflow'],
  ['a, x', 'approve and reject'],
  ['← → ↑ ↓', 'in the graph: upstream, downstream, and beside'],
  ['+ − 0', 'in the graph: zoom in, zoom out, show everything'],
];

function Help({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const isOn = useStore(hasShortcuts);
  return (
    <Dialog title="Keyboard shortcuts" isOpen={isOpen} onClose={onClose}>
      <dl className="shortcuts">
        {SHORTCUTS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label className="check">
        <input type="checkbox" checked={isOn} onChange={(event) => setShortcuts(event.target.checked)} /> Single-key shortcuts are on
      </label>
    </Dialog>
  );
}

export function NotFound() {
  return (
    <div className="page">
      <h1>There is no such page</h1>
      <p>
        Look among the <Link to="/runs">runs</Link> or the <Link to="/workflows">workflows</Link>, or press <kbd>Ctrl K</kbd>.
      </p>
    </div>
  );
}

export function Crashed({ error }: { error: unknown }) {
  return (
    <div className="page failure" role="alert">
      <h1>This screen failed</h1>
      <p>{error instanceof Error ? error.message : String(error)}</p>
      <p>If the server was updated just now, the page is of the version before.</p>
      <button type="button" className="button primary" onClick={() => location.reload()}>
        Reload
      </button>
    </div>
  );
}
