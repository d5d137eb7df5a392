// Dead letters, grouped by what went wrong: replay or discard one, a group, or everything that is shown.
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';

import { change, useData, useNews, usePages } from '../api/hooks';
import {
  DeadLetterDiscardDocument,
  DeadLetterReplayDocument,
  DeadLettersDocument,
  type DeadLettersQuery,
  type DeadLetterFilter,
} from '../gql/graphql';
import { LinkPill } from '../Shell';
import { useAddress } from '../state/address';
import { CopyAs } from '../ui/copy';
import { Dialog } from '../ui/dialog';
import { useKeys } from '../ui/keys';
import { Empty, Failure, Skeleton } from '../ui/states';
import { Ago } from '../ui/time';
import { isFine, say } from '../ui/toast';
import { More, shortId, spellRead } from './parts';

type Letter = DeadLettersQuery['deadLetters']['nodes'][number];

interface Choice {
  ids?: string[];
  fingerprint?: string;
  count: number;
}

export function DeadLetters() {
  const [search, setSearch] = useAddress();
  const isClosed = search.state === 'closed';
  const { fingerprint } = search;
  const filter = useMemo<DeadLetterFilter>(
    () => ({ status: isClosed ? { in: ['REPLAYED', 'DISCARDED'] } : { eq: 'OPEN' }, fingerprint }),
    [isClosed, fingerprint],
  );
  const list = usePages(DeadLettersDocument, { filter }, (data) => data.deadLetters);
  const all = useMemo<DeadLetterFilter>(() => ({ status: filter.status }), [filter.status]);
  const groups = useData(DeadLettersDocument, { filter: all });
  const refetch = () => {
    list.refetch();
    groups.refetch();
  };
  useNews(['DEAD_LETTERED', 'TASK_RETRY_REQUESTED'], refetch);
  const [at, setAt] = useState(0);
  const [discarding, setDiscarding] = useState<Choice>();
  const current = list.nodes[Math.min(at, list.nodes.length - 1)];
  const replay = async ({ ids, fingerprint: group }: Choice) => {
    const answer = await change(DeadLetterReplayDocument, { input: { ids, fingerprint: group, idempotencyKey: crypto.randomUUID() } });
    const payload = answer.data?.deadLetterReplay;
    if (isFine(answer, payload?.userErrors)) say(`Replayed ${payload?.deadLetters.length ?? 0}${payload?.unresolved.length ? `, ${payload.unresolved.length} refused: ${payload.unresolved[0]?.message}` : ''}.`);
    refetch();
  };
  useKeys({
    j: () => setAt(Math.min(at + 1, list.nodes.length - 1)),
    k: () => setAt(Math.max(at - 1, 0)),
    r: () => current && !isClosed && void replay({ ids: [current.id], count: 1 }),
  });
  return (
    <div className="page">
      <header className="page-head">
        <h1>Dead letters</h1>
        <span className="soft">{list.isLoading ? '' : spellRead(list)}</span>
        <LinkPill />
        <div className="chips" role="group" aria-label="State">
          <button type="button" className="chip" aria-pressed={!isClosed} onClick={() => setSearch({ state: undefined, fingerprint: undefined })}>
            open
          </button>
          <button type="button" className="chip" aria-pressed={isClosed} onClick={() => setSearch({ state: 'closed', fingerprint: undefined })}>
            replayed or discarded
          </button>
        </div>
        <div className="tools">
          <CopyAs cli="runnel dlq list" document={DeadLettersDocument as never} variables={{ filter }} />
        </div>
      </header>
      {list.problem ? <Failure problem={list.problem} onRetry={refetch} /> : null}
      {list.isLoading ? <Skeleton rows={6} /> : null}
      {!list.isLoading && !list.problem && list.nodes.length === 0 ? (
        <Empty cli="runnel dlq list">{isClosed ? 'None was replayed or discarded.' : 'Empty. Good.'}</Empty>
      ) : null}
      {groups.data && groups.data.groups.length > 0 ? (
        <section className="card groups">
          <div className="bar">
            <h2>By error</h2>
            {fingerprint ? (
              <button type="button" className="button quiet" onClick={() => setSearch({ fingerprint: undefined })}>
                Show all
              </button>
            ) : null}
          </div>
          <table aria-label="Dead letters by error">
            <tbody>
              {groups.data.groups.map((group) => (
                <tr key={group.fingerprint} aria-current={group.fingerprint === fingerprint ? 'true' : undefined} className={group.fingerprint === fingerprint ? 'current' : undefined}>
                  <td className="number">{group.count.toLocaleString('en')}</td>
                  <td>
                    <button type="button" className="link-button" onClick={() => setSearch({ fingerprint: group.fingerprint })}>
                      {group.summary}
                    </button>
                    <div className="soft">
                      <code>{group.code}</code> {group.workflow ? `in ${group.workflow}` : ''}
                    </div>
                  </td>
                  <td className="number">
                    <Ago at={group.lastAt} />
                  </td>
                  <td className="number">
                    {isClosed ? null : (
                      <>
                        <button type="button" className="button" onClick={() => void replay({ fingerprint: group.fingerprint, count: group.count })}>
                          Replay {group.count.toLocaleString('en')}
                        </button>{' '}
                        <button type="button" className="button danger" onClick={() => setDiscarding({ fingerprint: group.fingerprint, count: group.count })}>
                          Discard…
                        </button>
                      </>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      ) : null}
      {list.nodes.length ? (
        <section className="card">
          <table aria-label="Dead letters">
            <thead>
              <tr>
                <th scope="col">What</th>
                <th scope="col">Run</th>
                <th scope="col">{isClosed ? 'Outcome' : 'Attempt'}</th>
                <th scope="col" className="number">
                  When
                </th>
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {list.nodes.map((letter, index) => (
                <Row
                  key={letter.id}
                  letter={letter}
                  isCurrent={index === at}
                  isClosed={isClosed}
                  onReplay={() => void replay({ ids: [letter.id], count: 1 })}
                  onDiscard={() => setDiscarding({ ids: [letter.id], count: 1 })}
                />
              ))}
            </tbody>
          </table>
        </section>
      ) : null}
      <More list={list} />
      {discarding ? <Discard choice={discarding} onClose={() => setDiscarding(undefined)} onDone={refetch} /> : null}
    </div>
  );
}

interface RowProps {
  letter: Letter;
  isCurrent: boolean;
  isClosed: boolean;
  onReplay(): void;
  onDiscard(): void;
}

function Row({ letter, isCurrent, isClosed, onReplay, onDiscard }: RowProps) {
  return (
    <tr aria-current={isCurrent ? 'true' : undefined} className={isCurrent ? 'current' : undefined}>
      <td>
        {letter.error.message}
        <div className="soft">
          {letter.workflow ?? letter.queue ?? letter.kind.toLowerCase().replaceAll('_', ' ')}
          {letter.task ? ` · ${letter.task}` : ''}
        </div>
        {letter.payload ? (
          <details>
            <summary className="soft">payload</summary>
            <pre className="cli">{letter.payload.slice(0, 4_000)}</pre>
          </details>
        ) : null}
      </td>
      <td>
        {letter.runId && letter.task ? (
          <Link to="/runs/$id/tasks/$task" params={{ id: letter.runId, task: letter.task }} className="mono">
            {shortId(letter.runId)}
          </Link>
        ) : (
          '–'
        )}
      </td>
      <td>{isClosed ? `${letter.status.toLowerCase()} by ${letter.resolvedBy ?? 'unknown'}` : (letter.attempt ?? '–')}</td>
      <td className="number">
        <Ago at={letter.at} />
      </td>
      <td className="number">
        {isClosed ? null : (
          <>
            <button type="button" className="button" onClick={onReplay}>
              Replay
            </button>{' '}
            <button type="button" className="button quiet" onClick={onDiscard}>
              Discard…
            </button>{' '}
            <CopyAs cli={`runnel dlq replay ${letter.id}`} document={DeadLetterReplayDocument as never} variables={{ input: { ids: [letter.id] } }} />
          </>
        )}
      </td>
    </tr>
  );
}

function Discard({ choice, onClose, onDone }: { choice: Choice; onClose: () => void; onDone: () => void }) {
  const [reason, setReason] = useState('');
  const discard = async () => {
    const { ids, fingerprint } = choice;
    const answer = await change(DeadLetterDiscardDocument, { input: { ids, fingerprint, reason, idempotencyKey: crypto.randomUUID() } });
    if (isFine(answer, answer.data?.deadLetterDiscard.userErrors)) say(`Discarded ${answer.data?.deadLetterDiscard.deadLetters.length ?? 0}.`);
    onClose();
    onDone();
  };
  return (
    <Dialog title={`Discard ${choice.count.toLocaleString('en')} dead ${choice.count === 1 ? 'letter' : 'letters'}?`} isOpen onClose={onClose}>
      <form
        className="fields"
        onSubmit={(event) => {
          event.preventDefault();
          void discard();
        }}
      >
        <label className="field">
          <span>Reason *</span>
          <input type="text" required value={reason} onChange={(event) => setReason(event.target.value)} placeholder="kept with the letter" />
        </label>
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={onClose}>
            Keep
          </button>
          <button type="submit" className="button danger solid">
            Discard
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
