"""The predictions of a row's confirm runs on the test samples, read once for all the sections that ask."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdsweep.report.facts import teachers
from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.compare import confirmed

Array = NDArray[np.float64]
COLUMNS = ["sample", "group", "label", "prediction", "rank"]


class Pair(NamedTuple):
    """Whom a comparison of predictions is about: the claim's arm, or else the last one, and its first baseline."""

    method: str
    baseline: str


def pair(runs: Runs) -> Pair | None:
    claim = runs.study.claim
    method = claim.arm if claim else runs.arms[-1] if runs.arms else ""
    others = [arm for arm in runs.baselines if arm != method]
    return Pair(method, others[0]) if method and others else None


@functools.lru_cache(maxsize=32)
def student_predictions(runs: Runs, arm: str) -> pd.DataFrame:
    """Every kept prediction of an arm's finished confirm runs, with the number of its `run`; without logits."""
    return predictions_of(runs, tuple(confirmed(runs, arm).finished.values()))


@functools.lru_cache(maxsize=32)
def teacher_predictions(runs: Runs, arm: str) -> pd.DataFrame:
    """The same of the frozen teachers that these runs learned from; a teacher of several models counts with each."""
    return predictions_of(runs, tuple(teachers.models_of(runs.select("confirm", arm))))


def predictions_of(runs: Runs, trials: tuple[str, ...]) -> pd.DataFrame:
    kept = [(i, frame) for i, trial in enumerate(trials) if (frame := read(runs, trial)) is not None]
    if not kept:
        return pd.DataFrame(columns=[*COLUMNS, "run"])
    return pd.concat([frame.assign(run=i) for i, frame in kept], ignore_index=True)


@functools.lru_cache(maxsize=256)
def read(runs: Runs, trial: str) -> pd.DataFrame | None:
    """A trial's predictions without logits, None where none were kept. Of retrieval `rank` is that in the gallery."""
    predictions = runs.predictions(trial)
    if predictions is not None and "gallery_rank" in predictions:
        predictions = predictions.assign(rank=predictions["gallery_rank"])
    return None if predictions is None else predictions.reindex(columns=COLUMNS)


def classes(*frames: pd.DataFrame) -> int:
    """How many classes these predictions speak of."""
    return 1 + max(int(frame[["label", "prediction"]].to_numpy(dtype=int).max(initial=0)) for frame in frames)


def probabilities(predictions: pd.DataFrame) -> Array | None:
    """[I, C] softmax of the kept logits; None where none were kept."""
    if "logits" not in predictions or predictions["logits"].isna().any() or predictions.empty:
        return None
    logits = np.stack([np.asarray(row, dtype=float) for row in predictions["logits"]])
    weights: Array = np.exp(logits - logits.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    return weights
