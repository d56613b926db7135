"""Which arm does best over several datasets: the average of its ranks, and how far two averages must lie apart to be
told apart (Demšar 2006). Only arms that every dataset has; with few datasets hardly anything can be told apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.compared_studies import Group
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table
from kdsweep.report.statistics.compare import confirmed, scored
from kdsweep.report.statistics.ranks import Ranks, average_ranks

TITLE = "Ranks over datasets"
CHAPTER = "front"
ORDER = 19
PAGES = ("compared",)
GLOSSARY = {
    "average rank": "Mean over datasets of an arm's place among all arms; 1 is best.",
}


def applies(runs: Runs) -> bool:
    return len(_groups(runs)) > 1


def table(runs: Runs) -> list[Table]:
    groups, arms = _groups(runs), _arms(runs)
    if len(arms) < 2:
        return []
    scores, ranks = _scores(runs), _ranks(runs)
    order = np.argsort(ranks.average, kind="stable")
    rows: list[Row] = [
        {
            "arm": groups[0].first.label(arms[i]),
            "average rank": float(ranks.average[i]),
            **{group.names[0]: float(scores[n, i]) for n, group in enumerate(groups)},
            "best on": int((_up(runs, scores)[:, i] == _up(runs, scores).max(1)).sum()),
        }
        for i in order
    ]
    metric = runs.metric
    digits = {"average rank": 2} | {group.names[0]: group.first.digits for group in groups}
    caption = f"Mean test {metric.label} ({metric.unit}) on each dataset, and the average rank; 1 is best."
    notes = (
        f"Critical difference {ranks.critical:.2f} at 0.05, for {len(arms)} arms on {len(groups)} datasets (Nemenyi). "
        "A dataset counts once, however many seeds it had.",
        "Arms are matched by name: what a name stands for is in the studies' files. Of several studies on the same "
        "data the first one counts.",
    )
    return [Table("ranks", caption, rows, digits, notes)]


def drawing(runs: Runs) -> Drawing | None:
    arms = _arms(runs)
    if len(arms) < 2:
        return None
    average = _ranks(runs).average
    first = _groups(runs)[0].first
    points = [
        {"arm": first.label(arms[i]), "average rank": float(average[i])} for i in np.argsort(average, kind="stable")
    ]
    return Drawing(pd.DataFrame(points), "average rank", of=("arm",))


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Critical-difference diagram: arms by average rank, the best at the left. A bar joins arms that are not told apart
    at 0.05."""
    names, average = (list(drawing.numbers[column]) for column in ("arm", "average rank"))
    bars = joined(np.array(average), _ranks(runs).critical)
    drawn = figures.new(120 + 28 * len(names) + 14 * len(bars), showlegend=False)
    for i, (name, rank) in enumerate(zip(names, average, strict=True)):
        drawn.add_scatter(
            x=[rank],
            y=[i],
            mode="markers",
            marker={"color": figures.PALETTE[i % len(figures.PALETTE)], "size": 11},
            hovertemplate=f"{figures.plain(name, 40)}: %{{x:.2f}}<extra></extra>",
        )
    for level, (low, high) in enumerate(bars):
        line = {"color": figures.GREY, "width": 5}
        y = -0.8 - 0.5 * level
        drawn.add_scatter(x=[low, high], y=[y, y], mode="lines", line=line, hoverinfo="skip")
    drawn.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[figures.plain(name) for name in names],
        range=[len(names) - 0.4, -1.2 - 0.5 * len(bars)],
    )
    drawn.update_xaxes(title="average rank", range=[0.8, len(names) + 0.2], dtick=1)
    return drawn


def joined(average: np.ndarray, critical: float) -> list[tuple[float, float]]:
    """The longest runs of sorted ranks whose ends are closer than the critical difference."""
    bars: list[tuple[float, float]] = []
    for i, low in enumerate(average):
        high = average[average <= low + critical].max()
        if high > low and (not bars or high > bars[-1][1]) and i < len(average) - 1:
            bars.append((float(low), float(high)))
    return bars


def _groups(runs: Runs) -> tuple[Group, ...]:
    return runs.compared.groups if runs.compared else ()


def _arms(runs: Runs) -> list[str]:
    """Arms that are finished, under the same name, on every dataset."""
    groups = _groups(runs)
    first = groups[0].first.arms if groups else []
    return [arm for arm in first if all(_mean(group, arm) is not None for group in groups)]


def _scores(runs: Runs) -> np.ndarray:
    """[datasets, arms] mean test scores, in the printed unit."""
    return np.array([[_mean(group, arm) for arm in _arms(runs)] for group in _groups(runs)], dtype=float)


def _up(runs: Runs, scores: np.ndarray) -> np.ndarray:
    return scores if runs.metric.maximize else -scores


def _ranks(runs: Runs) -> Ranks:
    return average_ranks(_up(runs, _scores(runs)))


def _mean(group: Group, arm: str) -> float | None:
    if arm not in group.first.arms:
        return None
    values = scored(group.first, confirmed(group.first, arm))
    return group.first.printed(float(values.mean())) if len(values) else None
