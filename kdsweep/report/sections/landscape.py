"""How the validation score lies over the two numbers that mattered most in each arm's search: a plateau is a setting
that is easy to find, a narrow peak one that may not transfer. Points were chosen on validation alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.searches import Searched, searched, thinned
from kdsweep.report.facts.searches import value as setting_at
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table, compact, setting_text
from kdsweep.report.statistics.importance import ranked

TITLE = "The search's landscape"
CHAPTER = "search"
ORDER = 57
RESTS = ("search",)
CELLS = 24  # of the map, along each side
WIDTH = 0.12  # of the kernel, in units of the range
SMOOTHED, TRIAL = "smoothed", "trial"
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

    search: Searched
    x: str
    y: str
    heights: Array


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for landscape in landscapes(runs):
        best = landscape.search.best
        rows.append(
            {
                "arm": landscape.search.label,
                "first": landscape.x,
                "best quarter, first": _range(best[landscape.x].tolist()),
                "second": landscape.y,
                "best quarter, second": _range(best[landscape.y].tolist()),
                "drawn": 100 * float(np.isfinite(landscape.heights).mean()),
                "highest, smoothed": _extreme(landscape, best=True),
                "lowest, smoothed": _extreme(landscape, best=False),
            }
        )
    digits = {"drawn": 0, "highest, smoothed": runs.digits, "lowest, smoothed": runs.digits}
    caption = (
        f"Validation {runs.metric.label} ({runs.metric.unit}) around points of the two most important numbers; drawn: "
        "share of the map (%) where enough was tried. The best quarter is that of the finished trials."
    )
    return [Table("landscape", caption, rows, digits, page=False)]


def drawing(runs: Runs) -> Drawing | None:
    value = f"validation {runs.metric.label} ({runs.metric.unit})"
    panels = []
    for landscape in landscapes(runs):
        axes = {"arm": landscape.search.label, "first number": landscape.x, "second number": landscape.y}
        rows, columns = np.indices(landscape.heights.shape)
        centres = (np.arange(CELLS) + 0.5) / CELLS
        smoothed = {
            "first": centres[columns.ravel()],
            "second": centres[rows.ravel()],
            value: landscape.heights.ravel(),
        }
        trials = thinned(landscape.search.trials, SHOWN)
        tried = {
            "first": landscape.search.unit(landscape.x, trials[landscape.x]),
            "second": landscape.search.unit(landscape.y, trials[landscape.y]),
            value: trials["score"],
            "trial": trials["number"],
            "state": trials["state"],
            "first setting": [setting_text(value) for value in trials[landscape.x]],
            "second setting": [setting_text(value) for value in trials[landscape.y]],
        }
        panels += [pd.DataFrame({**axes, "what": SMOOTHED, **smoothed}), pd.DataFrame({**axes, "what": TRIAL, **tried})]
    return Drawing(pd.concat(panels), value, of=("arm", "what")) if panels else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Each arm's validation score over its two most important numbers by PED-ANOVA: a kernel average of the trials
    nearby, blank where hardly any lie; points: trials, open where pruned. A smooth picture of noisy runs: no interval
    is drawn."""
    panels = list(drawing.numbers.groupby("arm", sort=False))
    spaces = {landscape.search.label: landscape.search.space for landscape in landscapes(runs)}
    titles = [figures.plain(str(arm), 40) for arm, _ in panels]
    grid = make_subplots(rows=len(panels), subplot_titles=titles, vertical_spacing=min(0.36 / len(panels), 0.25))
    for row, (arm, panel) in enumerate(panels, start=1):
        cell = {"row": row, "col": 1}
        heights = panel[panel["what"] == SMOOTHED][drawing.value].to_numpy().reshape(CELLS, CELLS)
        centres = list((np.arange(CELLS) + 0.5) / CELLS)
        contour = go.Contour(
            x=centres,
            y=centres,
            z=[[None if np.isnan(z) else z for z in line] for line in heights.tolist()],
            coloraxis="coloraxis",
            contours={"showlines": False},
            connectgaps=False,
            hovertemplate=f"%{{z:.{runs.digits}f}}<extra></extra>",
        )
        grid.add_trace(contour, **cell)
        grid.add_trace(_points(panel[panel["what"] == TRIAL], drawing.value, runs.digits), **cell)
        ticks = [0.0, 0.5, 1.0]
        for axis, update in (("first number", grid.update_xaxes), ("second number", grid.update_yaxes)):
            name = panel[axis].iloc[0]
            words = [setting_text(setting_at(spaces[str(arm)][name], tick)) for tick in ticks]
            update(title=figures.plain(name, 30), tickvals=ticks, ticktext=words, range=[-0.03, 1.03], **cell)
    scores = drawing.numbers[drawing.numbers["what"] == SMOOTHED][drawing.value].dropna()
    grid.update_layout(
        template=figures.TEMPLATE,
        margin={"t": 110},
        height=110 + 290 * len(panels),
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


def _points(trials: pd.DataFrame, value: str, digits: int) -> go.Scatter:
    columns = [trials[name] for name in ("trial", "first setting", "second setting", value)]
    return go.Scatter(
        x=list(trials["first"]),
        y=list(trials["second"]),
        mode="markers",
        marker={
            "size": 6,
            "color": "rgba(255,255,255,0.9)",
            "symbol": ["circle-open" if state == "pruned" else "circle" for state in trials["state"]],
            "line": {"color": "#222", "width": 1},
        },
        customdata=[
            [int(number), figures.plain(x, 40), figures.plain(y, 40), score]
            for number, x, y, score in zip(*columns, strict=True)
        ],
        hovertemplate="trial %{customdata[0]}: %{customdata[1]}, %{customdata[2]} gives "
        f"%{{customdata[3]:.{digits}f}}<extra></extra>",
        showlegend=False,
    )


def smooth(x: Array, y: Array, scores: Array) -> Array:
    """[CELLS, CELLS] kernel means of the scores at the cells' centres, x and y in [0, 1]; NaN where weights add to less
    than NEAR trials."""
    centres = (np.arange(CELLS) + 0.5) / CELLS
    near_x = np.exp(-(((centres[:, None] - x) / WIDTH) ** 2) / 2)
    near_y = np.exp(-(((centres[:, None] - y) / WIDTH) ** 2) / 2)
    weight = near_y @ near_x.T
    heights: Array = (near_y * scores) @ near_x.T / np.maximum(weight, 1e-12)
    return np.where(weight >= NEAR, heights, np.nan)


def landscapes(runs: Runs) -> list[Landscape]:
    maps = []
    for arm in runs.arms:
        numbers = ranked(runs, arm)
        if len(numbers) < 2:
            continue
        search = searched(runs, arm)
        x, y = (number.name for number in numbers[:2])
        # A pruned trial's score is of an early epoch: it says less than it seems.
        done = search.complete
        heights = smooth(search.unit(x, done[x]), search.unit(y, done[y]), done["score"].to_numpy(dtype=float))
        if np.isfinite(heights).any():
            maps.append(Landscape(search, x, y, heights))
    return maps


def _range(values: list[object]) -> str:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        return ", ".join(dict.fromkeys(map(str, values)))
    return f"{compact(min(numbers))} to {compact(max(numbers))}"


def _extreme(landscape: Landscape, *, best: bool) -> float:
    highest = best == landscape.search.maximize
    return float(np.nanmax(landscape.heights) if highest else np.nanmin(landscape.heights))
