"""Which settings went together: every searched number of an arm at once, best trials in colour. Lines of one colour
that run through one point of an axis say that the number has to be there; lines that fan out, that it is free."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.searches import Searched, searched, thinned
from kdsweep.report.facts.searches import value as setting_at
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table, setting_text

TITLE = "Settings side by side"
ORDER = 58
RESTS = ("search",)
OTHERS = 80  # grey lines drawn for an arm
BEST = 25  # coloured ones
PANELS = 8
POSITION = "place in its range"


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for search in _arms(runs):
        for name in search.space:
            best, every = search.unit(name, search.best[name]), search.unit(name, search.trials[name])
            rows.append(
                {
                    "arm": search.label,
                    "number": name,
                    "best trial": setting_text(search.best[name].iloc[0]),
                    "best quarter, middle": setting_text(setting_at(search.space[name], float(np.median(best)))),
                    "best quarter spans": 100 * float(np.ptp(best)),
                    "all trials span": 100 * float(np.ptp(every)),
                }
            )
    caption = (
        "Where the best quarter of the finished trials lies, on each range's own scale; spans in % of the range. A "
        "best quarter that spans as much as all trials leaves the number free."
    )
    return [Table("parallel", caption, rows, {"best quarter spans": 0, "all trials span": 0})]


def drawing(runs: Runs) -> Drawing | None:
    value = f"validation {runs.metric.label} ({runs.metric.unit})"
    lines = []
    for search in _arms(runs)[:PANELS]:
        best = search.best
        rest = search.trials.drop(index=best.index)
        for quarter, trials in ((False, thinned(rest, OTHERS)), (True, thinned(best, BEST))):
            positions = {name: search.unit(name, trials[name]) for name in search.space}
            lines += [
                {
                    "arm": search.label,
                    "trial": int(trial["number"]),
                    "best quarter": quarter,
                    "number": name,
                    "setting": trial[name],
                    POSITION: float(positions[name][i]),
                    value: trial["score"],
                }
                for i, trial in enumerate(trials.to_dict("records"))
                for name in search.space
            ]
    return Drawing(pd.DataFrame(lines), POSITION, of=("arm", "best quarter", "number")) if lines else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """One line a trial across the arm's searched numbers, each axis from the low to the high end of its range, the last
    one its validation score; in colour: the best quarter of the finished trials. At most 105 lines an arm, taken
    evenly over the search."""
    arms = {search.label: search for search in _arms(runs)}
    panels = [(arms[str(arm)], lines) for arm, lines in drawing.numbers.groupby("arm", sort=False)]
    grid = make_subplots(
        rows=len(panels),
        subplot_titles=[figures.plain(search.label, 60) for search, _ in panels],
        vertical_spacing=min(0.5 / len(panels), 0.3),
    )
    for row, (search, lines) in enumerate(panels, start=1):
        color = figures.mark(runs, search.arm).color
        for quarter, ink, width in (
            (False, figures.faded(figures.GREY, 0.3), 1.0),
            (True, figures.faded(color, 0.85), 1.8),
        ):
            grid.add_trace(_lines(search, lines[lines["best quarter"] == quarter], ink, width), row=row, col=1)
        _axes(grid, search, row, runs)
    grid.update_layout(template=figures.TEMPLATE, height=60 + 300 * len(panels), showlegend=False)
    return grid


def _axes(grid: go.Figure, search: Searched, row: int, runs: Runs) -> None:
    """Upright axes with the ends of their ranges, and their names below."""
    names, (low, high) = list(search.space), _ends(search)
    for axis, name in enumerate([*names, ""]):
        ends = [setting_at(search.space[name], end) for end in (0.0, 1.0)] if name else [low, high]
        for end, setting in zip((0.0, 1.0), ends, strict=True):
            written = setting_text(setting) if name else f"{setting:.{runs.digits}f}"
            grid.add_annotation(
                x=axis,
                y=end,
                text=figures.plain(written, 16),
                showarrow=False,
                yanchor="top" if end == 0 else "bottom",
                font={"size": 10},
                row=row,
                col=1,
            )
        grid.add_vline(x=axis, line={"color": figures.GREY, "width": 1}, row=row, col=1)
    # Many labels stand aslant, or on a narrow screen they would lie over each other.
    many = len(names) > 4
    ticks = [
        figures.plain(name, 40) if many else "<br>".join(figures.plain(part, 16) for part in name.split(".", 1))
        for name in names
    ]
    grid.update_xaxes(
        tickvals=list(range(len(names) + 1)),
        ticktext=[*ticks, f"<b>{runs.metric.label}</b>"],
        range=[-0.5, len(names) + 0.5],
        showgrid=False,
        tickangle=-50 if many else 0,
        tickfont={"size": 10},
        row=row,
        col=1,
    )
    grid.update_yaxes(showticklabels=False, showgrid=False, range=[-0.15, 1.15], row=row, col=1)


def _lines(search: Searched, points: pd.DataFrame, color: str, width: float) -> go.Scatter:
    """All of these trials as one trace, a gap between them."""
    low, high = _ends(search)
    count = len(search.space)
    positions = points[POSITION].to_numpy(dtype=float).reshape(-1, count)
    scores = points.iloc[::count, -1].to_numpy(dtype=float)
    heights = np.column_stack([positions, np.clip((scores - low) / (high - low), 0, 1), np.full(len(scores), np.nan)])
    return go.Scatter(
        x=[*range(count + 1), None] * len(scores),
        y=[None if np.isnan(y) else round(float(y), 4) for y in heights.ravel()],
        mode="lines",
        line={"color": color, "width": width},
        hoverinfo="skip",
    )


def _ends(search: Searched) -> tuple[float, float]:
    """The score axis: from the tenth percentile on, so that a ruined trial does not press all others together."""
    scores = search.trials["score"]
    low, high = (scores.quantile(0.1), scores.max()) if search.maximize else (scores.quantile(0.9), scores.min())
    return (float(low), float(high)) if low != high else (float(low), float(low) + (1 if search.maximize else -1))


def _arms(runs: Runs) -> list[Searched]:
    """Arms with three searched numbers or more, the claim's first; with fewer, the landscape shows all there is."""
    claim = runs.study.claim
    order = sorted(runs.arms, key=lambda arm: not (claim and arm == claim.arm))
    searches = [searched(runs, arm) for arm in order]
    return [search for search in searches if len(search.space) >= 3 and len(search.complete) >= 4]
