"""Runs that somebody else made: the same comparison for them, and what cannot be checked marked so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from kdsweep.report.facts.described import Budget, Check, Described, DescribedData
from kdsweep.report.facts.imported_tables import KEYS, RunKey, check_agreement, read_predictions, read_scores
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
        metric: which of those in `runs` is compared. Shares are from 0 to 1.
        claim, against: the arm that is to be shown better, and than which; without them all is exploratory.
        equivalent: half the width of the region of equivalence, in the metric's printed unit.

    Raises:
        ValueError: a column lacks, a run is there twice, a share is no share, or the predictions of a run do not give
            the score that is written down for it.
    """
    scored = read_scores(runs, metric)
    given = None if predictions is None else read_predictions(predictions)
    names = list(dict.fromkeys(scored["arm"]))
    for arm in [*([claim] if claim else []), *against]:
        if arm not in names:
            raise ValueError(f"{runs}: a claim is about arms of the table, {', '.join(names)}, got {arm!r}")
    if bool(claim) != bool(against):
        raise ValueError("a claim names an arm and what it is better than: --claim ARM --against ARM")
    tested = {} if given is None else given.by_run
    check_agreement(scored, tested, metric, runs)
    study = Described(
        name=name or runs.stem,
        task=having(metric).name,
        metric=metric,
        select="",
        arms={arm: _arm(arm) for arm in names},
        budget=Budget(0, int(scored.groupby(["arm", "fold"])["seed"].nunique().max())),
        data=DescribedData(
            test=0 if given is None else given.samples,
            test_groups=None if given is None else given.groups,
            folds=int(scored["fold"].nunique()),
            classes=() if given is None else given.classes,
        ),
        claim=Claim(claim, tuple(against)) if claim else None,
        equivalent=equivalent,
        command=f"python -m kdsweep report --runs {runs}" + (f" --predictions {predictions}" if predictions else ""),
        checks=_checks(scored, tested, metric),
    )
    usable = given is not None and given.suffice(metric)
    ids = {key: _id(*key) for key in scored[KEYS].drop_duplicates().itertuples(index=False, name=None)}
    by_trial = {ids[key]: frame for key, frame in tested.items() if key in ids}
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
        predictions=by_trial.get if usable else lambda trial: None,
    )


def _checks(scored: pd.DataFrame, tested: Mapping[RunKey, pd.DataFrame], metric: str) -> tuple[Check, ...]:
    """What is known of such runs, and what is not."""
    mine = scored[scored["metric"] == metric]
    by_arm = mine.groupby("arm", sort=False)
    seeds = {arm: frozenset(zip(scores["fold"], scores["seed"], strict=True)) for arm, scores in by_arm}
    same = len(set(seeds.values())) == 1
    samples = {frozenset(frame["sample"]) for frame in tested.values()}
    folds = scored["fold"].nunique()
    every_arm = "every arm has the same seeds"
    checks = [
        Check(every_arm, "yes", "") if same else Check(every_arm, "no", "comparisons use the seeds that both arms have")
    ]
    agreement = "scores are those of the predictions"
    if tested:
        missing = len(mine) - len({*mine[KEYS].itertuples(index=False, name=None)} & set(tested))
        state = "yes" if METRICS[metric].mean and not missing else "in part" if METRICS[metric].mean else UNKNOWN
        note = f"{missing} runs without predictions" if missing else f"{len(mine)} runs"
        checks += [
            Check(agreement, state, note),
            Check("every run was tested on the same samples", "yes" if len(samples) <= folds else "no", ""),
        ]
    else:
        checks.append(Check(agreement, UNKNOWN, "no predictions were given: no verdicts"))
    return (
        *checks,
        Check("equal seeds pair the arms", UNKNOWN, "equal seeds were taken to mean equal splits and batch orders"),
        Check("every arm had the same tuning budget", UNKNOWN, "a larger search finds better settings"),
        Check("settings and epochs were chosen on validation", UNKNOWN, "chosen on test, every score is too high"),
        Check("test was read once", UNKNOWN, "seeds that were added after a look make p values too small"),
        Check("no run was left out", UNKNOWN, "a failed run that is not in the table flatters its arm"),
        Check("teachers had the same data", UNKNOWN, ""),
    )


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
