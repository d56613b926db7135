"""What README and CONTRIBUTING tell a user to type works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from kdsweep import methods, testing
from kdsweep.cli.main import app
from kdsweep.run.store import Results
from kdsweep.testing import check_method
from tests.helpers.fakes import SMALL

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
COMMANDS = sorted({found.strip() for found in re.findall(r"python -m kdsweep ([^#\n`]+)", README)} - {"--help"})


def block(text: str, language: str) -> str:
    """The first one."""
    first, *_ = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(first)


@pytest.mark.parametrize("words", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_what_is_made_has_a_target(words):
    asked = set(re.findall(r"^    make ([\w-]+)", words, re.MULTILINE))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert asked
    assert asked <= targets


def test_the_first_screen_has_the_two_commands():
    first = "\n".join(README.splitlines()[:12])
    assert "make quickstart" in first
    assert "make test" in first


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one(line):
    words = shlex.split(line)
    group = typer.main.get_command(app)
    command = group.commands[words[0]]  # type: ignore[attr-defined]
    # Refuses an option that there is not, and an argument too few or too many.
    command.make_context(words[0], words[1:]).close()


def test_the_study_shown_is_the_quickstart():
    assert block(README, "yaml") == (ROOT / "search_spaces" / "quickstart.yaml").read_text()
    assert len(block(README, "yaml").splitlines()) == 12


@pytest.mark.slow
def test_the_method_shown_trains_as_an_arm(tmp_path, monkeypatch):
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "my_module.py").write_text(block(README, "python"))
    monkeypatch.syspath_prepend(tmp_path)
    (arms,) = re.findall(r"^    arms: (.*)$", README, re.MULTILINE)
    whole = {key: SMALL[key] for key in ("data", "networks")} | {
        "arms": yaml.safe_load(arms),
        "train": {"epochs": 1, "batch_size": 256},
        "search": {"trials": 1},
        "teachers": {"trials": 1},
        "finalists": {"points": 1},
        "confirm": {"seeds": 2},
        "report": {"claim": {"arm": "mine", "against": ["kd"]}},
    }
    file, storage = tmp_path / "mine.yaml", tmp_path / "runs"
    file.write_text(yaml.safe_dump(whole))
    words = ["launch", str(file), "--local", "--storage", str(storage), "--reports", str(tmp_path / "reports")]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    known = Results(storage).metadata()
    mine = [meta for meta in known.values() if meta["trial"]["method"] == "my_package.my_module"]
    assert len(mine) == 3
    assert {meta["state"] for meta in mine} == {"complete"}


def test_the_method_of_contributing_builds(tmp_path, monkeypatch):
    (tmp_path / "their_package").mkdir()
    (tmp_path / "their_package" / "hinted.py").write_text(block(CONTRIBUTING, "python"))
    monkeypatch.syspath_prepend(tmp_path)
    method = methods.load("their_package.hinted")
    built = method.build(method.defaults())
    assert dict(built.items()).keys() == set(method.terms(method.defaults()))
    check_method("their_package.hinted")


def test_the_checks_of_contributing_are_there():
    (line,) = re.findall(r"^from kdsweep.testing import (.*)$", CONTRIBUTING, re.MULTILINE)
    assert all(callable(getattr(testing, name)) for name in line.split(", "))
