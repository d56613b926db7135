"""The numbers beside a figure are those of its ink: whoever draws it again from its CSV gets the same picture."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from kdsweep.report import sections
from kdsweep.report.facts import compared_studies
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.page import stands
from kdsweep.report.render.section import discover
from tests.helpers import report_fakes

pytestmark = pytest.mark.slow

DRAWN = [section for section in discover(sections) if section.figure]


def study(metric: str = "accuracy", name: str = "quickstart") -> Runs:
    """A study in which every figure of a classification has something to draw."""
    rows = {"half": {"skill": 1.7, "data": {"drop_auxiliary": 0.5}}}
    runs = report_fakes.make(search=24, seeds=4, samples=60, metric=metric, more_rows=rows, name=name)
    rng, trials = np.random.default_rng(0), runs.trials
    for term in ("kd", "entropy"):
        for part in ("start", "ramp", "decay"):
            drawn = rng.uniform(0, 0.4, len(trials))
            trials = trials.assign(
                **{f"param.{term}.{part}": np.where(trials[f"param.{term}.weight"].isna(), np.nan, drawn)}
            )
    trials = trials.assign(thresholds=json.dumps([[2, 0.5], [4, 0.6]]))
    taught = [f"valid/teacher_{metric}"]
    own = runs.curves[runs.curves["metric"] == f"valid/{metric}"].assign(metric=taught[0])
    return replace(runs, trials=trials, curves=pd.concat([runs.curves, own], ignore_index=True))


@pytest.fixture(scope="module", params=["accuracy", "log_loss", "recall_at_1", "compared"])
def runs(request) -> Runs:
    if request.param == "recall_at_1":
        made = study()
        return replace(made, study=replace(made.study, task="retrieval", metric="recall_at_1"))
    if request.param == "compared":
        studies = [study(), study(name="again"), study(name="elsewhere")]
        data = [{"fingerprint": word, "parts": ({"test": word},)} for word in ("a", "a", "b")]
        described = [
            replace(one.study, data=replace(one.study.data, **d)) for one, d in zip(studies, data, strict=True)
        ]
        return compared_studies.page(
            compared_studies.sort([replace(r, study=s) for r, s in zip(studies, described, strict=True)])
        )
    return study(request.param)


@pytest.mark.parametrize("section", DRAWN, ids=lambda section: section.name)
def test_the_numbers_beside_a_figure_are_those_of_its_ink(section, runs):
    drawing = section.drawing(runs) if stands(section, runs) else None
    if drawing is None:
        return
    known = np.unique(np.array([0.0, *numbers(drawing)]))
    figure = section.figure(runs, drawing)
    missing = [value for value in ink(figure) if not np.isclose(known, value, rtol=1e-5, atol=1e-9).any()]
    assert not missing
    words = " ".join(map(str, [*drawing.numbers, *drawing.numbers.to_numpy(dtype=object).ravel()]))
    every = [runs, *(group.first for group in (runs.compared.groups if runs.compared else ()))]
    labels = [made.label(arm) for made in every for arm in (*made.arms, *made.references)]
    assert any(label in words for label in labels)


def numbers(drawing: Drawing) -> Iterator[float]:
    for cell in drawing.numbers.to_numpy(dtype=object).ravel():
        if isinstance(cell, float | int | np.number) and not isinstance(cell, bool | np.bool_) and math.isfinite(cell):
            yield float(cell)


def ink(figure: go.Figure) -> Iterator[float]:
    """Every number that a reader could read off an axis, a colour or the end of a bar."""
    layout = figure.layout.to_plotly_json()
    for trace in json.loads(figure.to_json())["data"]:
        trace = go.Figure({"data": [trace]}).data[0].to_plotly_json()
        axes = {axis: layout.get(f"{axis}axis{str(trace.get(f'{axis}axis', axis))[1:]}", {}) for axis in "xy"}
        yield from finite(trace.get("z", ()))
        for axis in "xy":
            if not shows_numbers(axes[axis]):
                continue
            values = np.array(
                [np.nan if v is None or isinstance(v, str) else v for v in trace.get(axis, ())], dtype=float
            )
            base = trace.get("base")
            if (
                trace["type"] == "bar"
                and base is not None
                and trace.get("orientation", "v") == ("h" if axis == "x" else "v")
            ):
                yield from finite(base)
                values = values + np.array(base, dtype=float)
            yield from finite(values)
            bars = trace.get(f"error_{axis}") or {}
            for side, sign in (("array", 1), ("arrayminus", -1)):
                if side in bars:
                    yield from finite(values + sign * np.array(bars[side], dtype=float))
    for shape in layout.get("shapes", ()):
        if (shape["x0"], shape["x1"]) == (shape["y0"], shape["y1"]):
            continue  # the diagonal
        for axis in "xy":
            reference = str(shape.get(f"{axis}ref", axis))
            if reference in ("paper",) or reference.endswith("domain"):
                continue
            if shows_numbers(layout.get(f"{axis}axis{reference[1:]}", {})):
                yield from finite(np.abs([shape[f"{axis}0"], shape[f"{axis}1"]]))


def shows_numbers(axis: dict[str, Any]) -> bool:
    """Or else it tells rows apart, by words or by nothing."""
    return "ticktext" not in axis and axis.get("tickvals") is None


def finite(values: Any) -> Iterator[float]:
    cells = np.array([np.nan if v is None else v for v in np.array(values, dtype=object).ravel()], dtype=float)
    yield from cells[np.isfinite(cells)].tolist()
