"""Ratios of Runnel to each peer, from pairs of measurements that stood side by side."""

import statistics
from collections import defaultdict
from collections.abc import Iterable

from .systems import Figure

# What the table for people shows, and under which heading; every common figure is in the lines.
SHOWN = [
    ("fan-out", "tasks", "fan-out tasks/s"),
    ("chain", "hop_p50", "chain hop p50 µs"),
    ("chain", "hop_p99", "chain hop p99 µs"),
    ("diamonds", "tasks", "diamonds tasks/s"),
    ("submissions", "starts", "submissions/s"),
    ("fan-out", "cpu_per_task", "fan-out CPU ms"),
]


class Pairs:
    """Measurements of Runnel and of a peer that were taken one after the other."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
        self._units: dict[tuple[str, str], str] = {}

    def add(self, peer: str, of_runnel: Iterable[Figure], of_peer: Iterable[Figure]) -> None:
        mine = {(figure["workload"], figure["figure"]): figure for figure in of_runnel}
        for figure in of_peer:
            key = (str(figure["workload"]), str(figure["figure"]))
            if key in mine:
                pair = (float(str(mine[key]["value"])), float(str(figure["value"])))
                self._pairs[(peer, *key)].append(pair)
                self._units[key] = str(figure["unit"])

    def ratios(self) -> list[Figure]:
        """One object for each peer and figure. Above 1 Runnel is ahead, whether more is better or less."""
        return [self._ratio(*key) for key in self._pairs]

    def table(self) -> str:
        """For people: a line for each peer, its median beside the factor by which Runnel is ahead."""
        ratios = {(each["system"], each["workload"], each["figure"]): each for each in self.ratios()}
        peers = list(dict.fromkeys(peer for peer, _, _ in self._pairs))
        shown = [each for each in SHOWN if each[:2] in self._units]
        rows = [["", *(heading for _, _, heading in shown)]]
        mine = (self._of_runnel(workload, figure) for workload, figure, _ in shown)
        rows.append(["runnel", *(_short(value) for value in mine)])
        for peer in peers:
            found = (ratios.get((peer, workload, figure)) for workload, figure, _ in shown)
            rows.append([peer, *(f"{_short(each['peer'])} ({each['ratio']}x)" if each else "" for each in found)])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(lines)

    def _ratio(self, peer: str, workload: str, figure: str) -> Figure:
        pairs = self._pairs[(peer, workload, figure)]
        unit = self._units[(workload, figure)]
        is_rate = unit.endswith("/s")
        factors = [(mine / other if is_rate else other / mine) for mine, other in pairs if mine and other]
        return {
            "system": peer, "workload": workload, "figure": figure, "unit": unit,
            "runnel": round(statistics.median(mine for mine, _ in pairs), 3),
            "peer": round(statistics.median(other for _, other in pairs), 3),
            "ratio": round(statistics.median(factors), 2) if factors else None,
            "ratios": [round(factor, 2) for factor in factors],
        }  # fmt: skip

    def _of_runnel(self, workload: str, figure: str) -> float | None:
        values = [
            mine for (_, *key), pairs in self._pairs.items() if key == [workload, figure] for mine, _ in pairs
        ]
        return statistics.median(values) if values else None


def _short(value: object) -> str:
    if not isinstance(value, float | int):
        return ""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"
