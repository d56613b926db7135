"""A figure's numbers as a spreadsheet and in words."""

from __future__ import annotations

import pandas as pd

from kdsweep.report.render.drawing import Drawing

LINES = pd.DataFrame({"arm": ["A", "A", "B", "B"], "epoch": [1, 2, 1, 2], "score (%)": [50.0, 61.23456, 40.0, None]})


def test_a_line_is_described_by_its_ends():
    words = Drawing(LINES, "score (%)", of=("arm",), along="epoch").words()
    assert words == "score (%) by epoch. A: 50 at 1 to 61.23 at 2; B: 40."


def test_a_cloud_is_described_by_what_it_spans_and_nothing_by_its_name():
    assert Drawing(LINES, "score (%)", of=("arm",)).words() == "score (%). A: 2 points, 50 to 61.23; B: 40."
    assert Drawing(LINES.tail(1), "score (%)", of=("arm",)).words() == "score (%). B: nothing."
    assert Drawing(LINES, "score (%)").words() == "score (%). 3 points, 40 to 61.23."


def test_a_single_point_is_described_with_its_interval():
    numbers = pd.DataFrame({"comparison": ["A − B"], "difference": [1.5], "low": [-0.25], "high": [3.0]})
    assert Drawing(numbers, "difference", of=("comparison",)).words() == "difference. A − B: 1.5 [-0.25, 3]."


def test_of_many_lines_the_rest_is_counted():
    numbers = pd.DataFrame({"arm": [f"arm {i}" for i in range(15)], "score": range(15)})
    assert Drawing(numbers, "score", of=("arm",)).words().endswith("arm 11: 11; and 3 more.")


def test_numbers_are_written_to_six_digits_and_no_cell_is_a_formula():
    numbers = pd.DataFrame({"=name": ["=1+1"], "score (%)": [87.12345678]})
    assert Drawing(numbers, "score (%)").csv() == "'=name,score (%)\n'=1+1,87.1235\n"
