// What the screen of a large run takes in a headless Chromium without a GPU: one JSON line for each size.
// usage: node measure.mjs <server url>
import { open } from './dashboard/browser.mjs';
import { layered, publish, start, status, until } from './dashboard/data.mjs';

const SIZES = [
  [20, 100],
  [50, 100],
  [100, 100],
];
const PANS = 60;

const { browser, context, page, line } = await open();
for (const [ranks, width] of SIZES) {
  const tasks = ranks * width;
  await publish(layered(`measure_${tasks}`, ranks, width));
  const run = await start(`measure_${tasks}`);
  await until(async () => (await status(run)) === 'SUCCEEDED');
  await page.goto(`/runs/${run}`);
  await page.locator(`canvas[data-painted="${tasks}"]`).waitFor({ timeout: 60_000 });
  const painted = await page.evaluate(() => Math.round(performance.now()));
  const box = await page.locator('canvas').boundingBox();
  await page.evaluate(() => {
    window.frames_ = [];
    let last = performance.now();
    const tick = (now) => {
      window.frames_.push(now - last);
      last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await page.mouse.move(box.x + 300, box.y + 300);
  await page.mouse.down();
  for (let at = 0; at < PANS; at += 1) await page.mouse.move(box.x + 300 + 4 * at, box.y + 300 + (at % 7));
  await page.mouse.up();
  const frames = (await page.evaluate(() => window.frames_)).sort((a, b) => a - b);
  const heap = await page.evaluate(() => performance.memory.usedJSHeapSize);
  const elements = await page.evaluate(() => document.querySelectorAll('*').length);
  console.log(
    JSON.stringify({
      tasks,
      painted_within_ms: painted,
      pan_frame_p95_ms: Math.round(frames[Math.floor(0.95 * frames.length)] ?? 0),
      heap_mib: Math.round(heap / 2 ** 20),
      elements,
    }),
  );
}
await context.close();
await browser.close();
await line.close();
