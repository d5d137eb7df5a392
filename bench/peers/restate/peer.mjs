// The workloads of `runnel-bench` on Restate, one JSON line a figure.
//
// The server is another process (started by whoever runs this, with its defaults: it syncs its log before it answers); the
// services are a thread of this one with an event loop of their own, so that the load does not slow them down. What counts
// as a task is chosen with `--mode`:
//
//   steps  `ctx.run` inside the handler of the run: in its process, recorded after it
//   calls  an invocation of a service that the server dispatches: recorded before and after it. Of the two this does what
//          Runnel does with every task

import { Worker } from "node:worker_threads";
import { parseArgs } from "node:util";
import * as clients from "@restatedev/restate-sdk-clients";

const WIDTH = 1000;
const LENGTH = 200;
const DIAMOND_CLIENTS = 16;
const SUBMISSION_CLIENTS = 64;
// runs of each client before what is measured: more than elsewhere, since code that V8 has not compiled yet is slow
const WARM_UP = 20;

const { values: options } = parseArgs({
  options: {
    ingress: { type: "string" },
    admin: { type: "string" },
    mode: { type: "string" },
    scale: { type: "string", default: "10" },
    workloads: { type: "string", default: "fan-out,chain,diamonds,submissions" },
  },
});
if (!options.ingress || !options.admin || !["steps", "calls"].includes(options.mode)) {
  console.error("usage: node peer.mjs --ingress URL --admin URL --mode steps|calls [--scale N] [--workloads A,B]");
  process.exit(2);
}
const system = `restate-${options.mode}`;
const scale = Number(options.scale);

const line = (fields) => process.stdout.write(`${JSON.stringify({ system, ...fields })}\n`);
const figure = (workload, name, value, unit) =>
  line({ database: "rocksdb", workload, figure: name, value: Math.round(value * 1000) / 1000, unit });

/** Tells that the measured part begins; whoever reads this can begin to count CPU time. */
const begin = (workload) => {
  line({ workload, mark: "begin" });
  return performance.now();
};

/** Tells that the measured part has ended, and its rate. */
const end = (workload, tasks, begun) => {
  const seconds = (performance.now() - begun) / 1000;
  line({ workload, mark: "end", tasks });
  figure(workload, "tasks", tasks / seconds, "1/s");
};

/** Samples in milliseconds. */
const quantiles = (workload, name, samples) => {
  samples.sort((a, b) => a - b);
  for (const [label, part] of [["p50", 0.5], ["p99", 0.99]]) {
    const rank = Math.round((samples.length - 1) * part);
    figure(workload, `${name}_${label}`, samples[rank] * 1000, "us");
  }
};

const inParallel = (count, client) => Promise.all(Array.from({ length: count }, client));

// ended runs of one task, counted by the services
const ended = new Int32Array(new SharedArrayBuffer(4));
const services = new Worker(new URL("./services.mjs", import.meta.url), {
  workerData: { mode: options.mode, width: WIDTH, length: LENGTH, ended },
  // its documentation: `production` spares checks and logs of development
  env: { ...process.env, NODE_ENV: "production", RESTATE_LOGGING: "ERROR" },
});
const port = await new Promise((resolve, reject) => {
  services.once("message", resolve);
  services.once("error", reject);
});
const registered = await fetch(`${options.admin}/deployments`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ uri: `http://127.0.0.1:${port}` }),
});
if (!registered.ok) {
  throw new Error(`registering the services: ${registered.status} ${await registered.text()}`);
}
const restate = clients.connect({ url: options.ingress });
const runs = restate.serviceClient({ name: "runs" });
// where a task is an invocation itself, a run of one task needs no other around it
const startSingle =
  options.mode === "steps"
    ? () => restate.serviceSendClient({ name: "runs" }).single()
    : () => restate.serviceSendClient({ name: "tasks" }).single();

const fanOut = async () => {
  await runs.fanOut();
  await runs.fanOut();
  const count = 2 * scale;
  const begun = begin("fan-out");
  for (let n = 0; n < count; n += 1) {
    await runs.fanOut();
  }
  end("fan-out", count * (WIDTH + 2), begun);
};

const chain = async () => {
  await runs.chain();
  const hops = [];
  const begun = begin("chain");
  for (let n = 0; n < scale; n += 1) {
    // the task takes no time: from one begin to the next is the hop
    const moments = await runs.chain();
    moments.slice(1).forEach((moment, before) => hops.push(moment - moments[before]));
  }
  end("chain", scale * LENGTH, begun);
  quantiles("chain", "hop", hops);
};

const diamonds = async () => {
  const from = async (each) => {
    const times = [];
    for (let n = 0; n < each; n += 1) {
      const begun = performance.now();
      await runs.diamond();
      times.push(performance.now() - begun);
    }
    return times;
  };
  await inParallel(DIAMOND_CLIENTS, () => from(WARM_UP));
  const each = Math.ceil((100 * scale) / DIAMOND_CLIENTS);
  const begun = begin("diamonds");
  const times = (await inParallel(DIAMOND_CLIENTS, () => from(each))).flat();
  end("diamonds", DIAMOND_CLIENTS * each * 4, begun);
  quantiles("diamonds", "run", times);
};

const submissions = async () => {
  const from = async (each) => {
    const times = [];
    for (let n = 0; n < each; n += 1) {
      const begun = performance.now();
      await startSingle();
      times.push(performance.now() - begun);
    }
    return times;
  };
  const settled = async (count) => {
    while (Atomics.load(ended, 0) < count) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    Atomics.store(ended, 0, 0);
  };
  await inParallel(SUBMISSION_CLIENTS, () => from(WARM_UP));
  await settled(SUBMISSION_CLIENTS * WARM_UP);
  const count = SUBMISSION_CLIENTS * 10 * scale;
  const begun = begin("submissions");
  const times = (await inParallel(SUBMISSION_CLIENTS, () => from(10 * scale))).flat();
  const seconds = (performance.now() - begun) / 1000;
  await settled(count);
  end("submissions", count, begun);
  figure("submissions", "starts", count / seconds, "1/s");
  quantiles("submissions", "start", times);
};

const measures = { "fan-out": fanOut, chain, diamonds, submissions };
for (const workload of options.workloads.split(",")) {
  await measures[workload]();
}
process.exit(0);
