"""What commands print for machines: it keeps its schema, says what the page says, and ends with its code."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from kdsweep.cli import make_schemas
from kdsweep.cli.errors import ANSWERS
from tests.helpers.commands import kdsweep, write


def schema(of: str) -> dict:
    return json.loads(kdsweep("schema", of).stdout)


def test_the_schemas_that_are_shipped_are_those_of_what_is_printed():
    there = {path.name: json.loads(path.read_text()) for path in make_schemas.FOLDER.glob("*.json")}
    assert there == make_schemas.schemas(), "python -m kdsweep.cli.make_schemas writes them again"


@pytest.mark.slow
def test_a_report_for_machines_keeps_its_schema_and_is_all_that_is_printed(done, tmp_path):
    file, storage, _ = done
    answer = kdsweep("report", file, "--storage", storage, "--reports", tmp_path, "--json", "--exit-code")
    told = json.loads(answer.stdout)
    jsonschema.validate(told, schema("report"))
    assert answer.exit_code == ANSWERS[told["answer"]]
    assert (told["kind"], told["study"], told["complete"], told["waiting"]) == ("study", "tiny", True, [])
    assert (told["claim"]["arm"], told["claim"]["against"], told["claim"]["stated_before"]) == (
        "kd",
        ["student_only"],
        True,
    )
    (compared,) = told["comparisons"]
    assert (compared["claimed"], compared["difference"]["n"]) == (True, 3)
    assert [arm["n"] for arm in told["arms"]] == [3, 3]
    assert [row["row"] for row in told["ablation"]] == ["without kd"]
    assert [row["control"] for row in told["controls"]] == ["label_smoothing"]
    assert (told["looks"]["look"], told["looks"]["counted"]) == (1, True)
    assert told["title"] in Path(told["page"]).read_text()


@pytest.mark.slow
def test_what_is_not_finished_is_incomplete(done, tmp_path):
    file, storage = done[0], Path(shutil.copytree(done[1], tmp_path / "runs"))
    confirm = next(role for role in json.loads(status(file, storage).stdout)["arms"] if role["arm"] == "kd")
    assert confirm["done"] == confirm["expected"]
    ours = json.loads((storage / "studies" / "tiny" / "state.json").read_text())
    shutil.rmtree(storage / "trials")
    (storage / "studies" / "tiny" / "state.json").write_text(json.dumps({**ours, "complete": False}))
    answer = kdsweep("report", file, "--storage", storage, "--reports", tmp_path, "--json", "--exit-code")
    told = json.loads(answer.stdout)
    jsonschema.validate(told, schema("report"))
    assert (answer.exit_code, told["answer"]) == (1, "incomplete")
    assert {stage["stage"] for stage in told["waiting"]} >= {"search", "confirm"}
    stopped = status(file, storage, "--exit-code")
    assert (json.loads(stopped.stdout)["state"], stopped.exit_code) == ("stopped", 1)


def status(file: Path, storage: Path, *more: object):
    answer = kdsweep("status", file, "--storage", storage, "--json", *more)
    jsonschema.validate(json.loads(answer.stdout), schema("status"))
    return answer


def test_a_status_for_machines_keeps_its_schema(done, tmp_path):
    file, storage, _ = done
    before, after = (json.loads(status(file, root).stdout) for root in (tmp_path, storage))
    assert (before["state"], before["arms"], before["began"]) == ("not launched", [], None)
    assert after["state"] == "complete"
    assert {arm["arm"]: arm["done"] for arm in after["arms"]}["kd"] == 11


def test_json_is_not_watched(tmp_path):
    for command in ("report", "status"):
        assert kdsweep(command, write(tmp_path), "--json", "--watch").exit_code == 2


@pytest.mark.slow
def test_an_error_of_ours_has_a_code_of_its_own(tmp_path):
    file = write(tmp_path)
    state = tmp_path / "runs" / "studies" / "tiny" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text('["not a state"]')
    asked = [sys.executable, "-m", "kdsweep", "status", str(file), "--storage", str(tmp_path / "runs")]
    shown = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 70, shown
    assert "Traceback" in shown.stderr
