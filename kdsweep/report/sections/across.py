"""Arms of different studies on the same data and the same test samples, compared run by run: equal seeds are paired.
Nobody stated these comparisons beforehand, so all of them are exploratory."""

from __future__ import annotations

import itertools
from dataclasses import replace

import plotly.graph_objects as go

from kdsweep.report.facts.compared_studies import Group
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.board import Board
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table, difference, p_value
from kdsweep.report.sections import arms
from kdsweep.report.statistics.compare import Comparison, compare, confirmed
from kdsweep.report.statistics.verdicts import judge, unit

TITLE = "Across studies"
CHAPTER = "front"
ORDER = 18
PAGES = ("compared",)


def applies(runs: Runs) -> bool:
    return bool(_groups(runs))


def table(runs: Runs) -> list[Table]:
    tables = []
    for i, group in enumerate(_groups(runs), start=1):
        main = arms.main(group.runs)
        pairs = _same_arm(group)
        verdicts = judge(group.runs, pairs)
        metric = group.runs.metric
        rows: list[Row] = [
            {
                "comparison": f"{comparison.a} − {comparison.b}",
                "difference": difference(comparison.interval, metric.scale),
                "over": comparison.over,
                "n": comparison.n,
                "p": p_value(verdict.p),
                "verdict": verdict,
                "what stands in the way": verdict.detail,
            }
            for comparison, verdict in zip(pairs, verdicts, strict=True)
        ]
        caption = (
            f"{group.name}: the same arm in two studies, test {metric.label} ({unit(metric.unit)}), with a 95% "
            "interval, unadjusted; one Holm family. Settings found twice that differ say how much the search decides."
        )
        tables += [
            replace(main, name=f"across-{i}", caption=f"{group.name}: {main.caption}"),
            Table(f"same-arm-{i}", caption, rows, {"difference": group.runs.digits}),
        ]
    return tables


def boards(runs: Runs) -> list[Board]:
    return [
        replace(board, label=f"{group.name}: {board.label}", files=(f"across-{i}",))
        for i, group in enumerate(_groups(runs), start=1)
        for board in arms.boards(group.runs)
    ]


def drawing(runs: Runs) -> Drawing | None:
    groups = _groups(runs)
    return arms.drawing(groups[0].runs) if groups else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """The first group's arms: every confirm run as a point, in the order of the seeds from top to bottom; the bar is
    the mean over seeds."""
    return arms.figure(_groups(runs)[0].runs, drawing)


def _groups(runs: Runs) -> list[Group]:
    groups = runs.compared.groups if runs.compared else ()
    return [group for group in groups if len(group.names) > 1]


def _same_arm(group: Group) -> list[Comparison]:
    """The arms that stand under the same name in two of a group's studies."""
    named: dict[str, list[str]] = {}
    for arm in group.runs.arms:
        for study in group.names:
            if arm.endswith(f" ({study})"):
                named.setdefault(arm.removesuffix(f" ({study})"), []).append(arm)
    return [
        compare(group.runs, confirmed(group.runs, b), confirmed(group.runs, a))
        for namesakes in named.values()
        for a, b in itertools.combinations(namesakes, 2)
    ]
