"""Every subset of the method's terms that was run."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.ablated import judged_rows
from kdsweep.report.statistics.compare import Side, confirmed


class Subset(NamedTuple):
    """A set of terms and the runs that trained with exactly these."""

    name: str
    terms: frozenset[str]
    side: Side
    values: pd.Series


def subsets(runs: Runs) -> list[Subset]:
    """The full method, its rows that only drop terms and the student alone, the best mean first.

    A row that was also retuned counts with its own search, which says more of its terms.
    """
    arm = runs.study.ablated
    if not arm or not judged_rows(runs):
        return []
    terms = frozenset(droppable(runs))
    sides: dict[frozenset[str], tuple[str, Side]] = {}
    for alone in [name for name in runs.arms if runs.study.arms[name].method == "student_only"][:1]:
        sides[frozenset()] = (runs.label(alone), confirmed(runs, alone))
    full = confirmed(runs, arm)
    sides[terms] = (f"{full.label} (full)", full)
    for judgement in judged_rows(runs):
        entry = runs.study.rows[judgement.row]
        if not (entry.choices or entry.numbers or entry.data):
            sides[terms - set(entry.dropped)] = (judgement.row, judgement.side)
    term_sets = [
        Subset(name, inside, side, values)
        for inside, (name, side) in sides.items()
        if len(values := runs.test().reindex(list(side.finished.values())).dropna() * runs.metric.scale)
    ]
    return sorted(term_sets, key=lambda subset: float(subset.values.mean()), reverse=runs.study.maximize)


def droppable(runs: Runs) -> list[str]:
    """The terms that a row may drop, in the method's order."""
    recipe = runs.study.arms[runs.study.ablated].recipe
    return [term for term in recipe.terms if term not in recipe.required]
