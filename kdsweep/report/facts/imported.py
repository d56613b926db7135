"""Runs that somebody else made: the same comparison for them, and what cannot be checked marked so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from kdsweep.report.facts.described import Budget, Check, Described, DescribedData
from kdsweep.report.facts.imported_predictions import (
    Predictions,
    check_agreement,
    on_shared_samples,
    read_predictions,
)
from kdsweep.report.facts.imported_tables import KEYS, RunKey, Scores, read_scores
from kdsweep.report.facts.runs import Runs
from kdsweep.tasks.registry import METRICS, having
from kdsweep.values.study import Arm, Claim

UNKNOWN = "not verified"
# Names under which others publish a student that was trained alone.
ALONE = {"student_only", "student only", "baseline"}


def read(
    runs: Path,
    predictions: Path | None = None,
    *,
    metric: str = "accuracy",
    claim: str | None = None,
    against: Sequence[str] = (),
    equivalent: float | None = None,
    name: str = "",
) -> Runs:
    """The tables of one comparison, CSV or Parquet.

    Args:
        metric: which of those in `runs` is compared. Shares are from 0 to 1, or all per cent.
        claim, against: the arm that is to be shown better, and than which; without them all is exploratory.
        equivalent: half the width of the region of equivalence, in the metric's printed unit.

    Raises:
        ValueError: a column lacks, a run is there twice, a share is no share, or the predictions of a run do not give
            the score that is written down for it.
    """
    scores = read_scores(runs, metric)
    given = None if predictions is None else read_predictions(predictions, metric)
    names = list(dict.fromkeys(scores.table["arm"]))
    for arm in [*([claim] if claim else []), *against]:
        if arm not in names:
            raise ValueError(f"{runs}: a claim is about arms of the table, {', '.join(names)}, got {arm!r}")
    if bool(claim) != bool(against):
        raise ValueError("a claim names an arm and what it is better than: --claim ARM --against ARM")
    restricted = ""
    if given is not None:
        check_agreement(scores, given, metric, runs)
        scores, given, restricted = on_shared_samples(scores, given, metric, runs)
    scored, folds = scores.table, int(scores.table["fold"].nunique())
    samples = 0 if given is None else given.samples
    study = Described(
        name=name or runs.stem,
        task=having(metric).name if given is None else given.task.name,
        metric=metric,
        select="",
        arms={arm: _arm(arm) for arm in names},
        budget=Budget(0, int(scored.groupby(["arm", "fold"])["seed"].nunique().max())),
        data=DescribedData(
            test=samples,
            test_groups=None if given is None else given.groups,
            folds=folds,
            classes=() if given is None else given.classes,
        ),
        claim=Claim(claim, tuple(against)) if claim else None,
        equivalent=equivalent,
        command=f"python -m kdsweep report --runs {runs}" + (f" --predictions {predictions}" if predictions else ""),
        checks=_checks(scores, given, metric, restricted),
    )
    ids = {key: _id(*key) for key in scored[KEYS].drop_duplicates().itertuples(index=False, name=None)}
    usable = given is not None and not given.lacks
    by_trial = {ids[key]: frame for key, frame in given.by_run.items() if key in ids} if given and usable else {}
    return Runs(
        study=study,
        index=_index(ids),
        trials=_trials(ids, scored),
        curves=pd.DataFrame(
            {
                "trial": [ids[key] for key in scored[KEYS].itertuples(index=False, name=None)],
                "epoch": 1,
                "metric": "test/" + scored["metric"],
                "value": scored["value"],
            }
        ).dropna(),
        predictions=by_trial.get,
    )


def _checks(scores: Scores, given: Predictions | None, metric: str, restricted: str) -> tuple[Check, ...]:
    """What is known of such runs, and what is not."""
    mine = scores.table[scores.table["metric"] == metric]
    by_arm = mine.groupby("arm", sort=False)
    seeds = {arm: frozenset(zip(values["fold"], values["seed"], strict=True)) for arm, values in by_arm}
    same = len(set(seeds.values())) == 1
    every_arm = "every arm has the same seeds"
    checks = [
        Check(every_arm, "yes", "") if same else Check(every_arm, "no", "comparisons use the seeds that both arms have")
    ]
    if scores.percent:
        checks.append(
            Check(
                "shares are written from 0 to 1",
                "no",
                f"{_listed(scores.percent)} {'is' if len(scores.percent) == 1 else 'are'} read as per cent",
            )
        )
    agreement = "scores are those of the predictions"
    if given is None:
        checks.append(Check(agreement, UNKNOWN, "no predictions were given: no verdicts"))
    else:
        missing = len({*mine[KEYS].itertuples(index=False, name=None)} - set(given.by_run))
        note = f"{missing} runs without predictions" if missing else f"{len(mine)} runs"
        state = "in part" if missing else "yes"
        if given.lacks:
            state, note = UNKNOWN, f"{metric} is worked out from {given.lacks}, which they lack: no verdicts"
        elif not METRICS[metric].tested and METRICS[metric].per_sample is None:
            state, note = UNKNOWN, f"{metric} is not worked out from predictions: no verdicts"
        checks += [
            Check(agreement, state, note),
            Check("every run was tested on the same samples", "no" if restricted else "yes", restricted),
        ]
    return (
        *checks,
        Check("equal seeds pair the arms", UNKNOWN, "equal seeds were taken to mean equal splits and batch orders"),
        Check("every arm had the same tuning budget", UNKNOWN, "a larger search finds better settings"),
        Check("settings and epochs were chosen on validation", UNKNOWN, "chosen on test, every score is too high"),
        Check("test was read once", UNKNOWN, "seeds that were added after a look make p values too small"),
        Check("no run was left out", UNKNOWN, "a failed run that is not in the table flatters its arm"),
        Check("teachers had the same data", UNKNOWN, ""),
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(words)


def _arm(name: str) -> Arm:
    method = "student_only" if name.lower() in ALONE else ""
    return Arm(name=name, label=name, method=method, teacher="", choices={}, fixed={}, space={})


def _index(ids: Mapping[RunKey, str]) -> pd.DataFrame:
    fixed = {"stage": "confirm", "row": "", "retuned": False, "control": "", "trains": "student", "repeat": 0}
    rows = [
        {"trial": id_, "arm": arm, "seed": seed, "fold": fold, **fixed, "generation": -1, "number": -1, "wanted": True}
        for (arm, seed, fold), id_ in ids.items()
    ]
    return pd.DataFrame(rows)


def _trials(ids: Mapping[RunKey, str], scored: pd.DataFrame) -> pd.DataFrame:
    failed = scored[scored["value"].isna()]
    lost = set(failed[KEYS].itertuples(index=False, name=None))
    fixed = {
        "method": "", "choices": "{}", "dropped": "[]", "teacher": "", "distils_from": UNKNOWN, "epochs": 1,
        "seconds": 0.0, "error": "", "papers": "{}", "version": "", "commit": "", "host": "", "device": "",
        "libraries": "{}", "start": "", "end": "",
    }  # fmt: skip
    return pd.DataFrame(
        [
            {"trial": id_, "state": "failed" if key in lost else "complete", "seed": key[1], "fold": key[2], **fixed}
            for key, id_ in ids.items()
        ]
    )


def _id(arm: str, seed: int, fold: int) -> str:
    return f"{arm}, seed {seed}" + (f", fold {fold}" if fold else "")
