// "Go to…": screens, workflows by name, runs by the beginning of their id.
import { useNavigate } from '@tanstack/react-router';
import { useDeferredValue, useState } from 'react';

import { useData } from '../api/hooks';
import { RunsDocument, WorkflowsDocument } from '../gql/graphql';
import { Dialog } from './dialog';
import { LOOKS } from './status';

interface Target {
  id: string;
  label: string;
  detail: string;
  to: string;
}

const SCREENS: readonly Target[] = [
  { id: 'overview', label: 'Overview', detail: 'screen', to: '/' },
  { id: 'workflows', label: 'Workflows', detail: 'screen', to: '/workflows' },
  { id: 'new', label: 'New workflow', detail: 'upload or write a file', to: '/workflows/new' },
  { id: 'runs', label: 'Runs', detail: 'screen', to: '/runs' },
  { id: 'failed', label: 'Failed runs', detail: 'of the last 24 hours', to: '/runs?q=status:failed since:24h' },
  { id: 'approvals', label: 'Approvals', detail: 'what waits for a person', to: '/approvals' },
  { id: 'dlq', label: 'Dead letters', detail: 'screen', to: '/dlq' },
  { id: 'schedules', label: 'Schedules', detail: 'screen', to: '/schedules' },
];

export function Palette({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Dialog title="Go to" isOpen={isOpen} onClose={onClose}>
      <Search onClose={onClose} />
    </Dialog>
  );
}

function Search({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const navigate = useNavigate();
  const wanted = useDeferredValue(text.trim());
  const workflows = useData(WorkflowsDocument, { text: wanted || undefined }, { pause: wanted.length === 0 });
  const isId = /^(run_)?[0-9a-f-]{4,}$/i.test(wanted);
  const runs = useData(RunsDocument, { first: 5, filter: { idPrefix: wanted } }, { pause: !isId });
  const found: Target[] = [
    // at once: whoever types fast and presses Enter must not land on what was shown before
    ...SCREENS.filter((screen) => screen.label.toLowerCase().includes(text.trim().toLowerCase())),
    ...(wanted ? (workflows.data?.workflows.nodes ?? []) : []).slice(0, 8).map((workflow) => ({
      id: workflow.id,
      label: workflow.name,
      detail: `workflow ${workflow.key}`,
      to: `/workflows/${workflow.key}`,
    })),
    ...(isId ? (runs.data?.runs.nodes ?? []) : []).map((run) => ({
      id: run.id,
      label: run.id,
      detail: `${LOOKS[run.status].word} run of ${run.workflow.key}`,
      to: `/runs/${run.id}`,
    })),
  ];
  const go = (target: Target | undefined) => {
    if (!target) return;
    onClose();
    void navigate({ href: target.to });
  };
  const active = Math.min(at, found.length - 1);
  return (
    <div className="palette">
      <input
        type="search"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={found[active] ? `palette-${found[active].id}` : undefined}
        aria-label="Screen, workflow or run id"
        placeholder="Screen, workflow or run id"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') setAt(Math.min(active + 1, found.length - 1));
          else if (event.key === 'ArrowUp') setAt(Math.max(active - 1, 0));
          else if (event.key === 'Enter') go(found[active]);
          else return;
          event.preventDefault();
        }}
      />
      <ul id="palette-list" role="listbox" aria-label="Places">
        {found.map((target, index) => (
          <li
            key={target.id}
            id={`palette-${target.id}`}
            role="option"
            aria-selected={index === active}
            onMouseDown={(event) => {
              event.preventDefault();
              go(target);
            }}
          >
            <span>{target.label}</span> <span className="soft">{target.detail}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
