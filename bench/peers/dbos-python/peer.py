"""The workloads of `runnel-bench` on DBOS for Python, one JSON line a figure.

Application, engine and load are one process with one event loop: asynchronous workflows, whose steps are gathered, are
how its documentation lets tasks run at once. Pool and threads are its defaults (20 connections); only the queue and its
results are polled more often than once a second, without which DBOS would only be slower.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import defaultdict

from dbos import DBOS, DBOSConfig

WIDTH = 1_000
LENGTH = 200
DIAMOND_CLIENTS = 16
SUBMISSION_CLIENTS = 64
WORKLOADS = ["fan-out", "chain", "diamonds", "submissions"]
QUEUE = "tasks"

# What a task is, as in the program for DBOS for Rust:
#   steps     a step of the workflow, in its process; one row is committed after it
#   children  a child workflow, started where its parent runs; a row is committed before and another after it
#   queue     a child workflow on a durable queue, from which any process of the application may take it
MODES = ["steps", "children", "queue"]

parser = argparse.ArgumentParser(description="Measures DBOS for Python; prints one JSON line a figure.")
parser.add_argument("--database", required=True, help="address of an empty PostgreSQL database")
parser.add_argument("--mode", required=True, choices=MODES, help="what a task is")
parser.add_argument("--scale", type=int, default=10, help="amount of work: 10 is what `runnel-bench` does")
parser.add_argument("--poll-ms", type=int, default=5, help="how often the queue and its results are polled")
parser.add_argument("--workloads", default=",".join(WORKLOADS), help="what to measure")
options = parser.parse_args()

system = f"dbos-python-{options.mode}"
poll_interval = options.poll_ms / 1_000
# when which task began, by run
begun = defaultdict(list)


def line(**fields):
    print(json.dumps({"system": system, **fields}), flush=True)


def figure(workload, name, value, unit):
    line(database="postgres", workload=workload, figure=name, value=round(value, 3), unit=unit)


def begin(workload):
    """Tells that the measured part begins; whoever reads this can begin to count CPU time."""
    line(workload=workload, mark="begin")
    return time.perf_counter()


def end(workload, tasks, since):
    """Tells that the measured part has ended, and its rate."""
    elapsed = time.perf_counter() - since
    line(workload=workload, mark="end", tasks=tasks)
    figure(workload, "tasks", tasks / elapsed, "1/s")


def quantiles(workload, name, samples):
    samples.sort()
    for label, part in (("p50", 0.5), ("p99", 0.99)):
        figure(workload, f"{name}_{label}", samples[round((len(samples) - 1) * part)] * 1e6, "us")


@DBOS.step(name="task-step")
async def task_step(run: str) -> None:
    begun[run].append(time.perf_counter())


@DBOS.workflow(name="task")
async def task_workflow(run: str) -> None:
    begun[run].append(time.perf_counter())


async def wave(width: int) -> None:
    """Runs so many tasks at once and waits for all; called by workflows."""
    run = DBOS.workflow_id
    if options.mode == "steps":
        await asyncio.gather(*(task_step(run) for _ in range(width)))
        return
    if options.mode == "children":
        handles = await asyncio.gather(*(DBOS.start_workflow_async(task_workflow, run) for _ in range(width)))
    else:
        handles = await asyncio.gather(
            *(DBOS.enqueue_workflow_async(QUEUE, task_workflow, run) for _ in range(width))
        )
    # one after the other, as in its tutorial: all at once would poll for each of them
    for handle in handles:
        await handle.get_result(polling_interval_sec=poll_interval)


@DBOS.workflow(name="fan-out")
async def fan_out() -> None:
    await wave(1)
    await wave(WIDTH)
    await wave(1)


@DBOS.workflow(name="chain")
async def chain() -> None:
    for _ in range(LENGTH):
        await wave(1)


@DBOS.workflow(name="diamond")
async def diamond() -> None:
    await wave(1)
    await wave(2)
    await wave(1)


@DBOS.workflow(name="single")
async def single() -> None:
    await wave(1)


async def start_single():
    """Starts a run of one task; answered when it is committed. A task that is a workflow needs no other around it."""
    if options.mode == "steps":
        return await DBOS.start_workflow_async(single)
    if options.mode == "children":
        return await DBOS.start_workflow_async(task_workflow, "")
    return await DBOS.enqueue_workflow_async(QUEUE, task_workflow, "")


async def measure_fan_out():
    await fan_out()
    runs = 2 * options.scale
    since = begin("fan-out")
    for _ in range(runs):
        await fan_out()
    end("fan-out", runs * (WIDTH + 2), since)


async def measure_chain():
    await chain()
    hops = []
    since = begin("chain")
    for _ in range(options.scale):
        handle = await DBOS.start_workflow_async(chain)
        await handle.get_result()
        # the task takes no time: from one begin to the next is the hop
        moments = begun.pop(handle.get_workflow_id())
        hops.extend(after - before for before, after in zip(moments, moments[1:]))
    end("chain", options.scale * LENGTH, since)
    quantiles("chain", "hop", hops)


async def measure_diamonds():
    async def client(each):
        times = []
        for _ in range(each):
            since = time.perf_counter()
            await diamond()
            times.append(time.perf_counter() - since)
        return times

    await asyncio.gather(*(client(2) for _ in range(DIAMOND_CLIENTS)))
    each = -(-100 * options.scale // DIAMOND_CLIENTS)
    since = begin("diamonds")
    times = sum(await asyncio.gather(*(client(each) for _ in range(DIAMOND_CLIENTS))), [])
    end("diamonds", DIAMOND_CLIENTS * each * 4, since)
    quantiles("diamonds", "run", times)


async def measure_submissions():
    async def client(each):
        times, handles = [], []
        for _ in range(each):
            since = time.perf_counter()
            handles.append(await start_single())
            times.append(time.perf_counter() - since)
        return times, handles

    async def ended(of_clients):
        for _, handles in of_clients:
            for handle in handles:
                await handle.get_result(polling_interval_sec=poll_interval)

    await ended(await asyncio.gather(*(client(2) for _ in range(SUBMISSION_CLIENTS))))
    each = 10 * options.scale
    since = begin("submissions")
    of_clients = await asyncio.gather(*(client(each) for _ in range(SUBMISSION_CLIENTS)))
    elapsed = time.perf_counter() - since
    await ended(of_clients)
    end("submissions", SUBMISSION_CLIENTS * each, since)
    figure("submissions", "starts", SUBMISSION_CLIENTS * each / elapsed, "1/s")
    quantiles("submissions", "start", sum((times for times, _ in of_clients), []))


MEASURES = {
    "fan-out": measure_fan_out,
    "chain": measure_chain,
    "diamonds": measure_diamonds,
    "submissions": measure_submissions,
}


async def main() -> None:
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": options.database,
        "application_version": "bench",
        "console_log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    if options.mode == "queue":
        await DBOS.register_queue_async(QUEUE, polling_interval_sec=poll_interval)
    for workload in options.workloads.split(","):
        await MEASURES[workload]()
    await asyncio.to_thread(DBOS.destroy)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
