"""What the machine says about processes and the disk."""

import os
import statistics
import tempfile
import time
from pathlib import Path

# Writes timed by the probe of the disk, as in `runnel-bench`.
SYNCS = 100


def tree(root: int) -> list[int]:
    """A process and all its descendants that live now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        fields = _stat(entry.name) if entry.name.isdigit() else None
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def cpu_seconds(roots: list[int]) -> float:
    """CPU time so far of these processes and all their descendants, those that have ended included."""
    ticks = 0
    for root in roots:
        for pid in tree(root):
            fields = _stat(str(pid))
            if fields:
                # own time in both modes, then that of children which have ended, see proc(5)
                ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_peak_mib(roots: list[int]) -> float:
    """The most memory that these processes and their descendants have had, each on its own."""
    kib = 0
    for root in roots:
        for pid in tree(root):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            kib += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return kib / 1_024


def sync_p50_us() -> float:
    """How long the disk takes to make 8 KiB durable, by trying: the floor under every commit that waits for it."""
    times = []
    with tempfile.NamedTemporaryFile(prefix="runnel-sync-probe-") as file:
        for _ in range(SYNCS):
            file.write(b"\x5a" * 8_192)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e6


def _stat(pid: str) -> list[str] | None:
    """The fields of /proc/PID/stat behind the name, which may hold blanks; none when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
