// GraphiQL in a headless Chromium that can reach nothing but the server: the editor appears and a query runs.
// usage: node graphiql.mjs <server url>; Chromium from $CHROMIUM or `chromium`; exit 0 = pass.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';

import { check, equal, finish, server } from './server.mjs';

const profile = await mkdtemp(join(tmpdir(), 'graphiql-'));
const browser = spawn(
  process.env.CHROMIUM ?? 'chromium',
  [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
    `--user-data-dir=${profile}`,
    '--remote-debugging-port=0',
    'about:blank',
  ],
  { stdio: ['ignore', 'ignore', 'pipe'] },
);
const endpoint = await new Promise((resolve, reject) => {
  let text = '';
  browser.stderr.on('data', (chunk) => {
    text += chunk;
    const match = /ws:\/\/\S+/.exec(text);
    if (match) resolve(match[0]);
  });
  browser.on('error', reject);
  browser.on('exit', () => reject(new Error(`Chromium ended: ${text}`)));
});
const { host } = new URL(endpoint);
const [page] = await (await fetch(`http://${host}/json`)).json();
const socket = new WebSocket(page.webSocketDebuggerUrl);
await new Promise((resolve) => {
  socket.on('open', resolve);
});

let lastId = 0;
const answers = new Map();
const requests = [];
const violations = [];
socket.on('message', (data) => {
  const message = JSON.parse(data.toString());
  answers.get(message.id)?.(message);
  if (message.method === 'Network.requestWillBeSent') requests.push(message.params.request.url);
  if (message.method === 'Log.entryAdded' && message.params.entry.level === 'error') {
    violations.push(message.params.entry.text);
  }
});

function command(method, params = {}) {
  lastId += 1;
  const id = lastId;
  return new Promise((resolve) => {
    answers.set(id, ({ result }) => resolve(result));
    socket.send(JSON.stringify({ id, method, params }));
  });
}

/** Evaluates an expression in the page until it is truthy. */
async function until(expression) {
  for (;;) {
    const { result } = await command('Runtime.evaluate', { expression, awaitPromise: true });
    if (result?.value) return result.value;
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
  }
}

for (const domain of ['Network', 'Log', 'Page', 'Runtime']) await command(`${domain}.enable`);
await command('Page.navigate', { url: `${server}/graphiql` });

await check('the editor appears', async () => {
  await until("document.querySelector('.graphiql-query-editor .view-line') !== null");
});
/** Presses the mouse on what the expression finds, as a person does: menus ignore clicks made by scripts. */
async function press(expression) {
  const box = `(() => { const r = (${expression})?.getBoundingClientRect(); return r && r.width > 0 && JSON.stringify([r.x + r.width / 2, r.y + r.height / 2]); })()`;
  const [x, y] = JSON.parse(await until(box));
  for (const type of ['mouseMoved', 'mousePressed', 'mouseReleased']) {
    await command('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
  }
}

await check('a query runs', async () => {
  await press("document.querySelector('.graphiql-execute-button')");
  // the document has two operations: a menu asks which one
  await press("[...document.querySelectorAll('[role=menuitem]')].find((item) => item.textContent.includes('Runs'))");
  await until("document.querySelector('.result-window')?.textContent.includes('nodes')");
});
await check('nothing was asked of another host', async () => {
  const foreign = requests.filter((url) => !url.startsWith(server) && !/^(data|blob|about|chrome)/.test(url));
  equal(foreign, []);
});
await check('nothing broke the content security policy', async () => {
  equal(violations.filter((text) => text.includes('Content Security Policy')), []);
});

if (process.env.SCREENSHOT) {
  const { data } = await command('Page.captureScreenshot');
  const { writeFile } = await import('node:fs/promises');
  await writeFile(process.env.SCREENSHOT, Buffer.from(data, 'base64'));
}
browser.removeAllListeners('exit');
const ended = new Promise((resolve) => {
  browser.on('exit', resolve);
});
browser.kill();
await ended;
await rm(profile, { recursive: true, force: true });
finish('graphiql');
