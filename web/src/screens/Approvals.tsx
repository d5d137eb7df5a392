// The inbox of what waits for a person. Everything can be done from the keyboard: j, k, a, x, Enter.
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { useNews, usePages } from '../api/hooks';
import { ApprovalsDocument } from '../gql/graphql';
import { Ballot } from '../run/Ballot';
import { LinkPill } from '../Shell';
import { useAddress } from '../state/address';
import { CopyAs } from '../ui/copy';
import { useKeys } from '../ui/keys';
import { Empty, Failure, Skeleton } from '../ui/states';
import { Ago } from '../ui/time';
import { More, shortId, spellRead } from './parts';

export function Approvals() {
  const [search, setSearch] = useAddress();
  const isMine = search.who === 'mine';
  const filter = isMine ? { mine: true } : undefined;
  const list = usePages(ApprovalsDocument, { filter }, (data) => data.approvals);
  useNews(['TASK_WAITING', 'APPROVAL_DECIDED', 'TASK_SUCCEEDED', 'TASK_FAILED', 'TASK_TIMED_OUT', 'RUN_CANCELLED'], list.refetch);
  const [chosen, setChosen] = useState<string>();
  const found = list.nodes.findIndex((node) => node.id === chosen);
  const at = found >= 0 ? found : 0;
  const current = list.nodes[at];
  const move = (by: number) => setChosen(list.nodes[Math.min(Math.max(at + by, 0), list.nodes.length - 1)]?.id);
  useKeys({ j: () => move(1), k: () => move(-1) });
  return (
    <div className="page">
      <header className="page-head">
        <h1>Approvals</h1>
        <span className="soft">{list.isLoading ? '' : spellRead(list)}</span>
        <LinkPill />
        <div className="chips" role="group" aria-label="Whose">
          <button type="button" className="chip" aria-pressed={!isMine} onClick={() => setSearch({ who: undefined })}>
            all open
          </button>
          <button type="button" className="chip" aria-pressed={isMine} onClick={() => setSearch({ who: 'mine' })}>
            for me
          </button>
        </div>
        <div className="tools">
          <CopyAs cli="runnel approvals" document={ApprovalsDocument as never} variables={{ filter }} />
        </div>
      </header>
      {list.problem ? <Failure problem={list.problem} onRetry={list.refetch} /> : null}
      {list.isLoading ? <Skeleton rows={5} /> : null}
      {!list.isLoading && !list.problem && list.nodes.length === 0 ? <Empty cli="runnel approvals">Nothing waits for {isMine ? 'you' : 'a person'}.</Empty> : null}
      {current ? (
        <div className="two">
          <div className="card">
            <table aria-label="Approvals">
              <tbody>
                {list.nodes.map((approval, index) => (
                  <tr key={approval.id} aria-current={index === at ? 'true' : undefined} className={index === at ? 'current' : undefined}>
                    <td>
                      <button type="button" className="link-button" onClick={() => setChosen(approval.id)}>
                        {approval.message}
                      </button>
                      <div className="soft">
                        {approval.run.workflow.name} · {approval.key} ·{' '}
                        <Link to="/runs/$id/tasks/$task" params={{ id: approval.run.id, task: approval.key }}>
                          run {shortId(approval.run.id)}
                        </Link>
                      </div>
                    </td>
                    <td className="number">
                      <Ago at={approval.askedAt} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <Ballot key={current.id} run={current.run.id} approval={current} onDone={list.refetch} />
        </div>
      ) : null}
      <More list={list} />
    </div>
  );
}
