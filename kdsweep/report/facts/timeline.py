"""When what ran where: packs as intervals on the places of their machines, from the provenance of their trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdsweep.report.facts.runs import Runs

IDLE = 60.0  # seconds in which nothing ran, beyond which the time is cut out: launches may lie days apart
CUT = 5.0  # seconds that stand for a cut

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Timeline:
    """What ran.

    Attributes:
        packs: a row each: `host`, `slot` (number on its host), `stage`, `arm`, `trials`, `seconds` (of training,
            summed over its trials), and `begin`, `end` in seconds since the first start, idle times cut out.
        cuts: where idle time was cut out, in the same seconds.
        slots: how many packs each host ever ran at once.
    """

    packs: pd.DataFrame
    cuts: tuple[float, ...]
    slots: dict[str, int]

    @property
    def span(self) -> float:
        return float(self.packs["end"].max())

    def utilisation(self, host: str | None = None) -> float:
        """Share of the slots' time in which a pack ran, cuts left out."""
        packs = self.packs if host is None else self.packs[self.packs["host"] == host]
        slots = sum(self.slots.values()) if host is None else self.slots[host]
        worked = self.span - CUT * len(self.cuts)
        return float((packs["end"] - packs["begin"]).sum()) / (slots * worked) if worked > 0 else 0.0

    def busy(self, bins: int) -> tuple[Array, Array]:
        """Middles of equal bins of time, and the share of all slots that were busy in each."""
        edges = np.linspace(0, self.span, bins + 1)
        begin, end = self.packs["begin"].to_numpy(), self.packs["end"].to_numpy()
        overlap = np.clip(np.minimum(end[:, None], edges[1:]) - np.maximum(begin[:, None], edges[:-1]), 0, None).sum(0)
        shares: Array = overlap / ((edges[1] - edges[0]) * sum(self.slots.values()))
        return (edges[:-1] + edges[1:]) / 2, shares


def timeline(runs: Runs) -> Timeline | None:
    """Of every trial that the study asks for and whose start and end are known; None where there is none."""
    columns = {"start", "end", "host"}
    if runs.trials.empty or not columns <= set(runs.trials):
        return None
    roles = runs.roles.drop_duplicates("trial").set_index("trial")
    trials = runs.trials[runs.trials["trial"].isin(roles.index)]
    for column in ("start", "end"):
        trials = trials.assign(**{column: pd.to_datetime(trials[column], utc=True, format="ISO8601", errors="coerce")})
    trials = trials.dropna(subset=["start", "end"])
    if trials.empty:
        return None
    trials = trials.assign(
        stage=trials["trial"].map(roles["stage"]),
        arm=trials["trial"].map(roles["arm"]),
        process=trials.get("process", 0),
    )
    # Members of a pack start together in one process.
    packs = (
        trials.groupby(["host", "process", "start"], sort=True)
        .agg(
            end=("end", "max"),
            stage=("stage", "first"),
            arm=("arm", "first"),
            n=("trial", "size"),
            s=("seconds", "sum"),
        )
        .reset_index()
        .rename(columns={"n": "trials", "s": "seconds"})
        .sort_values("start", kind="stable", ignore_index=True)
    )
    first = packs["start"].min()
    begin = (packs["start"] - first).dt.total_seconds().to_numpy(dtype=float)
    end = (packs["end"] - first).dt.total_seconds().to_numpy(dtype=float)
    begin, end, cuts = _without_idle(begin, end)
    packs = packs.assign(begin=begin, end=end).drop(columns=["start", "process"])
    packs["slot"] = _slots(packs)
    return Timeline(packs, cuts, {str(host): int(n) + 1 for host, n in packs.groupby("host")["slot"].max().items()})


def _without_idle(begin: Array, end: Array) -> tuple[Array, Array, tuple[float, ...]]:
    """The same intervals, sorted by their begin, with long times in which none runs shortened."""
    moved_begin, moved_end, cuts = begin.copy(), end.copy(), []
    latest, shift = end[0], 0.0
    for i in range(len(begin)):
        if begin[i] - latest > IDLE:
            shift += begin[i] - latest - CUT
            cuts.append(float(begin[i] - shift - CUT / 2))
        moved_begin[i], moved_end[i] = begin[i] - shift, end[i] - shift
        latest = max(latest, end[i])
    return moved_begin, moved_end, tuple(cuts)


def _slots(packs: pd.DataFrame) -> list[int]:
    """The first slot of its host that is free when a pack begins. Starts may be noted a moment before the last end."""
    free: dict[str, list[float]] = {}
    chosen = []
    for host, begin, end in zip(packs["host"], packs["begin"], packs["end"], strict=True):
        slots = free.setdefault(str(host), [])
        slot = next((i for i, until in enumerate(slots) if until <= begin + 0.5), len(slots))
        slots[slot : slot + 1] = [end]
        chosen.append(slot)
    return chosen
