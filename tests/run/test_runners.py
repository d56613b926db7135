"""Both runners give the same results, several workers train one trial, and a kill at any moment loses nothing."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import replace

import pytest

from kdsweep.run import local
from kdsweep.run.launch import PATIENCE, Launch, with_facts
from kdsweep.run.listeners import Event
from kdsweep.run.store import Results
from kdsweep.run.worker import work
from kdsweep.values.study import Study
from tests.helpers import processes
from tests.helpers.fakes import study
from tests.helpers.stores import roles, rows

TINY = {
    "train": {"epochs": 2, "batch_size": 512},
    "arms": {"student_only": {}, "again": {"use": "student_only"}, "kd": {}},
    "search": {"trials": 3, "generation": 1},
    "teachers": {"trials": 1},
    "finalists": {"points": 1},
    "confirm": {"seeds": 2, "defaults": False},
    "ablate": {"arm": "kd", "rows": [{"without": ["kd"]}]},
    "controls": ["untrained_teacher"],
    "report": {"claim": {"arm": "kd", "against": ["student_only"]}},
}


@pytest.fixture(scope="module")
def tiny() -> Study:
    return with_facts(study(facts=False, name="tiny", **TINY))


@pytest.fixture(scope="module")
def alone(tiny, tmp_path_factory) -> Results:
    """The tiny study, run in this process."""
    results = Results(tmp_path_factory.mktemp("local"))
    driver = Launch(tiny, results)
    local.run(driver)
    driver.close()
    assert driver.complete
    return results


@pytest.mark.slow
def test_ray_and_this_process_write_the_same_results_though_a_worker_dies(tiny, alone, cluster, tmp_path, monkeypatch):
    """To a store named relative to where one stands, and with places that never get a worker."""
    crowded = replace(tiny, resources=tiny.resources.model_copy(update={"concurrency": 5}))
    monkeypatch.chdir(tmp_path)
    results, killed = Results("runs"), []

    def kill(event: Event) -> None:
        if event.kind == "commit" and event.role.stage == "search" and not killed:
            killed.append(results.metadata()[event.trial.id]["process"])
            os.kill(killed[0], signal.SIGKILL)

    driver = Launch(crowded, results, [kill])
    cluster.run(driver)
    driver.close()
    assert killed
    assert driver.complete
    assert set(driver.lost.values()) <= {1}, "nobody but the killed worker has lost anything"
    assert rows(results) == rows(alone)
    assert roles(results, "tiny") == roles(alone, "tiny")
    assert rows(Results(tmp_path / "runs")) == rows(alone)


@pytest.mark.slow
def test_workers_that_die_while_they_read_the_data_end_the_launch(cluster, tmp_path):
    data = {
        "python": "tests.helpers.modules_of_a_user:for_the_driver_alone",
        "student": ["top"],
        "auxiliary": ["bottom"],
    }
    bare = {"ablate": None, "controls": None, "report": None, "arms": {"student_only": {}}}
    few = {"search": {"trials": 1}, "resources": {"concurrency": 1}}
    asked = study(facts=False, name="deadly", **{**TINY, **bare, **few, "data": data})
    seen: list[Event] = []
    driver = Launch(with_facts(asked), Results(tmp_path), [seen.append])
    cluster.run(driver)
    assert not driver.complete
    assert [event.kind for event in seen].count("lost") == PATIENCE
    assert any("worker died" in event.message for event in seen)


@pytest.mark.slow
def test_two_workers_train_a_pack_as_one_does(alone, tiny, cluster, tmp_path):
    wide = replace(tiny, resources=tiny.resources.model_copy(update={"workers": 2, "concurrency": 1}))
    driver = _Only(Launch(wide, Results(tmp_path)))
    cluster.run(driver)
    ids = list(driver.results.known())
    assert ids
    found, expected = (store.curves(ids).astype({"metric": str, "trial": str}) for store in (driver.results, alone))
    assert len(found) == len(expected)
    both = found.merge(expected, on=["trial", "epoch", "metric"])
    losses = both[both.metric.str.startswith("train/loss")]
    # Sums over the batch are added in another order.
    assert losses.value_x.tolist() == pytest.approx(losses.value_y.tolist(), rel=1e-4)


class _Only:
    """A launch that hands out its first pack and ends: the rest would take minutes through Ray Train."""

    def __init__(self, driver: Launch) -> None:
        self.driver, self.given = driver, False

    def next(self):
        self.given, first = True, not self.given
        return self.driver.next() if first else []

    @property
    def ready(self) -> int:
        return 0 if self.given else self.driver.ready

    @property
    def done(self) -> bool:
        return self.given and not self.driver.in_flight

    def __getattr__(self, name):
        return getattr(self.driver, name)


def drive(study: Study, root: str) -> None:
    driver = Launch(study, Results(root))
    local.run(driver)
    driver.close()


@pytest.mark.slow
def test_a_driver_killed_at_any_moment_goes_on_to_the_same_table(tiny, alone, tmp_path):
    trials, whole = tmp_path / "trials", len(alone.known())
    rng = random.Random(0)
    for kill in range(3):
        # Somewhere in the next few trials, and somewhere inside one.
        target = len(list(trials.glob("*.parquet"))) + rng.randint(1, 4) if trials.exists() else rng.randint(0, 3)
        driver = processes.start(drive, tiny, str(tmp_path))
        deadline = time.monotonic() + 60
        while driver.is_alive() and time.monotonic() < deadline:
            if trials.exists() and len(list(trials.glob("[!.]*.parquet"))) >= min(target, whole - 1):
                break
            time.sleep(0.001)
        time.sleep(rng.random() * 0.03)
        driver.kill()
        driver.join(timeout=10)
        before = {path.name: path.read_bytes() for path in trials.glob("[!.]*.parquet")}
        assert before, f"kill {kill} came before anything was finished"
        assert len(before) < whole, f"kill {kill} came when everything was finished"
    drive(tiny, str(tmp_path))
    after = {path.name: path.read_bytes() for path in trials.glob("[!.]*.parquet")}
    assert before.items() <= after.items()
    assert rows(Results(tmp_path)) == rows(alone)
    assert roles(Results(tmp_path), "tiny") == roles(alone, "tiny")


def test_a_launch_of_a_finished_study_trains_nothing(alone, tiny):
    driver = Launch(tiny, alone)
    assert driver.next() == []
    assert driver.complete


class Full(Results):
    """A store on a disk without room."""

    def stage(self, *_: object, **__: object) -> None:
        raise OSError("no space left on device")


def test_a_trial_lost_by_its_machine_is_tried_again_and_then_left(tiny, tmp_path):
    tried: Counter[str] = Counter()

    def count(event: Event) -> None:
        tried.update([event.trial.id] if event.kind == "start" else [])

    driver = Launch(tiny, Full(tmp_path), [count])
    local.run(driver)
    assert not driver.complete
    assert set(tried.values()) == {PATIENCE}
    assert not driver.results.known()


def test_a_structure_that_did_not_fit_stays_in_smaller_packs(tmp_path):
    arms = {"arms": {"student_only": {}}, "ablate": None, "controls": None, "report": None}
    found = with_facts(study(facts=False, **{**TINY, **arms, "search": {"trials": 16, "generation": 4}}))
    driver = Launch(found, Results(tmp_path))
    driver.begin(places=1)
    for width in (8, 4):
        pack = driver.next()
        assert len(pack) == width
        driver.take_back(pack, "out of memory")
    while driver.role((pack := driver.next())[0].id).generation == 0:
        work(pack, found.data, driver.results, staged=driver.commit)
    assert len(pack) == 2, "of four that a new plan has"


@pytest.mark.slow
def test_of_two_searches_the_one_that_has_come_less_far_goes_first(tmp_path):
    arms = {
        "arms": {"student_only": {}, "again": {"use": "student_only"}},
        "ablate": None,
        "controls": None,
        "report": None,
    }
    few = {**TINY, **arms, "search": {"trials": 6, "generation": 1}, "resources": {"pack": 1}}
    driver = Launch(with_facts(study(facts=False, **few)), Results(tmp_path))
    driver.begin(places=1)
    furthest = {"student_only": -1, "again": -1}
    while (role := driver.role((pack := driver.next())[0].id)).stage == "search":
        assert role.generation <= min(furthest.values()) + 1
        furthest[role.arm] = role.generation
        work(pack, driver.study.data, driver.results, staged=driver.commit)
    assert set(furthest.values()) == {4}


def test_what_a_study_no_longer_asks_for_is_kept_and_marked(alone, tiny, tmp_path):
    import shutil

    shutil.copytree(alone.root, tmp_path / "runs")
    results = Results(tmp_path / "runs")
    smaller = replace(tiny, arms={name: arm for name, arm in tiny.arms.items() if name != "again"})
    driver = Launch(smaller, results)
    assert driver.set_aside()["again"] > 0
    driver.close()
    index = results.read_rows("tiny", "index")
    assert {role["arm"] for role in index if not role["wanted"]} >= {"again"}
    assert driver.complete
    again = Launch(tiny, results)
    assert again.next() == []
    again.close()
    assert all(role["wanted"] for role in results.read_rows("tiny", "index"))


def test_a_given_teacher_that_does_not_fit_is_refused_before_anything_starts(tmp_path):
    import safetensors.torch
    import torch

    from kdsweep.values.trial import Given

    path = tmp_path / "teacher.safetensors"
    safetensors.torch.save_file({"head.weight": torch.zeros(3, 8)}, path)
    found = study(facts=False)
    brought = replace(found, given=Given("weights", "digest", found.networks["teacher"], str(path)))
    with pytest.raises(ValueError, match=r"does not fit networks.teacher: .* is to have shape .*, has nothing"):
        with_facts(brought)


def test_the_state_says_what_runs_for_whoever_looks(alone):
    state = alone.read_json("tiny", "state")
    assert state["complete"]
    assert state["in_flight"] == []
