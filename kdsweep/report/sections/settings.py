"""The settings that the search found, and every point that it tried. Points were chosen on validation alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table, compact, setting_text
from kdsweep.values.space import Choice, Domain, Int

TITLE = "Hyperparameters"
CHAPTER = "search"
ORDER = 55
RESTS = ("search",)
COLUMNS = 2
MOST = 120  # points of an arm in a figure: its best, and an even draw of the others


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for arm in runs.arms:
        search, space = runs.select("search", arm), runs.study.arms[arm].space
        rows += _rows(runs.label(arm), search, runs.select("confirm", arm), space)
    models = runs.select("teacher", None, trains=None)
    for trains, roles in models.groupby("trains", sort=False):
        search, trained = roles[roles["number"] >= 0], roles[roles["number"] < 0]
        who = "teacher" if trains == "teacher" else f"auxiliary model: {trains}"
        rows += _rows(who, search, trained, runs.study.model_space) if len(search) else []
    caption = (
        "Every searched number: the range that the study declares and how it is drawn from, the trials of its search, "
        "what they tried, and the best point."
    )
    notes = ("Numbers that were not searched are in runs.parquet.",)
    return [Table("settings", caption, rows, notes=notes, aside=("trials",))]


def _rows(who: str, search: pd.DataFrame, chosen: pd.DataFrame, space: Mapping[str, Domain]) -> list[Row]:
    # Of runs made elsewhere no range is known: what differs was searched.
    varied = [name.removeprefix("param.") for name in _searched(search)]
    rows: list[Row] = []
    for name in dict.fromkeys([*space, *varied]):
        domain = space.get(name)
        tried, best = _values(search, name), list(dict.fromkeys(_values(chosen, name)))
        rows.append(
            {
                "arm": who,
                "number": name,
                "range": range_of(domain) if domain else None,
                "prior": prior(domain) if domain else None,
                "trials": len(search),
                "tried": _span(tried),
                # With repeats or folds there is one best point each.
                "best": ", ".join(map(setting_text, best)) or None,
                "note": _note(domain, tried, best),
            }
        )
    return rows


def range_of(domain: Domain) -> str:
    """What a number may be, as a paper says it."""
    if isinstance(domain, Choice):
        return ", ".join(map(setting_text, domain.values))
    return f"{compact(domain.low)} to {compact(domain.high)}"


def prior(domain: Domain) -> str:
    """How a point is drawn where nothing has been learnt yet."""
    if isinstance(domain, Choice):
        return "one of these"
    return f"{'log-uniform' if domain.log else 'uniform'}{', whole numbers' if isinstance(domain, Int) else ''}"


def _values(trials: pd.DataFrame, name: str) -> list[object]:
    """A number in each trial that has a result; a choice that was searched has no column of its own."""
    if f"param.{name}" in trials:
        return list(trials[f"param.{name}"].dropna())
    choices = [json.loads(cell) for cell in trials.get("choices", pd.Series(dtype=object)).dropna()]
    return [chosen[name] for chosen in choices if name in chosen]


def _span(tried: list[object]) -> str | None:
    if not tried:
        return None
    numbers = [value for value in tried if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(tried):
        return ", ".join(dict.fromkeys(map(setting_text, tried)))
    low, high = compact(min(numbers)), compact(max(numbers))
    return low if low == high else f"{low} to {high}"


def _note(domain: Domain | None, tried: list[object], best: list[object]) -> str:
    """Whether a better setting may lie outside."""
    if isinstance(domain, Choice) or not all(isinstance(value, int | float) for value in (*tried, *best)):
        return ""
    span = pd.Series(tried, dtype=float) if domain is None else pd.Series([domain.low, domain.high], dtype=float)
    near = any(_near_end(float(value), span) for value in best)  # type: ignore[arg-type]
    return ("near the end of its range" if domain else "near the end of what was tried") if near else ""


def drawing(runs: Runs) -> Drawing | None:
    value = f"validation {runs.metric.label} ({runs.metric.unit})"
    trials = {arm: _thinned(_scored(runs, arm), maximize=runs.study.maximize) for arm in runs.arms}
    searched = {arm: _searched(scored) for arm, scored in trials.items()}
    names = list(dict.fromkeys(name for tried in searched.values() for name in tried))
    clouds = [
        pd.DataFrame(
            {
                "number": name.removeprefix("param."),
                "arm": runs.label(arm),
                "trial": trials[arm]["number"],
                "setting": _number(trials[arm], name),
                value: trials[arm]["score"],
                "state": trials[arm]["state"],
            }
        )
        for name in names
        for arm in runs.arms
        if name in searched[arm]
    ]
    return Drawing(pd.concat(clouds), value, of=("number", "arm")) if clouds else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Search trials: the validation score against each number, failed trials left out; of arms with many trials the
    best and an even draw of the others. Open: pruned, with the last score it reached. A number whose cloud is flat
    hardly matters here."""
    panels, marks = list(drawing.numbers.groupby("number", sort=False)), figures.marks(runs)
    height = math.ceil(len(panels) / COLUMNS)
    grid = make_subplots(
        rows=height,
        cols=COLUMNS,
        subplot_titles=[figures.plain(str(number), 40) for number, _ in panels],
        horizontal_spacing=0.12,
        vertical_spacing=min(0.32 / height, 0.3),
    )
    shown = set()
    for i, (_, panel) in enumerate(panels):
        cell = {"row": i // COLUMNS + 1, "col": i % COLUMNS + 1}
        for arm, points in panel.groupby("arm", sort=False):
            mark, label = marks[arm], figures.plain(str(arm), 40)
            grid.add_scatter(
                x=list(points["setting"]),
                y=list(points[drawing.value]),
                mode="markers",
                marker={
                    "color": mark.color,
                    "symbol": [mark.symbol + ("-open" if state == "pruned" else "") for state in points["state"]],
                    "size": 7,
                    "opacity": 0.8,
                },
                name=label,
                legendgroup=label,
                showlegend=arm not in shown,
                customdata=list(points["trial"]),
                hovertemplate=f"{label}, trial %{{customdata}}: %{{x:.3g}} gives %{{y:.{runs.digits}f}}<extra></extra>",
                **cell,
            )
            shown.add(arm)
        tried = panel["setting"].dropna()
        if _logarithmic(tried):
            # Below two decades a tick at each power of ten is too few.
            grid.update_xaxes(type="log", dtick=1 if tried.max() > 100 * tried.min() else "D2", **cell)
    grid.update_layout(template=figures.TEMPLATE, height=90 + 210 * height, margin={"t": 64})
    grid.update_layout(legend={"yref": "container", "y": 1, "yanchor": "top"})
    grid.update_annotations(font_size=13)
    return grid


def _scored(runs: Runs, arm: str) -> pd.DataFrame:
    """An arm's search trials that have a score, in the printed unit."""
    trials = runs.select("search", arm)
    trials = trials[trials["state"].isin(["complete", "pruned"])]
    return trials.assign(score=trials["trial"].map(runs.valid).astype(float) * runs.metric.scale)


def _thinned(trials: pd.DataFrame, *, maximize: bool) -> pd.DataFrame:
    if len(trials) <= MOST:
        return trials
    ordered = trials.sort_values("score", ascending=not maximize, kind="stable", na_position="last")
    best, others = ordered.iloc[: MOST // 3], ordered.iloc[MOST // 3 :]
    return pd.concat([best, others.iloc[:: -(-len(others) // (MOST - len(best)))]]).sort_values("number")


def _searched(trials: pd.DataFrame) -> dict[str, pd.Series]:
    """The numbers that differ between these trials, by their column's name, with the values tried."""
    values = {str(name): _number(trials, str(name)).dropna() for name in trials if str(name).startswith("param.")}
    return {name: tried for name, tried in values.items() if tried.nunique() > 1}


def _number(trials: pd.DataFrame, name: str) -> pd.Series:
    # A choice that was searched like a number has words for values: it has no place on an axis.
    return pd.to_numeric(trials[name], errors="coerce").astype(float)


def _logarithmic(values: pd.Series) -> bool:
    return bool(values.min() > 0 and values.max() > 5 * values.min())


def _near_end(value: float, tried: pd.Series) -> bool:
    """Whether a value lies in the outer twentieth of what was tried, on the scale that spreads it."""
    low, high = float(tried.min()), float(tried.max())
    if low == high:
        return False
    if _logarithmic(tried) and value > 0:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return not 0.05 <= (value - low) / (high - low) <= 0.95
