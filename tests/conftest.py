"""One thread a process, one Ray for all tests, and one planted dataset with whatever was trained on it."""

from __future__ import annotations

import os

# Runs are compared to the last bit, and two processes share the cores. Read when numpy and torch are imported.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
# As workers and commands have it, also where a test trains without them.
os.environ.setdefault("MKL_CBWR", "AVX2,STRICT")

import pytest

SLOW_SECONDS = 120


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests share what they made, so a process runs all of it; one process runs all that need Ray, first."""
    for item in items:
        on_ray = "cluster" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("ray" if on_ray else item.nodeid.partition("::")[0]))
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
    items.sort(key=lambda item: "cluster" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def cluster():
    """Ray with two processors, whatever the machine has, and without its dashboard."""
    from kdsweep.run import ray as on_ray  # isort: skip  (it says how Ray is to be imported)
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200 * 2**20)
    yield on_ray
    on_ray.stop()


@pytest.fixture(scope="session")
def one_thread():
    import torch

    assert torch.get_num_threads() == 1


@pytest.fixture(scope="session")
def dataset():
    """Vectors of three classes, as tests.helpers.trials reads them."""
    from kdsweep.data import registry
    from tests.helpers.trials import DATA

    return registry.load(DATA)


@pytest.fixture(scope="session")
def trainer(dataset):
    """Trains a trial once for all tests."""
    from tests.helpers.trials import Trainer

    return Trainer(dataset)
