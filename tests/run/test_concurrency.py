"""Several processes on one store, in a folder and on an object store: the contract in `kdsweep.run.store`."""

from __future__ import annotations

import time

import pytest

from kdsweep.run.store import Results
from tests.helpers import processes
from tests.helpers.object_store import serving

POINTS = [(1, "valid/accuracy", 0.5, 0.1), (1, "train/loss", 1.0, 0.1)]
META = {"state": "complete", "selected": 1, "valid": {"accuracy": [0.5]}, "trial": {"numbers": list(range(20))}}
SECONDS = 1.0


@pytest.fixture(scope="module")
def bucket():
    with serving() as address:
        yield address


@pytest.fixture(scope="module")
def at_once():
    with processes.at_once() as call:
        yield call


@pytest.fixture(params=["folder", "object store"])
def root(request, tmp_path) -> str:
    if request.param == "folder":
        return str(tmp_path / "runs")
    return request.getfixturevalue("bucket").format(f"runs{time.time_ns()}")


def ids(count: int) -> list[str]:
    return [f"{number:024x}" for number in range(count)]


def finish(root: str, some: list[str], *, commit: bool = True) -> None:
    results = Results(root)
    for id_ in some:
        results.stage(id_, POINTS, META)
        if commit:
            results.commit(id_)


def read_on(root: str, expected: int) -> list[str]:
    """What went wrong in reads for a while: a result missing, one twice, or an exception."""
    results, wrong, end = Results(root), [], time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            known, curves = len(results.known()), len(results.curves(ids(expected)))
            if (known, curves) != (expected, expected * len(POINTS)):
                wrong.append(f"{known} trials and {curves} rows")
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")
    return wrong


def compact_soon(root: str) -> None:
    time.sleep(SECONDS / 5)
    Results(root).compact(more_than=0)


def commit_all(root: str, some: list[str]) -> list[str]:
    return [Results(root).commit(id_).state for id_ in some]


def test_readers_never_notice_that_another_process_compacts(root, at_once):
    count = 100 if "://" not in root else 8
    finish(root, ids(count))
    first, second, _ = at_once((read_on, root, count), (read_on, root, count), (compact_soon, root))
    assert first == second == []
    assert len(Results(root).files.names("trials")) == 1


def test_two_launches_that_close_at_once_lose_and_double_nothing(root, at_once):
    finish(root, ids(8))
    before = Results(root).metadata()
    at_once((compact_soon, root), (compact_soon, root))
    results = Results(root)
    assert results.metadata() == before
    assert len(results.curves(ids(8))) == 8 * len(POINTS)
    assert all("pack-" in name for name in results.files.names("trials"))


def test_two_drivers_may_commit_the_same_trials(root, at_once):
    finish(root, ids(6), commit=False)
    first, second = at_once((commit_all, root, ids(6)), (commit_all, root, ids(6)))
    assert first == second == ["complete"] * 6
    assert set(Results(root).known()) == set(ids(6))
    assert Results(root).staged() == []


def test_a_trial_that_another_driver_has_committed_and_packed_is_its_result_for_all(root):
    finish(root, ids(2))
    Results(root).compact(more_than=0)
    assert Results(root).commit(ids(1)[0]).state == "complete"
    with pytest.raises(FileNotFoundError, match="nothing is staged of trial nobody"):
        Results(root).commit("nobody")


def test_what_is_staged_may_be_adopted_while_its_driver_commits_it(root, at_once):
    finish(root, ids(6), commit=False)
    at_once((commit_all, root, ids(6)), (adopt, root))
    assert set(Results(root).known()) == set(ids(6))


def adopt(root: str) -> None:
    Results(root).adopt()


def test_trials_are_forgotten_out_of_packs_and_of_loose_files(root):
    finish(root, ids(4))
    Results(root).compact(more_than=0)
    finish(root, ["loose", "kept"])
    results = Results(root)
    results.forget([*ids(2), "loose", "never there"])
    assert set(results.known()) == {*ids(4)[2:], "kept"}
    assert len(results.curves(results.known())) == 3 * len(POINTS)
    results.forget(results.known())
    assert results.known() == {}


def test_two_reports_at_once_lose_neither_look(root, at_once):
    at_once((look, root, 5), (look, root, 10))
    assert {line["n"] for line in Results(root).ledger().values()} == {5, 10}


def test_a_line_of_the_ledger_stays_as_it_was_written_first(root):
    Results(root).add_to_ledger("a", {"when": "first"})
    Results(root).add_to_ledger("a", {"when": "later"})
    assert Results(root).ledger() == {"a": {"when": "first"}}


def look(root: str, n: int) -> None:
    Results(root).add_to_ledger(str(n), {"n": n})


def test_what_is_stored_reads_back(root):
    results = Results(root)
    assert results.known() == {}
    assert results.read_json("study", "state") is None
    results.write_json("study", "state", {"x": 1})
    results.write_rows("study", "index", [{"trial": "a"}])
    assert results.read_json("study", "state") == {"x": 1}
    assert results.read_rows("study", "index") == [{"trial": "a"}]
    assert results.predictions("a") is None
