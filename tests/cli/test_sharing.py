"""A row packed for others and checked by them, a report that is watched, and what nobody answers at."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from kdsweep import study_file
from kdsweep.cli import report as report_command
from kdsweep.run import archive
from kdsweep.run.launch import with_facts
from kdsweep.run.replay import code_of
from kdsweep.run.store import Results
from kdsweep.values import user_code
from kdsweep.values.trial import Trial
from tests.helpers.commands import kdsweep, one_line, write

SMALL_TRIAL = Trial(
    trains="student", method="kd", code="", fingerprint="", rows={}, student=("top",), auxiliary=("bottom",),
    task="classification", select="last", metric="accuracy", train={}, networks={"student": {"top": {"mlp": {}}}},
)  # fmt: skip


@pytest.fixture(scope="module")
def packed(done, tmp_path_factory) -> Path:
    file, storage, _ = done
    out = tmp_path_factory.mktemp("out") / "kd.zip"
    answer = kdsweep("export", "row", file, "kd", "--out", out, "--storage", storage)
    assert answer.exit_code == 0, answer.output
    assert "6 trials" in answer.output  # three seeds, and the teacher of each
    return out


def altered(path: Path, out: Path, member: str, content: bytes | None) -> Path:
    """A copy with one member replaced; None: left out."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in {*old.namelist(), member}:
            if name != member:
                new.writestr(name, old.read(name))
            elif content is not None:
                new.writestr(name, content)
    return out


def restaged(path: Path, folder: Path, run: str, *, settings_of: str, add: float = 0.0) -> Path:
    """A copy in which a run has the settings of another, and a test accuracy that is so much higher."""
    with zipfile.ZipFile(path) as whole:
        whole.extractall(folder / "open")
    store = Results(folder / "open")
    meta = store.metadata()[settings_of]
    rows = store.curves([run])[["epoch", "metric", "value", "seconds"]].itertuples(index=False, name=None)
    store.stage(run, [(e, str(m), v + add * (m == "test/accuracy"), s) for e, m, v, s in rows], meta)
    store.commit(run)
    member = f"trials/{run}.parquet"
    return altered(path, folder / "forged.zip", member, (folder / "open" / member).read_bytes())


@pytest.mark.slow
def test_an_archived_row_comes_to_the_same_numbers_with_its_teachers(packed):
    answer = kdsweep("replay", "--row", packed, "--seeds", 2)
    assert answer.exit_code == 0, answer.output
    assert "row kd of tiny: 2 of 3 runs" in answer.output
    assert answer.output.count(": bit-identical, ") == 4
    assert "bit-identical: 4 of 4 trials" in answer.output


@pytest.mark.slow
def test_a_row_says_what_each_seed_came_to(done, packed):
    file, storage, _ = done
    described = archive.describe(packed)
    assert [run["seed"] for run in described["runs"]] == [1, 2, 3]
    curves = Results(storage).curves([described["runs"][0]["trial"]], ["test/accuracy"])
    assert described["runs"][0]["expected"]["test/accuracy"] == curves["value"].iloc[-1]
    assert described["fingerprint"]
    assert set(described["code"]) == {"kd", "teacher"}
    with zipfile.ZipFile(packed) as whole:
        assert whole.read("study.yaml").decode() == file.read_text()


@pytest.mark.slow
def test_equal_rows_give_equal_archives(done, packed, tmp_path):
    file, storage, _ = done
    study = replace(study_file.load(file), storage=str(storage))
    archive.export(study, Results(storage), "kd", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("row", ["without kd", "label_smoothing"])
def test_rows_and_controls_can_be_packed(done, tmp_path, row):
    file, storage, _ = done
    out = tmp_path / "row.zip"
    assert kdsweep("export", "row", file, row, "--out", out, "--storage", storage).exit_code == 0
    assert archive.describe(out)["row"] == row


@pytest.mark.slow
def test_a_number_that_was_changed_is_found(packed, tmp_path):
    run = archive.describe(packed)["runs"][0]["trial"]
    forged = restaged(packed, tmp_path, run, settings_of=run, add=0.25)
    answer = kdsweep("replay", "--row", forged, "--seeds", 1)
    assert answer.exit_code == 1, answer.output
    assert "test/accuracy moved by 0.2500" in one_line(answer.output)
    assert "different: 1 of 2 trials" in answer.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("member", "content", "words"),
    [
        ("../evil.py", b"", "trials and row.json alone"),
        ("row.json", None, "has a row.json"),
        ("row.json", b'{"format": 99}', "format 1, got 99"),
        ("row.json", b"[]", "row.json is a mapping, got list"),
        (f"given/{'0' * 24}.safetensors", b"other weights", "the bytes of the given teacher"),
    ],
)
def test_what_is_no_archive_of_ours_is_refused(packed, tmp_path, member, content, words):
    answer = kdsweep("replay", "--row", altered(packed, tmp_path / "bad.zip", member, content))
    assert answer.exit_code == 2
    assert words in one_line(answer.output)


@pytest.mark.slow
def test_settings_that_were_changed_are_refused(packed, tmp_path):
    first, second, *_ = (run["trial"] for run in archive.describe(packed)["runs"])
    answer = kdsweep("replay", "--row", restaged(packed, tmp_path, first, settings_of=second))
    assert answer.exit_code == 2
    assert "are not those that it is named by" in one_line(answer.output)


def naming(path: Path, folder: Path, **data: object) -> Path:
    """A copy whose trials were trained, it says, on other data."""
    with zipfile.ZipFile(path) as whole:
        whole.extractall(folder / "open")
    store = Results(folder / "open")
    curves = store.curves(store.metadata())
    with zipfile.ZipFile(path) as whole:
        described = json.loads(whole.read("row.json"))
    members = {"row.json": json.dumps({**described, "data": {**described["data"], **data}}).encode()}
    for id_, meta in store.metadata().items():
        rows = curves[curves["trial"].astype(str) == id_][["epoch", "metric", "value", "seconds"]]
        store.stage(id_, rows.itertuples(index=False, name=None), {**meta, "data": {**meta["data"], **data}})
        store.commit(id_)
        members[f"trials/{id_}.parquet"] = (folder / "open" / "trials" / f"{id_}.parquet").read_bytes()
    with zipfile.ZipFile(folder / "naming.zip", "w") as new:
        for name, content in members.items():
            new.writestr(name, content)
    return folder / "naming.zip"


@pytest.mark.slow
@pytest.mark.parametrize("key", ["name", "python"])
def test_what_is_no_name_of_ours_is_not_imported(packed, tmp_path, monkeypatch, key):
    """Python would import both: a callable under `name`, and a module whose name is no identifier."""
    (tmp_path / "evil-archive.py").write_text("def run(**options):\n    open('it ran', 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for code in ("evil-archive:run", "subprocess:getoutput"):
        evil = naming(packed, tmp_path, **{"name": None, key: code, "options": {"cmd": "touch 'it ran'"}})
        answer = kdsweep("replay", "--row", evil, "--allow-code", "evil-archive")
        assert answer.exit_code == 2, answer.output
        assert not Path("it ran").exists()


@pytest.mark.slow
def test_an_archive_is_data_and_nothing_that_it_names_is_called(packed, tmp_path):
    trace = tmp_path / "it ran"
    asked = {"name": None, "python": "subprocess:getoutput", "options": {"cmd": f"touch '{trace}'"}}
    evil = naming(packed, tmp_path, **asked)
    answer = kdsweep("replay", "--row", evil)
    assert answer.exit_code == 2
    assert "subprocess:getoutput is code, and nobody here has asked for it" in one_line(answer.output)
    answer = kdsweep("replay", "--row", evil, "--allow-code", "subprocess")
    assert answer.exit_code == 2
    assert "is code of a library" in one_line(answer.output)
    assert not trace.exists()


@pytest.mark.slow
def test_code_of_ones_own_runs_from_an_archive_once_it_is_allowed(packed, tmp_path, monkeypatch):
    (tmp_path / "loads_digits_here.py").write_text(
        "from subprocess import getoutput\nfrom kdsweep.data.datasets.digits import load as digits\n"
        "def load(**options):\n    open('it ran', 'w').close()\n    return digits(**options)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    own = naming(packed, tmp_path, name=None, python="loads_digits_here:load")
    assert kdsweep("replay", "--row", own, "--seeds", 1).exit_code == 2
    assert not Path("it ran").exists()
    answer = kdsweep("replay", "--row", own, "--seeds", 1, "--allow-code", "loads_digits_here")
    assert answer.exit_code == 0, answer.output
    borrowed = naming(packed, tmp_path, name=None, python="loads_digits_here:getoutput", options={"cmd": "id"})
    answer = kdsweep("replay", "--row", borrowed, "--allow-code", "loads_digits_here")
    assert answer.exit_code == 2
    assert "is code of a library" in one_line(answer.output)


@pytest.mark.slow
def test_a_store_of_others_is_data_as_well(packed, tmp_path):
    naming(packed, tmp_path, name=None, python="subprocess:getoutput", options={"cmd": "id"})
    id_ = archive.describe(packed)["runs"][0]["trial"]
    answer = kdsweep("replay", id_, "--storage", tmp_path / "open")
    assert answer.exit_code == 2
    assert "nobody here has asked for it" in one_line(answer.output)


def test_an_archive_takes_no_other_file_along(tmp_path):
    secret = tmp_path / "secret.safetensors"
    secret.write_bytes(b"not the weights that a trial was trained with")
    with pytest.raises(ValueError, match="is not the file of weights 000"):
        archive.bytes_of({"digest": "0" * 24, "path": str(secret)})
    with pytest.raises(ValueError, match="weights are a safetensors file"):
        archive.bytes_of({"digest": "0" * 24, "path": "/etc/passwd"})
    digest = user_code.weights(str(secret))["digest"]
    assert archive.bytes_of({"digest": digest, "path": str(secret)}) == secret.read_bytes()


def test_every_place_where_a_trial_can_name_code_is_asked_for():
    inner = SMALL_TRIAL
    trial = replace(
        inner,
        method="my_package.my_loss",
        networks={"student": {"top": {"my_package.nets:Encoder": {"init": "my_package.weights:of"}}}},
        augment={"top": [{"my_package.views:crop": {}}]},
        teacher=replace(inner, method="theirs.method"),
    )
    assert code_of(trial) == {
        "my_package.my_loss", "my_package.nets:Encoder", "my_package.weights:of", "my_package.views:crop",
        "theirs.method",
    }  # fmt: skip
    assert code_of(inner) == set()


@pytest.mark.slow
def test_an_unknown_row_names_those_there_are(done, tmp_path):
    file, storage, _ = done
    answer = kdsweep("export", "row", file, "kdd", "--out", tmp_path / "x.zip", "--storage", storage)
    assert answer.exit_code == 2
    assert "it has student_only, kd, without kd" in one_line(answer.output)
    answer = kdsweep("export", "row", file, "kd", "--out", tmp_path / "x.zip", "--storage", tmp_path / "none")
    assert answer.exit_code == 2


def test_a_row_whose_data_have_moved_asks_for_their_folder(tmp_path):
    described = {"format": archive.FORMAT, "study": "s", "row": "kd", "runs": [], "data": {"path": "mine/"}}
    with zipfile.ZipFile(tmp_path / "kd.zip", "w") as whole:
        whole.writestr("row.json", json.dumps(described))
    answer = kdsweep("replay", "--row", tmp_path / "kd.zip")
    assert answer.exit_code == 2
    assert f"there is no folder {Path('mine').absolute()}: say with --data" in one_line(answer.output)


def test_replay_takes_a_trial_or_a_row():
    assert kdsweep("replay").exit_code == 2
    assert kdsweep("replay", "abc", "--row", "x.zip").exit_code == 2
    answer = kdsweep("replay", "--row", "nothing.zip")
    assert answer.exit_code == 2
    assert "an archive of `kdsweep export row` was expected" in one_line(answer.output)


@pytest.mark.parametrize("command", ["launch", "report", "status"])
def test_a_storage_that_cannot_be_one_is_one_clear_line(command, tmp_path):
    file = write(tmp_path)
    for storage in (file, file / "runs", "foo://bar"):
        answer = kdsweep(command, file, "--storage", storage)
        assert answer.exit_code == 2, answer.output
        assert f"the storage has to be a folder that can be written to, or an address that pyarrow opens, got {storage}" in one_line(answer.output)  # fmt: skip # noqa: E501
        assert len(answer.output.strip().splitlines()) == 1


def test_a_replay_from_a_bad_storage_is_one_clear_line(tmp_path):
    answer = kdsweep("replay", "abc", "--storage", write(tmp_path))
    assert answer.exit_code == 2
    assert "the storage has to be a folder" in one_line(answer.output)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nohost.invalid:6379", "head", "head:port", "127.0.0.1:99999"])
def test_an_address_where_nobody_answers_is_one_clear_line(address, tmp_path, monkeypatch):
    monkeypatch.setattr("kdsweep.run.ray.address.TIMEOUT", 0.3)
    answer = kdsweep("launch", write(tmp_path), "--address", address, "--storage", tmp_path / "runs")
    assert answer.exit_code == 2
    assert address in answer.output
    assert len(answer.output.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_watched_report_marks_what_is_unfinished_until_it_is_there(done, tmp_path):
    file, storage, _ = done
    copy = Path(shutil.copytree(storage, tmp_path / "runs"))
    results, page = Results(copy), tmp_path / "reports" / "tiny" / "index.html"
    roles = [role for role in results.read_rows("tiny", "index") if role["stage"] == "control"]
    complete = results.read_json("tiny", "state")
    for role in roles:
        (copy / "trials" / f"{role['trial']}.parquet").unlink()
    going_on = {"complete": False, "closed": False, "process": os.getpid(), "started": ""}
    results.write_json("tiny", "state", {**complete, **going_on})
    pages = []

    def wait(seconds: float) -> None:
        assert seconds >= report_command.LEAST
        pages.append(page.read_text())
        for role in roles:
            name = f"{role['trial']}.parquet"
            shutil.copy(storage / "trials" / name, copy / "trials" / name)
        results.write_json("tiny", "state", complete)

    study = with_facts(replace(study_file.load(file), storage=str(copy)))

    def write() -> report_command.Written:
        return report_command.write_report(study, results, Console(quiet=True), tmp_path / "reports", refresh=True)

    assert report_command.follow(study, results, Console(quiet=True), write, wait=wait).runs.study.complete
    assert "Unfinished: control 0 of 3." in pages[0]
    assert 'http-equiv="refresh"' in pages[0]
    assert "Unfinished" not in page.read_text()
    assert 'http-equiv="refresh"' not in page.read_text()


@pytest.mark.slow
def test_a_report_of_a_finished_study_is_written_once_when_watched(done, tmp_path):
    file, storage, _ = done
    answer = kdsweep("report", file, "--watch", "--storage", storage, "--reports", tmp_path)
    assert answer.exit_code == 0, answer.output
    assert answer.output.count("report: ") == 1
