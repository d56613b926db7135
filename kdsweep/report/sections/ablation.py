"""Which terms matter: each row is the full method with something taken away or changed, on the same seeds. A row whose
verdict is worse needs what it lost; one that is equivalent can do without; one that is undecided shows neither."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts import teachers
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.board import Across, Board, BoardCell, Has, Head, Name, forest
from kdsweep.report.render.drawing import Drawing, spread
from kdsweep.report.render.tables import Cell, Row, Table, difference, p_value, significant
from kdsweep.report.statistics import power
from kdsweep.report.statistics.ablated import JudgedRow, judged_rows
from kdsweep.report.statistics.compare import Side, confirmed, mean_score
from kdsweep.report.statistics.controls import JudgedControl, controlled_arm, judged_controls
from kdsweep.report.statistics.health import unexplained
from kdsweep.report.statistics.verdicts import unit
from kdsweep.values.control import CONTROLS, NONE

TITLE = "Which terms matter"
CHAPTER = "front"
ORDER = 30
RESTS = ("search", "finalists", "confirm", "ablate")
COLUMNS = ("row", "question", "difference", "p", "verdict", "n", "retuned", "teacher")
OWN = "its own search"


def table(runs: Runs) -> list[Table]:
    judgements = judged_rows(runs)
    if not judgements:
        return []
    metric, terms = runs.metric, runs.study.arms[runs.study.ablated].recipe.terms
    full = confirmed(runs, runs.study.ablated)
    name = f"{metric.label} ({metric.unit})"
    first: dict[str, Cell] = {
        "row": f"{full.label} (full)",
        "question": "",
        **{_column(term): True for term in terms},
        name: mean_score(runs, full),
        **dict.fromkeys(["difference", "p", "verdict"]),
        "n": full.count,
        "retuned": OWN,
        "teacher": teachers.in_words(runs, full.roles),
        "what would decide it": "",
    }
    rows: list[Row] = [first]
    for judgement in judgements:
        dropped = runs.study.rows[judgement.row].dropped
        rows.append(
            {
                "row": judgement.row,
                "question": _question(runs, judgement.row),
                **{_column(term): term not in dropped for term in terms},
                name: mean_score(runs, judgement.side),
                "difference": difference(judgement.comparison.interval, metric.scale),
                "p": p_value(judgement.verdict.p),
                "verdict": judgement.verdict,
                "n": judgement.side.count,
                "retuned": OWN if judgement.retuned else "no: the full method's settings, which favours it",
                "teacher": teachers.in_words(runs, judgement.side.roles),
                "what would decide it": judgement.verdict.detail,
            }
        )
    rows += _controls(runs, list(first), name)
    caption = (
        f"Test {metric.label}; difference: row minus full method ({unit(metric.unit)}), with a 95% interval "
        f"({judgements[0].comparison.over}), unadjusted."
    )
    notes = ["Exploratory: the rows of this table are one Holm family, the controls below them another."]
    if any(not judgement.retuned for judgement in judgements):
        notes.append(
            "Rows that were not retuned run at the full method's settings, which favours the full method: "
            "a search of their own might bring them closer."
        )
    main = Table(
        "ablation",
        caption,
        rows,
        {name: runs.digits, "difference": runs.digits},
        (*unexplained(runs, "ablation"), *notes, *power.note(runs, [judgement.comparison for judgement in judgements])),
        ("what would decide it", "question"),
        dagger=significant(rows, {"difference": "verdict"}),
    )
    return [main]


def heading(runs: Runs) -> str:
    """Which terms are missed, each taken away alone."""
    if not runs.study.ablated:
        return TITLE
    title = f"Which terms of {runs.label(runs.study.ablated)} matter"
    alone = [one for one in judged_rows(runs) if len(runs.study.rows[one.row].dropped) == 1]
    alone = [one for one in alone if runs.study.rows[one.row].kind == "leave_one_out"]
    if not alone or not runs.study.complete:
        return title
    missed = dict.fromkeys(runs.study.rows[one.row].dropped[0] for one in alone if one.verdict.word == "worse")
    return f"{title}: {' and '.join(missed) if missed else 'none that this study could see'}"


def boards(runs: Runs) -> list[Board]:
    judgements = judged_rows(runs)
    if not judgements:
        return []
    scale, terms = runs.metric.scale, runs.study.arms[runs.study.ablated].recipe.terms
    full = confirmed(runs, runs.study.ablated)
    rows: list[list[BoardCell]] = [
        [Name(f"{full.label} (full)"), *(Has(True) for _ in terms), mean_score(runs, full), None]
    ]
    for judgement in judgements:
        entry = runs.study.rows[judgement.row]
        beside = ["own search"] if judgement.retuned else []
        beside += [] if judgement.side.whole else [f"n = {judgement.side.count}"]
        rows.append(
            [
                Name(judgement.row, ", ".join(beside + undistilled(runs, judgement.side))),
                *(Has(term not in entry.dropped) for term in terms),
                mean_score(runs, judgement.side),
                forest(judgement.comparison, judgement.verdict, scale),
            ]
        )
    if controlled_arm(runs) == runs.study.ablated:
        rows += [control_row(runs, judged, len(terms)) for judged in judged_controls(runs)]
    margin, notes = runs.study.equivalent, not_asked(runs)
    if any(not judgement.retuned for judgement in judgements):
        notes.append("Rows run at the full method's settings, which favours it, unless they had their own search.")
    notes.append("Exploratory; verdicts allow for several comparisons, rows and controls each as one family.")
    return [
        Board(
            label=f"Rows of the ablation of {full.label}: their terms, and their distance from the full method",
            heads=(
                Head("row"),
                *(Head(term, "term") for term in terms),
                Head(f"{runs.metric.label} ({runs.metric.unit})", "number"),
                Head(
                    f"minus full {full.label}, {unit(runs.metric.unit)}",
                    "forest",
                    f"band: called equal (±{margin:g})" if margin is not None else "",
                ),
            ),
            rows=rows,
            digits=runs.digits,
            strong=frozenset({0}),
            margin=margin,
            notes=tuple(notes),
            files=("ablation", "ablation-paper"),
        )
    ]


def control_row(runs: Runs, judged: JudgedControl, columns: int) -> list[BoardCell]:
    """A control as what it loses against the full method, with what it breaks in the place of so many columns."""
    entry = CONTROLS.get(judged.control, NONE)
    beside = [] if judged.side.whole else [f"n = {judged.side.count}"]
    name = Name(f"control: {judged.control.replace('_', ' ')}", ", ".join(beside + undistilled(runs, judged.side)))
    cell = forest(judged.comparison, judged.verdict.mirrored, runs.metric.scale, turned=True)
    return [name, *([Across(entry.broken, columns)] if columns else []), mean_score(runs, judged.side), cell]


def not_asked(runs: Runs) -> list[str]:
    """Controls that say nothing about this arm, and why."""
    why = [f"{control} ({reason})" for control, reason in runs.study.inapplicable.items()]
    return [f"Controls without a meaning here: {'; '.join(why)}."] if why else []


def undistilled(runs: Runs, side: Side) -> list[str]:
    """That nothing was distilled into these runs, where their teachers recognise no more than chance does."""
    return ["its teacher is at chance: nothing was distilled"] if teachers.at_chance(runs, side.roles) else []


def drawing(runs: Runs) -> Drawing | None:
    value = f"row − full method, {runs.metric.label} ({unit(runs.metric.unit)})"
    rows = [
        {
            "arm": runs.label(runs.study.ablated),
            "row": judgement.row,
            "settings": OWN if judgement.retuned else "the full method's",
            **spread(value, shown, runs.study.equivalent),
        }
        for judgement in judged_rows(runs)
        if (shown := difference(judgement.comparison.interval, runs.metric.scale))
    ]
    return Drawing(pd.DataFrame(rows), value, of=("row", "settings")) if rows else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Row minus full method, with a 95% interval, unadjusted; exploratory. Filled:
    the row had its own search; open: at the full method's settings, which favours it."""
    return figures.forest(
        drawing,
        colors=[figures.mark(runs, runs.study.ablated).color] * len(drawing.numbers),
        solid=[settings == OWN for settings in drawing.numbers["settings"]],
        title=drawing.value,
        digits=runs.digits,
        margin=runs.study.equivalent,
    )


def words(runs: Runs) -> list[str]:
    """The verdicts in words, of rows that only leave terms out: other data or settings say nothing of a term."""
    judgements = [one for one in judged_rows(runs) if _only_drops(runs, one.row)]
    if not judgements or not runs.study.complete:
        return []
    said = []
    for word, sentence in [
        ("worse", "Needed, since the row without it is worse: {}."),
        ("better", "Harmful here, since the row without it is better: {}."),
        ("equivalent", "Equivalent to the full method, each row by itself: {}."),
        ("undecided", "Undecided, which is not the same as no effect: {}."),
        ("no verdict", "Without a verdict: {}."),
    ]:
        mine = [judgement for judgement in judgements if judgement.verdict.word == word]
        rows = [judgement.row + (" (retuned)" if judgement.retuned else "") for judgement in mine]
        if rows:
            said.append(sentence.format(", ".join(rows)))
    return [" ".join([*said, *_together(runs, judgements)])]


def _only_drops(runs: Runs, row: str) -> bool:
    entry = runs.study.rows[row]
    return bool(entry.dropped) and not (entry.data or entry.choices or entry.numbers)


def _together(runs: Runs, judgements: list[JudgedRow]) -> list[str]:
    """What may be left out: only terms that one row leaves out together, for terms can stand in for each other."""
    same = [one for one in judgements if one.verdict.word == "equivalent"]
    joint = [runs.study.rows[one.row].dropped for one in same if len(runs.study.rows[one.row].dropped) > 1]
    whole = [dropped for dropped in joint if not any(set(dropped) < set(other) for other in joint)]
    if whole:
        return [f"Can be left out together, as one row does: {'; or '.join(map(', '.join, whole))}."]
    single = [one for one in same if len(runs.study.rows[one.row].dropped) == 1]
    return ["No row left these out together: terms can stand in for each other."] if len(single) > 1 else []


def _question(runs: Runs, row: str) -> str:
    entry = runs.study.rows[row]
    dropped = ", ".join(entry.dropped)
    if entry.kind == "add_one_in":
        return "Is this term enough on its own?"
    if dropped and entry.data:
        return "What do the labels alone give there?"
    if dropped:
        return f"Is {dropped} needed?" if len(entry.dropped) == 1 else f"Are {dropped} needed together?"
    changed = [*entry.choices, *entry.numbers, *(f"data.{name}" for name in entry.data)]
    return f"Does it depend on {', '.join(changed)}?" if changed else ""


def _controls(runs: Runs, columns: list[str], name: str) -> list[Row]:
    """The controls of the same arm below its rows, as differences from the full method like them."""
    if controlled_arm(runs) != runs.study.ablated:
        return []
    rows: list[Row] = []
    for control, side, comparison, verdict in judged_controls(runs):
        shown = difference(comparison.interval, -runs.metric.scale)
        if shown is not None:
            shown = type(shown)(shown.value, shown.high, shown.low)
        rows.append(
            {
                **dict.fromkeys(columns),
                "row": f"control: {control}",
                "question": CONTROLS.get(control, NONE).question,
                name: mean_score(runs, side),
                "difference": shown,
                "p": p_value(verdict.p),
                "verdict": verdict.mirrored,
                "n": side.count,
                "retuned": OWN if CONTROLS.get(control, NONE).searched else "no",
                "teacher": teachers.in_words(runs, side.roles),
                "what would decide it": verdict.detail,
            }
        )
    return rows


def _column(term: str) -> str:
    """A term's column; a user's term may be called like one of ours."""
    return f"term {term}" if term in COLUMNS else term
