"""How the validation score lies over the two numbers that mattered most in each arm's search: a plateau is a setting
that is easy to find, a narrow peak one that may not transfer. Points were chosen on validation alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.searches import Searched, searched, thinned, value
from kdsweep.report.render import figures
from kdsweep.report.render.tables import Row, Table, compact
from kdsweep.report.sections import importance

TITLE = "The search's landscape"
ORDER = 57
CELLS = 24  # of the map, along each side
WIDTH = 0.12  # of the kernel, in units of the range
NEAR = 0.6  # trials' worth of weight that a cell needs to be drawn
SHOWN = 150  # points drawn in a map

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Landscape:
    """A map of one arm's search.

    Attributes:
        x, y: the two numbers' names.
        heights: [CELLS, CELLS], rows along y: kernel mean of the scores around each cell; NaN where little was tried.
    """

    found: Searched
    x: str
    y: str
    heights: Array


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for one in landscapes(runs):
        best = one.found.best
        rows.append(
            {
                "arm": one.found.label,
                "first": one.x,
                "best quarter, first": _range(best[one.x].tolist()),
                "second": one.y,
                "best quarter, second": _range(best[one.y].tolist()),
                "drawn": 100 * float(np.isfinite(one.heights).mean()),
                "highest, smoothed": _extreme(one, best=True),
                "lowest, smoothed": _extreme(one, best=False),
            }
        )
    digits = {"drawn": 0, "highest, smoothed": runs.digits, "lowest, smoothed": runs.digits}
    caption = (
        f"Validation {runs.metric.label} ({runs.metric.unit}) around points of the two most important numbers; drawn: "
        "share of the map (%) where enough was tried. The best quarter is that of the finished trials."
    )
    return [Table("landscape", caption, rows, digits)]


def figure(runs: Runs) -> go.Figure | None:
    """Each arm's validation score over its two most important numbers by PED-ANOVA: a kernel average of the trials
    nearby, blank where hardly any lie; points: trials, open where pruned. A smooth picture of noisy runs: no interval
    is drawn."""
    maps = landscapes(runs)
    if not maps:
        return None
    titles = [figures.plain(one.found.label, 40) for one in maps]
    grid = make_subplots(rows=len(maps), subplot_titles=titles, vertical_spacing=min(0.36 / len(maps), 0.25))
    for place, one in enumerate(maps):
        cell = {"row": place + 1, "col": 1}
        centres = list((np.arange(CELLS) + 0.5) / CELLS)
        contour = go.Contour(
            x=centres,
            y=centres,
            z=[[None if np.isnan(z) else z for z in row] for row in one.heights.tolist()],
            coloraxis="coloraxis",
            contours={"showlines": False},
            connectgaps=False,
            hovertemplate=f"%{{z:.{runs.digits}f}}<extra></extra>",
        )
        grid.add_trace(contour, **cell)
        trials = thinned(one.found.trials, SHOWN)
        points = go.Scatter(
            x=one.found.unit(one.x, trials[one.x]),
            y=one.found.unit(one.y, trials[one.y]),
            mode="markers",
            marker={
                "size": 6,
                "color": "rgba(255,255,255,0.9)",
                "symbol": ["circle-open" if state == "pruned" else "circle" for state in trials["state"]],
                "line": {"color": "#222", "width": 1},
            },
            customdata=[
                [int(number), *(figures.plain(compact_or_text(one), 40) for one in (x, y)), score]
                for number, x, y, score in zip(
                    trials["number"], trials[one.x], trials[one.y], trials["score"], strict=True
                )
            ],
            hovertemplate="trial %{customdata[0]}: %{customdata[1]}, %{customdata[2]} gives "
            f"%{{customdata[3]:.{runs.digits}f}}<extra></extra>",
            showlegend=False,
        )
        grid.add_trace(points, **cell)
        ticks = [0.0, 0.5, 1.0]
        for name, update in ((one.x, grid.update_xaxes), (one.y, grid.update_yaxes)):
            words = [compact_or_text(value(one.found.space[name], tick)) for tick in ticks]
            update(title=figures.plain(name, 30), tickvals=ticks, ticktext=words, range=[-0.03, 1.03], **cell)
    scores = np.concatenate([one.heights[np.isfinite(one.heights)] for one in maps])
    grid.update_layout(
        template=figures.TEMPLATE,
        margin={"t": 110},
        height=110 + 290 * len(maps),
        coloraxis={
            "colorscale": "Viridis" if runs.metric.maximize else "Viridis_r",
            # One ruined corner must not take all the colours.
            "cmin": float(np.quantile(scores, 0.05)),
            "cmax": float(np.quantile(scores, 0.95)),
            "colorbar": {
                "title": {"text": f"{runs.metric.label} ({runs.metric.unit})", "side": "top"},
                "orientation": "h",
                "thickness": 12,
                "yref": "container",
                "y": 1,
                "yanchor": "top",
            },
        },
    )
    grid.update_annotations(font_size=13)
    return grid


def smooth(x: Array, y: Array, scores: Array) -> Array:
    """[CELLS, CELLS] kernel means of the scores at the cells' centres, x and y in [0, 1]; NaN where weights add to less
    than NEAR trials."""
    centres = (np.arange(CELLS) + 0.5) / CELLS
    near_x = np.exp(-(((centres[:, None] - x) / WIDTH) ** 2) / 2)
    near_y = np.exp(-(((centres[:, None] - y) / WIDTH) ** 2) / 2)
    weight = near_y @ near_x.T
    heights: Array = (near_y * scores) @ near_x.T / np.maximum(weight, 1e-12)
    return np.where(weight >= NEAR, heights, np.nan)


def compact_or_text(one: object) -> str:
    return compact(one) if isinstance(one, int | float) and not isinstance(one, bool) else str(one)


def landscapes(runs: Runs) -> list[Landscape]:
    found = []
    for arm in runs.arms:
        numbers = importance.ranked(runs, arm)
        if len(numbers) < 2:
            continue
        tried = searched(runs, arm)
        x, y = (one.name for one in numbers[:2])
        # A pruned trial's score is of an early epoch: it says less than it seems.
        done = tried.complete
        heights = smooth(tried.unit(x, done[x]), tried.unit(y, done[y]), done["score"].to_numpy(dtype=float))
        if np.isfinite(heights).any():
            found.append(Landscape(tried, x, y, heights))
    return found


def _range(values: list[object]) -> str:
    numbers = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) < len(values):
        return ", ".join(dict.fromkeys(map(str, values)))
    return f"{compact(min(numbers))} to {compact(max(numbers))}"


def _extreme(one: Landscape, *, best: bool) -> float:
    highest = best == one.found.maximize
    return float(np.nanmax(one.heights) if highest else np.nanmin(one.heights))
