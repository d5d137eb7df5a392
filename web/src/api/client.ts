// The one way to the server: queries and mutations over HTTP, at the host that served the page.
import { cacheExchange, Client, CombinedError, fetchExchange } from 'urql';

const TOKEN = 'runnel.token';

/** The bearer token that was typed in, for this tab only. */
export function token(): string | null {
  return sessionStorage.getItem(TOKEN);
}

/** Keeps the token and starts afresh with it. */
export function signIn(text: string): void {
  sessionStorage.setItem(TOKEN, text);
  location.reload();
}

/** Headers of every request. The second one is what a foreign page cannot set. */
export function headers(): Record<string, string> {
  const bearer = token();
  return { 'x-runnel-request': '1', ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) };
}

/** A cache by document: what a mutation answers makes every list of its types stale. Live screens keep their own state. */
export const client = new Client({
  url: '/graphql',
  preferGetMethod: false,
  requestPolicy: 'cache-and-network',
  exchanges: [cacheExchange, fetchExchange],
  fetchOptions: () => ({ headers: headers() }),
});

/** What went wrong, in a form that every screen shows the same way. */
export interface Problem {
  code: string;
  message: string;
  hint?: string | null;
  /** Quoted to whoever runs the server. */
  requestId?: string;
}

/** The first problem of a failed request. */
export function problemOf(error: CombinedError | Error): Problem {
  const first = error instanceof CombinedError ? error.graphQLErrors[0] : undefined;
  if (first) {
    const { code, requestId } = first.extensions as { code?: string; requestId?: string };
    return { code: code ?? 'ERROR', message: first.message, requestId };
  }
  const status = error instanceof CombinedError ? (error.response as Response | undefined)?.status : undefined;
  if (status === 401) return { code: 'UNAUTHENTICATED', message: 'The server wants a token.' };
  return {
    code: status ? `HTTP_${status}` : 'UNREACHABLE',
    message: status ? `The server answered with status ${status}.` : 'The server cannot be reached.',
  };
}
