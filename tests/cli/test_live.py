"""What is shown while a study runs: counts by arm, the best so far, and plain lines in a log."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from kdsweep.cli import live as display
from kdsweep.values.result import Result

ROLE = {"arm": "kd", "stage": "search", "row": "", "control": ""}


def role(trial: str, **changes: str) -> dict[str, str]:
    return {**ROLE, "trial": trial, **changes}


def complete(accuracy: float) -> Result:
    return Result("complete", 1, {"accuracy": [accuracy]})


def test_an_arm_counts_what_became_of_its_trials():
    known = {"a": complete(0.5), "b": Result("pruned", 1, {"accuracy": [0.9]}), "c": Result("failed", 0)}
    lines = display.progress(
        [role(name) for name in "abcde"], known, metric="accuracy", running=["d"], expected={"kd": 8}
    )
    assert lines["kd"] == display.Progress(8, done=3, running=1, pruned=1, failed=1, stage="search", best=0.5)


def test_the_best_is_of_the_full_method_alone():
    known = {"a": complete(0.5), "b": complete(0.8), "c": complete(0.9)}
    roles = [role("a"), role("b", row="without kd"), role("c", control="untrained_teacher")]
    assert display.progress(roles, known, metric="accuracy")["kd"].best == 0.5


def test_the_best_of_a_loss_is_the_lowest():
    known = {name: Result("complete", 1, {"log_loss": [value]}) for name, value in (("a", 0.7), ("b", 0.4))}
    assert display.progress([role("a"), role("b")], known, metric="log_loss")["kd"].best == 0.4


def test_teachers_have_a_line_of_their_own():
    lines = display.progress([role("t", arm="")], {}, metric="accuracy", expected={"": 3})
    assert lines[display.NOBODY].expected == 3
    assert math.isnan(lines[display.NOBODY].best)


def test_names_with_markup_are_printed_as_they_are():
    lines = {"[red]mine": display.Progress(2, done=1)}
    console = Console(file=io.StringIO(), width=120)
    console.print(display.table(lines, metric="accuracy", title="t", caption=""))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[red]mine" in shown
    assert "1/2" in shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0.0 s"), (4.2, "4.2 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7500, "2 h 05 min")],
)
def test_a_duration_is_said_as_a_person_says_it(seconds, words):
    assert display.duration(seconds) == words
