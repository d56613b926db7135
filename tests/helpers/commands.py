"""The commands as they are typed, and a study that they finish in seconds."""

from __future__ import annotations

from pathlib import Path

import yaml
from typer.testing import CliRunner, Result

from kdsweep.cli.main import app
from tests.helpers.fakes import SMALL

TINY = {
    "data": SMALL["data"],
    "networks": SMALL["networks"],
    "train": {"epochs": 2, "batch_size": 256, "lr": {"float": [1e-3, 1e-1], "log": True}},
    "teachers": {"trials": 1},
    "arms": {"student_only": {}, "kd": {}},
    "search": {"trials": 3, "generation": 1},
    "finalists": {"points": 1},
    "confirm": {"seeds": 3, "defaults": False},
    "report": {"claim": {"arm": "kd", "against": ["student_only"]}, "references": False},
}


def kdsweep(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


def one_line(text: str) -> str:
    """As printed, whatever the width of the terminal."""
    return " ".join(text.split())


def write(folder: Path, name: str = "tiny.yaml", **changes: object) -> Path:
    file = folder / name
    file.write_text(yaml.safe_dump({**TINY, **changes}, sort_keys=False))
    return file


def launch(file: Path, storage: Path, *more: object) -> Result:
    return kdsweep("launch", file, "--local", "--storage", storage, "--reports", storage / "reports", *more)


def data_command(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["data", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output
