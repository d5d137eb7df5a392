import './workers.js';
import 'graphiql/style.css';
import './page.css';

import { GraphiQL } from 'graphiql';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { createClient } from 'graphql-ws';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';

const socketUrl = new URL('/graphql/ws', location.href);
socketUrl.protocol = socketUrl.protocol.replace('http', 'ws');

// The token of the headers editor also opens the WebSocket: browsers cannot set headers there.
let authorization;
const wsClient = createClient({
  url: socketUrl.href,
  lazy: true,
  connectionParams: () => (authorization ? { authorization } : {}),
});
const fetcher = createGraphiQLFetcher({ url: '/graphql', wsClient });

function fetchWithToken(params, options) {
  const headers = Object.entries(options?.headers ?? {});
  authorization = headers.find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  return fetcher(params, options);
}

const defaultQuery = `# Ctrl-Enter runs the operation at the cursor, Ctrl-Space completes.
# Where a token is needed, set {"authorization": "Bearer …"} under Headers.

query Runs {
  runs(first: 10) {
    nodes { id status createdAt workflow { key } counts { total succeeded failed } }
  }
}

subscription Events {
  events { kind cursor event { seq kind task at } }
}
`;

createRoot(document.getElementById('graphiql')).render(
  createElement(GraphiQL, { fetcher: fetchWithToken, defaultQuery, shouldPersistHeaders: false }),
);
