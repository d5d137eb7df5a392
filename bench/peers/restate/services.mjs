// The services of `peer.mjs`: runs whose tasks do nothing.

import "./promises.mjs";
import { once } from "node:events";
import { createServer } from "node:http2";
import { parentPort, workerData } from "node:worker_threads";
import * as restate from "@restatedev/restate-sdk";

const { mode, width, length, ended } = workerData;

// moments at which tasks began, by run
const begun = new Map();

const note = (run) => {
  const now = performance.now();
  const moments = begun.get(run);
  if (moments) {
    moments.push(now);
  } else {
    begun.set(run, [now]);
  }
};

const tasks = restate.service({
  name: "tasks",
  handlers: {
    nothing: async (_ctx, run) => note(run),
    single: async () => {
      Atomics.add(ended, 0, 1);
    },
  },
});

/** Runs so many tasks at once and waits for all. */
const wave = async (ctx, run, count) => {
  const task =
    mode === "steps" ? () => ctx.run("task", () => note(run)) : () => ctx.serviceClient(tasks).nothing(run);
  await restate.RestatePromise.all(Array.from({ length: count }, task));
};

/** A run of waves; answers when its tasks began. */
const waves = (widths) => async (ctx) => {
  const run = ctx.request().id;
  for (const count of widths) {
    await wave(ctx, run, count);
  }
  const moments = begun.get(run) ?? [];
  begun.delete(run);
  return widths.length === length ? moments : undefined;
};

const runs = restate.service({
  name: "runs",
  handlers: {
    fanOut: waves([1, width, 1]),
    chain: waves(Array(length).fill(1)),
    diamond: waves([1, 2, 1]),
    single: async (ctx) => {
      await ctx.run("task", () => {});
      Atomics.add(ended, 0, 1);
    },
  },
});

// what `restate.serve` does, but on the loopback address alone
const server = createServer(restate.createEndpointHandler({ services: [runs, tasks] }));
server.listen(0, "127.0.0.1");
await once(server, "listening");
parentPort.postMessage(server.address().port);
