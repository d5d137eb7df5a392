// The decision that an approval waits for: its form, a note, and the two answers.
import { useState } from 'react';

import { change } from '../api/hooks';
import { ApprovalResolveDocument, type ApprovalDecision, type ApprovalFieldsFragment } from '../gql/graphql';
import { CopyAs, quote } from '../ui/copy';
import { Dialog } from '../ui/dialog';
import { SchemaForm } from '../ui/form';
import { useKeys } from '../ui/keys';
import { emptyValues, fieldsOfObject, valuesOf, type Texts } from '../ui/schema';
import { Ago } from '../ui/time';
import { isFine, say } from '../ui/toast';

export interface BallotProps {
  run: string;
  approval: ApprovalFieldsFragment;
  onDone(): void;
}

export function Ballot({ run, approval, onDone }: BallotProps) {
  const fields = fieldsOfObject(approval.formSchema);
  const [texts, setTexts] = useState<Texts>(() => emptyValues(fields));
  const [note, setNote] = useState('');
  const [problems, setProblems] = useState<Record<string, string>>({});
  const [asking, setAsking] = useState<ApprovalDecision>();
  const ask = (decision: ApprovalDecision) => {
    const found = decision === 'APPROVE' ? valuesOf(fields, texts).problems : {};
    setProblems(found);
    if (Object.keys(found).length === 0) setAsking(decision);
  };
  const input = (decision: ApprovalDecision) => ({
    run,
    task: approval.key,
    decision,
    form: fields.length && decision === 'APPROVE' ? valuesOf(fields, texts).values : undefined,
    note: note || undefined,
  });
  const decide = async () => {
    if (!asking) return;
    const answer = await change(ApprovalResolveDocument, { input: input(asking) });
    setAsking(undefined);
    if (isFine(answer, answer.data?.approvalResolve.userErrors)) say(asking === 'APPROVE' ? 'Approved.' : 'Rejected.');
    onDone();
  };
  useKeys({ a: () => approval.canResolve && ask('APPROVE'), x: () => approval.canResolve && ask('REJECT') });
  const form = Object.entries(valuesOf(fields, texts).values).map(([name, value]) => ` --form ${quote(`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)}`);
  return (
    <section className="why" aria-label={`Approval ${approval.key}`}>
      <div className="fields">
        <h2>{approval.message}</h2>
        <p className="soft">
          Asked <Ago at={approval.askedAt} />
          {approval.expiresAt ? (
            <>
              , expires <Ago at={approval.expiresAt} /> (then {approval.onExpire.toLowerCase()})
            </>
          ) : null}
          {approval.quorum > 1 ? `, ${approval.votes.length} of ${approval.quorum} votes` : ''}
          {approval.approvers.length ? `, for ${approval.approvers.join(', ')}` : ''}
        </p>
        {fields.length ? <SchemaForm fields={fields} texts={texts} problems={problems} onChange={setTexts} empty="" /> : null}
        {approval.canResolve ? (
          <>
            <label className="field">
              <span>Note</span>
              <input type="text" value={note} onChange={(event) => setNote(event.target.value)} placeholder="kept with the decision" />
            </label>
            <div className="bar">
              <button type="button" className="button primary" onClick={() => ask('APPROVE')}>
                Approve <kbd>a</kbd>
              </button>
              <button type="button" className="button danger" onClick={() => ask('REJECT')}>
                Reject <kbd>x</kbd>
              </button>
              <CopyAs cli={`runnel approve ${run} ${quote(approval.key)}${form.join('')}`} document={ApprovalResolveDocument as never} variables={{ input: input('APPROVE') }} />
            </div>
          </>
        ) : (
          <p className="soft">You may not decide on this one.</p>
        )}
      </div>
      <Dialog title={asking === 'APPROVE' ? 'Approve?' : 'Reject?'} isOpen={asking !== undefined} onClose={() => setAsking(undefined)}>
        <p>{approval.message}</p>
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={() => setAsking(undefined)}>
            Not yet
          </button>
          <button type="button" className={asking === 'APPROVE' ? 'button primary' : 'button danger solid'} data-first="" onClick={() => void decide()}>
            {asking === 'APPROVE' ? 'Approve' : 'Reject'}
          </button>
        </footer>
      </Dialog>
    </section>
  );
}
