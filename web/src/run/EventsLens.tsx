// The history of a run, newest first, page by page.
import { useEffect, useState } from 'react';

import { readOnce } from '../api/hooks';
import type { Problem } from '../api/client';
import { RunEventsDocument, type RunEventsQuery } from '../gql/graphql';
import { Empty, Failure, Skeleton } from '../ui/states';

type Event = NonNullable<RunEventsQuery['run']>['events']['nodes'][number];
const PAGE = 100;

export function EventsLens({ id, revision, onTask }: { id: string; revision: number; onTask: (task: string) => void }) {
  const [events, setEvents] = useState<readonly Event[]>();
  const [before, setBefore] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem>();
  const read = async (cursor: string | undefined) => {
    const answer = await readOnce(RunEventsDocument, { id, first: PAGE, last: PAGE, before: cursor });
    setProblem(answer.problem);
    const found = answer.data?.run?.events;
    if (!found) return;
    const page = found.nodes.toReversed();
    if (cursor === undefined) {
      setEvents((old) => merge(page, old ?? []));
      setBefore((old) => (old === null || !found.pageInfo.hasPreviousPage ? (found.pageInfo.hasPreviousPage ? found.pageInfo.startCursor : null) : old));
    } else {
      setEvents((old) => merge(old ?? [], page));
      setBefore(found.pageInfo.hasPreviousPage ? found.pageInfo.startCursor : null);
    }
  };
  useEffect(() => {
    // news come many a second: the history is read once they pause
    const timer = setTimeout(() => void read(undefined), events ? 500 : 0);
    return () => clearTimeout(timer);
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [id, revision]);
  if (problem) return <Failure problem={problem} onRetry={() => void read(undefined)} />;
  if (!events) return <Skeleton rows={8} />;
  if (events.length === 0) return <Empty>Nothing has happened yet.</Empty>;
  return (
    <>
      <table aria-label="Events, newest first">
        <thead>
          <tr>
            <th scope="col" className="number">
              #
            </th>
            <th scope="col">Time</th>
            <th scope="col">What</th>
            <th scope="col">Task</th>
            <th scope="col">Who and why</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={event.seq}>
              <td className="number">{event.seq}</td>
              <td className="mono">
                <time dateTime={event.at}>{new Date(event.at).toISOString().slice(11, 23)}</time>
              </td>
              <td>{event.kind.toLowerCase().replaceAll('_', ' ')}</td>
              <td>
                {event.task ? (
                  <button type="button" className="button quiet" onClick={() => onTask(event.task ?? '')}>
                    {event.task}
                    {event.attempt ? ` · ${event.attempt}` : ''}
                  </button>
                ) : null}
              </td>
              <td className="soft">{[event.actor, event.reason].filter(Boolean).join(': ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {before && (events.at(-1)?.seq ?? 1) > 1 ? (
        <p className="note">
          <button type="button" className="button" onClick={() => void read(before)}>
            Show earlier ones
          </button>
        </p>
      ) : null}
    </>
  );
}

function merge(newer: readonly Event[], older: readonly Event[]): Event[] {
  const seen = new Set(newer.map((event) => event.seq));
  return [...newer, ...older.filter((event) => !seen.has(event.seq))].sort((a, b) => b.seq - a.seq);
}
