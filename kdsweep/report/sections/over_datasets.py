"""One claim on several datasets. All of its comparisons are one family, at the strictest level that a study is tested
at. Ranks of all arms stand below."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing, spread
from kdsweep.report.render.tables import Row, Table, difference, p_value
from kdsweep.report.statistics.over_datasets import over_datasets
from kdsweep.report.statistics.verdicts import unit

TITLE = "The claim on every dataset"
CHAPTER = "front"
ORDER = 14
PAGES = ("compared",)
GLOSSARY = {
    "mean over datasets": "For a new dataset, each counted once: Student's 95% interval; from three datasets on.",
    "Q": "Cochran's: how far the differences lie apart, in their own errors. p: of all being the same.",
    "I²": "The share of that spread which is not error: 0% where one difference would explain all.",
}


def applies(runs: Runs) -> bool:
    return over_datasets(runs) is not None


def table(runs: Runs) -> list[Table]:
    judged, scale = over_datasets(runs), runs.metric.scale
    assert judged is not None
    part = "exploratory" if judged.reasons else "claim"
    rows: list[Row] = [
        {
            "study": result.study,
            "comparison": f"{result.comparison.a} − {result.comparison.b}",
            "part of": part,
            "difference": difference(result.comparison.interval, scale),
            "over": result.comparison.over,
            "n": result.comparison.n,
            "p": p_value(result.verdict.p),
            "verdict": result.verdict,
            "what would decide it": result.verdict.detail,
        }
        for result in judged.results
    ]
    told: list[Row] = [
        {
            "against": runs.compared.groups[0].first.label(baseline) if runs.compared else baseline,
            "mean over datasets": difference(found.mean, scale),
            "Q": found.q,
            "p": p_value(found.p),
            "I²": f"{100 * found.i2:.0f}%",
        }
        for baseline, found in judged.heterogeneity.items()
        if found is not None
    ]
    points = f"test {runs.metric.label} ({unit(runs.metric.unit)})"
    digits = {"difference": runs.digits, "mean over datasets": runs.digits}
    why = (f"Exploratory: {'; '.join(judged.reasons)}.",) if judged.reasons else ()
    return [
        Table(
            "over-datasets",
            f"Differences in {points}, with 95% intervals, unadjusted; p is adjusted for all rows.",
            rows,
            digits,
            why,
            ("what would decide it", "over"),
        ),
        Table("heterogeneity", f"The same over the datasets, in {points}.", told, digits),
    ]


def drawing(runs: Runs) -> Drawing | None:
    judged = over_datasets(runs)
    value = f"difference in {runs.metric.label} ({unit(runs.metric.unit)})"
    rows = [
        {
            "comparison": f"{result.study}: {result.comparison.a} − {result.comparison.b}",
            **spread(value, shown, runs.study.equivalent),
        }
        for result in (judged.results if judged else ())
        if (shown := difference(result.comparison.interval, runs.metric.scale))
    ]
    return Drawing(pd.DataFrame(rows), value, of=("comparison",)) if rows else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Difference on each dataset with its 95% interval, unadjusted. Filled: a registered claim; open: exploratory."""
    judged = over_datasets(runs)
    assert judged is not None
    return figures.forest(
        drawing,
        colors=[figures.PALETTE[0]] * len(drawing.numbers),
        solid=[not judged.reasons] * len(drawing.numbers),
        title=f"{drawing.value}<br>{'right' if runs.metric.maximize else 'left'} is better",
        digits=runs.digits,
        margin=runs.study.equivalent,
    )
