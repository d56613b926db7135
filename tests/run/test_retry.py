"""Failed trials are forgotten on demand, wherever their rows lie, and only while nothing runs."""

from __future__ import annotations

import pytest

from kdsweep.run.journal import Journal, read_state
from kdsweep.run.launch import Launch
from kdsweep.run.retry import forget_failed
from kdsweep.run.store import Results
from tests.helpers.commands import kdsweep, one_line, write
from tests.helpers.fakes import study

POINTS = [(1, "valid/accuracy", 0.5, 0.1)]


@pytest.fixture
def results(tmp_path) -> Results:
    return Results(tmp_path / "runs")


def leave(results: Results, id_: str, state: str, error: str = "") -> None:
    results.stage(id_, POINTS, {"state": state, "selected": 0, "valid": {}, "error": error})
    results.commit(id_)


@pytest.mark.parametrize("packed", [False, True])
def test_what_failed_is_asked_for_again(results, packed):
    small = study()
    driver = Launch(small, results)
    failed, diverged, complete = (trial.id for trial in driver.plan.ready[:3])
    leave(results, failed, "failed", "RuntimeError: CUDA error: device lost")
    leave(results, diverged, "failed", "diverged in epoch 1 of 8: the loss is not finite")
    leave(results, complete, "complete")
    leave(results, "another study's", "failed", "RuntimeError: CUDA error: device lost")
    driver.close()
    if packed:
        results.compact(more_than=0)
    assert forget_failed(small, results) == 1
    assert set(results.known()) == {diverged, complete, "another study's"}
    assert failed in {trial.id for trial in Launch(small, results, trains=False).plan.ready}
    assert not read_state(small.name, results).complete


def test_beside_a_launch_nothing_is_forgotten(results):
    Launch(study(), results).close()
    Journal(study(name="other"), results).claim()
    with pytest.raises(ValueError, match=r"is in use: other is being run"):
        forget_failed(study(), results)


def test_the_command_says_what_it_did(tmp_path):
    file = write(tmp_path)
    assert "retry takes --failed" in kdsweep("retry", file, "--storage", tmp_path / "runs").output
    answer = kdsweep("retry", file, "--failed", "--storage", tmp_path / "runs")
    assert answer.exit_code == 2
    assert "tiny was not launched yet" in one_line(answer.output)
