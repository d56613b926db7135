"""What tuning gave and took: every arm at its best settings minus the same arm at the published ones, at the same
seeds."""

from __future__ import annotations

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.tables import Cell, Row, Table, difference, p_value
from kdsweep.report.statistics.compare import compare, confirmed, mean_score, untuned
from kdsweep.report.statistics.verdicts import judge, unit

TITLE = "Tuned and published settings"
CHAPTER = "search"
ORDER = 52
RESTS = ("search", "finalists", "confirm", "defaults")
TUNED, PUBLISHED = "tuned", "published"


def applies(runs: Runs) -> bool:
    return bool(len(runs.select("defaults", None)))


def table(runs: Runs) -> list[Table]:
    metric = runs.metric
    arms = [arm for arm in runs.arms if len(runs.select("defaults", arm))]
    sides = [(confirmed(runs, arm), untuned(runs, arm)) for arm in arms]
    compared = [compare(runs, tuned, published) for tuned, published in sides]
    rows: list[Row] = []
    for arm, (tuned, published), comparison, verdict in zip(arms, sides, compared, judge(runs, compared), strict=True):
        row: dict[str, Cell] = {"arm": runs.label(arm)}
        for name, side in ((TUNED, tuned), (PUBLISHED, published)):
            row[name] = mean_score(runs, side)
        row |= {
            "difference": difference(comparison.interval, metric.scale),
            "p": p_value(verdict.p),
            "verdict": verdict,
            "n": published.count,
        }
        rows.append(row)
    return [
        Table(
            "defaults",
            f"Tuned minus published settings, test {metric.label} ({unit(metric.unit)}), with a 95% interval.",
            rows,
            dict.fromkeys([TUNED, PUBLISHED, "difference"], runs.digits),
            (
                "Published: the values of each method's paper, and of this study's recipe, for whatever is searched. "
                "Teachers are the tuned ones in both. Exploratory; one family.",
            ),
        )
    ]
