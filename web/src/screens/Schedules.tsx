// Schedules, and when they fire next: the days on which clocks change are marked.
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { change, useNews, usePages } from '../api/hooks';
import {
  SchedulePauseDocument,
  ScheduleResumeDocument,
  SchedulesDocument,
  ScheduleTriggerDocument,
  type DstMark,
  type ScheduleFieldsFragment,
} from '../gql/graphql';
import { LinkPill } from '../Shell';
import { CopyAs, quote } from '../ui/copy';
import { Empty, Failure, Skeleton } from '../ui/states';
import { Ago, milliseconds, spell } from '../ui/time';
import { isFine, say } from '../ui/toast';
import { More, spellRead } from './parts';

const SNIPPET = `triggers:
  - schedule: "0 6 * * *"
    timezone: Europe/Berlin`;
const DST: Record<DstMark, string> = {
  GAP: 'this time of day does not exist on that day',
  OVERLAP: 'this time of day exists twice on that day',
  AFTER_FORWARD: 'the first after clocks went forward',
  AFTER_BACK: 'the first after clocks went back',
};

export function Schedules() {
  const list = usePages(SchedulesDocument, {}, (data) => data.schedules);
  useNews(['RUN_CREATED'], list.refetch);
  return (
    <div className="page">
      <header className="page-head">
        <h1>Schedules</h1>
        <span className="soft">{list.isLoading ? '' : spellRead(list)}</span>
        <LinkPill />
        <div className="tools">
          <CopyAs cli="runnel schedule list" document={SchedulesDocument as never} variables={{}} />
        </div>
      </header>
      {list.problem ? <Failure problem={list.problem} onRetry={list.refetch} /> : null}
      {list.isLoading ? <Skeleton rows={5} /> : null}
      {!list.isLoading && !list.problem && list.nodes.length === 0 ? (
        <Empty cli={SNIPPET}>No schedule. Write one into a workflow file and publish it:</Empty>
      ) : null}
      {list.nodes.length ? <ScheduleTable schedules={list.nodes} onChanged={list.refetch} /> : null}
      <More list={list} />
    </div>
  );
}

export function ScheduleTable({ schedules, onChanged }: { schedules: readonly ScheduleFieldsFragment[]; onChanged: () => void }) {
  return (
    <div className="card">
      <table aria-label="Schedules">
        <thead>
          <tr>
            <th scope="col">Schedule</th>
            <th scope="col">When</th>
            <th scope="col">Next</th>
            <th scope="col">State</th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {schedules.map((schedule) => (
            <Row key={schedule.id} schedule={schedule} onChanged={onChanged} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function when(schedule: ScheduleFieldsFragment): string {
  if (schedule.cron) return schedule.cron;
  if (schedule.every) return `every ${spell(milliseconds(schedule.every))}`;
  return schedule.at ? `once, ${schedule.at}` : 'never';
}

function Row({ schedule, onChanged }: { schedule: ScheduleFieldsFragment; onChanged: () => void }) {
  const [isBusy, setBusy] = useState(false);
  const toggle = async () => {
    setBusy(true);
    const input = { id: schedule.id };
    const errors = schedule.isPaused
      ? await change(ScheduleResumeDocument, { input }).then((answer) => ({ answer, found: answer.data?.scheduleResume.userErrors }))
      : await change(SchedulePauseDocument, { input }).then((answer) => ({ answer, found: answer.data?.schedulePause.userErrors }));
    setBusy(false);
    if (isFine(errors.answer, errors.found)) say(schedule.isPaused ? 'Resumed.' : 'Paused.');
    onChanged();
  };
  const trigger = async () => {
    setBusy(true);
    const answer = await change(ScheduleTriggerDocument, { input: { id: schedule.id, idempotencyKey: crypto.randomUUID() } });
    setBusy(false);
    if (isFine(answer, answer.data?.scheduleTrigger.userErrors)) say(`Fired: ${answer.data?.scheduleTrigger.outcome?.status.toLowerCase() ?? 'done'}.`);
    onChanged();
  };
  return (
    <tr>
      <td>
        <Link to="/workflows/$key" params={{ key: schedule.workflow.key }} search={{ tab: 'triggers' } as never}>
          {schedule.workflow.name}
        </Link>
        <div className="soft mono">{schedule.key}</div>
      </td>
      <td>
        <span className="mono">{when(schedule)}</span>
        <div className="soft">{schedule.timezone ?? 'UTC'}</div>
      </td>
      <td>
        {schedule.nextRunAt ? (
          <details>
            <summary>
              <Ago at={schedule.nextRunAt} />
            </summary>
            <ol className="fires">
              {schedule.nextRuns.map((next) => (
                <li key={next.at} className="mono">
                  {next.local}
                  {next.dst ? <span className="warn-text"> ⚠ {DST[next.dst]}</span> : null}
                </li>
              ))}
            </ol>
          </details>
        ) : (
          <span className="soft">–</span>
        )}
      </td>
      <td>
        {schedule.isPaused ? 'paused' : schedule.isEnabled ? 'on' : 'off'}
        {schedule.pauseReason ? <div className="soft">{schedule.pauseReason}</div> : null}
      </td>
      <td className="number">
        <button type="button" className="button" disabled={isBusy} onClick={() => void toggle()}>
          {schedule.isPaused ? 'Resume' : 'Pause'}
        </button>{' '}
        <button type="button" className="button" disabled={isBusy} onClick={() => void trigger()}>
          Run now
        </button>{' '}
        <CopyAs cli={`runnel schedule trigger ${quote(schedule.key)}`} document={ScheduleTriggerDocument as never} variables={{ input: { id: schedule.id } }} />
      </td>
    </tr>
  );
}
