"""From the student trained alone to the full method, a step at a time: what each step adds on test. The order is one of
many, the best-scoring chain of subsets that were run; in another order a term's step can be another."""

from __future__ import annotations

import functools
import math
from itertools import pairwise

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table, difference
from kdsweep.report.statistics.compare import Comparison, compare
from kdsweep.report.statistics.subsets import Subset, subsets
from kdsweep.report.statistics.verdicts import unit

TITLE = "Step by step"
ORDER = 32
RESTS = ("search", "finalists", "confirm", "ablate")
GLOSSARY = {
    "step": "Difference from the subset before, with its 95% interval, unadjusted.",
}


def table(runs: Runs) -> list[Table]:
    steps = _steps(runs)
    rows: list[Row] = [
        {
            "from": before.name,
            "to": after.name,
            "adds": ", ".join(sorted(after.terms - before.terms)),
            "step": difference(comparison.interval, runs.metric.scale),
        }
        for before, after, comparison in steps
    ]
    if not rows:
        return []
    whole = compare(runs, steps[-1][1].side, steps[0][0].side)
    rows.append(
        {
            "from": steps[0][0].name,
            "to": steps[-1][1].name,
            "adds": "all of it",
            "step": difference(whole.interval, runs.metric.scale),
        }
    )
    caption = (
        f"Steps in test {runs.metric.label} ({unit(runs.metric.unit)}), with 95% intervals, unadjusted; exploratory."
    )
    return [Table("waterfall", caption, rows, {"step": runs.digits})]


def drawing(runs: Runs) -> Drawing | None:
    value = f"test {runs.metric.label} ({runs.metric.unit})"
    steps = _steps(runs)
    if not steps:
        return None
    ends = [steps[0][0], *(after for _, after, _ in steps)]
    means = [float(subset.values.mean()) for subset in ends]
    adds = [ends[0].name, *(f"+ {', '.join(sorted(after.terms - before.terms))}" for before, after, _ in steps)]
    shown = [None, *(difference(comparison.interval, runs.metric.scale) for _, _, comparison in steps)]
    numbers = pd.DataFrame(
        {
            "step": adds,
            "terms": [", ".join(sorted(subset.terms)) for subset in ends],
            value: means,
            # The interval is the step's, drawn around where it ends.
            "low": [
                mean + step.low - step.value if step else math.nan for mean, step in zip(means, shown, strict=True)
            ],
            "high": [
                mean + step.high - step.value if step else math.nan for mean, step in zip(means, shown, strict=True)
            ],
        }
    )
    return Drawing(numbers, value, of=("step",))


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Bars: the change of the mean over seeds from one subset of terms to the next; whiskers: the step's 95%
    interval, unadjusted."""
    numbers, color = drawing.numbers, figures.mark(runs, runs.study.ablated).color
    means, names = list(numbers[drawing.value]), list(numbers["step"])
    rises = [(b > a) == runs.metric.maximize for a, b in pairwise(means)]
    columns = list(range(len(names)))
    drawn = figures.new(380, showlegend=False)
    drawn.add_bar(
        x=columns,
        base=[0, *(min(a, b) for a, b in pairwise(means))],
        y=[means[0], *(abs(b - a) for a, b in pairwise(means))],
        marker={
            "color": [figures.GREY, *(color if up else figures.faded(color, 0.35) for up in rises)],
            "line": {"color": color, "width": 1},
        },
        width=0.6,
        name="step",
        hoverinfo="skip",
    )
    drawn.add_scatter(
        x=columns,
        y=means,
        error_y={**figures.whiskers(numbers, drawing.value), "color": figures.GREY},
        mode="markers",
        marker={"color": figures.GREY, "size": 6},
        text=[figures.plain(name, 60) for name in names],
        hovertemplate=f"%{{text}}: %{{y:.{runs.digits}f}}<extra></extra>",
    )
    reach = numbers[["low", "high", drawing.value]].to_numpy(dtype=float)
    low, high = np.nanmin(reach), np.nanmax(reach)
    room = 0.15 * (high - low) or 1.0
    # The bars stand for steps, not for totals: the axis starts where the steps can be seen.
    drawn.update_yaxes(title=drawing.value, range=[low - room, high + room])
    drawn.update_xaxes(tickvals=columns, ticktext=[figures.plain(name, 16) for name in names], showgrid=False)
    return drawn


@functools.lru_cache(maxsize=2)
def _steps(runs: Runs) -> list[tuple[Subset, Subset, Comparison]]:
    chain = _chain(subsets(runs))
    return [(a, b, compare(runs, b.side, a.side)) for a, b in pairwise(chain)]


def _chain(term_sets: list[Subset]) -> list[Subset]:
    """The longest chain of growing subsets from no term to all of them; of equally long ones the best-scoring.

    `term_sets` has the best first.
    """
    whole = max((subset.terms for subset in term_sets), key=len, default=frozenset())
    start = next((subset for subset in term_sets if not subset.terms), None)
    end = next((subset for subset in term_sets if subset.terms == whole), None)
    if start is None or end is None or not whole:
        return []
    rank = {subset.terms: position for position, subset in enumerate(term_sets)}

    # Of chains that end here: longest first, then the smallest sum of ranks.
    best: dict[frozenset[str], tuple[int, int, list[Subset]]] = {start.terms: (0, 0, [start])}
    for subset in sorted(term_sets, key=lambda subset: len(subset.terms)):
        before = [best[terms] for terms in best if terms < subset.terms]
        if before:
            length, cost, chain = min(before, key=lambda item: (item[0], item[1]))
            best[subset.terms] = (length - 1, cost + rank[subset.terms], [*chain, subset])
    chain = best[whole][2] if whole in best else []
    return chain if len(chain) > 2 else []
