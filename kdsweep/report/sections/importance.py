"""Which numbers mattered in each arm's search, by two measures. PED-ANOVA (Watanabe, Bansal, Hutter 2023): how far the
best tenth of the trials stands apart from all, number by number. fANOVA (Hutter, Hoos, Leyton-Brown 2014): the share of
the score's variance that a number explains, bad regions included. Both describe this search, within its ranges."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.searches import searched
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table
from kdsweep.report.statistics.importance import FEWEST, FOREST, MOST, SHUFFLES, ranked

TITLE = "What mattered in the search"
CHAPTER = "search"
ORDER = 56
RESTS = ("search",)
GLOSSARY = {
    "PED-ANOVA": "How far the best tenth of the trials stands apart from all, by this number alone; a share.",
    "fANOVA": "Share of the score's variance over the whole range that this number explains, bad regions included.",
    "above chance": "More than shuffled scores show for this number, at 5%.",
}


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for arm in runs.arms:
        rows += [
            {
                "arm": runs.label(arm),
                "number": importance.name,
                "PED-ANOVA": 100 * importance.ped,
                "above chance": importance.above_chance,
                "fANOVA": 100 * importance.fanova,
                "trials": len(searched(runs, arm).complete),
            }
            for importance in ranked(runs, arm)
        ]
    caption = "Importance of each searched number (%), summing to 100 in each arm; from trials that finished."
    notes = (
        f"Above chance: more than all but one of {SHUFFLES} searches with shuffled scores show (a test at 5%). Without "
        "it, the rank of a number says nothing.",
        f"PED-ANOVA reads at most {MOST} trials of an arm and fANOVA {FOREST}, evenly over the search.",
        f"Arms with fewer than {FEWEST} finished trials, or fewer than two searched numbers, are left out.",
    )
    return [Table("importance", caption, rows, {"PED-ANOVA": 0, "fANOVA": 0}, notes, page=False)]


def drawing(runs: Runs) -> Drawing | None:
    bars = [
        {
            "arm": runs.label(arm),
            "number": importance.name,
            "measure": measure,
            "importance (%)": 100 * share,
            "above chance": importance.above_chance if measure == "PED-ANOVA" else None,
        }
        for arm in runs.arms
        for measure in ("PED-ANOVA", "fANOVA")
        for importance in ranked(runs, arm)
        for share in [importance.ped if measure == "PED-ANOVA" else importance.fanova]
    ]
    return Drawing(pd.DataFrame(bars), "importance (%)", of=("arm", "measure", "number")) if bars else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Importance of each searched number in each arm: PED-ANOVA (filled; faded where it is not above chance) and fANOVA
    (open). No interval is drawn."""
    arms, marks = list(drawing.numbers.groupby("arm", sort=False)), figures.marks(runs)
    counts = [bars["number"].nunique() for _, bars in arms]
    grid = make_subplots(
        rows=len(arms),
        shared_xaxes=True,
        row_heights=[count + 1.0 for count in counts],
        subplot_titles=[figures.plain(str(arm), 60) for arm, _ in arms],
        vertical_spacing=min(0.2 / len(arms), 0.1),
    )
    for row, (arm, both) in enumerate(arms, start=1):
        color = marks[arm].color
        for measure, bars in both.groupby("measure", sort=False):
            filled = {"color": color, "opacity": [1.0 if above else 0.35 for above in bars["above chance"]]}
            outlined = {"color": "rgba(0,0,0,0)", "line": {"color": color, "width": 1.5}}
            bar = go.Bar(
                x=list(bars[drawing.value]),
                y=[figures.plain(number, 30) for number in bars["number"]],
                orientation="h",
                marker=filled if measure == "PED-ANOVA" else outlined,
                name=str(measure),
                hovertemplate=f"{figures.plain(str(arm), 40)}, %{{y}}: %{{x:.0f}} %<extra>{measure}</extra>",
                showlegend=False,
            )
            grid.add_trace(bar, row=row, col=1)
        grid.update_yaxes(autorange="reversed", row=row, col=1)
    grid.update_layout(template=figures.TEMPLATE, height=80 + 40 * sum(counts) + 46 * len(arms), bargap=0.25)
    grid.update_xaxes(title=drawing.value, row=len(arms), col=1)
    grid.update_annotations(font_size=13)
    return grid
