// The dashboard in a headless Chromium, against a real server: what a person does, what axe says, what it may weigh.
// usage: node dashboard.mjs <server url>; pictures go to target/screens; exit 0 = pass.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { drop, open, screens, violations } from './dashboard/browser.mjs';
import { BAD, BROKEN, countRuns, FLAKY, layered, LETTER, LONG, publish, RELEASE, start, startMany, status, until } from './dashboard/data.mjs';
import { check, equal, finish } from './server.mjs';

const INITIAL_BYTES_MAX = 180_000;
const LIST_NODES_MAX = 300;
const { browser, context, page, line, asked, complaints } = await open();
const heading = (name) => page.getByRole('heading', { level: 1, name });
const button = (name, options = {}) => page.getByRole('button', { name, ...options });
const statusIs = (word) => page.locator('.run-head .status', { hasText: word }).waitFor({ timeout: 20_000 });

await check('the first screen is small, and offers something to begin with', async () => {
  const sizes = [];
  page.on('response', (response) => {
    if (/\.(js|css)$/.test(response.url())) sizes.push(Number(response.headers()['content-length']));
  });
  await page.goto('/');
  await heading('Overview').waitFor();
  const sum = sizes.reduce((a, b) => a + b, 0);
  if (!(sum > 0 && sum <= INITIAL_BYTES_MAX)) throw new Error(`the first screen takes ${sum} bytes, ${INITIAL_BYTES_MAX} at most`);
  console.log(`   ${sum} bytes of scripts and styles`);
  await page.screenshot({ path: join(screens, 'overview-empty.png') });
  await button('Load 3 examples').click();
  await page.getByText('Loaded three examples.').waitFor();
});

const DIALECT_FILES = [
  ['actions/pipeline.json', 'ACTIONS'],
  ['actions/retry-and-sleep.yaml', 'ACTIONS'],
  ['commands/sample.yaml', 'COMMANDS'],
  ['nodes/enrich.json', 'NODES'],
  ['nodes/branching.yaml', 'NODES'],
];
for (const [path, dialect] of DIALECT_FILES) {
  await check(`${path} is dropped, converted and saved`, async () => {
    const text = await readFile(join(import.meta.dirname, '../../examples/dialects', path), 'utf8');
    await page.goto('/workflows');
    await heading('Workflows').waitFor();
    await drop(page, [{ name: path.split('/')[1], text }]);
    await page.locator(`[data-dialect="${dialect}"][data-valid="true"]`).waitFor();
    await button('Show the conversion').click();
    const converted = await page.locator('[data-converted]').textContent();
    if (!/^id:/m.test(converted ?? '')) throw new Error(`this is no v1 file: ${converted}`);
    await page.keyboard.press('Escape');
    await button(/^Save Ctrl/).click();
    await page.waitForURL(/\/workflows\/[^/?]+\?tab=graph/);
    await page.locator('canvas[data-painted]').waitFor();
  });
}

await check('a bad file shows every problem at its line, and stores nothing', async () => {
  await page.goto('/workflows/new');
  await heading('New workflow').waitFor();
  await drop(page, [{ name: 'bad.yaml', text: BAD }]);
  await page.locator('[data-line="5"]').waitFor();
  await page.locator('[data-line="9"]').waitFor();
  equal(await button(/^Save Ctrl/).isDisabled(), true);
  await page.locator('[data-line="5"]').click();
  await page.screenshot({ path: join(screens, 'editor-problems.png') });
});

await check('a run is started from the form and watched to its end', async () => {
  await page.goto('/workflows/squares');
  await button(/^Run c/).click();
  await page.getByLabel('numbers').fill('[2, 3]');
  await page.screenshot({ path: join(screens, 'run-dialog.png') });
  await page.getByRole('dialog').getByRole('button', { name: /^Run/ }).click();
  await page.waitForURL(/\/runs\//);
  await statusIs('succeeded');
  await page.keyboard.press('i');
  await page.getByRole('heading', { name: 'Outputs' }).waitFor();
  await page.locator('.tree', { hasText: 'squares' }).waitFor();
}, 30);

let napping;
await check('a run is cancelled', async () => {
  await publish(LONG);
  napping = await start('long');
  await page.goto(`/runs/${napping}`);
  await statusIs('running');
  await button('Cancel', { exact: true }).click();
  await button('Cancel gracefully').click();
  await statusIs('cancelled');
  equal(await status(napping), 'CANCELLED');
}, 20);

let flaky;
await check('a failed task is found with one key and tried again', async () => {
  await publish(FLAKY);
  flaky = await start('flaky');
  await page.goto(`/runs/${flaky}`);
  await statusIs('failed');
  await page.keyboard.press('f');
  await page.locator('.panel', { hasText: 'the source is away' }).waitFor();
  await page.screenshot({ path: join(screens, 'task-failed.png') });
  await page.keyboard.press('r');
  await statusIs('succeeded');
}, 30);

await check('an approval is given by the keyboard alone', async () => {
  await publish(RELEASE);
  const run = await start('release_now');
  await page.goto('/');
  await heading('Overview').waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').waitFor();
  await page.keyboard.type('approv');
  await page.keyboard.press('Enter');
  await heading('Approvals').waitFor();
  await page.getByText('Release to production?').first().waitFor();
  // to the field of the form, as Tab goes
  for (let tabs = 0; tabs < 60; tabs += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement?.getAttribute('type') === 'number')) break;
  }
  await page.keyboard.type('25');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('a');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Enter');
  await until(async () => (await status(run)) === 'SUCCEEDED');
}, 20);

await check('a dead letter is replayed', async () => {
  await publish(LETTER);
  const run = await start('letter');
  await until(async () => (await status(run)) === 'FAILED');
  await page.goto('/dlq');
  await page.getByRole('table', { name: 'Dead letters', exact: true }).waitFor();
  await page.screenshot({ path: join(screens, 'dead-letters-open.png') });
  await page.keyboard.press('r');
  await until(async () => (await status(run)) === 'SUCCEEDED');
}, 30);

await check('a thousand failed runs are tried again by a query, counted first', async () => {
  await publish(BROKEN);
  await startMany('broken', 1_000, 'wave');
  await until(async () => (await countRuns('"wave" in tags && status == "FAILED"')) === 1_000);
  await page.goto('/runs?q=tag:wave status:failed');
  await page.locator('[data-total="1000"]').waitFor();
  await page.getByLabel('With all runs that match').last().selectOption('RETRY_FAILED');
  await page.locator('[data-matched="1000"]').waitFor();
  await page.screenshot({ path: join(screens, 'bulk.png') });
  await button(/^Retry the failed tasks of 1,000/).click();
  await page.locator('[data-bulk="FINISHED"][data-done="1000"]').waitFor({ timeout: 100_000 });
}, 150);

await check(`the list of runs has at most ${LIST_NODES_MAX} elements`, async () => {
  await page.goto('/runs');
  await page.locator('.row').first().waitFor();
  const nodes = await page.locator('.rows').evaluate((list) => list.querySelectorAll('*').length);
  if (nodes > LIST_NODES_MAX) throw new Error(`${nodes} elements are in the list`);
});

await check('a lost server stops the clock, and coming back loses nothing', async () => {
  const run = await start('long');
  await page.goto(`/runs/${run}`);
  await statusIs('running');
  await page.locator('[data-link="live"]').waitFor();
  line.cut();
  await page.locator('[data-link="reconnecting"]').waitFor();
  await page.locator('.banner.warn').waitFor();
  const timer = page.locator('.run-head [data-timer]');
  const before = await timer.textContent();
  await page.screenshot({ path: join(screens, 'offline.png') });
  // the clock ticks once a second: the banner's does, the run's must not
  const age = page.locator('.banner.warn');
  const told = await age.textContent();
  await until(async () => (await age.textContent()) !== told);
  equal(await timer.textContent(), before);
  // what happens meanwhile is seen afterwards
  line.mend();
  await page.locator('[data-link="live"]').waitFor({ timeout: 20_000 });
  await page.locator('.banner.warn').waitFor({ state: 'detached' });
  await button('Cancel', { exact: true }).click();
  await button('Cancel at once').click();
  await statusIs('cancelled');
}, 60);

await check('six losses of the server while hundreds of tasks end leave nothing out', async () => {
  const naps = Array.from({ length: 300 }, (_, at) => `  nap${at}: { type: wait, input: { for: ${1_000 + (at % 60) * 100}ms } }`);
  await publish(`id: naps\ntasks:\n${naps.join('\n')}\n`);
  const run = await start('naps');
  await page.goto(`/runs/${run}`);
  await statusIs('running');
  for (let loss = 0; loss < 6; loss += 1) {
    await page.locator('[data-link="live"]').waitFor({ timeout: 20_000 });
    line.cut();
    await page.locator('[data-link="reconnecting"]').waitFor();
    line.mend();
  }
  await page.locator('.run-head .status', { hasText: 'succeeded' }).waitFor({ timeout: 60_000 });
  await button('300 succeeded').waitFor();
  // the list has its statuses from patches alone: the page was never read again
  await page.getByLabel('Filter tasks').fill('nap');
  const words = await page.locator('.task-row .soft').allTextContents();
  equal([...new Set(words)], ['succeeded']);
}, 120);

await check('a run of 5,000 tasks is drawn, small in the document, and found by filter', async () => {
  await publish(layered('wide', 50, 100));
  const run = await start('wide');
  await page.goto(`/runs/${run}`);
  await page.locator('canvas[data-painted="5000"]').waitFor({ timeout: 20_000 });
  await statusIs('succeeded');
  const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
  console.log(`   ${nodes} elements`);
  if (nodes > LIST_NODES_MAX * 2) throw new Error(`${nodes} elements are in the document`);
  await page.screenshot({ path: join(screens, 'run-5000.png') });
  await page.getByLabel('Filter tasks').fill('t49_99');
  await page.locator('.task-row').nth(0).click();
  await page.waitForURL(/tasks\/t49_99/);
  await page.screenshot({ path: join(screens, 'run-5000-near.png') });
}, 90);

await check('the graph is walked with arrow keys', async () => {
  await publish(layered('small', 4, 5));
  const run = await start('small');
  await page.goto(`/runs/${run}`);
  await statusIs('succeeded');
  await page.locator('canvas[data-painted="20"]').waitFor();
  await page.locator('.graph').focus();
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
  await page.waitForURL(/tasks\/t1_/);
  await page.keyboard.press('ArrowLeft');
  await page.waitForURL(/tasks\/t0_/);
}, 30);

const wide = await start('small');
const SCREENS = [
  ['overview', '/', '.tiles'],
  ['workflows', '/workflows', 'table'],
  ['workflow-runs', '/workflows/flaky', 'table'],
  ['workflow-graph', '/workflows/conditional-branching?tab=graph', 'canvas[data-painted]'],
  ['workflow-versions', '/workflows/flaky?tab=versions', '.diff'],
  ['workflow-triggers', '/workflows/flaky?tab=triggers', '.empty'],
  ['workflow-source', '/workflows/flaky?tab=source', '.source'],
  ['editor', '/workflows/new', '.problems'],
  ['runs', '/runs', '.row'],
  ['runs-no-match', '/runs?q=workflow:nothing', '.empty'],
  ['runs-bad-query', '/runs?q=colour:red', '.failure'],
  ['run-graph', `/runs/${wide}`, 'canvas[data-painted]'],
  ['run-timeline', `/runs/${flaky}?lens=timeline`, '.time-row'],
  ['run-events', `/runs/${flaky}?lens=events`, 'td'],
  ['run-logs', `/runs/${flaky}/tasks/load?lens=logs`, '.lens .log'],
  ['run-io', `/runs/${flaky}?lens=io`, '.payload'],
  ['task', `/runs/${flaky}/tasks/load`, '.panel .facts'],
  ['task-waits', `/runs/${await start('long')}/tasks/after`, '.why'],
  ['run-missing', '/runs/run_00000000000000000000000000000000', 'h1'],
  ['approvals', '/approvals', 'h1'],
  ['dead-letters', '/dlq', 'h1'],
  ['schedules', '/schedules', 'h1'],
  ['not-found', '/nothing/here', 'h1'],
];
await start('release_now');
await publish('id: nightly\nname: Nightly\ntriggers:\n  - schedule: "30 2 * * *"\n    timezone: Europe/Berlin\ntasks:\n  a: { type: pass }\n');
for (const theme of ['light', 'dark']) {
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
  for (const [name, path, ready] of SCREENS) {
    await check(`${name} in ${theme}: no violation of accessibility`, async () => {
      await page.goto(path);
      await page.locator(ready).first().waitFor();
      await page.locator('.skeleton').waitFor({ state: 'detached' }).catch(() => undefined);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      await page.screenshot({ path: join(screens, `${name}-${theme}.png`) });
      equal(await violations(page), []);
    }, 20);
  }
}

await check('nothing was asked of another host', async () => {
  equal(asked.filter((url) => !url.startsWith(line.url) && !/^(data|blob|about|chrome)/.test(url)), []);
});
await check('nothing broke the content security policy', async () => {
  equal(complaints.filter((text) => text.includes('Content Security Policy')), []);
});
await check('no script failed', async () => {
  // requests that found no server are part of a check above
  equal(complaints.filter((text) => !/Failed to load resource|WebSocket|ERR_/.test(text)), []);
});

await context.close();
await browser.close();
await line.close();
finish('dashboard');
