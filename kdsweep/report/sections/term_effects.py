"""What a term does in company and alone, and what a row owes to its settings, where the study ran both. Exploratory, as
the ablation whose rows these are."""

from __future__ import annotations

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.tables import Cell, Row, Table, difference
from kdsweep.report.statistics.ablated import JudgedRow, judged_rows
from kdsweep.report.statistics.compare import confirmed, contrast
from kdsweep.report.statistics.intervals import Interval
from kdsweep.report.statistics.verdicts import unit

TITLE = "Terms alone and together"
CHAPTER = "gains"
ORDER = 30.5
RESTS = ("search", "finalists", "confirm", "ablate")
GLOSSARY = {
    "interaction": "What a term adds to all others, less what it adds to a student trained alone.",
    "gained by searching": "What a search of its own gave the row: so much was owed to settings, not to the term.",
    "leave one out": "The full method with one term removed.",
    "add one in": "Only the terms that are always there, and one more.",
}


def table(runs: Runs) -> list[Table]:
    rows = judged_rows(runs)
    return [*_by_term(runs, rows), *_by_search(runs, rows)] if rows else []


def _by_term(runs: Runs, judgements: list[JudgedRow]) -> list[Table]:
    """Leave-one-out beside add-one-in, and how much a term's effect depends on its company."""
    recipe = runs.study.arms[runs.study.ablated].recipe
    always = {*recipe.required, *recipe.base}
    rows: list[Row] = []
    for term in recipe.terms:
        left = [judgement for judgement in judgements if _is(runs, judgement.row, "leave_one_out", {term})]
        alone = set(recipe.terms) - always - {term}
        added = [judgement for judgement in judgements if _is(runs, judgement.row, "add_one_in", alone)]
        if left or added:
            interaction = _interaction(runs, left, added)
            row = {"term": term, **_cells(runs, "leave one out", left), **_cells(runs, "add one in", added)}
            rows.append({**row, "interaction": difference(interaction, runs.metric.scale)})
    if not any(row["add one in"] for row in rows):
        return []
    caption = (
        "Each term taken away from the full method, and each alone beside the terms that are always there; both as "
        f"difference from the full method ({unit(runs.metric.unit)}), with the table's intervals and verdicts. "
        "Interaction: what the term adds to all others, less what it adds to a student trained alone."
    )
    notes = (
        "A term that is not missed may still help alone: terms can stand in for each other, and then their interaction "
        "is on the losing side of zero.",
    )
    digits = dict.fromkeys(["leave one out", "add one in", "interaction"], runs.digits)
    return [Table("terms", caption, rows, digits, notes)]


def _interaction(runs: Runs, left: list[JudgedRow], added: list[JudgedRow]) -> Interval | None:
    alone = [arm for arm in runs.arms if runs.study.arms[arm].method == "student_only"]
    if not left or not added or not alone:
        return None
    full, base = confirmed(runs, runs.study.ablated), confirmed(runs, alone[0])
    return contrast(runs, [full, base], [left[-1].side, added[-1].side])


def _by_search(runs: Runs, judgements: list[JudgedRow]) -> list[Table]:
    """Rows that ran both ways: at the full method's settings, and at those of a search of their own."""
    both: dict[str, dict[bool, JudgedRow]] = {judgement.row: {} for judgement in judgements}
    for judgement in judgements:
        both[judgement.row][judgement.retuned] = judgement
    rows: list[Row] = []
    for row, ways in both.items():
        if len(ways) == 2:
            gained = contrast(runs, [ways[True].side], [ways[False].side])
            rows.append(
                {
                    "row": row,
                    "at the full method's settings": difference(ways[False].comparison.interval, runs.metric.scale),
                    "verdict there": ways[False].verdict,
                    "after its own search": difference(ways[True].comparison.interval, runs.metric.scale),
                    "verdict after": ways[True].verdict,
                    "gained by searching": difference(gained, runs.metric.scale),
                }
            )
    caption = (
        f"Rows run both ways, as difference from the full method ({unit(runs.metric.unit)}); what changes between the "
        "columns is owed to the settings, not to the term."
    )
    columns = ["at the full method's settings", "after its own search", "gained by searching"]
    return [Table("retuned", caption, rows, dict.fromkeys(columns, runs.digits))] if rows else []


def _is(runs: Runs, row: str, kind: str, dropped: set[str]) -> bool:
    entry = runs.study.rows[row]
    return entry.kind == kind and set(entry.dropped) == dropped


def _cells(runs: Runs, name: str, entries: list[JudgedRow]) -> dict[str, Cell]:
    if not entries:
        return {name: None, f"verdict, {name}": None}
    # A row that was tuned on its own terms says more than one that was not.
    judgement = entries[-1]
    return {name: difference(judgement.comparison.interval, runs.metric.scale), f"verdict, {name}": judgement.verdict}
