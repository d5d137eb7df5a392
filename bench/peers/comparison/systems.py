"""The systems: how each is installed, started and measured."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import machine
from .services import Postgres, Restate, Service

PEERS = Path(__file__).resolve().parent.parent
REPOSITORY = PEERS.parent.parent
TOOLS = PEERS / ".tools"

RUST_PEER = TOOLS / "dbos-rust" / "fast" / "runnel-bench-dbos"
PYTHON = TOOLS / "dbos-python" / "bin" / "python"
RESTATE = PEERS / "restate"

# The server itself: what npm links is a script around it that stays in memory.
RESTATE_SERVER = "node_modules/@restatedev/restate-server-*/bin/restate-server"

# A measurement that takes longer hangs: a system may repeat for ever what its programs cannot do.
LIMIT_SECONDS = 1_800

Figure = dict[str, object]


@dataclass(frozen=True)
class Peer:
    """Another system, in one of its ways to run a task."""

    kind: str
    mode: str

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.mode}"

    def service(self) -> Service:
        return Restate(next(RESTATE.glob(RESTATE_SERVER))) if self.kind == "restate" else Postgres()

    def command(self) -> list[str]:
        programs = {
            "dbos-rust": [str(RUST_PEER)],
            "dbos-python": [str(PYTHON), str(PEERS / "dbos-python" / "peer.py")],
            "restate": ["node", str(RESTATE / "peer.mjs")],
        }
        return [*programs[self.kind], "--mode", self.mode]

    def is_installed(self) -> bool:
        if self.kind == "restate":
            return any(RESTATE.glob(RESTATE_SERVER))
        return (RUST_PEER if self.kind == "dbos-rust" else PYTHON).exists()


# In the order in which they run. What the modes mean is told where they are written.
ALL = [
    Peer("dbos-rust", "steps"),
    Peer("dbos-rust", "children"),
    Peer("dbos-rust", "queue"),
    Peer("dbos-python", "steps"),
    Peer("dbos-python", "children"),
    Peer("dbos-python", "queue"),
    Peer("restate", "steps"),
    Peer("restate", "calls"),
]


def install(kinds: set[str]) -> None:
    """Installs peers from the package registries that the machine is set up for, as their locks say. Done again, it does nothing."""
    if "dbos-rust" in kinds:
        command = ["cargo", "build", "--quiet", "--locked", "--profile", "fast"]
        _run([*command, "--target-dir", str(TOOLS / "dbos-rust")], PEERS / "dbos-rust")
    if "dbos-python" in kinds:
        wanted, installed = PEERS / "dbos-python" / "requirements.txt", TOOLS / "dbos-python" / "requirements.txt"
        if not installed.exists() or installed.read_text() != wanted.read_text():
            _run([sys.executable, "-m", "venv", str(TOOLS / "dbos-python")], PEERS)
            pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "-r", str(wanted)], PEERS)
            installed.write_text(wanted.read_text())
    if "restate" in kinds:
        # npm writes the lock that it has installed: equal ages mean that nothing is left to do
        wanted, installed = RESTATE / "package-lock.json", RESTATE / "node_modules" / ".package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            _run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], RESTATE)


def build_runnel() -> Path:
    """Builds `runnel-bench` as `make bench` does and answers where it is."""
    _run(["cargo", "build", "--quiet", "--profile", "fast", "-p", "runnel-bench"], REPOSITORY)
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    return target / "fast" / "runnel-bench"


def measure_runnel(program: Path, workloads: list[str], is_quick: bool) -> Iterator[Figure]:
    """The figures of Runnel on PostgreSQL; `runnel-bench` starts its own."""
    command = [str(program), "--databases", "postgres", "--workloads", ",".join(workloads)]
    with _program(command + ["--quick"] * is_quick) as run:
        for line in run.stdout or ():
            yield {"system": "runnel"} | json.loads(line)


def measure_peer(peer: Peer, workloads: list[str], is_quick: bool) -> Iterator[Figure]:
    """The figures of a peer, and what it costs: CPU time between its marks, and the most memory it had."""
    with peer.service() as service:
        command = [*peer.command(), *service.arguments(), "--scale", "1" if is_quick else "10"]
        with _program([*command, "--workloads", ",".join(workloads)]) as run:
            roots = [run.pid, service.pid]
            # what `runnel-bench` counts: the program, and a server that is part of the system, but not the database
            of_system = roots if peer.kind == "restate" else roots[:1]
            used, peak, database = 0.0, 0.0, ""
            for line in run.stdout or ():
                read = json.loads(line)
                mark, workload = read.get("mark"), read["workload"]
                # at every line: a program that has ended has no memory any more
                peak = max(peak, machine.resident_peak_mib(of_system))
                if mark == "begin":
                    used = machine.cpu_seconds(roots)
                elif mark == "end":
                    used = machine.cpu_seconds(roots) - used
                    cost = used * 1e3 / read["tasks"]
                else:
                    database = read["database"]
                    yield read
                    if read["figure"] == "tasks":
                        yield _figure(peer.name, database, workload, "cpu_per_task", cost, "ms")
            yield _figure(peer.name, database, "machine", "resident_peak", peak, "MiB")


def _figure(system: str, database: str, workload: str, figure: str, value: float, unit: str) -> Figure:
    return {
        "system": system, "database": database, "workload": workload,
        "figure": figure, "value": round(value, 3), "unit": unit,
    }  # fmt: skip


@contextlib.contextmanager
def _program(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Runs a program whose lines are read; ended if the reader fails or it takes too long, an error if it fails itself."""
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    limit = threading.Timer(LIMIT_SECONDS, program.kill)
    limit.start()
    try:
        yield program
        if program.wait() != 0:
            raise RuntimeError(f"{command[0]} ended with {program.returncode}")
    finally:
        limit.cancel()
        if program.poll() is None:
            program.kill()
            program.wait()


def _run(command: list[str], directory: Path) -> None:
    print(f"$ {' '.join(command)}", file=sys.stderr, flush=True)
    subprocess.run(command, cwd=directory, check=True, stdout=sys.stderr)
