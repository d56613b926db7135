"""What the students are worth where the data are not as they were: their weights are read again on a changed test part,
and nothing is trained. Noise and views are the same for all."""

from __future__ import annotations

import functools
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing, spread
from kdsweep.report.render.tables import Cell, Row, Table, difference, p_value
from kdsweep.report.statistics.compare import Comparison, Side, compare, confirmed, mean_score
from kdsweep.report.statistics.verdicts import Verdict, judge, unit
from kdsweep.values.condition import Condition

TITLE = "Conditions of deployment"
CHAPTER = "gains"
ORDER = 15
RESTS = ("search", "finalists", "confirm")
CAPTION = {
    "missing": "Modalities that are missing at test",
    "noise": "Noise in the place of a share of a modality's variance; at 100 % nothing of it is left",
    "shift": "A modality moved by a number of the training part's standard deviations (SD)",
    "views": "The scores of several augmented views averaged",
}


class Met(NamedTuple):
    """An arm under a condition, against the baseline where it is another arm."""

    condition: Condition
    arm: str
    side: Side
    score: float | None
    lost: float | None
    comparison: Comparison | None
    verdict: Verdict | None


def applies(runs: Runs) -> bool:
    return bool(runs.study.conditions)


def table(runs: Runs) -> list[Table]:
    met, metric = _met(runs), runs.metric
    tables = []
    for kind, caption in CAPTION.items():
        rows: list[Row] = []
        for one in met:
            if one.condition.kind != kind:
                continue
            row: dict[str, Cell] = {
                "condition": one.condition.words,
                "arm": runs.label(one.arm),
                metric.label: one.score,
                "change": one.lost,
                "difference": difference(one.comparison.interval, metric.scale) if one.comparison else None,
                "p": p_value(one.verdict.p) if one.verdict else None,
                "verdict": one.verdict or "baseline",
            }
            rows.append(row)
        if rows:
            name = runs.label(runs.baselines[0]) if runs.baselines else ""
            tables.append(
                Table(
                    f"conditions-{kind}",
                    f"{caption}. Test {metric.label} ({unit(metric.unit)}), its change from the test part as it is, "
                    f"and the difference to {name} under the same condition, with a 95% interval.",
                    rows,
                    dict.fromkeys([metric.label, "change", "difference"], runs.digits),
                    ("Exploratory; all conditions are one family.",),
                )
            )
    return tables


def words(runs: Runs) -> list[str]:
    if any(one.score is not None for one in _met(runs)):
        return []
    return ["Not read yet: `launch` reads the conditions once the study is complete."]


def drawing(runs: Runs) -> Drawing | None:
    if not runs.baselines:
        return None
    value = f"difference to {runs.label(runs.baselines[0])}, {runs.metric.label} ({unit(runs.metric.unit)})"
    rows = [
        {
            "row": f"{runs.label(one.arm)}, {one.condition.words}",
            "arm": runs.label(one.arm),
            **spread(value, shown, runs.study.equivalent),
        }
        for one in _met(runs)
        if one.comparison and (shown := difference(one.comparison.interval, runs.metric.scale))
    ]
    return Drawing(pd.DataFrame(rows), value, of=("row",)) if rows else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Each arm minus the baseline under each condition, with a 95% interval, unadjusted; exploratory."""
    names = {runs.label(arm): arm for arm in runs.arms}
    return figures.forest(
        drawing,
        colors=[figures.mark(runs, names[arm]).color for arm in drawing.numbers["arm"]],
        solid=[False] * len(drawing.numbers),
        title=drawing.value,
        digits=runs.digits,
        margin=runs.study.equivalent,
    )


@functools.lru_cache(maxsize=2)
def _met(runs: Runs) -> list[Met]:
    """Every arm under every condition: one family."""
    baseline = runs.baselines[0] if runs.baselines else ""
    as_it_is = {arm: mean_score(runs, confirmed(runs, arm)) for arm in runs.arms}
    found: list[Met] = []
    for condition in runs.study.conditions:
        under = runs.under(condition)
        base = confirmed(under, baseline) if baseline else None
        for arm in under.arms:
            side = confirmed(under, arm)
            score, before = mean_score(under, side), as_it_is[arm]
            lost = score - before if score is not None and before is not None else None
            compared = compare(under, side, base) if base is not None and arm != baseline else None
            found.append(Met(condition, arm, side, score, lost, compared, None))
    family = [one.comparison for one in found if one.comparison is not None]
    verdicts = iter(judge(runs, family))
    return [one._replace(verdict=next(verdicts)) if one.comparison is not None else one for one in found]
