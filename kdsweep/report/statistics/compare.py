"""Two rows of a study, compared on shared seeds and shared test samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics import intervals, scores
from kdsweep.report.statistics.collapses import Collapses
from kdsweep.report.statistics.crossed import Crossed
from kdsweep.report.statistics.intervals import Interval

FEWEST = 3  # seeds (or repeats, or folds) below which no verdict is given
HUNDREDTH = 100  # of the samples, which should not make up most of a difference's variance
FEW_GROUPS = 4  # test groups up to which a comparison says how few they are
Key = tuple[int, int, int]  # repeat, fold, seed


@dataclass(frozen=True, eq=False)
class Side:
    """The runs behind one row of a table: roles of one arm, ablation row or control.

    Attributes:
        planned: runs that the study asks for.
        budget: trials that chose its settings.
    """

    label: str
    roles: pd.DataFrame
    planned: int
    budget: int

    @functools.cached_property
    def finished(self) -> dict[Key, str]:
        """Trial by what pairs it with another side's."""
        done = self.roles[self.roles["state"] == "complete"]
        keys = zip(done["repeat"], done["fold"], done["seed"], strict=True)
        return {
            (int(repeat), int(fold), int(seed)): str(trial)
            for (repeat, fold, seed), trial in zip(keys, done["trial"], strict=True)
        }

    @property
    def failed(self) -> int:
        return int((self.roles["state"] == "failed").sum())

    @property
    def waiting(self) -> int:
        return max(self.planned - len(self.finished) - self.failed, 0)

    @property
    def whole(self) -> bool:
        """Whether every run that the study asks for is there."""
        return len(self.finished) >= self.planned

    @property
    def count(self) -> str:
        """n in words: "10", "9; 1 of 10 failed", "4; 6 of 10 unfinished"."""
        missing = [
            f"{n} of {self.planned} {word}" for n, word in [(self.failed, "failed"), (self.waiting, "unfinished")] if n
        ]
        return "; ".join([str(len(self.finished)), *missing])


@dataclass(frozen=True)
class Comparison:
    """How much side `a` scores above side `b`; in the stored unit, a - b, whichever way is better.

    Attributes:
        interval: the one that is printed; None where there are too few runs.
        crossed: its variance parts, where it is the interval over seeds and samples.
        seeds_only, samples_only: the intervals that leave out one of the two; for comparison.
        over: what a new draw would be new in: "seeds × samples", "repeats × groups", "folds", "seeds only".
        n: shared seeds (or repeats, or folds).
        barriers: why no verdict can be given.
        failures: failed confirm runs of a and of b: a winner has none.
        pairs: the runs' differences.
        scores: of a's and b's finished runs, shared or not.
        cautions: sentences about the interval that stand beside it.
        collapses: of a and of b; empty where nobody counted.
    """

    a: str
    b: str
    interval: Interval | None
    crossed: Crossed | None
    seeds_only: Interval | None
    samples_only: Interval | None
    over: str
    n: int
    barriers: tuple[str, ...]
    failures: tuple[int, int]
    pairs: tuple[float, ...]
    scores: tuple[tuple[float, ...], tuple[float, ...]]
    cautions: tuple[str, ...] = ()
    collapses: tuple[Collapses, ...] = ()

    @property
    def findings(self) -> tuple[str, ...]:
        """A sentence for each side of which runs collapsed."""
        return tuple(filter(None, (side.finding for side in self.collapses)))

    @property
    def proviso(self) -> str:
        """What runs without a collapse do not exclude, as a sentence; "" where some collapsed, or nobody counted."""
        n = min((side.runs for side in self.collapses), default=0)
        if not n or self.findings:
            return ""
        return (
            f"{n} runs of a method without a collapse do not exclude that up to {min(3 / n, 1):.0%} of them collapse."
        )

    @property
    def difference(self) -> float | None:
        """The plain difference of the mean scores on shared runs, with or without an interval; None without runs."""
        for interval in (self.interval, self.seeds_only):
            if interval is not None:
                return interval.mean
        return float(np.mean(self.pairs)) if self.pairs else None


def confirmed(runs: Runs, arm: str) -> Side:
    """An arm's runs at its best point."""
    return _side(runs, runs.label(arm), runs.select("confirm", arm), runs.select("search", arm))


def untuned(runs: Runs, arm: str) -> Side:
    """An arm's runs at its published settings: beside its tuned ones, what its budget bought is the very question."""
    return _side(
        runs, f"{runs.label(arm)}, published settings", runs.select("defaults", arm), runs.select("search", arm)
    )


def ablated(runs: Runs, row: str, *, retuned: bool) -> Side:
    """An ablation row's runs; one that was not tuned anew stands on the arm's own budget."""
    arm = runs.study.ablated
    search = runs.select("search", arm, row=row, retuned=True) if retuned else runs.select("search", arm)
    return _side(runs, row, runs.select("ablate", arm, row=row, retuned=retuned), search)


def controlled(runs: Runs, control: str) -> Side:
    """A control's runs, of the claim's arm; searched ones have a budget of their own."""
    arm = runs.study.claim.arm if runs.study.claim else runs.study.ablated
    search = runs.select("search", arm, control=control, row=None)
    roles = runs.select("control", arm, control=control, row=None)
    return _side(runs, control, roles, search if len(search) else runs.select("search", arm))


def compare(runs: Runs, a: Side, b: Side) -> Comparison:
    """Side a against side b, on the runs that both have finished."""
    test = runs.test()
    shared = sorted(a.finished.keys() & b.finished.keys())
    pairs = pd.Series(
        {key: test.get(a.finished[key], math.nan) - test.get(b.finished[key], math.nan) for key in shared}, dtype=float
    ).dropna()
    pairs.index = pd.MultiIndex.from_tuples(list(pairs.index), names=["repeat", "fold", "seed"])
    repeated, folded = runs.study.budget.repeats > 1, runs.study.data.folds > 1
    rows = pairs.groupby(level="fold" if folded else "repeat").mean() if folded or repeated else pairs
    word = "folds" if folded else "repeats" if repeated else "seeds"

    crossed, samples_only, over, table = None, None, f"{word} only", None
    about = tested_on(runs)
    alone = () if folded else about.resting
    if not folded and runs.metric.tested and not alone:
        table = _differences(runs, [(key, a.finished[key], b.finished[key]) for key in pairs.index])
    if table is not None and min(table.shape) >= 2:
        crossed = Crossed.of(table, step=1 / runs.study.data.test if _is_share(runs) else 0.0)
        samples_only = intervals.over(table.mean(0))
        over = f"{word} × {'groups' if runs.grouped else 'samples'}"
    seeds_only = intervals.over(rows) if len(rows) >= 2 else None
    interval = crossed.interval if crossed else None if alone else seeds_only
    if folded and len(rows) >= 2:
        over, interval = "folds", intervals.over_folds(rows, **_fold_sizes(runs, a), share=_is_share(runs))

    if not runs.study.complete:
        barriers = ["the study is unfinished"]
    else:
        barriers = _barriers(runs, a, b, rows=len(rows), word=word, crossed=crossed is not None, alone=alone)
        if interval is not None and interval.error == 0 and interval.mean != 0:
            barriers.append(f"the difference is the same in all {word}, which is no certainty")
    return Comparison(
        a=a.label,
        b=b.label,
        interval=interval,
        crossed=crossed,
        seeds_only=seeds_only,
        samples_only=samples_only,
        over=over if interval else "–",
        n=len(rows),
        barriers=tuple(barriers),
        failures=(a.failed, b.failed),
        pairs=tuple(pairs),
        scores=(tuple(scored(runs, a)), tuple(scored(runs, b))),
        cautions=tuple(filter(None, [_few_groups(runs, crossed), _heavy_tails(runs, table)])),
        collapses=tuple(
            Collapses.of(side.label, tuple(scored(runs, side)), maximize=runs.metric.maximize, chance=about.chance)
            for side in (a, b)
        ),
    )


def contrast(runs: Runs, plus: Sequence[Side], minus: Sequence[Side]) -> Interval | None:
    """Sum of some sides' scores less the sum of others', on the runs that all have finished; None where too few are.

    Over seeds (or repeats) and test units where predictions were kept, else over seeds; not for folds, and not where a
    class rests on one unit.
    """
    signed = [*((1, side) for side in plus), *((-1, side) for side in minus)]
    shared = sorted(set.intersection(*(set(side.finished) for _, side in signed)))
    if len(shared) < 2 or runs.study.data.folds > 1 or tested_on(runs).resting:
        return None
    rows: dict[object, list[pd.Series]] = {}
    for key in shared:
        units = [(sign, runs.units(side.finished[key])) for sign, side in signed]
        if any(values is None for _, values in units) or not runs.metric.tested:
            test = runs.test()
            means = [sum(sign * test.get(side.finished[key], math.nan) for sign, side in signed) for key in shared]
            return intervals.over(means) if runs.study.budget.repeats == 1 and not np.isnan(means).any() else None
        row = key[0] if runs.study.budget.repeats > 1 else key
        rows.setdefault(row, []).append(functools.reduce(pd.Series.add, [s * v for s, v in units if v is not None]))
    table = pd.concat([pd.concat(row, axis=1).mean(axis=1, skipna=False) for row in rows.values()], axis=1).dropna()
    return Crossed.of(table.to_numpy().T).interval if min(table.shape) >= 2 else None


class TestedOn(NamedTuple):
    """What a study's test part means for its metric.

    Attributes:
        resting: names of classes (or labels) that occur in one test unit only, where the metric is a mean over them.
        chance: what the best constant answer scores; None where that is not known.
    """

    resting: tuple[str, ...] = ()
    chance: float | None = None


@functools.lru_cache(maxsize=4)
def tested_on(runs: Runs) -> TestedOn:
    """From the predictions of any run: all are tested on the same samples."""
    for trial in runs.test().index:
        predictions = runs.predictions(trial)
        if predictions is not None and not predictions.empty:
            chance = runs.metric.chance
            return TestedOn(
                tuple(map(runs.class_name, scores.resting(predictions, runs.metric, grouped=runs.grouped))),
                chance(predictions) if chance is not None else None,
            )
    return TestedOn()


def _is_share(runs: Runs) -> bool:
    return runs.metric.unit == "%"


def _few_groups(runs: Runs, crossed: Crossed | None) -> str:
    if crossed is None or not runs.grouped or crossed.samples > FEW_GROUPS:
        return ""
    return (
        f"The test part has {crossed.samples} groups: what is said of a new one rests on {crossed.samples}, which must "
        "be like it. More groups would say more than more seeds."
    )


def _heavy_tails(runs: Runs, table: np.ndarray | None) -> str:
    """That a correlation or an error hangs on few samples: a share of right answers cannot."""
    if table is None or _is_share(runs) or table.shape[1] < 2 * HUNDREDTH:
        return ""
    squares = np.sort((table.mean(0) - table.mean()) ** 2)[::-1]
    most = squares[: len(squares) // HUNDREDTH or 1].sum() / max(squares.sum(), 1e-300)
    if most <= 0.5:
        return ""
    return (
        f"Heavy tails: one sample in {HUNDREDTH} makes up {most:.0%} of the variance of this difference, and intervals "
        "hold a little less often than they say (93% of 95%)."
    )


def _barriers(runs: Runs, a: Side, b: Side, *, rows: int, word: str, crossed: bool, alone: Sequence[str]) -> list[str]:
    """Why a finished study gives no verdict here."""
    barriers = []
    unit = "group" if runs.grouped else "sample"
    if alone:
        which = f"the class {alone[0]!r} rests" if len(alone) == 1 else f"{len(alone)} classes rest"
        barriers.append(
            f"{which} on one test {unit}, so no interval over {unit}s is known to hold for {runs.metric.label}"
        )
    elif not runs.metric.tested:
        barriers.append(f"no interval over samples is known to hold for {runs.metric.label}")
    elif word != "folds" and not crossed and rows >= 2:
        barriers.append("no predictions were kept, so the interval covers seeds only")
    if rows < FEWEST:
        barriers.append(f"a verdict needs at least {FEWEST} {word}, there are {rows}")
    if a.budget != b.budget:
        barriers.append(f"the tuning budgets differ: {a.budget} trials against {b.budget}")
    return barriers


def scored(runs: Runs, side: Side) -> pd.Series:
    """Test scores of a side's finished runs by trial, in the stored unit."""
    return runs.test().reindex(list(side.finished.values())).dropna()


def mean_score(runs: Runs, side: Side) -> float | None:
    """Their mean in the printed unit; None where there is none."""
    values = scored(runs, side)
    return float(values.mean()) * runs.metric.scale if len(values) else None


def _side(runs: Runs, label: str, roles: pd.DataFrame, search: pd.DataFrame) -> Side:
    study = runs.study
    return Side(label, roles, study.budget.seeds * study.budget.repeats * study.data.folds, len(search))


def _differences(runs: Runs, pairs: Iterable[tuple[Key, str, str]]) -> np.ndarray | None:
    """D [S, I]: a's test units less b's for each seed, or for each repeat the mean over its seeds."""
    rows: dict[object, list[pd.Series]] = {}
    for key, a, b in pairs:
        left, right = runs.units(a), runs.units(b)
        if left is None or right is None:
            return None
        rows.setdefault(key[0] if runs.study.budget.repeats > 1 else key, []).append(left - right)
    if not rows:
        return None
    # Samples that some run lacks leave the table: every row must be about the same test set.
    table = pd.concat([pd.concat(row, axis=1).mean(axis=1, skipna=False) for row in rows.values()], axis=1).dropna()
    return table.to_numpy().T


def _fold_sizes(runs: Runs, side: Side) -> dict[str, float]:
    """Test and training samples of a fold."""
    tested = [runs.predictions(trial) for trial in side.finished.values()]
    sizes = [len(predictions) for predictions in tested if predictions is not None]
    test = float(np.mean(sizes)) if sizes else runs.study.data.test / runs.study.data.folds
    # Of runs made elsewhere only this is known: what a fold does not test, it may train on.
    train = runs.study.data.train or test * (runs.study.data.folds - 1)
    return {"test": test, "train": float(train)} if test else {"test": 1.0, "train": runs.study.data.folds - 1.0}
