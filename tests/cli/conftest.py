"""One finished study for all commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import Result

from tests.helpers.commands import launch, write


@pytest.fixture(scope="session")
def done(tmp_path_factory) -> tuple[Path, Path, Result]:
    """A study with an ablation that was run to its end: its file, its storage, and what the launch printed."""
    folder = tmp_path_factory.mktemp("done")
    ablation = {"ablate": {"arm": "kd", "rows": ["leave_one_out"]}, "controls": ["label_smoothing"]}
    evaluate = {"noise": [1.0]}
    report = {"claim": {"arm": "kd", "against": ["student_only"]}}
    file = write(folder, search={"trials": 2, "generation": 1}, evaluate=evaluate, report=report, **ablation)
    answer = launch(file, folder / "runs")
    assert answer.exit_code == 0, answer.output
    return file, folder / "runs", answer
