"""A study and its store, as the tables that a report reads."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from kdsweep import methods
from kdsweep.report.facts.runs import Runs
from kdsweep.run.store import Results
from kdsweep.values.space import to_json
from kdsweep.values.study import Arm, Study
from kdsweep.values.trial import Trial

LOOK = ["n", "repeats", "when"]


def collect(
    study: Study, results: Results, *, expected: Mapping[str, int] | None = None, refresh: bool = False
) -> Runs:
    """Everything that the study asked for, by its index, and what the store holds of it.

    Args:
        expected: how many runs each stage of the whole study has, where it is not finished.
        refresh: whether the page is to load itself anew while the study runs.
    """
    index = pd.DataFrame(results.read_rows(study.name, "index"))
    known = results.metadata()
    asked = dict.fromkeys(index["trial"]) if len(index) else {}
    there = {id_: known[id_] for id_ in asked if id_ in known}
    state = results.read_json(study.name, "state") or {}
    complete = bool(state.get("complete"))
    described = _study(study, complete=complete, inapplicable=state.get("inapplicable", {}))
    described |= {"expected": dict(expected or {}), "refresh": refresh and not complete}
    curves = results.curves(there)
    return Runs(
        study=described,
        index=index,
        trials=pd.DataFrame([_trial(id_, meta) for id_, meta in there.items()]),
        curves=curves[["trial", "epoch", "metric", "value"]],
        predictions=results.predictions,
        looks=pd.DataFrame(_looks(study, results, complete=complete), columns=LOOK),
    )


def record_look(study: Study, results: Results, runs: Runs) -> None:
    """Remember that a complete confirm was shown at this number of seeds: a later look at more is judged as such."""
    if runs.study["complete"]:
        results.write_rows(study.name, "looks", [dict(zip(LOOK, look, strict=True)) for look in runs.looks.values])


def _looks(study: Study, results: Results, *, complete: bool) -> list[dict[str, Any]]:
    earlier = results.read_rows(study.name, "looks")
    # With repeats, each brings its seeds: either way of adding runs is looking again. The same n says the same again.
    now = {"n": study.confirm.seeds * study.search.repeats, "repeats": study.search.repeats}
    if complete and all(now["n"] > look["n"] for look in earlier):
        return [*earlier, {**now, "when": datetime.now(UTC).isoformat(timespec="seconds")}]
    return earlier


def _study(study: Study, *, complete: bool, inapplicable: Mapping[str, str]) -> dict[str, Any]:
    assert study.facts is not None, "a report needs the facts of the data"
    counts = study.facts.folds[0].counts
    return {
        "name": study.name,
        "task": study.task,
        "metric": study.metric,
        "maximize": study.maximize,
        "select": study.select,
        "student": list(study.student),
        "auxiliary": list(study.auxiliary),
        "equivalent": study.equivalent,
        "claim": {"arm": study.claim.arm, "against": list(study.claim.against)} if study.claim else None,
        "ablated": study.ablated,
        "drop_auxiliary": study.data.drop_auxiliary,
        "retune": study.retune,
        "seeds": study.confirm.seeds,
        "search_trials": study.search.trials,
        "repeats": study.search.repeats,
        "folds": len(study.facts.folds),
        "fold_search": study.data.folds.search if study.data.folds else "each",
        "test_count": counts["test"],
        "test_groups": study.facts.test_groups,
        "train_count": counts["train"],
        "valid_count": counts["valid"],
        "classes": list(study.card.classes),
        "fingerprint": study.facts.fingerprint,
        "parts": [dict(fold.digests) for fold in study.facts.folds],
        "networks": dict(study.networks),
        "train": study.train.model_dump(),
        "file": study.source,
        "path": study.path,
        "command": f"python -m kdsweep launch {study.path}",
        "storage": study.storage,
        "arms": {arm.name: _arm(arm) for arm in study.arms.values()},
        "rows": {
            row.name: {
                "kind": row.kind,
                "dropped": list(row.dropped),
                "choices": dict(row.choices),
                "numbers": dict(row.numbers),
                "data": dict(row.data),
            }
            for row in study.rows
        },
        "controls": list(study.controls),
        "inapplicable": dict(inapplicable),
        "complete": complete,
    }


def _arm(arm: Arm) -> dict[str, Any]:
    method = methods.load(arm.method)
    return {
        "label": arm.label,
        "method": arm.method,
        "summary": method.summary,
        "teacher": arm.teacher,
        "joint": method.teacher(arm.choices) == "joint",
        "reference": arm.reference,
        "terms": list(method.terms(arm.choices)),
        "required": list(method.required),
        "base": list(method.base),
        "choices": dict(arm.choices),
        "space": {name: to_json(domain) for name, domain in arm.space.items()},
    }


def _trial(id_: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    trial = meta["trial"]
    return {
        "trial": id_,
        "state": meta["state"],
        "method": trial["method"],
        "choices": json.dumps(trial["choices"]),
        "dropped": json.dumps(trial["dropped"]),
        "teacher": ",".join(meta["teacher"]),
        "auxiliaries": ",".join(_id(json.dumps(model)) for model in trial["auxiliaries"].values()),
        "distils_from": trial["distils_from"],
        "seed": trial["seed"],
        "fold": trial["fold"],
        "selected": meta["selected"],
        "epochs": meta["epochs"],
        "seconds": meta["seconds"],
        "error": meta["error"],
        "papers": json.dumps(meta["papers"]),
        "libraries": json.dumps(meta["libraries"]),
        "thresholds": json.dumps(trial["thresholds"]),
        # Rows of earlier versions name neither.
        "process": meta.get("process", 0),
        "width": meta.get("width", 1),
        **{name: meta[name] for name in ("version", "commit", "host", "processor", "device", "start", "end")},
        **{f"param.{name}": value for name, value in meta["numbers"].items()},
    }


@functools.lru_cache(maxsize=1024)
def _id(model: str) -> str:
    """A nested trial's id, worked out once however many trials read that model."""
    return Trial.from_json(json.loads(model)).id
