// The states that every screen has beside its own: loading, empty, failed.
import { useState, type ReactNode } from 'react';

import { signIn, type Problem } from '../api/client';

export function Skeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, at) => (
        <div key={at} className="skeleton-row" />
      ))}
    </div>
  );
}

export interface EmptyProps {
  children: ReactNode;
  action?: ReactNode;
  /** The same on the command line. */
  cli?: string;
}

export function Empty({ children, action, cli }: EmptyProps) {
  return (
    <div className="empty">
      <p>{children}</p>
      {action}
      {cli ? <pre className="cli">{cli}</pre> : null}
    </div>
  );
}

export function Failure({ problem, onRetry }: { problem: Problem; onRetry?: () => void }) {
  if (problem.code === 'UNAUTHENTICATED') return <SignIn />;
  return (
    <div className="failure" role="alert">
      <p>
        <strong>{problem.message}</strong> <code>{problem.code}</code>
      </p>
      {problem.hint ? <p>{problem.hint}</p> : null}
      {problem.requestId ? (
        <p className="soft">
          Request <code>{problem.requestId}</code>
        </p>
      ) : null}
      {onRetry ? (
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}

function SignIn() {
  const [text, setText] = useState('');
  return (
    <form
      className="failure sign-in"
      onSubmit={(event) => {
        event.preventDefault();
        signIn(text.trim());
      }}
    >
      <label>
        <span>This server wants a token. It is kept in this tab only.</span>
        <input type="password" autoComplete="off" required value={text} onChange={(event) => setText(event.target.value)} />
      </label>
      <button type="submit" className="button primary">
        Sign in
      </button>
    </form>
  );
}
