"""What the first screen shows of a table: drawn and written, on axes that hold what has to be seen."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import plotly.graph_objects as go
import pytest

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures, ink
from kdsweep.report.render.board import Across, Board, Forest, Has, Head, Name, Seeds, reach
from kdsweep.report.render.tables import Difference, Spread
from kdsweep.report.sections import ablation, arms, controls, headline
from kdsweep.report.statistics.ablated import judged_rows
from kdsweep.report.statistics.verdicts import against_baselines
from kdsweep.values.study import Claim
from tests.helpers import report_fakes


@pytest.fixture(scope="module")
def runs() -> Runs:
    return report_fakes.make(search=2)


def cells(board: Board, kind: type) -> list:
    return [cell for row in board.rows for cell in row if isinstance(cell, kind)]


def test_the_claim_comes_first_and_the_others_by_their_means(runs):
    (board,) = arms.boards(runs)
    means = [cell.mean for cell in cells(board, Spread)]
    assert board.rows[0][0].words == "AMID"
    assert means[1:] == sorted(means[1:], reverse=True)
    assert all(len(dots.values) == 10 for dots in cells(board, Seeds))


def test_a_teacher_stands_in_a_note_and_off_the_axis(runs):
    (board,) = arms.boards(runs)
    assert "Teacher" not in [row[0].words for row in board.rows]
    assert re.search(r"Not in the comparison: Teacher [\d.]+ ± [\d.]+", " ".join(board.notes))
    best = max(max(dots.values) for dots in cells(board, Seeds))
    teacher = 100 * runs.test()[[f"teacher-0-0-{seed}" for seed in range(1, 11)]].mean()
    assert board.seeds_axis[1] < max(teacher, best + 5)


def test_the_thin_interval_agrees_with_the_verdict_and_the_thick_one_is_95_percent(runs):
    (board,) = arms.boards(runs)
    found = against_baselines(runs)["amid", "kd"].comparison.interval.bounds()
    assert [cell.difference.low for cell in cells(board, Forest)][1] == pytest.approx(100 * found.low)
    for cell in cells(board, Forest):
        if cell.verdict.word in ("better", "worse"):
            assert cell.deciding[0] * cell.deciding[1] > 0
        if cell.verdict.word == "equivalent":
            assert max(map(abs, cell.deciding)) < board.margin
    assert [cell.solid for row in board.rows for cell in row if isinstance(cell, Forest)][:2] == [True, True]


def test_controls_are_the_last_rows_of_the_ablation_and_stand_nowhere_else(runs):
    (board,) = ablation.boards(runs)
    names = [row[0].words for row in board.rows]
    assert names[0] == "AMID (full)"
    assert names[-3:] == [f"control: {name.replace('_', ' ')}" for name in report_fakes.CONTROLS[:3]]
    assert len(cells(board, Across)) == 3
    assert [cell.here for cell in board.rows[1] if isinstance(cell, Has)].count(False) == 1
    assert controls.boards(runs) == []


def test_without_an_ablation_of_the_arm_its_controls_have_a_board_of_their_own(runs):
    other = replace(runs, study=replace(runs.study, ablated="", rows={}))
    (board,) = controls.boards(other)
    assert len(board.rows) == 3
    assert cells(board, Forest)[0].verdict.word == "worse"


def test_a_board_is_as_wide_as_its_margin_at_least_and_one_collapse_does_not_press_it_flat():
    def board(*differences: Difference) -> Board:
        rows = [[Name(str(i)), Forest(one)] for i, one in enumerate(differences)]
        return Board("x", (Head("row"), Head("d", "forest")), rows, 1, margin=2.0)

    low, high = board(Difference(0.1, -0.2, 0.4)).forest_axis
    assert (low < -2, high > 2) == (True, True)
    calm = [Difference(0.1 * i, 0.1 * i - 1, 0.1 * i + 1) for i in range(6)]
    claimed = Forest(Difference(3.9, 1.5, 6.3), solid=True)
    small = [[Name("a"), Forest(Difference(0.0, -0.2, 0.2))] for _ in range(8)]
    assert replace(board(*calm), rows=[*small, [Name("b"), claimed]]).forest_axis[1] > 6.3
    fallen = board(*calm, Difference(-60, -80, -40))
    assert fallen.forest_axis[0] > -10
    drawn = ink.forest(Forest(Difference(-60, -80, -40)), fallen.forest_axis, 2.0)
    assert 'class="out"' in drawn
    assert "<circle" not in drawn


def test_a_run_that_fell_apart_is_an_arrow_and_is_told_in_words():
    values = [87.0, 87.5, 88.0, 88.2, 87.7, 87.4, 87.9, 88.1, 12.0]
    axis = reach(values)
    assert axis[0] > 80
    drawn = ink.seeds(Seeds(tuple(values)), axis, 1, "AMID <b>")
    assert 'aria-label="AMID &lt;b&gt;: 9 runs, 12.0 to 88.2, mean ' in drawn
    assert 'class="out"' in drawn


def test_ticks_are_few_and_round():
    assert ink.ticks((85.9, 90.1)) == [86, 87, 88, 89, 90]
    assert ink.ticks((-0.034, 0.021), most=3) == [-0.02, 0.0, 0.02]
    assert ink.ticks((1.0, 1.0)) == []


def test_terms_can_be_left_out_together_only_where_a_row_left_them_out_together():
    same = {"amid": 1.5, "kd": 1.5, "student_only": 1.5}
    rows = {"bare": {"kind": "leave_one_out", "dropped": ["kd"], "skill": 1.5}}
    runs = report_fakes.make(search=2, samples=60, seeds=3, equivalent=60.0, skills=same, more_rows=rows)
    assert {one.verdict.word for one in judged_rows(runs)} == {"equivalent"}
    (said,) = ablation.words(runs)
    assert "Can be left out together, as one row does: mi_teacher, entropy." in said
    single = {name: row for name, row in runs.study.rows.items() if len(row.dropped) == 1}
    index = runs.index[runs.index["row"] != "only kd"]
    apart = replace(runs, index=index, study=replace(runs.study, rows=single))
    (said,) = ablation.words(apart)
    assert "left out together," not in said
    assert "No row left these out together" in said


def test_a_row_whose_teacher_is_at_chance_says_that_nothing_was_distilled():
    blind = report_fakes.make(search=2, samples=200, seeds=3, skills={"teacher": -2.0})
    (board,) = ablation.boards(blind)
    assert all("nothing was distilled" in row[0].beside for row in board.rows[1:])
    (board,) = ablation.boards(report_fakes.make(search=2, samples=200, seeds=3))
    assert not any("nothing was distilled" in row[0].beside for row in board.rows)


def test_the_heading_of_the_ablation_says_what_is_missed(runs):
    missed = [one.row.removeprefix("without ") for one in judged_rows(runs) if one.verdict.word == "worse"]
    head = ablation.heading(runs)
    assert head.startswith("Which terms of AMID matter: ")
    assert all(name in head for name in missed if not name.startswith("only"))


def test_the_answer_tells_what_could_be_seen_and_what_it_cost(runs):
    said = headline.costs_and_reach(runs)
    assert re.search(r"likely to see a difference of [\d.]+ points or more", said)
    assert re.search(r"took [\d.]+ times that of Student only, [\d.]+ times that of KD", said)
    lost = replace(runs, study=replace(runs.study, claim=Claim("kd", ("amid",))))
    assert headline.answer(lost).title.startswith("KD is worse than AMID")


def test_more_than_eight_names_stand_at_their_marks():
    def lines(count: int) -> go.Figure:
        drawn = figures.new(300)
        for i in range(count):
            drawn.add_scatter(x=[1, 2], y=[0, i / 100], mode="lines", name=f"arm {i}", line={"color": "#000000"})
        return figures.named_at_marks(drawn)

    assert lines(8).layout.showlegend is None
    many = lines(30)
    assert many.layout.showlegend is False
    heights = sorted(note.y for note in many.layout.annotations)
    assert len(heights) == 30
    assert min(b - a for a, b in pairwise(heights)) > 0
    assert many.layout.height > 30 * figures.LINE
