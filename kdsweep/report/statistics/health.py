"""Whether a comparison is healthy: trained long enough, judged where it is best, searched, and with something to
explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import pandas as pd

from kdsweep.report.facts import splits
from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.words import listed
from kdsweep.report.statistics.compare import compare, confirmed, scored
from kdsweep.report.statistics.verdicts import against_baselines, judge


class Peak(NamedTuple):
    """Where an arm's validation score was best: medians over its confirm runs.

    Attributes:
        first, last: the earliest and the latest epoch with that score, which differ where it stays there.
    """

    first: float
    last: float
    epochs: float


def cautions(runs: Runs) -> tuple[str, ...]:
    """What a reader has to know before any number of this page, in sentences."""
    peaks = {arm: found for arm in runs.arms if (found := peak(runs, arm)) is not None}
    said = [
        _not_trained_out(runs, [arm for arm, at in peaks.items() if 1 < at.epochs == at.first]),
        _judged_late(runs, peaks),
        _random_only(runs),
        _below_a_reference(runs),
        *unexplained(runs, "ablation", "controls"),
        splits.known_groups(runs),
        *(f"Not so that {check.what}: {check.note}." for check in runs.study.checks if check.state == "no"),
    ]
    return tuple(filter(None, said))


def peak(runs: Runs, arm: str) -> Peak | None:
    """Where an arm's validation score was best; None where no finished run has a curve."""
    trials = set(confirmed(runs, arm).finished.values())
    curve = runs.curve(f"valid/{runs.study.metric}")
    curve = curve[curve["trial"].isin(trials) & curve["value"].notna()]
    if curve.empty:
        return None
    by_trial = curve.groupby("trial", observed=True)
    best = by_trial["value"].transform("max" if runs.study.maximize else "min")
    there = curve[curve["value"] == best].groupby("trial", observed=True)["epoch"]
    epochs = by_trial["epoch"].max()
    return Peak(float(there.min().median()), float(there.max().median()), float(epochs.median()))


def unexplained(runs: Runs, *parts: Literal["ablation", "controls"]) -> tuple[str, ...]:
    """That the method which these take apart, or break, does not beat the student alone; nothing where it does."""
    claim = runs.study.claim
    whose = {
        "ablation": runs.study.ablated if runs.study.rows else "",
        "controls": (claim.arm if claim else runs.study.ablated) if runs.study.controls else "",
    }
    alone = next((arm for arm in runs.arms if runs.study.arms[arm].method == "student_only"), "")
    if not runs.study.complete or not alone:
        return ()
    said = []
    for arm in dict.fromkeys(whose[part] for part in parts):
        if arm in runs.arms and arm != alone and not beats(runs, arm, alone):
            mine = [part for part in parts if whose[part] == arm]
            verb = "has" if mine == ["ablation"] else "have"
            said.append(
                f"{runs.label(arm)} is not shown to beat {runs.label(alone)}: its {' and '.join(mine)} {verb} no gain "
                "to explain."
            )
    return tuple(said)


def beats(runs: Runs, arm: str, other: str) -> bool:
    """Whether an arm is shown to be better than another: where the main table compares them, as it says."""
    pairs = against_baselines(runs)
    if (arm, other) in pairs:
        return pairs[arm, other].verdict.word == "better"
    if (other, arm) in pairs:
        return pairs[other, arm].verdict.word == "worse"
    return judge(runs, [compare(runs, confirmed(runs, arm), confirmed(runs, other))])[0].word == "better"


def _not_trained_out(runs: Runs, arms: Sequence[str]) -> str:
    if not arms:
        return ""
    return (
        f"Not trained out: {_labels(runs, arms)} {'is' if len(arms) == 1 else 'are'} best on validation at the last "
        "epoch (median over seeds). With more epochs the order may change."
    )


def _judged_late(runs: Runs, peaks: dict[str, Peak]) -> str:
    """Under `last` alone: another rule judges an arm where it is best."""
    late = {arm: at for arm, at in peaks.items() if 2 * at.last <= at.epochs}
    if runs.study.select != "last" or not late:
        return ""
    where = ", ".join(f"{runs.label(arm)} at {at.last:g} of {at.epochs:g}" for arm, at in late.items())
    return (
        f"Judged late: some arms are best on validation in the first half ({where}; medians over seeds) and are judged "
        "at the last epoch. Fewer epochs, or select: best_valid, would judge them at their best."
    )


def _random_only(runs: Runs) -> str:
    """Of searches that ended with the points that every search begins with."""
    searches = {
        arm: search for arm in runs.arms if runs.study.arms[arm].space and len(search := runs.select("search", arm)) > 1
    }
    # A study that has only begun is in its first generation.
    short = [arm for arm, search in searches.items() if _one_generation(search)] if runs.study.complete else []
    if not short:
        return ""
    whose = "no search" if len(short) == len(searches) else f"the search of {_labels(runs, short)} never"
    return f"Random points only: {whose} left its first generation, so sampler and pruner had no say."


def _below_a_reference(runs: Runs) -> str:
    """Of models of scikit-learn that score better, as printed, than the student trained alone."""
    alone = next((arm for arm in runs.arms if runs.study.arms[arm].method == "student_only"), "")
    scores = scored(runs, confirmed(runs, alone)) if alone else pd.Series()
    if scores.empty:
        return ""

    def printed(value: float) -> float:
        return round(runs.printed(value), runs.digits)

    mine = printed(float(scores.mean()))
    found = {one.label: printed(one.scores[runs.study.metric]) for one in runs.fitted if one.scores}
    better = {name: value for name, value in found.items() if (value > mine if runs.study.maximize else value < mine)}
    if not better:
        return ""
    unit = f" {runs.metric.unit}".rstrip()
    said = " and ".join(f"the {name} {value:.{runs.digits}f}{unit}" for name, value in better.items())
    return (
        f"A simple model does better: {said}, {runs.label(alone)} on the same rows {mine:.{runs.digits}f}{unit}. "
        "The student may be badly trained; this difference is not tested."
    )


def _one_generation(search: pd.DataFrame) -> bool:
    return bool((search["generation"] <= 0).all())


def _labels(runs: Runs, arms: Sequence[str]) -> str:
    return listed([runs.label(arm) for arm in arms])
