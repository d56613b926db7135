"""The commands, as a person meets them: what they print, what they leave alone, and how they end."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console

from kdsweep.cli import estimate, options
from kdsweep.cli.main import app
from kdsweep.protocol.plan import plan
from kdsweep.run.conditions import read_again
from kdsweep.run.journal import known
from kdsweep.run.launch import with_facts
from kdsweep.run.store import Results
from kdsweep.study_file import load
from kdsweep.values.study import Evaluate
from tests.helpers.commands import TINY, kdsweep, launch, one_line, write

COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    answer = kdsweep(command.rstrip("_"), "--help")
    assert answer.exit_code == 0, answer.output
    assert "Usage:" in answer.output


def test_a_dry_run_says_what_would_run_and_starts_nothing(tmp_path):
    storage = tmp_path / "runs"
    answer = launch(write(tmp_path), storage, "--dry-run")
    assert answer.exit_code == 0, answer.output
    shown = one_line(answer.output)
    assert "stages: " in shown
    assert "search 6" in shown
    assert "confirm 6" in shown
    assert "in all: about" in shown
    assert "3 seeds on" in shown
    assert "can detect a difference of about" in shown
    assert not (storage / "trials").exists()
    assert not (storage / "reports").exists()


def test_a_valid_study_is_said_to_be_valid(tmp_path):
    answer = kdsweep("validate", write(tmp_path))
    assert answer.exit_code == 0
    assert "tiny is valid: 2 arms" in answer.output
    assert "train.lr" in answer.output


def test_a_mistake_ends_with_file_and_line(tmp_path):
    file = write(tmp_path, search={"trails": 3})
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "trails" in text)
    answer = kdsweep("validate", file)
    assert answer.exit_code == 2
    assert f"{file}:{line}: " in answer.output
    assert "'trials'" in answer.output


def test_validate_and_launch_print_what_a_file_is_warned_of(tmp_path):
    arms = {"student_only": {}, "kd": {"standardize": {"choice": [False, True]}}}
    file = write(tmp_path, arms=arms)
    for answer in (kdsweep("validate", file), launch(file, tmp_path / "runs", "--dry-run")):
        assert answer.exit_code == 0, answer.output
        assert "note: line " in answer.output


def test_init_writes_a_study_that_is_valid_and_overwrites_nothing(tmp_path):
    file = tmp_path / "new.yaml"
    assert kdsweep("init", "digits", "--student", "top", "--out", file).exit_code == 0
    assert kdsweep("validate", file).exit_code == 0
    before = file.read_text()
    assert kdsweep("init", "digits", "--student", "top", "--out", tmp_path / "folder" / "new.yaml").exit_code == 0
    again = kdsweep("init", "digits", "--student", "bottom", "--out", file)
    assert again.exit_code == 2
    assert f"{file} exists" in one_line(again.output)
    assert file.read_text() == before


def test_init_names_the_datasets_there_are():
    answer = kdsweep("init", "digit", "--student", "top")
    assert answer.exit_code == 2
    assert "digits" in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.parametrize(
    ("what", "name"),
    [("methods", "amid"), ("terms", "SoftLogits"), ("datasets", "planted"), ("networks", "mlp")],
)
def test_a_list_has_a_line_for_each(what, name):
    answer = kdsweep("list", what)
    assert answer.exit_code == 0
    assert any(line.split()[0] == name for line in answer.output.splitlines() if line.strip())


def test_the_schema_is_json():
    assert json.loads(kdsweep("schema").output)["properties"]["arms"]


@pytest.mark.parametrize("command", ["launch", "validate", "status", "report"])
def test_a_file_that_is_not_there_is_one_clear_line(command, tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        answer = kdsweep(command, path)
        assert answer.exit_code == 2, answer.output
        assert str(path) in answer.output
        assert len(answer.output.strip().splitlines()) == 1


def test_a_storage_that_cannot_be_written_is_one_clear_line(tmp_path):
    file = write(tmp_path)
    answer = launch(file, file / "runs")
    assert answer.exit_code == 2
    assert isinstance(answer.exception, SystemExit)
    assert "the storage has to be a folder that can be written to" in one_line(answer.output)


@pytest.mark.slow
def test_a_launch_ends_with_its_headline_and_the_place_of_its_report(done):
    _, storage, answer = done
    assert answer.exit_code == 0, answer.output
    page = storage / "reports" / "tiny" / "index.html"
    assert page.exists()
    assert f"report: {page}" in answer.output
    assert "kd" in answer.output.split("report:")[0].strip().splitlines()[-1].lower()


@pytest.mark.slow
def test_launching_again_trains_nothing(done):
    file, storage, _ = done
    before = {path.name: path.stat().st_mtime_ns for path in (storage / "trials").iterdir()}
    answer = launch(file, storage)
    assert answer.exit_code == 0
    rows = [line.split() for line in answer.output.splitlines()]
    (kd,) = (row for row in rows if row[:1] == ["kd"])
    assert kd[1:] == ["11", "11", "0"]
    assert {path.name: path.stat().st_mtime_ns for path in (storage / "trials").iterdir()} == before


@pytest.mark.slow
def test_a_report_runs_nothing(done, tmp_path):
    file, storage, _ = done
    before = sorted((storage / "trials").iterdir())
    answer = kdsweep("report", file, "--storage", storage, "--reports", tmp_path, "--checklist", "neurips")
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "tiny" / "index.html").exists()
    assert re.search(r"In all \d+ trials", (tmp_path / "tiny" / "checklist.md").read_text())
    assert sorted((storage / "trials").iterdir()) == before


@pytest.mark.slow
def test_a_report_of_a_store_that_cannot_be_written_says_so_in_one_line(done, tmp_path):
    file, storage, _ = done
    copy = Path(shutil.copytree(storage, tmp_path / "runs"))
    ledger = copy / "ledger"
    shutil.rmtree(ledger)
    ledger.symlink_to(tmp_path / "a disk that is away")
    answer = kdsweep("report", file, "--storage", copy, "--reports", tmp_path / "reports")
    assert answer.exit_code == 0, answer.output
    *_, place, note = answer.output.strip().splitlines()
    assert place.startswith("report: ")
    assert note.startswith("note: this look is not counted, the storage cannot be written to: ")


def test_a_condition_that_a_finished_study_gets_costs_its_reading_alone(done):
    file, storage, _ = done
    results, study = Results(storage), with_facts(load(file))
    trained = results.known()
    assert len(results.readings()) == 2 * 3, "every run of confirm under the one condition that the study names"
    unfolded = plan(study, known(study, results, trained))
    assert read_again(study, unfolded, results) == 0
    more = replace(study, evaluate=Evaluate(noise=(1.0,), shift=(2.0,)))
    assert read_again(more, unfolded, results) == 2 * 3
    assert results.known() == trained
    lost = pd.read_csv(next(storage.parent.rglob("tables/conditions-noise.csv")))
    assert len(lost) == 2
    assert lost["change"].notna().all()


def test_models_of_scikit_learn_stand_below_the_arms_of_a_report(done):
    _, storage, _ = done
    arms = pd.read_csv(next(storage.parent.rglob("tables/arms.csv")))
    below = arms[arms["arm"].str.endswith("(scikit-learn)")]
    assert list(below["arm"]) == ["linear model (scikit-learn)", "MLP (scikit-learn)"]
    assert set(below["role"]) == {"reference"}
    assert set(below["n"]) == {1}
    assert below["accuracy (%)"].between(50, 100).all()


def test_a_status_counts_by_arm(done, tmp_path):
    file, storage, _ = done
    before = kdsweep("status", file, "--storage", tmp_path)
    assert "not launched yet" in one_line(before.output)
    after = kdsweep("status", file, "--storage", storage)
    assert after.exit_code == 0
    assert "11/11" in after.output
    assert "complete" in after.output


@pytest.mark.slow
def test_a_name_with_markup_is_printed_as_it_is(tmp_path):
    file = write(tmp_path, name="my [bold] study.yaml")
    answer = launch(file, tmp_path / "runs", "--dry-run")
    assert answer.exit_code == 0, answer.output
    assert "my [bold] study" in one_line(answer.output)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_within_seconds_and_says_how_to_go_on(how, tmp_path):
    file, storage = write(tmp_path, train={**TINY["train"], "epochs": 12}), tmp_path / "runs"  # type: ignore[dict-item]
    driver = subprocess.Popen(
        [sys.executable, "-m", "kdsweep", "launch", str(file), "--local", "--storage", str(storage)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list((storage / "trials").glob("[!.]*.parquet")) and time.monotonic() < deadline:
        assert driver.poll() is None
        time.sleep(0.01)
    driver.send_signal(how)
    shown, _ = driver.communicate(timeout=10)
    assert driver.returncode == 130, shown
    assert f"To go on: python -m kdsweep launch {file}" in one_line(shown)
    assert "Traceback" not in shown
    status = kdsweep("status", file, "--storage", storage)
    assert "not running: launch again to resume" in one_line(status.output)


@pytest.mark.slow
def test_what_is_wrong_while_ray_starts_ends_it_and_is_one_line(tmp_path):
    """In a process of its own: this one's Ray is shared by all tests."""
    file = write(tmp_path)
    blocked = tmp_path / "runs"
    blocked.mkdir(mode=0o500)
    (blocked / "trials").write_text("a file where a folder has to be")
    code = (
        "import ray, sys; from kdsweep.cli import main\n"
        "try: main.main()\n"
        "except SystemExit as end: print('code', end.code, 'ray', ray.is_initialized())"
    )
    asked = [sys.executable, "-c", code, "launch", str(file), "--storage", str(blocked)]
    shown = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 0, shown
    assert "code 2 ray False" in shown.stdout, shown


@pytest.mark.slow
def test_a_replay_is_bit_identical(done):
    _, storage, _ = done
    id_ = _confirmed(storage)
    answer = kdsweep("replay", id_[:10], "--storage", storage)
    assert answer.exit_code == 0, answer.output
    assert f"trial {id_}" in answer.output
    assert "bit-identical" in answer.output


@pytest.mark.parametrize("prefix", ["zzz", ""])
def test_a_replay_asks_for_one_trial(done, prefix):
    _, storage, _ = done
    answer = kdsweep("replay", prefix, "--storage", storage)
    assert answer.exit_code == 2
    assert f"begin with {prefix!r}: expected one" in answer.output


@pytest.mark.slow
def test_a_replay_says_where_a_number_parts(done):
    _, storage, _ = done
    id_ = _confirmed(storage)
    path = storage / "trials" / f"{id_}.parquet"
    whole, table = path.read_bytes(), pq.read_table(path)
    rows = table.to_pylist()
    altered = next(row for row in rows if row["metric"] == "test/accuracy")
    altered["value"] += 0.25
    try:
        pq.write_table(type(table).from_pylist(rows, schema=table.schema), path)
        answer = kdsweep("replay", id_, "--storage", storage)
    finally:
        path.write_bytes(whole)
    assert answer.exit_code == 1, answer.output
    shown = one_line(answer.output)
    assert "different, first in epoch" in shown
    assert "test/accuracy moved by 0.2500" in shown
    assert "times the spread over 3 seeds" in shown


def _confirmed(storage: Path) -> str:
    """A student that was tested, one of three seeds."""
    return next(
        role["trial"]
        for role in Results(storage).read_rows("tiny", "index")
        if role["arm"] == "kd" and role["stage"] == "confirm"
    )


@pytest.mark.slow
def test_a_claim_is_registered_once_and_its_report_says_so(done, tmp_path):
    file, storage, text = done[0], Path(shutil.copytree(done[1], tmp_path / "runs")), tmp_path / "claim.txt"
    shutil.rmtree(storage / "ledger")
    first = kdsweep("register", file, "--storage", storage, "--out", text)
    assert first.exit_code == 0, first.output
    published = text.read_text()
    assert "claim: kd better than student_only in accuracy, no margin" in published
    assert "test results shown before: never" in published
    assert kdsweep("register", file, "--storage", storage, "--out", text).exit_code == 0
    assert text.read_text() == published
    assert kdsweep("report", file, "--storage", storage, "--reports", tmp_path / "reports").exit_code == 0
    page = one_line((tmp_path / "reports" / "tiny" / "index.html").read_text())
    assert "before any of these results was shown" in page
    report = {"claim": {"arm": "kd", "against": ["student_only"]}, "equivalent": 3}
    changed = tmp_path / "tiny.yaml"
    changed.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "report": report}, sort_keys=False))
    shutil.rmtree(tmp_path / "reports")
    (storage / "studies" / "tiny" / "state.json").unlink()
    late = kdsweep("register", changed, "--storage", storage, "--out", text)
    assert "results on these test rows were shown before" in one_line(late.output)
    told = kdsweep("report", changed, "--storage", storage, "--reports", tmp_path / "reports")
    assert "Set after the test results were seen, exploratory" in one_line(told.output)


def test_a_study_without_a_claim_has_nothing_to_register(tmp_path):
    answer = kdsweep("register", write(tmp_path, report={}), "--storage", tmp_path / "runs")
    assert answer.exit_code == 2
    assert "what is registered is a claim" in one_line(answer.output)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_what_a_study_can_show_comes_from_its_last_launch_or_from_a_pilot(done, tmp_path):
    file, storage, _ = done

    def shown(study, pilot):
        console = Console(file=(text := io.StringIO()), width=300)
        estimate.what_it_shows(with_facts(study), pilot, console)
        return text.getvalue()

    study = options.load(file, str(storage))
    own = estimate.pilot_of(study, asked=False)
    assert "with the variances that tiny found (1 comparisons)" in shown(study, own)
    other = options.load(write(tmp_path, "other.yaml", metric="uar"), str(storage))
    assert estimate.pilot_of(other, asked=False) is None
    assert "not known before a run: name a study that has run, --pilot STUDY" in shown(other, None)
    with pytest.raises(ValueError, match="a pilot measures what the study measures, uar; tiny measures accuracy"):
        shown(other, own)
    with pytest.raises(ValueError, match="a pilot has two arms with runs"):
        estimate.pilot_of(other, asked=True)
    assert "it goes with --dry-run" in one_line(launch(file, storage, "--pilot", file).output)
