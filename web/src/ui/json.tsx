// JSON as a tree that opens. Large values come as a download, so nothing here is larger than 64 KiB.
import { useMemo } from 'react';

import { copy } from './copy';
import { Empty } from './states';

const OPEN_DEPTH = 2;
const CHILDREN_MAX = 200;

export interface Payload {
  bytes: number;
  isTruncated: boolean;
  downloadUrl: string;
  inline: string;
}

export function PayloadBox({ title, payload, empty }: { title: string; payload: Payload | null | undefined; empty: string }) {
  const value = useMemo(() => (payload && !payload.isTruncated ? parse(payload.inline) : undefined), [payload]);
  return (
    <section className="payload">
      <header className="bar">
        <h2>{title}</h2>
        {payload ? (
          <span className="tools">
            <span className="soft">{size(payload.bytes)}</span>
            <button type="button" className="button quiet" onClick={() => void copy(payload.inline, title.toLowerCase())}>
              Copy
            </button>
            <a className="button quiet" href={payload.downloadUrl} download>
              Download
            </a>
          </span>
        ) : null}
      </header>
      {payload ? (
        payload.isTruncated || value === undefined ? (
          <pre className="raw" tabIndex={0} aria-label={title}>
            {payload.inline}
            {payload.isTruncated ? '\n… the beginning of it; download it for the rest' : ''}
          </pre>
        ) : (
          <div className="tree" tabIndex={0} role="group" aria-label={title}>
            <Value value={value} depth={0} />
          </div>
        )
      ) : (
        <Empty>{empty}</Empty>
      )}
    </section>
  );
}

export function size(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  if (bytes < 1_048_576) return `${(bytes / 1_024).toFixed(1)} KiB`;
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function Value({ value, name, depth }: { value: unknown; name?: string; depth: number }) {
  const label = name === undefined ? null : <span className="json-key">{name}: </span>;
  if (value === null || typeof value !== 'object') {
    return (
      <div className="json-line">
        {label}
        <span className={`json-${value === null ? 'null' : typeof value}`}>{JSON.stringify(value)}</span>
      </div>
    );
  }
  const entries = Object.entries(value);
  const isList = Array.isArray(value);
  if (entries.length === 0) {
    return (
      <div className="json-line">
        {label}
        {isList ? '[]' : '{}'}
      </div>
    );
  }
  return (
    <details className="json" open={depth < OPEN_DEPTH}>
      <summary>
        {label}
        <span className="soft">{isList ? `list of ${entries.length}` : `${entries.length} ${entries.length === 1 ? 'field' : 'fields'}`}</span>
      </summary>
      {entries.slice(0, CHILDREN_MAX).map(([key, child]) => (
        <Value key={key} name={key} value={child} depth={depth + 1} />
      ))}
      {entries.length > CHILDREN_MAX ? <div className="soft">… {entries.length - CHILDREN_MAX} more: download it</div> : null}
    </details>
  );
}
