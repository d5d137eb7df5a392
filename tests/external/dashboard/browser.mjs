// A browser in front of the server, with a cable between them that can be cut.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

import { server } from '../server.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const places = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const found = places.find((place) => existsSync(place));
  if (!found) throw new Error('Chromium is not installed: scripts/setup-tests.sh installs it');
  return found;
}

/** A TCP proxy: cutting it looks to the browser as if the server were killed. */
export async function cable(port = 0) {
  const { hostname, port: target } = new URL(server);
  const sockets = new Set();
  let isCut = false;
  const listener = createServer((near) => {
    if (isCut) return near.destroy();
    const far = connect(Number(target), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(from);
      from.on('data', (bytes) => to.write(bytes));
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    return undefined;
  });
  await new Promise((resolve) => listener.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${listener.address().port}`,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      isCut = false;
    },
    close: () => new Promise((resolve) => {
      for (const socket of sockets) socket.destroy();
      listener.close(resolve);
    }),
  };
}

const axeSource = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
export const screens = process.env.SCREENS ?? join(import.meta.dirname, '../../../target/screens');

/** A page at the cable's end, and everything that it asked for and complained about. */
export async function open() {
  const browser = await chromium.launch({ executablePath: executable(), args: ['--no-sandbox', '--disable-gpu'] });
  const line = await cable();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, baseURL: line.url, locale: 'en-GB', timezoneId: 'UTC' });
  const page = await context.newPage();
  page.setDefaultTimeout(8_000);
  const asked = [];
  const complaints = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await mkdir(screens, { recursive: true });
  return { browser, context, page, line, asked, complaints };
}

/** What axe finds on the page as it is. */
export async function violations(page) {
  if (!(await page.evaluate(() => 'axe' in window))) {
    // not as a script element, which the policy of the page refuses
    const { readFile } = await import('node:fs/promises');
    await page.evaluate(await readFile(axeSource, 'utf8'));
  }
  return page.evaluate(async () => {
    const found = await window.axe.run(document, { resultTypes: ['violations'] });
    return found.violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join(' | ')}`);
  });
}

/** Drops files on the page, as a person does from a file manager. */
export async function drop(page, files) {
  const transfer = await page.evaluateHandle((wanted) => {
    const data = new DataTransfer();
    for (const { name, text } of wanted) data.items.add(new File([text], name));
    return data;
  }, files);
  await page.dispatchEvent('.app', 'dragover', { dataTransfer: transfer });
  await page.dispatchEvent('.app', 'drop', { dataTransfer: transfer });
}
