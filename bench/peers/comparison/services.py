"""The servers that the systems need: each started for one measurement, private to it and gone after it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

# A machine that is busy with a build may take as long as this to start a server.
READY_SECONDS = 60

# Stops a service when whoever started it is gone, however it ended: the standard input is then closed.
REAPER = """
read -r _
kill -INT "$1" 2>/dev/null
n=0
while kill -0 "$1" 2>/dev/null && [ "$n" -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
kill -KILL "$1" 2>/dev/null
rm -rf "$2"
"""


class Service:
    """A server with a directory of its own; stopped and removed at the end of a `with`."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="runnel-peers-"))
        self.server: subprocess.Popen[bytes] | None = None
        self._reaper: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.server is not None
        return self.server.pid

    def start(self) -> None:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def __enter__(self) -> "Service":
        try:
            self.start()
            begun = time.monotonic()
            while not self.is_ready():
                if self.server is not None and self.server.poll() is not None:
                    raise RuntimeError(f"{type(self).__name__} ended: {self.log()}")
                if time.monotonic() - begun > READY_SECONDS:
                    raise RuntimeError(f"{type(self).__name__} did not become ready: {self.log()}")
                time.sleep(0.05)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, command: list[str], **options: object) -> None:
        """Runs the server, its output going to a file."""
        with open(self.directory / "server.log", "wb") as log:
            self.server = subprocess.Popen(
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **options,  # type: ignore[call-overload]
            )
        self._reaper = subprocess.Popen(
            ["sh", "-c", REAPER, "reaper", str(self.server.pid), str(self.directory)],
            stdin=subprocess.PIPE, start_new_session=True,
        )

    def log(self) -> str:
        path = self.directory / "server.log"
        return path.read_text(errors="replace")[-4_000:] if path.exists() else ""

    def stop(self) -> None:
        if self.server is not None:
            # for PostgreSQL the fast shutdown; Restate ends on it as well
            self.server.send_signal(2)
            try:
                self.server.wait(30)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
        if self._reaper is not None:
            self._reaper.kill()
            self._reaper.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Postgres(Service):
    """A cluster with its defaults, so with `fsync` and `synchronous_commit` on.

    Its few settings are those of `tests/src/services/postgres.rs`, which `runnel-bench` uses for Runnel.
    """

    def start(self) -> None:
        self.programs = _postgres_programs()
        self.port = free_port()
        # PostgreSQL refuses to run as root
        owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        if owner:
            shutil.chown(self.directory, "postgres", "postgres")
        data = self.directory / "data"
        initdb = [self.programs / "initdb", "-D", data, "-N", "-U", "postgres", "-A", "trust"]
        initdb += ["-E", "UTF8", "--locale=C.UTF-8"]
        created = subprocess.run(initdb, cwd=self.directory, capture_output=True, check=False, **owner)
        if created.returncode != 0:
            raise RuntimeError(f"initdb failed: {created.stderr.decode(errors='replace')}")
        settings = ["listen_addresses=127.0.0.1", "max_connections=300", "shared_buffers=128MB"]
        command = [str(self.programs / "postgres"), "-D", str(data), "-p", str(self.port), "-k", str(self.directory)]
        self.run(command + [part for setting in settings for part in ("-c", setting)], **owner)

    def is_ready(self) -> bool:
        asked = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def arguments(self) -> list[str]:
        """How a peer is told where it is."""
        return ["--database", f"postgresql://postgres@127.0.0.1:{self.port}/postgres"]


class Restate(Service):
    """A Restate server on its own, with its defaults: a log on disk that is synced."""

    def __init__(self, program: Path) -> None:
        super().__init__()
        self._program = program

    def start(self) -> None:
        self.ingress, self.admin, node = free_port(), free_port(), free_port()
        # at its start it also asks for newer releases, which no setting forbids; without a network it only logs that
        environment = os.environ | {
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{self.ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{self.admin}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_LOG_FILTER": "warn",
        }
        command = [str(self._program), "--no-logo", "--listen-mode", "tcp", "--node-name", "bench"]
        self.run(command + ["--base-dir", str(self.directory / "data")], env=environment)

    def is_ready(self) -> bool:
        paths = [f"http://127.0.0.1:{self.admin}/health", f"http://127.0.0.1:{self.ingress}/restate/health"]
        return all(_answers(path) for path in paths)

    def arguments(self) -> list[str]:
        """How a peer is told where it is."""
        return ["--ingress", f"http://127.0.0.1:{self.ingress}", "--admin", f"http://127.0.0.1:{self.admin}"]


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _postgres_programs() -> Path:
    given = os.environ.get("RUNNEL_TEST_POSTGRES_BIN")
    if given:
        return Path(given)
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0)
    found = shutil.which("initdb")
    if found is None:
        raise RuntimeError(
            "PostgreSQL is not installed: install it, or point RUNNEL_TEST_POSTGRES_BIN at its programs"
        )
    return Path(found).parent
