"""Runs that were made elsewhere, as tables: the same comparison for them, and what cannot be checked marked so.

runs           arm, seed, metric, value          and where there are any: fold
predictions    arm, seed, sample, label, prediction          and: fold, group, rank, logits
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdsweep.report.facts.described import Budget, Check, Described, DescribedData
from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.scores import units
from kdsweep.tasks.registry import METRICS, having
from kdsweep.values.study import Arm, Claim

KEYS = ["arm", "seed", "fold"]
NEEDS = {"runs": ["arm", "seed", "metric", "value"], "predictions": ["arm", "seed", "sample", "label", "prediction"]}
# What a metric reads beside label and prediction.
READS = {"log_loss": "logits", "top5": "rank", "ece": "logits"}
SLACK = 5e-4  # between a score that was written down and the one that its predictions give: three digits
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
    scored = _runs(_table(runs, "runs"), runs)
    if metric not in set(scored["metric"]):
        raise ValueError(f"{runs}: the metric that is compared is one of {_listed(scored['metric'])}, got {metric!r}")
    said = None if predictions is None else _predictions(_table(predictions, "predictions"), predictions)
    names = list(dict.fromkeys(scored["arm"]))
    for arm in [*([claim] if claim else []), *against]:
        if arm not in names:
            raise ValueError(f"{runs}: a claim is about arms of the table, {', '.join(names)}, got {arm!r}")
    if bool(claim) != bool(against):
        raise ValueError("a claim names an arm and what it is better than: --claim ARM --against ARM")
    tested = {} if said is None else dict(_by_run(said.table))
    _agree(scored, tested, metric, runs)
    groups = None if said is None or "group" not in said.table else said.table["group"].nunique()
    study = Described(
        name=name or runs.stem,
        task=having(metric).name,
        metric=metric,
        select="",
        arms={arm: _arm(arm) for arm in names},
        budget=Budget(0, int(scored.groupby(["arm", "fold"])["seed"].nunique().max())),
        data=DescribedData(
            test=0 if said is None else int(said.table["sample"].nunique()),
            test_groups=None if groups is None else int(groups),
            folds=int(scored["fold"].nunique()),
            classes=() if said is None else tuple(said.classes),
        ),
        claim=Claim(claim, tuple(against)) if claim else None,
        equivalent=equivalent,
        command=f"python -m kdsweep report --runs {runs}" + (f" --predictions {predictions}" if predictions else ""),
        checks=_checks(scored, tested, metric),
    )
    usable = metric not in READS or (said is not None and READS[metric] in said.table)
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
        looks=pd.DataFrame({"n": []}),
    )


class _Said:
    """Predictions with numbers for classes, and the classes' names."""

    def __init__(self, table: pd.DataFrame, classes: list[str]) -> None:
        self.table, self.classes = table, classes


def _table(path: Path, kind: str) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {kind} are a table, as .csv or .parquet: {str(error).splitlines()[0]}") from error
    if missing := [column for column in NEEDS[kind] if column not in table]:
        raise ValueError(f"{path}: {kind} need the columns {', '.join(NEEDS[kind])}; {', '.join(missing)} is not there")
    if "fold" not in table:
        table = table.assign(fold=0)
    if table.empty or table[KEYS].isna().any(axis=None):
        raise ValueError(f"{path}: {kind} have a row for each run, and none without its arm and seed")
    try:
        return table.astype({"arm": str, "seed": int, "fold": int})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: seeds and folds are whole numbers: {error}") from error


def _runs(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    table = table.assign(metric=table["metric"].astype(str).str.removeprefix("test/"))
    if unknown := sorted(set(table["metric"]) - set(METRICS)):
        raise ValueError(f"{path}: a metric is one of {', '.join(METRICS)}, got {unknown[0]!r}")
    twice = table[table.duplicated([*KEYS, "metric"])]
    if len(twice):
        arm, seed, metric = twice.iloc[0][["arm", "seed", "metric"]]
        raise ValueError(f"{path}: a run has one value a metric, got two for {arm}, seed {seed}, {metric}")
    value = pd.to_numeric(table["value"], errors="coerce")
    shares = table["metric"].map(lambda name: METRICS[name].unit == "%")
    wrong = value[shares & ((value < 0) | (value > 1))]
    if len(wrong):
        raise ValueError(f"{path}: shares are from 0 to 1 (0.874 for 87.4 %), got {wrong.iloc[0]:g}")
    return table.assign(value=value)


def _predictions(table: pd.DataFrame, path: Path) -> _Said:
    names = sorted({*table["label"].astype(str), *table["prediction"].astype(str)}, key=_natural)
    codes = {word: i for i, word in enumerate(names)}
    numbers = {column: table[column].astype(str).map(codes).astype(int) for column in ("label", "prediction")}
    table = table.assign(sample=table["sample"].astype(str), **numbers)
    if table.duplicated([*KEYS, "sample"]).any():
        raise ValueError(f"{path}: a run predicts each sample once, got one twice")
    for column in ("label", "group"):
        if column in table and (table.groupby("sample")[column].nunique(dropna=False) > 1).any():
            raise ValueError(f"{path}: a sample has one {column} in all runs, got several")
    if "group" not in table or table["group"].isna().all():
        table = table.drop(columns="group", errors="ignore")
    return _Said(table, names)


def _by_run(table: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    return [(key, frame.reset_index(drop=True)) for key, frame in table.groupby(KEYS, sort=False)]


def _agree(scored: pd.DataFrame, tested: Mapping[Any, pd.DataFrame], metric: str, path: Path) -> None:
    """Refuse predictions that are of other runs than the scores."""
    mine = scored[scored["metric"] == metric]
    for arm, seed, fold, value in mine[[*KEYS, "value"]].itertuples(index=False, name=None):
        frame = tested.get((arm, seed, fold))
        if frame is None or np.isnan(value) or (metric in READS and READS[metric] not in frame):
            continue
        each = units(frame.assign(group=frame.get("group", "")), having(metric).metrics[metric])
        # The jackknife's mean is the score without its bias: of a metric that is no mean it need not be the same.
        found = None if each is None or not METRICS[metric].mean else float(each.mean())
        if found is not None and abs(found - value) > SLACK:
            raise ValueError(
                f"{path}: {metric} of {arm}, seed {seed} is {value:.4f}, but its predictions give {found:.4f}: they "
                "are not of the same run"
            )


def _checks(scored: pd.DataFrame, tested: Mapping[Any, pd.DataFrame], metric: str) -> tuple[Check, ...]:
    """What is known of such runs, and what is not."""
    mine = scored[scored["metric"] == metric]
    seeds = {arm: frozenset(zip(one["fold"], one["seed"], strict=True)) for arm, one in mine.groupby("arm", sort=False)}
    same = len(set(seeds.values())) == 1
    samples = {frozenset(frame["sample"]) for frame in tested.values()}
    folds = scored["fold"].nunique()
    every_arm = "every arm has the same seeds"
    checks = [
        Check(every_arm, "yes", "") if same else Check(every_arm, "no", "comparisons use the seeds that both arms have")
    ]
    given = "scores are those of the predictions"
    if tested:
        missing = len(mine) - len({*mine[KEYS].itertuples(index=False, name=None)} & set(tested))
        state = "yes" if METRICS[metric].mean and not missing else "in part" if METRICS[metric].mean else UNKNOWN
        note = f"{missing} runs without predictions" if missing else f"{len(mine)} runs"
        checks += [
            Check(given, state, note),
            Check("every run was tested on the same samples", "yes" if len(samples) <= folds else "no", ""),
        ]
    else:
        checks.append(Check(given, UNKNOWN, "no predictions were given: no verdicts"))
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


def _index(ids: Mapping[Any, str]) -> pd.DataFrame:
    fixed = {"stage": "confirm", "row": "", "retuned": False, "control": "", "trains": "student", "repeat": 0}
    rows = [
        {"trial": id_, "arm": arm, "seed": seed, "fold": fold, **fixed, "generation": -1, "number": -1, "wanted": True}
        for (arm, seed, fold), id_ in ids.items()
    ]
    return pd.DataFrame(rows)


def _trials(ids: Mapping[Any, str], scored: pd.DataFrame) -> pd.DataFrame:
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


def _natural(word: str) -> tuple[bool, float, str]:
    """Numbers in their order, before words."""
    return (False, float(word), word) if word.replace(".", "", 1).isdigit() else (True, 0.0, word)


def _listed(values: pd.Series) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))
