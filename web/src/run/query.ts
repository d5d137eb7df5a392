// The query box of runs: `status:failed workflow:etl* since:24h`, turned into the API's query. A text that is one already, is
// passed on as it is.

export interface Translated {
  query?: string;
  problem?: string;
}

const STATUSES = [
  'PENDING',
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'TIMED_OUT',
  'CANCELLING',
  'CANCELLED',
  'COMPENSATING',
  'COMPENSATED',
  'COMPENSATION_FAILED',
];
const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

const text = (value: string) => JSON.stringify(value);

function named(field: string, value: string): string {
  if (value.endsWith('*')) return `${field}.startsWith(${text(value.slice(0, -1))})`;
  return value.includes(',') ? `${field} in [${value.split(',').map(text).join(', ')}]` : `${field} == ${text(value)}`;
}

function instant(value: string, now: number): string {
  const span = /^(\d+)([smhdw])$/.exec(value);
  // whole minutes, so that the same words are the same request for a while
  const at = span ? Math.floor((now - Number(span[1]) * (UNITS[span[2] ?? ''] ?? 0)) / 60_000) * 60_000 : Date.parse(value);
  if (Number.isNaN(at)) throw new Error(`\`${value}\` is no time: write 24h, 7d or 2026-01-31`);
  return `timestamp(${text(new Date(at).toISOString().replace('.000Z', 'Z'))})`;
}

function statuses(value: string): string {
  const found = value.split(',').map((one) => one.toUpperCase().replaceAll('-', '_'));
  const unknown = found.find((one) => !STATUSES.includes(one));
  if (unknown) throw new Error(`\`${unknown.toLowerCase()}\` is no status: ${STATUSES.join(', ').toLowerCase()}`);
  return `status in [${found.map(text).join(', ')}]`;
}

function whole(field: string, value: string): string {
  const found = /^(>=|<=|>|<)?(\d+)$/.exec(value);
  if (!found) throw new Error(`\`${field}:${value}\` is no number: write ${field}:3 or ${field}:>=3`);
  return `${field} ${found[1] ?? '=='} ${found[2]}`;
}

function span(value: string): string {
  if (!/^\d+(\.\d+)?(ms|s|m|h)$/.test(value)) throw new Error(`\`${value}\` is no duration: write 90s, 5m or 2h`);
  return `duration(${text(value)})`;
}

const TERMS: Record<string, (value: string, now: number) => string> = {
  status: statuses,
  workflow: (value) => named('workflow', value),
  by: (value) => named('createdBy', value),
  key: (value) => named('idempotencyKey', value),
  id: (value) => `id.startsWith(${text(value)})`,
  tag: (value) => `${text(value)} in tags`,
  version: (value) => whole('version', value),
  priority: (value) => whole('priority', value),
  since: (value, now) => `createdAt >= ${instant(value, now)}`,
  before: (value, now) => `createdAt < ${instant(value, now)}`,
  finished: (value, now) => `finishedAt >= ${instant(value, now)}`,
  longer: (value) => `duration > ${span(value)}`,
  shorter: (value) => `duration < ${span(value)}`,
  is(value) {
    if (value === 'paused') return 'isPaused';
    if (value === 'tolerated') return 'hasToleratedFailures';
    throw new Error('`is:` knows paused and tolerated');
  },
};

/** Whether somebody wrote the API's own language. */
function isOwnLanguage(words: string): boolean {
  return /==|!=|&&|\|\||\bin\b|[()<>]\s|\.\w+\(/.test(words);
}

export function translate(words: string, now: number): Translated {
  const trimmed = words.trim();
  if (!trimmed) return {};
  if (isOwnLanguage(trimmed)) return { query: trimmed };
  try {
    return { query: terms(trimmed).map((term) => translateTerm(term, now)).join(' && ') };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Words, where quotes keep blanks together. */
export function terms(words: string): string[] {
  return (words.match(/(?:[^\s"]|"[^"]*")+/g) ?? []).map((term) => term.replaceAll('"', ''));
}

function translateTerm(term: string, now: number): string {
  const isNot = term.startsWith('-') && term.length > 1;
  const plain = isNot ? term.slice(1) : term;
  const colon = plain.indexOf(':');
  const name = plain.slice(0, colon);
  let found: string;
  if (colon < 0) {
    found = `workflow.contains(${text(plain)})`;
  } else {
    const translateValue = TERMS[name];
    if (!translateValue) throw new Error(`\`${name}:\` is not known: ${Object.keys(TERMS).join(', ')}`);
    if (colon === plain.length - 1) throw new Error(`\`${name}:\` needs a value`);
    found = translateValue(plain.slice(colon + 1), now);
  }
  return isNot ? `!(${found})` : found;
}

/** Puts a term in, in place of another one of its name; takes it out when it was there. */
export function toggleTerm(words: string, term: string): string {
  const all = terms(words);
  const name = `${term.split(':')[0]}:`;
  if (all.includes(term)) return all.filter((one) => one !== term).join(' ');
  return [...all.filter((one) => !one.startsWith(name)), term].join(' ');
}
