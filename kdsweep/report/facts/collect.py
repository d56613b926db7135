"""A study and its store, as the tables that a report reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from kdsweep.report.facts import ledger
from kdsweep.report.facts.described import Budget, Described, DescribedData
from kdsweep.report.facts.runs import Fitted, Predicted, Runs, Said
from kdsweep.run.store import Results
from kdsweep.values.reference_model import LABELS, reference_models
from kdsweep.values.study import Study
from kdsweep.values.trial import Trial, digest

if TYPE_CHECKING:
    from kdsweep.run.journal import Standing


def collect(
    study: Study,
    results: Results,
    standing: Standing,
    *,
    expected: Mapping[str, int] | None = None,
    refresh: bool = False,
) -> Runs:
    """Everything that the study asked for, by its index, and what the store holds of it.

    Args:
        standing: what the study asks for, and whether that is all there.
        expected: how many runs each stage of the whole study has, where it is not finished.
        refresh: whether the page is to load itself anew while the study runs.
    """
    index = pd.DataFrame(standing.index)
    known = results.metadata()
    asked = dict.fromkeys(index["trial"]) if len(index) else {}
    there = {id_: known[id_] for id_ in asked if id_ in known}
    complete = standing.complete
    described = replace(
        describe(study, complete=complete, inapplicable=standing.inapplicable),
        expected=expected or {},
        refresh=refresh and not complete,
    )
    curves = results.curves(there)
    now = ledger.showing(described, index, there)
    lines = map(ledger.from_json, results.ledger().values())
    return Runs(
        study=described,
        index=index,
        trials=pd.DataFrame([_trial(id_, meta) for id_, meta in there.items()]),
        curves=curves[["trial", "epoch", "metric", "value"]],
        predictions=_grouped(results.predictions, study),
        readings=_readings(results, study, there),
        fitted=_fitted(results, study) if complete else (),
        history=ledger.history(lines, now, rows=described.data.tested, data=described.data.fingerprint),
    )


def _fitted(results: Results, study: Study) -> tuple[Fitted, ...]:
    """Reference models that are there: of each kind one row, or why there is none."""
    found = []
    for kind, label in LABELS.items():
        records = [results.reference(model.id) for model in reference_models(study) if model.kind == kind]
        there = [record for _, record in filter(None, records)]
        if not there or len(there) < len(records):
            continue
        notes = [f"not fitted: {record['error']}" if record["error"] else record["note"] for record in there]
        scores = pd.DataFrame([record["scores"] for record in there]).mean(skipna=False)
        found.append(
            Fitted(
                label,
                {str(name): float(value) for name, value in scores.items()},
                len(there),
                tuple(dict.fromkeys(filter(None, notes))),
            )
        )
    return tuple(found)


def _readings(results: Results, study: Study, trials: Iterable[str]) -> Callable[[str], Said]:
    """By a condition's id what the students said under it."""

    def read(condition: str) -> Said:
        there = results.readings()
        found = {id_: results.reading(id_, condition) for id_ in trials if (id_, condition) in there}
        rows = [(id_, 0, f"test/{name}", value) for id_, (_, scores) in found.items() for name, value in scores.items()]
        predictions = {id_: said for id_, (said, _) in found.items()}
        return Said(pd.DataFrame(rows, columns=["trial", "epoch", "metric", "value"]), _grouped(predictions.get, study))

    return read


def _grouped(stored: Predicted, study: Study) -> Predicted:
    """Predictions with each sample's group as the dataset has it now: a trial's name does not cover groups.

    Raises:
        ValueError: (what is returned) a sample is none of those that the dataset tests.
    """
    assert study.facts is not None
    groups = study.facts.groups
    if groups is None:
        return stored

    def read(trial: str) -> pd.DataFrame | None:
        predictions = stored(trial)
        if predictions is None:
            return None
        mine = predictions["sample"].astype(str).map(groups)
        if mine.isna().any():
            stranger = predictions["sample"][mine.isna()].iloc[0]
            raise ValueError(f"predictions are of samples that the data test, got {stranger!r} from trial {trial}")
        return predictions.assign(group=mine)

    return read


def describe(study: Study, *, complete: bool, inapplicable: Mapping[str, str]) -> Described:
    """A study file's study, in a report's words."""
    assert study.facts is not None, "a report needs the facts of the data"
    counts = study.facts.folds[0].counts
    return Described(
        name=study.name,
        task=study.task,
        metric=study.metric,
        select=study.select,
        arms=study.arms,
        budget=Budget(
            study.search.trials,
            study.confirm.seeds,
            study.search.repeats,
            published_first="defaults" in study.search.first,
        ),
        data=DescribedData(
            train=counts["train"],
            valid=counts["valid"],
            given=study.facts.given,
            standardised=study.data.path is not None if study.data.standardise is None else study.data.standardise,
            test=counts["test"],
            test_groups=study.facts.test_groups,
            known_groups=study.facts.known_groups,
            split_by=study.data.split_by or "",
            infer_over=study.data.infer_over or "",
            grouping=digest(dict(study.facts.groups)) if study.facts.groups else "",
            folds=len(study.facts.folds),
            search_fold=study.data.folds.search if study.data.folds else "each",
            classes=study.card.classes,
            drop_auxiliary=study.data.drop_auxiliary,
            drop_labels=study.data.drop_labels,
            unlabelled=study.facts.folds[0].unlabelled,
            fingerprint=study.facts.fingerprint,
            tested=study.facts.tested,
            parts=tuple(fold.digests for fold in study.facts.folds),
        ),
        student=study.student,
        auxiliary=study.auxiliary,
        claim=study.claim,
        equivalent=study.equivalent,
        ablated=study.ablated,
        rows={row.name: row for row in study.rows},
        controls=study.controls,
        inapplicable=inapplicable,
        conditions=study.conditions,
        networks=study.networks,
        train=study.train.model_dump(exclude_none=True),
        model_space=study.teacher_space,
        licence=study.card.licence,
        source=study.card.source,
        file=study.source,
        path=study.path,
        command=f"python -m kdsweep launch {study.path}",
        storage=study.storage,
        complete=complete,
    )


def _trial(id_: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    trial = Trial.named(id_, meta["trial"])
    return {
        "trial": id_,
        "state": meta["state"],
        "method": trial.method,
        "choices": json.dumps(trial.choices),
        "dropped": json.dumps(trial.dropped),
        "teacher": ",".join(model.id for model in trial.teachers),
        "auxiliaries": ",".join(model.id for model in trial.auxiliaries.values()),
        "distils_from": trial.distils_from,
        "seed": trial.seed,
        "fold": trial.fold,
        "selected": meta["selected"],
        "epochs": meta["epochs"],
        "seconds": meta["seconds"],
        "error": meta["error"],
        "papers": json.dumps(meta["papers"]),
        "libraries": json.dumps(meta["libraries"]),
        "thresholds": json.dumps(trial.thresholds),
        # Rows of earlier versions name none of these.
        "process": meta.get("process", 0),
        "width": meta.get("width", 1),
        **{name: meta.get(name, 0) for name in ("cores", "memory", "accelerator_memory")},
        "accelerator": meta.get("accelerator", ""),
        **{name: meta[name] for name in ("version", "commit", "host", "processor", "device", "start", "end")},
        **{f"param.{name}": value for name, value in meta["numbers"].items()},
    }
