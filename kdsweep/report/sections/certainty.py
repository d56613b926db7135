"""How sure each comparison is, what the uncertainty is made of, and what would decide an open one. An interval over
seeds alone is about this very test set, one over samples alone about these very seeds; the crossed interval is about a
new seed and a new sample."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from kdsweep.report import figures, stats
from kdsweep.report.compare import Comparison
from kdsweep.report.runs import Runs
from kdsweep.report.tables import P, Row, Table, difference, p_value
from kdsweep.report.verdicts import ALPHA, Judged, against_baselines, unit

TITLE = "How sure"
ORDER = 25


def table(runs: Runs) -> list[Table]:
    judged = list(against_baselines(runs).values())
    scale, digits = runs.metric.scale, runs.digits
    claimed = sum(one.claimed for one in judged)
    rows: list[Row] = [_row(runs, one, claimed if one.claimed else len(judged) - claimed) for one in judged]
    widths = ["difference", "seeds only", "samples only"]
    parts = [one.comparison for one in judged if one.comparison.crossed]
    shares: list[Row] = [
        {
            "comparison": f"{one.a} − {one.b}",
            "SD between seeds": scale * math.sqrt(one.crossed.seed),
            "SD between samples": scale * math.sqrt(one.crossed.sample),
            "SD left": scale * math.sqrt(one.crossed.noise),
            "half-width now": scale * _half(one.crossed.interval),
            "with twice the seeds": scale * _half(one.crossed.planned(2 * one.crossed.seeds)),
            "with any number": scale * one.crossed.smallest(ALPHA),
        }
        for one in parts
        if one.crossed
    ]
    return [
        Table(
            "certainty",
            f"Differences in test {runs.metric.label} ({unit(runs.metric.unit)}), with 95% intervals, unadjusted.",
            rows,
            {**dict.fromkeys(widths, digits), "P(improvement)": 2},
            (
                f"Tested at {stats.level(runs.look, ALPHA):g}"
                + (f" (look {runs.look})." if runs.look > 1 else ".")
                + " A sign-flip test is printed only where it could reach that level in its family.",
            ),
            ("what would decide it", "over"),
        ),
        Table(
            "variance",
            f"What the interval is made of, and half its width with more seeds ({unit(runs.metric.unit)}).",
            shares,
            dict.fromkeys(["half-width now", "with twice the seeds", "with any number"], max(digits, 2)),
            ("Variances are estimates from this study: read the last two columns as rough.",),
        ),
    ]


def figure(runs: Runs) -> go.Figure | None:
    """Half-width of the 95% interval of each comparison against the number of seeds, were the variances as estimated;
    dots: this study. It falls to what the test set allows, never to zero."""
    drawn = figures.new(340)
    for (arm, baseline), one in against_baselines(runs).items():
        crossed = one.comparison.crossed
        if crossed is None:
            continue
        seeds = sorted({*range(3, 11), *range(12, 41, 4), crossed.seeds})
        half = [runs.metric.scale * _half(crossed.planned(n)) for n in seeds if n >= 2]
        mark = figures.mark(runs, arm)
        dash = "solid" if one.claimed else "dot"
        drawn.add_scatter(
            x=seeds,
            y=half,
            mode="lines+markers",
            line={"color": mark.color, "dash": dash, "width": 2},
            marker={"size": [9 if n == crossed.seeds else 0 for n in seeds], "opacity": 1},
            name=figures.plain(f"{runs.label(arm)} − {runs.label(baseline)}", 40),
            hovertemplate="%{x} seeds: ±%{y:.2f}<extra></extra>",
        )
    drawn.update_xaxes(title="repeats" if runs.study["repeats"] > 1 else "seeds")
    drawn.update_yaxes(title=f"± {unit(runs.metric.unit)}", rangemode="tozero")
    return drawn if drawn.data else None


def _row(runs: Runs, one: Judged, family: int) -> Row:
    comparison, scale = one.comparison, runs.metric.scale
    return {
        "comparison": f"{comparison.a} − {comparison.b}",
        "part of": "claim" if one.claimed else "exploratory",
        "difference": difference(comparison.interval, scale),
        "over": comparison.over,
        "n": comparison.n,
        "p": p_value(one.verdict.p),
        "verdict": one.verdict,
        "what would decide it": one.verdict.detail,
        "seeds only": difference(comparison.seeds_only, scale),
        "samples only": difference(comparison.samples_only, scale),
        "P(improvement)": _improvement(runs, one),
        "sign-flip p": _sign_flip(runs, comparison, family),
    }


def _improvement(runs: Runs, one: Judged) -> float | None:
    ahead = [value if runs.study["maximize"] else -value for value in one.comparison.scores[0]]
    behind = [value if runs.study["maximize"] else -value for value in one.comparison.scores[1]]
    return stats.probability_of_improvement(ahead, behind) if ahead and behind else None


def _sign_flip(runs: Runs, one: Comparison, family: int) -> P | None:
    n = len(one.pairs)
    paired_by_seed = runs.study["folds"] == 1 and runs.study["repeats"] == 1
    if not paired_by_seed or one.barriers or n > 20 or not stats.reaches(n, stats.level(runs.look, ALPHA), family):
        return None
    return p_value(stats.sign_flip(one.pairs))


def _half(interval: stats.Interval) -> float:
    low, high = interval.bounds()
    return (high - low) / 2
