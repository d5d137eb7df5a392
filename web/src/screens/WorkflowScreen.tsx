// One workflow: its runs, its graph with the last run on it, versions and what changed between them, triggers, source.
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { lazy, Suspense, useMemo, useState } from 'react';

import { change, useData, useNews, usePages } from '../api/hooks';
import {
  WorkflowDocument,
  WorkflowPublishDocument,
  WorkflowRunsDocument,
  WorkflowTriggersDocument,
  WorkflowVersionsDocument,
  WorkflowVersionSourceDocument,
  type WorkflowQuery,
} from '../gql/graphql';
import { graphOf } from '../graph/model';
import { RunDialog } from '../run/RunDialog';
import { LinkPill } from '../Shell';
import { useAddress } from '../state/address';
import { dropped } from '../state/dropped';
import { copy, CopyAs, quote } from '../ui/copy';
import { diffLines } from '../ui/diff';
import { useKeys } from '../ui/keys';
import { Empty, Failure, Skeleton } from '../ui/states';
import { Ago } from '../ui/time';
import { isFine, say } from '../ui/toast';
import { More, RunTable, Tabs } from './parts';
import { ScheduleTable } from './Schedules';

const GraphView = lazy(() => import('../graph/GraphView'));

type Tab = 'runs' | 'graph' | 'versions' | 'triggers' | 'source';
const TABS: readonly (readonly [Tab, string])[] = [
  ['runs', 'Runs'],
  ['graph', 'Graph'],
  ['versions', 'Versions'],
  ['triggers', 'Triggers'],
  ['source', 'Source'],
];

export function WorkflowScreen() {
  const { key } = useParams({ strict: false }) as { key: string };
  const [search, setSearch] = useAddress();
  const tab = TABS.find(([name]) => name === search.tab)?.[0] ?? 'runs';
  const found = useData(WorkflowDocument, { key });
  const [isStarting, setStarting] = useState(false);
  useKeys({ c: () => setStarting(true) });
  const workflow = found.data?.workflow;
  if (found.problem && !workflow) {
    return (
      <div className="page">
        <Failure problem={found.problem} onRetry={found.refetch} />
      </div>
    );
  }
  if (found.data && !workflow) {
    return (
      <div className="page">
        <h1>There is no workflow {key}</h1>
        <p>
          Look among the <Link to="/workflows">workflows</Link>.
        </p>
      </div>
    );
  }
  if (!workflow) {
    return (
      <div className="page">
        <Skeleton rows={10} />
      </div>
    );
  }
  return (
    <div className="page">
      <header className="page-head">
        <h1>{workflow.name}</h1>
        <code className="soft">{workflow.key}</code>
        <span className="soft">
          version {workflow.latestVersion}, <Ago at={workflow.updatedAt} />
        </span>
        <LinkPill />
        <div className="tools">
          <CopyAs cli={`runnel run ${quote(key)}`} document={WorkflowDocument as never} variables={{ key }} />
          <button type="button" className="button primary" onClick={() => setStarting(true)}>
            Run <kbd>c</kbd>
          </button>
        </div>
      </header>
      <Tabs tabs={TABS} chosen={tab} onChoose={(name) => setSearch({ tab: name, a: undefined, b: undefined })} label="Workflow" />
      {tab === 'runs' ? <RunsTab workflow={key} onNews={found.refetch} /> : null}
      {tab === 'graph' ? <GraphTab workflow={workflow} onNews={found.refetch} /> : null}
      {tab === 'versions' ? <VersionsTab workflow={key} latest={workflow.latestVersion} onPublished={found.refetch} /> : null}
      {tab === 'triggers' ? <TriggersTab workflow={key} /> : null}
      {tab === 'source' ? <SourceTab workflow={workflow} /> : null}
      {isStarting ? <RunDialog workflow={key} onClose={() => setStarting(false)} /> : null}
    </div>
  );
}

type WorkflowData = NonNullable<WorkflowQuery['workflow']>;

function RunsTab({ workflow, onNews }: { workflow: string; onNews: () => void }) {
  const list = usePages(WorkflowRunsDocument, { key: workflow }, (data) => data.workflow?.runs);
  useNews(['RUN_CREATED', 'RUN_STARTED', 'RUN_SUCCEEDED', 'RUN_FAILED', 'RUN_CANCELLED'], () => {
    list.refetch();
    onNews();
  });
  if (list.problem) return <Failure problem={list.problem} onRetry={list.refetch} />;
  if (list.isLoading) return <Skeleton rows={6} />;
  if (list.nodes.length === 0) return <Empty cli={`runnel run ${quote(workflow)} --watch`}>It never ran.</Empty>;
  return (
    <>
      <div className="card">
        <RunTable runs={list.nodes} label="Runs" />
      </div>
      <More list={list} />
    </>
  );
}

function GraphTab({ workflow, onNews }: { workflow: WorkflowData; onNews: () => void }) {
  useNews(['TASK_STARTED', 'TASK_SUCCEEDED', 'TASK_FAILED', 'RUN_CREATED', 'RUN_SUCCEEDED', 'RUN_FAILED'], onNews);
  const layout = workflow.version?.layout;
  const graph = useMemo(() => (layout ? graphOf(layout) : undefined), [layout]);
  const [chosen, setChosen] = useState<number>();
  const navigate = useNavigate();
  const last = workflow.recentRuns[0];
  // the last run may be of an older version, whose tasks are others
  const isSame = last?.version.number === workflow.version?.number;
  if (!graph) return <Empty>This version has no tasks.</Empty>;
  const key = chosen === undefined ? undefined : graph.keys[chosen];
  return (
    <>
      <p className="note soft">
        {last && isSame ? (
          <>
            With the statuses of{' '}
            <Link to="/runs/$id" params={{ id: last.id }}>
              the last run
            </Link>
            .
          </>
        ) : (
          last ? `The plan; the last run was of version ${last.version.number}.` : 'The plan. It has not run yet.'
        )}{' '}
        {key && last && isSame ? (
          <button type="button" className="button quiet" onClick={() => void navigate({ to: '/runs/$id/tasks/$task', params: { id: last.id, task: key } })}>
            Open {key}
          </button>
        ) : null}
      </p>
      <div className="graph-box">
        <Suspense fallback={<Skeleton />}>
          <GraphView
            graph={graph}
            statuses={isSame ? last?.taskTable.statuses : undefined}
            attempts={isSame ? last?.taskTable.attempts : undefined}
            selected={chosen}
            onSelect={setChosen}
            label={`Graph of ${workflow.key}`}
          />
        </Suspense>
      </div>
      <details className="note">
        <summary>The same as a list</summary>
        <ol className="fires">
          {graph.keys.map((name, node) => (
            <li key={name}>
              {name} <span className="soft">{graph.types[node]}</span>
              {graph.up[node]?.length ? <span className="soft">, after {graph.up[node]?.map((up) => graph.keys[up]).join(', ')}</span> : null}
            </li>
          ))}
        </ol>
      </details>
    </>
  );
}

function VersionsTab({ workflow, latest, onPublished }: { workflow: string; latest: number; onPublished: () => void }) {
  const list = usePages(WorkflowVersionsDocument, { key: workflow }, (data) => data.workflow?.versions);
  const [search, setSearch] = useAddress();
  const newer = Number(search.b ?? latest);
  const older = Number(search.a ?? Math.max(1, newer - 1));
  const left = useData(WorkflowVersionSourceDocument, { key: workflow, number: older });
  const right = useData(WorkflowVersionSourceDocument, { key: workflow, number: newer });
  const [a, b] = [left.data?.workflow?.version?.source, right.data?.workflow?.version?.source];
  const lines = useMemo(() => (a !== undefined && b !== undefined ? diffLines(a, b) : undefined), [a, b]);
  const restore = async () => {
    if (a === undefined) return;
    const answer = await change(WorkflowPublishDocument, { source: a });
    if (isFine(answer, answer.data?.workflowPublish.userErrors)) say(`The content of version ${older} is version ${answer.data?.workflowPublish.version?.number} now.`);
    list.refetch();
    onPublished();
  };
  if (list.problem) return <Failure problem={list.problem} onRetry={list.refetch} />;
  return (
    <>
      <div className="card">
        <table aria-label="Versions">
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col">Tasks</th>
              <th scope="col">By</th>
              <th scope="col">When</th>
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.nodes.map((version) => (
              <tr key={version.id} className={version.number === newer ? 'current' : undefined}>
                <td>{version.number}</td>
                <td>{version.taskCount}</td>
                <td>{version.createdBy}</td>
                <td>
                  <Ago at={version.createdAt} />
                </td>
                <td className="number">
                  <button
                    type="button"
                    className="button quiet"
                    onClick={() => setSearch({ b: String(version.number), a: String(Math.max(1, version.number - 1)) })}
                  >
                    What changed
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <More list={list} />
      <div className="bar note">
        <h2>
          {older === newer ? `Version ${newer}` : `From version ${older} to ${newer}`}
        </h2>
        {older < latest && a !== undefined && older !== newer ? (
          <button type="button" className="button" onClick={() => void restore()}>
            Publish the content of version {older} again
          </button>
        ) : null}
      </div>
      {lines ? (
        <pre className="diff" tabIndex={0} aria-label={`Changes from version ${older} to ${newer}`}>
          {lines.map((line, at) => (
            <div key={at} className={line.kind}>
              <span className="soft">{line.number ?? ''}</span>
              <span>{{ added: '+', removed: '−', same: '' }[line.kind]}</span>
              <span>{line.text}</span>
            </div>
          ))}
        </pre>
      ) : (
        <Skeleton rows={4} />
      )}
    </>
  );
}

function TriggersTab({ workflow }: { workflow: string }) {
  const found = useData(WorkflowTriggersDocument, { key: workflow });
  if (found.problem) return <Failure problem={found.problem} onRetry={found.refetch} />;
  if (found.isLoading) return <Skeleton rows={4} />;
  const schedules = found.data?.workflow?.schedules.nodes ?? [];
  const triggers = found.data?.workflow?.triggers.nodes ?? [];
  if (schedules.length + triggers.length === 0) {
    return <Empty cli={'triggers:\n  - schedule: "0 6 * * *"\n    timezone: Europe/Berlin'}>Nothing starts it by itself. Write triggers into the file:</Empty>;
  }
  return (
    <>
      {schedules.length ? <ScheduleTable schedules={schedules} onChanged={found.refetch} /> : null}
      {triggers.length ? (
        <div className="card">
          <table aria-label="Triggers">
            <thead>
              <tr>
                <th scope="col">Trigger</th>
                <th scope="col">Kind</th>
                <th scope="col">On</th>
                <th scope="col">State</th>
              </tr>
            </thead>
            <tbody>
              {triggers.map((trigger) => (
                <tr key={trigger.id}>
                  <td className="mono">{trigger.key}</td>
                  <td>{trigger.kind.toLowerCase()}</td>
                  <td className="mono">{trigger.path ?? trigger.event ?? '–'}</td>
                  <td>{trigger.isPaused ? 'paused' : trigger.isEnabled ? 'on' : 'off'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </>
  );
}

function SourceTab({ workflow }: { workflow: WorkflowData }) {
  const navigate = useNavigate();
  const source = workflow.version?.source ?? '';
  return (
    <>
      <div className="bar note">
        <button
          type="button"
          className="button"
          onClick={() => {
            dropped.set([{ name: `${workflow.key}.yaml`, text: source }]);
            void navigate({ to: '/workflows/new' });
          }}
        >
          Edit
        </button>
        <button type="button" className="button quiet" onClick={() => void copy(source, 'the source')}>
          Copy
        </button>
        {workflow.version && workflow.version.dialect !== 'V1' ? <span className="soft">converted from {workflow.version.dialect.toLowerCase()}</span> : null}
      </div>
      <pre className="source" tabIndex={0} aria-label="Source">
        {source.split('\n').map((line, at) => (
          <div key={at}>
            <span className="soft">{at + 1}</span>
            <span />
            <span>{line}</span>
          </div>
        ))}
      </pre>
    </>
  );
}
