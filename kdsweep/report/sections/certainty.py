"""How sure each comparison is, what the uncertainty is made of, and what would decide an open one. An interval over
seeds alone is about this very test set, one over samples alone about these very seeds; the crossed interval is about a
new seed and a new sample."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import P, Row, Table, difference, p_value
from kdsweep.report.statistics import bayesian, dominance, exact, intervals, multiplicity, power, summaries
from kdsweep.report.statistics.intervals import Interval
from kdsweep.report.statistics.verdicts import ALPHA, Judged, against_baselines, unit

TITLE = "How sure"
CHAPTER = "belief"
ORDER = 25
RESTS = ("search", "finalists", "confirm")
PAGES = ("study", "imported")
GLOSSARY = {
    "effect size": "Difference of the means over a run's SD (Cohen's d): how far apart seeds lie, not how sure it is.",
    "paired t p": "Student's test on the seeds' differences: about this very test set, not new samples. Unadjusted.",
    "Wilcoxon p": "Exact signed-rank test on the seeds' differences; only where it can be significant. Unadjusted.",
    "ε_min": "Almost stochastic order: below 0.5 the first is stochastically better with 95% confidence.",
    "P(better)": "Bayesian signed-rank test over seeds: posterior of a lead beyond the margin of equivalence.",
    "P(equivalent)": "Bayesian signed-rank test over seeds: posterior of a difference within that margin.",
    "P(worse)": "Bayesian signed-rank test over seeds: posterior of a deficit beyond that margin.",
    "P(improvement)": "How often a run of this row scores above a run of the baseline, over all pairs of seeds.",
    "sign-flip p": "Exact test on the seeds' differences, blind to the test set; only where it can be significant.",
    "seeds only": "Student's interval over seeds: right for this very test set, too narrow for new samples.",
    "samples only": "The interval over test samples with seeds averaged: too narrow for new seeds.",
    "part of": "The claim, or the exploratory rest: two families, each adjusted on its own.",
    "SD between seeds": "Spread of the true difference from one seed to another: more seeds average it out.",
    "SD between samples": "Spread of the difference over test samples: only a larger test set averages it out.",
    "SD left": "What is left of a single sample's difference in a single run.",
    "half-width now": "Half of the crossed interval.",
    "with any number": "The smallest difference that this test set can ever show.",
}


def table(runs: Runs) -> list[Table]:
    judged = list(against_baselines(runs).values())
    scale, digits = runs.metric.scale, runs.digits
    rows: list[Row] = [_row(runs, judgement) for judgement in judged]
    widths = ["difference", "seeds only", "samples only"]
    tables = [(judgement.comparison, judgement.comparison.crossed) for judgement in judged]
    shares: list[Row] = [
        {
            "comparison": f"{comparison.a} − {comparison.b}",
            "SD between seeds": scale * math.sqrt(crossed.seed),
            "SD between samples": scale * math.sqrt(crossed.sample),
            "SD left": scale * math.sqrt(crossed.noise),
            "half-width now": scale * _half(crossed.interval),
            "with twice the seeds": scale * _half(crossed.planned(2 * crossed.seeds)),
            "with any number": scale * crossed.smallest(ALPHA),
        }
        for comparison, crossed in tables
        if crossed
    ]
    return [
        Table(
            "certainty",
            f"Differences in test {runs.metric.label} ({unit(runs.metric.unit)}), with 95% intervals, unadjusted.",
            rows,
            dict.fromkeys(widths, digits),
            (
                f"Tested at {multiplicity.level(runs.look, ALPHA):g}"
                + (f" (look {runs.look})." if runs.look > 1 else ".")
                + " Open verdicts say what would decide them.",
                *power.note(runs, power.main(judged)),
            ),
            ("what would decide it", "over"),
            aside=("part of", "over", "seeds only", "samples only"),
        ),
        _others(runs, judged),
        Table(
            "variance",
            f"What the interval is made of, and half its width with more seeds ({unit(runs.metric.unit)}).",
            shares,
            dict.fromkeys(["half-width now", "with twice the seeds", "with any number"], max(digits, 2)),
            ("Variances are estimates from this study: read the last two columns as rough.",),
        ),
    ]


def drawing(runs: Runs) -> Drawing | None:
    along, value = "repeats" if runs.study.budget.repeats > 1 else "seeds", f"± {unit(runs.metric.unit)}"
    points = []
    for (arm, baseline), judgement in against_baselines(runs).items():
        if (crossed := judgement.comparison.crossed) is not None:
            points += [
                {
                    "comparison": f"{runs.label(arm)} − {runs.label(baseline)}",
                    "arm": runs.label(arm),
                    "part of": "claim" if judgement.claimed else "exploratory",
                    along: n,
                    value: runs.metric.scale * _half(crossed.planned(n)),
                    "this study": n == crossed.seeds,
                }
                for n in sorted({*range(3, 11), *range(12, 41, 4), crossed.seeds})
                if n >= 2
            ]
    return Drawing(pd.DataFrame(points), value, of=("comparison",), along=along) if points else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Half-width of the 95% interval of each comparison against the number of seeds, were the variances as estimated;
    dots: this study. It falls to what the test set allows, never to zero."""
    drawn, marks = figures.new(340), figures.marks(runs)
    for comparison, points in drawing.numbers.groupby("comparison", sort=False):
        claimed = points["part of"].iloc[0] == "claim"
        drawn.add_scatter(
            x=list(points[drawing.along]),
            y=list(points[drawing.value]),
            mode="lines+markers",
            line={"color": marks[points["arm"].iloc[0]].color, "dash": "solid" if claimed else "dot", "width": 2},
            marker={"size": [9 if here else 0 for here in points["this study"]], "opacity": 1},
            name=figures.plain(str(comparison), 40),
            hovertemplate=f"%{{x}} {drawing.along}: ±%{{y:.2f}}<extra></extra>",
        )
    drawn.update_xaxes(title=drawing.along)
    drawn.update_yaxes(title=drawing.value, rangemode="tozero")
    return drawn


def _row(runs: Runs, judgement: Judged) -> Row:
    comparison, scale = judgement.comparison, runs.metric.scale
    return {
        "comparison": f"{comparison.a} − {comparison.b}",
        "part of": "claim" if judgement.claimed else "exploratory",
        "difference": difference(comparison.interval, scale),
        "over": comparison.over,
        "n": comparison.n,
        "p": p_value(judgement.verdict.p),
        "verdict": judgement.verdict,
        "what would decide it": judgement.verdict.detail,
        "seeds only": difference(comparison.seeds_only, scale),
        "samples only": difference(comparison.samples_only, scale),
    }


def _others(runs: Runs, judged: list[Judged]) -> Table:
    """The same runs through other statistics: about seeds alone, for whoever expects one of these."""
    rows: list[Row] = []
    for judgement in judged:
        comparison = judgement.comparison
        sign = 1 if runs.study.maximize else -1
        a, b = (sign * np.array(scores) for scores in comparison.scores)
        d = sign * np.array(comparison.pairs)
        if len(d) < 2:
            continue
        rope = _rope(runs, d)
        rows.append(
            {
                "comparison": f"{comparison.a} − {comparison.b}",
                "median": float(np.median(a) - np.median(b)) * sign * runs.metric.scale,
                "IQM": (summaries.interquartile_mean(a) - summaries.interquartile_mean(b)) * sign * runs.metric.scale,
                "effect size": summaries.effect_size(a, b),
                "P(improvement)": summaries.probability_of_improvement(a, b),
                "ε_min": dominance.almost_stochastic_order(a, b, np.random.default_rng(0)),
                "paired t p": P(intervals.over(d).p) if _by_seed(runs) else None,
                "sign-flip p": _exact(runs, judgement, exact.sign_flip),
                "Wilcoxon p": _exact(runs, judgement, exact.wilcoxon),
                **dict(zip(("P(better)", "P(equivalent)", "P(worse)"), rope or (), strict=False)),
            }
        )
    return Table(
        "others",
        "The same comparisons through other statistics, first minus second.",
        rows,
        {"median": runs.digits, "IQM": runs.digits},
        (
            "All of these vary the seed and keep this very test set: read them beside the crossed interval, not in its "
            "place. p is unadjusted; a test that cannot reach its level in its family with these seeds is left out.",
        ),
        page=False,
    )


def _rope(runs: Runs, d: np.ndarray) -> bayesian.Rope | None:
    margin = runs.study.equivalent
    if margin is None:
        return None
    return bayesian.signed_rank(d, margin / runs.metric.scale, np.random.default_rng(0))


def _by_seed(runs: Runs) -> bool:
    """Whether the runs' differences are independent: with folds or repeats they are not."""
    return runs.study.data.folds == 1 and runs.study.budget.repeats == 1


def _exact(runs: Runs, judgement: Judged, test: Callable[[ArrayLike], float]) -> P | None:
    """An exact test's p, where it could be significant at all."""
    n = len(judgement.comparison.pairs)
    family = sum(other.claimed == judgement.claimed for other in against_baselines(runs).values())
    if not _by_seed(runs) or judgement.comparison.barriers or n > 20:
        return None
    if not exact.reaches(n, multiplicity.level(runs.look, ALPHA), family):
        return None
    return p_value(test(judgement.comparison.pairs))


def _half(interval: Interval) -> float:
    low, high = interval.bounds()
    return (high - low) / 2
