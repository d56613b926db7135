"""A study's name has one owner, one launch of it runs, and whoever reads changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdsweep import study_file
from kdsweep.run import journal
from kdsweep.run.journal import Journal, read_state, running, standing
from kdsweep.run.launch import Launch
from kdsweep.run.store import Results
from kdsweep.values.study import Study
from tests.helpers import processes
from tests.helpers.commands import write
from tests.helpers.fakes import made_up_facts

# Rows and description of a finished trial.
STAGED = [(1, "valid/accuracy", 0.5, 0.1)], {"state": "complete", "selected": 1, "valid": {}}


def load(file: Path) -> Study:
    found = study_file.load(file)
    return replace(found, facts=made_up_facts(found))


@pytest.fixture
def file(tmp_path) -> Path:
    return write(tmp_path)


@pytest.fixture
def results(tmp_path) -> Results:
    return Results(tmp_path / "runs")


@pytest.fixture
def elsewhere(file, results):
    """Another process that runs the study."""
    told, tells = processes.pipe()
    process = processes.start(hold, file, results.root, tells)
    assert told.recv() == "claimed"
    yield process
    process.kill()
    process.join()


def hold(file: Path, root: str, tells: Any) -> None:
    Journal(study_file.load(file), Results(root)).claim()
    tells.send("claimed")
    time.sleep(60)


def change(results: Results, **changes: object) -> None:
    """The state as another machine, or another moment, would have left it."""
    results.write_json("tiny", "state", {**results.read_json("tiny", "state"), **changes})


def snapshot(results: Results, *, but: str = "") -> dict[str, bytes]:
    """Every file of a store, `but` those whose name has this in it: a launch that lives writes its state."""
    files = [path for path in Path(results.root).rglob("*") if not but or but not in path.name]
    return {str(path): path.read_bytes() for path in files if path.is_file()}


def test_a_second_launch_of_a_running_study_is_refused(file, results, elsewhere):
    with pytest.raises(ValueError, match=rf"tiny is being run by process {elsewhere.pid} on .*: `kdsweep status`"):
        Launch(load(file), results)
    with pytest.raises(ValueError, match="is being run"):
        Journal(load(file), results).claim(takeover=True)
    assert running(results) == ["tiny"]
    assert running(results, beside="tiny") == []


def test_a_killed_launch_on_this_machine_is_followed_at_once(file, results, elsewhere):
    elsewhere.kill()
    while (state := read_state("tiny", results)) is not None and state.alive:
        time.sleep(0.01)
    Journal(load(file), results).claim()
    assert read_state("tiny", results).process == os.getpid()


def test_a_process_number_that_came_again_is_no_launch(file, results):
    Journal(load(file), results).claim()
    change(results, process=1)
    assert running(results) == []
    Journal(load(file), results).claim()


def test_a_launch_on_another_machine_is_taken_over_on_demand_or_once_it_is_silent(file, results):
    first = Journal(load(file), results)
    first.claim()
    change(results, host="elsewhere")
    with pytest.raises(ValueError, match=r"on elsewhere: .*--takeover"):
        Journal(load(file), results).claim()
    Journal(load(file), results).claim(takeover=True)
    change(results, host="elsewhere", beat=time.time() - journal.SILENCE - 1)
    Journal(load(file), results).claim()


def test_a_process_of_another_container_is_judged_by_its_signs_of_life(file, results):
    """Its host may have the same name, and its process's number is here nobody's, or somebody else's."""
    Journal(load(file), results).claim()
    for other in ("another boot or container", ""):
        change(results, processes=other, process=os.getpid(), started="another start")
        assert running(results) == ["tiny"]
        with pytest.raises(ValueError, match="--takeover"):
            Journal(load(file), results).claim()
        change(results, beat=time.time() - journal.SILENCE - 1)
        assert running(results) == []
        change(results, beat=time.time())
    Journal(load(file), results).claim(takeover=True)
    assert read_state("tiny", results).is_here


def test_a_launch_that_was_taken_over_writes_no_more_and_ends(file, results, monkeypatch):
    monkeypatch.setattr(journal, "SIGN", 0.01)
    first = Launch(load(file), results)
    assert first.ready
    second = Journal(load(file), results)
    second.claim()
    while not first.journal.lost:
        time.sleep(0.01)
    before = snapshot(results, but="state.json")
    assert first.done
    assert first.next() == []
    first.close()
    assert snapshot(results, but="state.json") == before
    state = read_state("tiny", results)
    assert (state.launch, state.closed) == (second.launch, False)
    second.close()


def test_a_launch_says_that_it_lives_while_nothing_happens(file, results, monkeypatch):
    monkeypatch.setattr(journal, "SIGN", 0.01)
    mine = Journal(load(file), results)
    mine.claim()
    first = read_state("tiny", results).beat
    while read_state("tiny", results).beat == first:
        time.sleep(0.01)
    mine.close()
    assert not read_state("tiny", results).alive


def test_another_file_of_the_same_name_is_refused_for_running_and_for_reading(file, results, tmp_path):
    Launch(load(file), results).close()
    (tmp_path / "b").mkdir()
    other = write(tmp_path / "b", arms={"student_only": {}}, report={})
    before = snapshot(results)
    for use in (lambda: Launch(load(other), results), lambda: standing(load(other), results)):
        with pytest.raises(ValueError, match=r"are both named 'tiny'.* give this one a `name:`"):
            use()
    assert snapshot(results) == before
    Launch(load(other), results, takeover=True).close()
    Launch(load(other), results).close()


def test_the_same_file_goes_on_edited_or_moved_or_both_one_after_the_other(file, results, tmp_path):
    Launch(load(file), results).close()
    Launch(load(write(tmp_path, confirm={"seeds": 4, "defaults": False})), results).close()
    moved = tmp_path / "moved" / "tiny.yaml"
    moved.parent.mkdir()
    shutil.move(file, moved)
    Launch(load(moved), results).close()
    Launch(load(write(moved.parent, confirm={"seeds": 5, "defaults": False})), results).close()


def test_a_copy_does_not_come_to_own_the_name(file, results, tmp_path):
    Launch(load(file), results).close()
    (tmp_path / "copy").mkdir()
    copy = Path(shutil.copy(file, tmp_path / "copy"))
    Launch(load(copy), results).close()
    edited = write(tmp_path / "copy", confirm={"seeds": 4, "defaults": False})
    with pytest.raises(ValueError, match="are both named"):
        Launch(load(edited), results)


def test_a_state_of_an_earlier_version_is_read(file, results):
    earlier = {"host": "elsewhere", "process": 1, "began": 1.0, "beat": 2.0, "closed": True, "complete": True, "x": 1}
    results.write_json("tiny", "state", earlier)
    state = read_state("tiny", results)
    assert state.complete
    assert not state.alive
    Launch(load(file), results).close()


def test_who_reads_writes_nothing(file, results, tmp_path):
    Launch(load(file), results).close()
    before = snapshot(results)
    longer = load(write(tmp_path, search={"trials": 5, "generation": 1}))
    now = standing(longer, results)
    assert {row["wanted"] for row in now.index} == {True}
    assert not now.complete
    Launch(longer, results, trains=False).close()
    assert snapshot(results) == before


def test_before_the_first_launch_a_study_stands_where_its_plan_does(file, results):
    now = standing(load(file), results)
    assert {row["stage"] for row in now.index} == {"teacher", "search"}
    assert not Path(results.root).exists()


def test_beside_a_running_launch_the_index_is_the_launchs(file, results, elsewhere):
    results.write_rows("tiny", "index", [{"trial": "a", "wanted": True}])
    assert standing(load(file), results).index == [{"trial": "a", "wanted": True}]


def test_strays_are_left_while_another_launch_runs_and_staged_rows_are_adopted(file, results, elsewhere, tmp_path):
    results.stage("a" * 24, *STAGED)
    results.write_model("b" * 24, "student", b"")
    weights = Path(results.root, "models", "b" * 24, "student.safetensors")
    os.utime(weights, (0, 0))
    other = load(write(tmp_path, "other.yaml"))
    Launch(other, results).begin(places=1)
    assert "a" * 24 in results.known()
    assert weights.exists()
    elsewhere.kill()
    elsewhere.join()
    Launch(other, results).begin(places=1)
    assert not weights.exists()


def test_what_another_launch_has_committed_since_this_one_planned_is_not_swept(file, results):
    launch = Launch(load(file), results)
    results.write_model("a" * 24, "student", b"")
    weights = Path(results.root, "models", "a" * 24, "student.safetensors")
    os.utime(weights, (0, 0))
    results.stage("a" * 24, *STAGED)
    results.commit("a" * 24)
    launch.begin(places=1)
    assert weights.exists()


class Counted(Results):
    """Counts how often the whole store is read."""

    reads = 0

    def metadata(self) -> dict[str, dict[str, Any]]:
        self.reads += 1
        return super().metadata()


def test_a_lost_pack_reads_the_store_once_and_keeps_what_is_there(tmp_path):
    results = Counted(tmp_path / "runs")
    launch = Launch(load(write(tmp_path, search={"trials": 8, "generation": 8})), results)
    launch.begin(places=1)
    while len(pack := launch.next()) < 4:
        assert pack
    staged, committed, *lost = pack
    for trial in (staged, committed):
        results.stage(trial.id, *STAGED)
    Results(results.root).commit(committed.id)
    Results(results.root).compact(more_than=0)
    before = results.reads
    launch.take_back(pack, "its worker died")
    assert results.reads == before + 1
    assert set(results.known()) == {staged.id, committed.id}
    assert set(launch.lost) == {trial.id for trial in lost}
    assert launch.finished_here == 2


def test_a_state_is_json_for_anybody(file, results):
    Launch(load(file), results, expected={"kd": 3}).close()
    state = json.loads(Path(results.root, "studies", "tiny", "state.json").read_text())
    assert state["closed"]
    assert state["expected"] == {"kd": 3}
