"""The two tables that a paper prints, each in one column of a page: every method, and what the method is made of."""

from __future__ import annotations

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.tables import Cell, Difference, Finding, Row, Spread, Table, difference
from kdsweep.report.statistics.ablated import judged_rows
from kdsweep.report.statistics.compare import Comparison, Side, confirmed, scored
from kdsweep.report.statistics.controls import controlled_arm, judged_controls
from kdsweep.report.statistics.verdicts import Verdict, against_baselines, unit

TITLE = "Tables for the paper"
CHAPTER = "paper"
ORDER = 83
RESTS = ("search", "finalists", "confirm", "ablate", "control")
PAGES = ("study", "imported")
FULL = "vs. full"


def table(runs: Runs) -> list[Table]:
    return [table for table in (arms(runs), ablation(runs)) if len(table.rows) > 1]


def arms(runs: Runs) -> Table:
    """A row an arm: its score, and its difference from every baseline."""
    name, judged, shown = _name(runs), against_baselines(runs), []
    rows: list[Row] = []
    for arm in runs.arms:
        row: dict[str, Cell] = {"method": runs.label(arm), name: _spread(runs, confirmed(runs, arm))}
        for baseline in runs.baselines:
            found = judged.get((arm, baseline))
            cell = _finding(runs, found.comparison, found.verdict) if found else None
            shown += [found.comparison] if cell and found else []
            row[_against(runs, baseline)] = cell
        rows.append(row)
    best = _best(runs, rows, name)
    for arm in runs.references:
        for label, roles in runs.references_of(arm).items():
            side = Side(label, roles, len(roles), 0)
            rows.append({**dict.fromkeys(rows[0] if rows else ()), "method": label, name: _spread(runs, side)})
    heads = [name, *(_against(runs, baseline) for baseline in runs.baselines)]
    return Table(
        "arms-paper",
        _caption(runs, f"Test {runs.metric.label} ({runs.metric.unit})", rows, shown),
        rows,
        dict.fromkeys(heads, runs.digits),
        bold=frozenset({(best, name)} if best is not None else ()),
        narrow=True,
        page=False,
    )


def ablation(runs: Runs) -> Table:
    """The full method, its rows and, where they break the same arm, its controls; differences from the full method."""
    judged, name = judged_rows(runs), _name(runs)
    if not judged:
        return Table("ablation-paper", "", [])
    full = confirmed(runs, runs.study.ablated)
    rows: list[Row] = [{"row": f"{full.label} (full)", name: _spread(runs, full), FULL: None}]
    for judgement in judged:
        words = f"{judgement.row}, retuned" if judgement.retuned else judgement.row
        cell = _finding(runs, judgement.comparison, judgement.verdict)
        rows.append({"row": words, name: _spread(runs, judgement.side), FULL: cell})
    if controlled_arm(runs) == runs.study.ablated:
        for control, side, comparison, verdict in judged_controls(runs):
            cell = _mirrored(_finding(runs, comparison, verdict))
            rows.append({"row": f"control: {control}", name: _spread(runs, side), FULL: cell})
    subject = f"Ablation of {full.label}: test {runs.metric.label} ({runs.metric.unit})"
    caption = _caption(runs, subject, rows, [judgement.comparison for judgement in judged])
    return Table("ablation-paper", caption, rows, dict.fromkeys([name, FULL], runs.digits), narrow=True, page=False)


def _caption(runs: Runs, subject: str, rows: list[Row], shown: list[Comparison]) -> str:
    """What the numbers are, what the interval is over, and what the marks mean: no more than a caption holds."""
    runs_of = "folds" if runs.study.data.folds > 1 else "repeats" if runs.study.budget.repeats > 1 else "seeds"
    over = f" over {shown[0].over}" if shown else ""
    margin = f"±{runs.study.equivalent or 0:g} {unit(runs.metric.unit)}"
    marks = {
        "↑": "better",
        "↑≈": f"better, and within {margin}",
        "↓": "worse",
        "↓≈": f"worse, and within {margin}",
        "≈": f"equivalent within {margin}",
        "(≈)": f"equivalent within {margin} if no run collapses",
        "?": "undecided",
    }
    found = {cell.mark for row in rows for cell in row.values() if isinstance(cell, Finding)}
    key = ", ".join(f"{mark} {words}" for mark, words in marks.items() if mark in found)
    return (
        f"{subject}, mean ± SD over {runs_of}; differences in {unit(runs.metric.unit)} with 95% intervals{over}, "
        f"unadjusted.{f' Holm-adjusted: {key}.' if key else ''}"
    )


def _finding(runs: Runs, comparison: Comparison, verdict: Verdict) -> Finding | None:
    shown = difference(comparison.interval, runs.metric.scale)
    return Finding(shown, verdict) if shown else None


def _mirrored(found: Finding | None) -> Finding | None:
    """A control's, which is judged as what the method is above it."""
    if found is None or found.verdict is None:
        return None
    shown, verdict = found.difference, found.verdict
    return Finding(Difference(-shown.value, -shown.high, -shown.low), verdict.mirrored)


def _spread(runs: Runs, side: Side) -> Spread | None:
    values = scored(runs, side) * runs.metric.scale
    return Spread(float(values.mean()), float(values.std()) if len(values) > 1 else None) if len(values) else None


def _best(runs: Runs, rows: list[Row], name: str) -> int | None:
    means = {i: cell.mean for i, row in enumerate(rows) if isinstance(cell := row[name], Spread)}
    pick = max if runs.study.maximize else min
    return pick(means, key=lambda i: means[i]) if len(means) > 1 else None


def _name(runs: Runs) -> str:
    return f"{runs.metric.label} ({runs.metric.unit})"


def _against(runs: Runs, baseline: str) -> str:
    return f"vs. {runs.label(baseline)}"
