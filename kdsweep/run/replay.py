"""Train one trial again, and say whether its numbers are the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kdsweep import methods
from kdsweep.data import registry as source
from kdsweep.engine.faults import Fault
from kdsweep.engine.threads import one_thread
from kdsweep.protocol.code import code_digest
from kdsweep.run.machine import device_like, provenance
from kdsweep.run.store import Results
from kdsweep.run.worker import train
from kdsweep.values.study import Data
from kdsweep.values.trial import Trial
from kdsweep.values.user_code import callables, consent


@dataclass(frozen=True)
class Answer:
    """What a replay found: whether every number is bit-identical, and the answer in words."""

    identical: bool
    text: str


def replay(prefix: str, results: Results, *, allow_code: Sequence[str] = ()) -> Answer:
    """Retrain the trial whose id begins so, from the models and settings in the store, and compare every number.

    Args:
        allow_code: modules that may be run where the trial names code.

    Raises:
        ValueError: no such trial, several of them, data or code that are not those of the trial, or code that was not
            allowed.
    """
    known = results.metadata()
    id_ = _one(prefix, known)
    meta = known[id_]
    trial, data = Trial.named(id_, meta["trial"]), Data(**meta["data"])
    check(trial, data, allow_code)
    with one_thread():
        (outcome,) = train([trial], data, results, device=device_like(meta["device"]))
    if isinstance(outcome, Fault):
        return judge(id_, (), state="failed", error=outcome.text, known=known, results=results)
    points = ((point.epoch, point.metric, point.value) for point in outcome.points)
    return judge(id_, points, state=outcome.state, error=outcome.error, known=known, results=results)


def check(trial: Trial, data: Data, allow_code: Sequence[str]) -> None:
    """Whether this trial can be trained here as it was.

    Raises:
        ValueError: the data or the code are not those of the trial, or it names code that was not allowed.
    """
    # Before anything that the trial names is imported: a store or an archive may have come from anywhere.
    consent(code_of(trial) | ({data.python} if data.python is not None else set()), allow_code)
    if source.load(data.reference).facts(data.split).fingerprint != trial.fingerprint:
        raise ValueError(f"the dataset is not the one that trial {trial.id} was trained on: its fingerprint differs")
    if code_digest(trial.method) != trial.code:
        raise ValueError(
            f"the code of {trial.method!r} has changed since trial {trial.id}: its result has another name now"
        )


def code_of(trial: Trial) -> set[str]:
    """All the code that a trial and the models it reads name, beside what is shipped."""
    named = callables([trial.networks, trial.augment])
    if trial.method not in methods.names():
        named.add(trial.method)
    for model in trial.models.values():
        named |= code_of(model) if isinstance(model, Trial) else callables(model.network)
    return named


def judge(
    id_: str,
    points: Iterable[tuple[int, str, float]],
    *,
    state: str,
    error: str,
    known: Mapping[str, dict[str, Any]],
    results: Results,
) -> Answer:
    """Compare the points (epoch, metric, value) of a trial that was trained again with those in the store."""
    meta = known[id_]
    trial = Trial.from_json(meta["trial"])
    again = pd.DataFrame(points, columns=["epoch", "metric", "again"])
    stored = results.curves([id_])[["epoch", "metric", "value"]].astype({"metric": str})
    both = stored.merge(again, on=["epoch", "metric"], how="outer")
    parts = both[~((both.value == both.again) | (both.value.isna() & both.again.isna()))].sort_values(["epoch"])
    name = f"trial {id_} ({methods.load(trial.method).name}, seed {trial.seed})"
    if parts.empty and state == meta["state"]:
        return Answer(True, f"{name}: bit-identical, {len(both)} numbers in {meta['epochs']} epochs")
    if state != meta["state"]:
        return Answer(False, f"{name}: different: it was {meta['state']} and is {state} now. {error}")
    first = parts.iloc[0]
    where = f"first in epoch {first.epoch}, {first.metric}: {float(first.value)!r} then, {float(first.again)!r} now"
    elsewhere = [
        key for key in ("processor", "libraries", "device") if meta[key] != {**provenance(), **_here(meta)}[key]
    ]
    score = f"{'test' if trial.reads_test else 'valid'}/{trial.metric}"
    rows = both[(both.metric == score) & (both.epoch == meta["selected"])]
    moved = float((rows.again - rows.value).abs().iloc[0]) if len(rows) else float("nan")
    return Answer(
        False,
        f"{name}: different, {where}. {score} moved by {moved:.4f}{_spread(id_, score, known, results, moved)}."
        + (f" Not the same {' and '.join(elsewhere)} as then." if elsewhere else ""),
    )


def _one(prefix: str, known: Mapping[str, Any]) -> str:
    found = [id_ for id_ in known if id_.startswith(prefix)]
    if len(found) != 1:
        what = f"{len(found)} of the {len(known)} trials in this store have ids"
        raise ValueError(f"{what} that begin with {prefix!r}: expected one")
    return found[0]


def _here(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {"device": str(device_like(meta["device"]))}


def _spread(id_: str, score: str, known: Mapping[str, Any], results: Results, moved: float) -> str:
    """How that compares with what seeds alone do: the same score of the same trial with other seeds."""
    mine = _family(known[id_]["trial"])
    selected = {
        other: meta["selected"]
        for other, meta in known.items()
        if meta["state"] == "complete" and meta["selected"] and _family(meta["trial"]) == mine
    }
    curves = results.curves(selected, [score])
    values = curves[curves.epoch == curves.trial.astype(str).map(selected)].value
    if len(values) < 3 or not (spread := float(values.std())) > 0:
        return ""
    return f", {moved / spread:.1f} times the spread over {len(values)} seeds"


def _family(trial: Mapping[str, Any]) -> dict[str, Any]:
    # A teacher per seed is another model for each: the numbers it was trained with are the same.
    ignored = {"seed", "teacher", "auxiliaries", "thresholds"}
    return {key: value for key, value in trial.items() if key not in ignored}
