// Starts a run: a form made from the inputs that the file declares, or the JSON itself.
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';

import { change, useData } from '../api/hooks';
import { RunFormDocument, RunStartDocument } from '../gql/graphql';
import { CopyAs, quote } from '../ui/copy';
import { Dialog } from '../ui/dialog';
import { SchemaForm } from '../ui/form';
import { emptyValues, fieldsOf, textsOf, valuesOf, type Fields, type Texts } from '../ui/schema';
import { useKeys } from '../ui/keys';
import { Failure, Skeleton } from '../ui/states';
import { isFine } from '../ui/toast';

export function RunDialog({ workflow, onClose }: { workflow: string; onClose: () => void }) {
  const form = useData(RunFormDocument, { key: workflow });
  const found = form.data?.workflow;
  return (
    <Dialog title={`Run ${found?.name ?? workflow}`} isOpen onClose={onClose}>
      {form.isLoading ? <Skeleton rows={3} /> : null}
      {form.problem ? <Failure problem={form.problem} onRetry={form.refetch} /> : null}
      {form.data && !found ? <p>This workflow does not exist any more.</p> : null}
      {found ? (
        <RunForm
          workflow={workflow}
          fields={fieldsOf((found.version?.inputs ?? {}) as Record<string, unknown>)}
          lastInputs={found.recentRuns[0]?.inputs as Record<string, unknown> | undefined}
          onClose={onClose}
        />
      ) : null}
    </Dialog>
  );
}

interface RunFormProps {
  workflow: string;
  fields: Fields;
  lastInputs: Record<string, unknown> | undefined;
  onClose(): void;
}

function RunForm({ workflow, fields, lastInputs, onClose }: RunFormProps) {
  const navigate = useNavigate();
  const [texts, setTexts] = useState<Texts>(() => emptyValues(fields));
  const [isRaw, setRaw] = useState(false);
  const [raw, setRawText] = useState('{}');
  const [priority, setPriority] = useState('');
  const [key, setKey] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [problems, setProblems] = useState<Record<string, string>>({});

  const read = (): Record<string, unknown> | undefined => {
    if (isRaw) {
      try {
        const value: unknown = JSON.parse(raw);
        if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
        setProblems({ '': 'Inputs are a JSON object.' });
      } catch (error) {
        setProblems({ '': `This is no JSON: ${error instanceof Error ? error.message : ''}` });
      }
      return undefined;
    }
    const { values, problems: found } = valuesOf(fields, texts);
    setProblems(found);
    return Object.keys(found).length ? undefined : values;
  };
  const input = (inputs: Record<string, unknown>) => ({
    workflow,
    inputs,
    priority: priority ? Number(priority) : undefined,
    idempotencyKey: key || undefined,
  });
  const submit = async () => {
    const inputs = read();
    if (!inputs || isBusy) return;
    setBusy(true);
    const answer = await change(RunStartDocument, { input: input(inputs) });
    setBusy(false);
    const payload = answer.data?.runStart;
    const atField = payload?.userErrors.filter((error) => error.path?.some((part) => fields.some((field) => field.name === part))) ?? [];
    setProblems(Object.fromEntries(atField.map((error) => [error.path?.find((part) => fields.some((field) => field.name === part)) ?? '', error.message])));
    if (!isFine(answer, payload?.userErrors) || !payload?.run) return;
    onClose();
    void navigate({ to: '/runs/$id', params: { id: payload.run.id } });
  };
  useKeys({ 'mod+Enter': () => void submit() }, { inDialog: true });
  useEffect(() => {
    if (isRaw) setRawText(JSON.stringify(valuesOf(fields, texts).values, null, 2));
    // the form is turned into JSON when the tab is opened, not while it is edited
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [isRaw]);
  const shown = valuesOf(fields, texts).values;
  const pairs = Object.entries(shown).map(([name, value]) => `-i ${quote(`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)}`);
  const form = useRef<HTMLFormElement>(null);
  // the form comes after the dialog was opened
  useEffect(() => form.current?.querySelector<HTMLElement>('input, select, textarea, [type=submit]')?.focus(), []);
  return (
    <form
      ref={form}
      className="fields"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <div className="bar">
        <button type="button" className="chip" aria-pressed={!isRaw} onClick={() => setRaw(false)}>
          Form
        </button>
        <button type="button" className="chip" aria-pressed={isRaw} onClick={() => setRaw(true)}>
          JSON
        </button>
        {lastInputs && fields.length > 0 ? (
          <button
            type="button"
            className="button quiet"
            onClick={() => {
              setTexts(textsOf(fields, lastInputs));
              setRawText(JSON.stringify(lastInputs, null, 2));
            }}
          >
            Same as last run
          </button>
        ) : null}
      </div>
      {isRaw ? (
        <label className="field">
          <span>Inputs</span>
          <textarea rows={10} value={raw} onChange={(event) => setRawText(event.target.value)} spellCheck={false} />
        </label>
      ) : (
        <SchemaForm fields={fields} texts={texts} problems={problems} onChange={setTexts} empty="This workflow takes no inputs." />
      )}
      {problems[''] ? <p className="field bad">{problems['']}</p> : null}
      <details>
        <summary>More</summary>
        <div className="fields">
          <label className="field">
            <span>Priority</span>
            <input type="number" min={0} max={100} value={priority} onChange={(event) => setPriority(event.target.value)} placeholder="of the workflow" />
          </label>
          <label className="field">
            <span>Idempotency key</span>
            <input type="text" value={key} onChange={(event) => setKey(event.target.value)} placeholder="a second start with this key answers the same run" />
          </label>
        </div>
      </details>
      <footer className="dialog-foot">
        <CopyAs cli={['runnel run', quote(workflow), ...pairs].join(' ')} document={RunStartDocument as never} variables={{ input: input(shown) }} />
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" className="button primary" disabled={isBusy}>
          {isBusy ? 'Starting…' : 'Run'} <kbd>Ctrl ↵</kbd>
        </button>
      </footer>
    </form>
  );
}
