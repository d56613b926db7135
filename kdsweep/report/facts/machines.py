"""What the trials ran on, in words: processor, memory, accelerator, as each trial's own row says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

GIB = 2**30


def processor(trial: Mapping[str, Any]) -> str:
    """ "x86_64 AMD EPYC, 2 cores, 24 GiB"; "" where a run does not say."""
    cores, memory = _count(trial, "cores"), _count(trial, "memory")
    parts = [str(trial.get("processor") or ""), f"{cores} cores" if cores else "", _gib(memory)]
    return ", ".join(part for part in parts if part)


def device(trial: Mapping[str, Any]) -> str:
    """ "cpu", or "cuda:0, NVIDIA H100, 80 GiB"."""
    parts = [
        str(trial.get("device") or ""),
        str(trial.get("accelerator") or ""),
        _gib(_count(trial, "accelerator_memory")),
    ]
    return ", ".join(part for part in parts if part)


def described(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials with `machine` and `trained on`, in words."""
    rows = [{str(name): cell for name, cell in row.items()} for row in trials.to_dict("records")]
    return trials.assign(machine=[processor(row) for row in rows], **{"trained on": [device(row) for row in rows]})


def _count(trial: Mapping[str, Any], name: str) -> int:
    value = trial.get(name)
    return 0 if value is None or pd.isna(value) else int(value)


def _gib(memory: int) -> str:
    return f"{memory / GIB:.0f} GiB" if memory else ""
