// The 61 audits of GraphQL over HTTP (npm graphql-http). usage: node audit.mjs <server url>; exit 0 = all pass.
import { auditServer } from 'graphql-http';

const server = (process.argv[2] ?? 'http://127.0.0.1:7420').replace(/\/$/, '');
const results = await auditServer({ url: `${server}/graphql` });
const failed = results.filter((result) => result.status !== 'ok');
for (const { id, name, status, reason } of failed) {
  console.error(`${status}: ${id} ${name}: ${reason}`);
}
console.log(`graphql-http: ${results.length - failed.length} of ${results.length} audits ok`);
process.exit(failed.length === 0 && results.length === 61 ? 0 : 1);
