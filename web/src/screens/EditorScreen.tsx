// Upload and edit: the server reads the file after every pause and says all that is wrong with it, at its line.
import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from 'react';

import type { Problem } from '../api/client';
import { change } from '../api/hooks';
import { WorkflowPublishDocument, WorkflowValidateDocument, type DiagnosticFieldsFragment, type WorkflowValidateMutation } from '../gql/graphql';
import { graphOf } from '../graph/model';
import { RunDialog } from '../run/RunDialog';
import { dropped, FILE_BYTES_MAX, readAll, type SourceFile } from '../state/dropped';
import { useStore } from '../state/store';
import { CopyAs } from '../ui/copy';
import { Dialog } from '../ui/dialog';
import { useKeys } from '../ui/keys';
import { Empty, Failure, Skeleton } from '../ui/states';
import { complain, isFine, say } from '../ui/toast';
import type { CodeHandle } from './CodeEditor';
import { EXAMPLES } from './LoadExamples';

const CodeEditor = lazy(() => import('./CodeEditor'));
const GraphView = lazy(() => import('../graph/GraphView'));

type Reading = WorkflowValidateMutation['workflowValidate'];
const PAUSE_MS = 250;
const NEW_FILE: SourceFile = { name: 'workflow.yaml', text: EXAMPLES[0] ?? '' };
const DIALECTS: Record<string, string> = { V1: 'v1', ACTIONS: 'actions', COMMANDS: 'commands', NODES: 'nodes' };

export function EditorScreen() {
  const incoming = useStore(dropped);
  const [files, setFiles] = useState<readonly SourceFile[]>(() => (incoming.length ? incoming : [NEW_FILE]));
  const [at, setAt] = useState(0);
  useEffect(() => {
    if (incoming.length === 0) return;
    setFiles(incoming);
    setAt(0);
    dropped.set([]);
  }, [incoming]);
  const file = files[Math.min(at, files.length - 1)] ?? NEW_FILE;
  const setText = (text: string) => setFiles((old) => old.map((one, index) => (index === at ? { ...one, text } : one)));
  const { reading, problem, isReading } = useReading(file.text);
  const code = useRef<CodeHandle>(null);
  const picker = useRef<HTMLInputElement>(null);
  const [starting, setStarting] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const [isConvertedOpen, setConvertedOpen] = useState(false);
  const navigate = useNavigate();
  const graph = useMemo(() => (reading?.layout ? graphOf(reading.layout) : undefined), [reading?.layout]);

  const save = async (andRun: boolean) => {
    setBusy(true);
    const answer = await change(WorkflowPublishDocument, { source: file.text });
    setBusy(false);
    const payload = answer.data?.workflowPublish;
    if (!isFine(answer, payload?.userErrors) || !payload?.workflow) return;
    const { key } = payload.workflow;
    say(payload.isNew ? `Saved ${key} as version ${payload.version?.number}.` : `${key} has this content already, as version ${payload.version?.number}.`);
    if (andRun) setStarting(key);
    else if (files.length > 1) setFiles((old) => old.filter((one) => one !== file));
    else void navigate({ to: '/workflows/$key', params: { key }, search: { tab: 'graph' } as never });
    if (!andRun) setAt(0);
  };
  const saveAll = async () => {
    setBusy(true);
    const left: SourceFile[] = [];
    for (const one of files) {
      const answer = await change(WorkflowPublishDocument, { source: one.text });
      if (answer.problem || answer.data?.workflowPublish.userErrors.length) left.push(one);
    }
    setBusy(false);
    say(`Saved ${files.length - left.length} of ${files.length} files.`);
    setAt(0);
    if (left.length) setFiles(left);
    else void navigate({ to: '/workflows' });
  };
  useKeys({ 'mod+s': () => void save(false), 'mod+Enter': () => void save(true) });
  const isValid = Boolean(reading?.isValid) && !isReading;
  return (
    <div className="page fill">
      <header className="page-head">
        <h1>New workflow</h1>
        {reading ? (
          <span className="soft" data-dialect={reading.dialect} data-valid={reading.isValid}>
            {reading.dialect === 'V1' ? 'v1' : `${DIALECTS[reading.dialect]} form, is stored as v1`}
          </span>
        ) : null}
        {reading?.convertedSource ? (
          <button type="button" className="button quiet" onClick={() => setConvertedOpen(true)}>
            Show the conversion
          </button>
        ) : null}
        <div className="tools">
          <input
            ref={picker}
            type="file"
            className="visually-hidden"
            accept=".yaml,.yml,.json"
            multiple
            tabIndex={-1}
            aria-label="Workflow files"
            onChange={(event) => {
              const found = [...(event.target.files ?? [])];
              event.target.value = '';
              void readAll(found).then(({ files: read, problem: wrong }) => {
                if (wrong) complain(wrong);
                if (read.length) dropped.set(read);
              });
            }}
          />
          <button type="button" className="button" onClick={() => picker.current?.click()}>
            Open files…
          </button>
          <CopyAs cli={`runnel publish ${file.name}`} document={WorkflowPublishDocument as never} variables={{ source: file.text }} />
          {files.length > 1 ? (
            <button type="button" className="button" disabled={isBusy} onClick={() => void saveAll()}>
              Save all {files.length}
            </button>
          ) : null}
          <button type="button" className="button" disabled={!isValid || isBusy} onClick={() => void save(false)}>
            Save <kbd>Ctrl S</kbd>
          </button>
          <button type="button" className="button primary" disabled={!isValid || isBusy} onClick={() => void save(true)}>
            Save &amp; run
          </button>
        </div>
      </header>
      {files.length > 1 ? (
        <div className="files" role="group" aria-label="Files">
          {files.map((one, index) => (
            <button key={`${one.name}/${index}`} type="button" className="chip" aria-pressed={index === at} onClick={() => setAt(index)}>
              {one.name}
            </button>
          ))}
        </div>
      ) : null}
      {problem ? <Failure problem={problem} /> : null}
      <div className="editor">
        <div className="code">
          <Suspense fallback={<Skeleton rows={10} />}>
            <CodeEditor
              key={`${file.name}/${at}/${files.length}`}
              ref={code}
              text={file.text}
              isJson={/\.json$/i.test(file.name)}
              diagnostics={reading?.diagnostics ?? []}
              onChange={setText}
            />
          </Suspense>
        </div>
        <div className="preview">
          {graph ? (
            <Suspense fallback={<Skeleton />}>
              <GraphView graph={graph} label="Graph of the file" />
            </Suspense>
          ) : (
            <Empty>{reading ? 'The graph appears when the file has no errors.' : 'Drop YAML or JSON files anywhere, 1 MiB each at most.'}</Empty>
          )}
        </div>
        <Problems reading={reading} onChoose={(diagnostic) => code.current?.reveal(diagnostic.offset ?? 0)} />
      </div>
      <Dialog title="Stored as" isOpen={isConvertedOpen} onClose={() => setConvertedOpen(false)} width="wide">
        <pre className="cli" tabIndex={0} aria-label="Converted file" data-converted="">
          {reading?.convertedSource}
        </pre>
        <footer className="dialog-foot">
          <button
            type="button"
            className="button primary"
            onClick={() => {
              setConvertedOpen(false);
              dropped.set([{ name: file.name.replace(/\.\w+$/, '.yaml'), text: reading?.convertedSource ?? '' }]);
            }}
          >
            Edit this instead
          </button>
        </footer>
      </Dialog>
      {starting ? <RunDialog workflow={starting} onClose={() => setStarting(undefined)} /> : null}
    </div>
  );
}

/** What the server says about the text, once its writer pauses. The answer to an older text is dropped. */
function useReading(text: string): { reading: Reading | undefined; problem: Problem | undefined; isReading: boolean } {
  const [state, setState] = useState<{ text?: string; reading?: Reading; problem?: Problem }>({});
  useEffect(() => {
    let isGone = false;
    const timer = setTimeout(() => {
      if (new Blob([text]).size > FILE_BYTES_MAX) {
        setState({ text, problem: { code: 'TOO_LARGE', message: 'A workflow file has at most 1 MiB.' } });
        return;
      }
      void change(WorkflowValidateDocument, { source: text }).then(({ data, problem }) => {
        if (!isGone) setState((old) => ({ text, reading: data?.workflowValidate ?? old.reading, problem }));
      });
    }, PAUSE_MS);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [text]);
  return { reading: state.reading, problem: state.problem, isReading: state.text !== text };
}

function Problems({ reading, onChoose }: { reading: Reading | undefined; onChoose: (diagnostic: DiagnosticFieldsFragment) => void }) {
  if (!reading) return null;
  const { diagnostics } = reading;
  if (diagnostics.length === 0) return <p className="problems soft">No problems. Nothing is stored until you save.</p>;
  return (
    <section className="problems card" aria-label="Problems">
      <ol>
        {diagnostics.map((diagnostic, at) => (
          <li key={at}>
            <button type="button" onClick={() => onChoose(diagnostic)} data-line={diagnostic.line}>
              <span className={`glyph tone-${diagnostic.severity === 'ERROR' ? 'failed' : 'waiting'}`} aria-label={diagnostic.severity.toLowerCase()} role="img">
                {diagnostic.severity === 'ERROR' ? '✕' : '!'}
              </span>
              <span className="soft">line {diagnostic.line ?? '–'}</span>
              <span>
                {diagnostic.message}
                {diagnostic.help ? <span className="soft"> {diagnostic.help}</span> : null}
              </span>
              <code className="soft">{diagnostic.code}</code>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}
