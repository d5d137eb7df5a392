// An operation on every run that a query finds: first how many that are, then the operation, then how far it is.
import { useEffect, useState } from 'react';

import { change, readOnce } from '../api/hooks';
import { BulkOperationDocument, RunsBulkDocument, type BulkAction, type BulkOperationQuery } from '../gql/graphql';
import type { Problem } from '../api/client';
import { CopyAs, quote } from '../ui/copy';
import { Dialog } from '../ui/dialog';
import { Failure, Skeleton } from '../ui/states';
import { isFine } from '../ui/toast';

export type BulkChoice = BulkAction;

const VERBS: Record<BulkAction, string> = {
  CANCEL: 'Cancel',
  PAUSE: 'Pause',
  RESUME: 'Resume',
  RETRY_FAILED: 'Retry the failed tasks of',
  RERUN: 'Run again',
};
const COMMANDS: Record<BulkAction, string> = {
  CANCEL: 'cancel',
  PAUSE: 'pause',
  RESUME: 'resume',
  RETRY_FAILED: 'rerun --from failed',
  RERUN: 'rerun --from start',
};
const LIMIT = 1_000;
const POLL_MS = 400;

type Operation = NonNullable<BulkOperationQuery['bulkOperation']>;

export interface BulkDialogProps {
  action: BulkAction;
  query: string | undefined;
  words: string;
  onClose(): void;
  onDone(): void;
}

export function BulkDialog({ action, query, words, onClose, onDone }: BulkDialogProps) {
  const [matched, setMatched] = useState<{ value: number; isExact: boolean }>();
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  const [operation, setOperation] = useState<Operation>();
  // one key for this dialog: a second click is the same operation
  const [idempotencyKey] = useState(() => crypto.randomUUID());
  // again is from the start; trying the failed tasks again is an action of its own
  const input = { action, filter: {}, query, limit: LIMIT, rerunFrom: action === 'RERUN' ? ('START' as const) : undefined };
  useEffect(() => {
    let isGone = false;
    void change(RunsBulkDocument, { input: { ...input, dryRun: true } }).then((answer) => {
      if (isGone) return;
      const error = answer.problem ?? answer.data?.runsBulk.userErrors[0];
      if (error) setProblem(error);
      else setMatched(answer.data?.runsBulk.matched ?? { value: 0, isExact: true });
    });
    return () => {
      isGone = true;
    };
    // counted once, for the query that the dialog was opened with
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, []);
  useEffect(() => {
    if (!operation || operation.status === 'FINISHED') return;
    const timer = setTimeout(() => {
      void readOnce(BulkOperationDocument, { id: operation.id }).then(({ data }) => {
        if (data?.bulkOperation) setOperation(data.bulkOperation);
        else setOperation({ ...operation });
        if (data?.bulkOperation?.status === 'FINISHED') onDone();
      });
    }, POLL_MS);
    return () => clearTimeout(timer);
  }, [operation, onDone]);
  const go = async () => {
    setBusy(true);
    const answer = await change(RunsBulkDocument, { input: { ...input, idempotencyKey } });
    setBusy(false);
    const id = answer.data?.runsBulk.operation?.id;
    if (!isFine(answer, answer.data?.runsBulk.userErrors) || !id) return;
    const found = await readOnce(BulkOperationDocument, { id });
    if (found.data?.bulkOperation) setOperation(found.data.bulkOperation);
  };
  const count = matched ? `${matched.value.toLocaleString('en')}${matched.isExact ? '' : ' or more'}` : '…';
  const isTooMany = Boolean(matched && matched.value > LIMIT);
  return (
    <Dialog title={`${VERBS[action]} all matching runs`} isOpen onClose={onClose}>
      {problem ? <Failure problem={problem} /> : null}
      {!problem && !matched ? <Skeleton rows={1} /> : null}
      {matched && !operation ? (
        <>
          <p>
            {VERBS[action]} <strong data-matched={matched.value}>{count}</strong> {matched.value === 1 ? 'run' : 'runs'}:{' '}
            <code>{words || 'every run'}</code>
          </p>
          {isTooMany ? <p className="soft">One operation takes {LIMIT.toLocaleString('en')} runs at most, the newest first. Repeat it for the rest.</p> : null}
          <footer className="dialog-foot">
            <CopyAs
              cli={`runnel ${COMMANDS[action]} ${query ? `--filter ${quote(query)}` : '--all'}`}
              document={RunsBulkDocument as never}
              variables={{ input }}
            />
            <button type="button" className="button" onClick={onClose}>
              Leave them
            </button>
            <button
              type="button"
              className={action === 'CANCEL' ? 'button danger solid' : 'button primary'}
              disabled={isBusy || matched.value === 0}
              onClick={() => void go()}
            >
              {isBusy ? 'Starting…' : `${VERBS[action]} ${isTooMany ? LIMIT.toLocaleString('en') : count}`}
            </button>
          </footer>
        </>
      ) : null}
      {operation ? <Result operation={operation} onClose={onClose} /> : null}
    </Dialog>
  );
}

function Result({ operation, onClose }: { operation: Operation; onClose: () => void }) {
  const isOver = operation.status === 'FINISHED';
  return (
    <>
      <p role="status" data-bulk={operation.status} data-done={operation.done}>
        {operation.done.toLocaleString('en')} of {operation.total.toLocaleString('en')} done{operation.failed ? `, ${operation.failed} refused` : ''}
        {isOver ? '.' : '…'}
      </p>
      <progress max={Math.max(operation.total, 1)} value={operation.done + operation.failed} aria-label="Progress" />
      {operation.failures.nodes.map((failure) => (
        <p key={failure.runId} className="soft">
          <code>{failure.code}</code> {failure.message}
        </p>
      ))}
      <footer className="dialog-foot">
        <button type="button" className="button primary" onClick={onClose}>
          {isOver ? 'Close' : 'Go on in the background'}
        </button>
      </footer>
    </>
  );
}
