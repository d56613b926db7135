"""One thread a process, one Ray for all tests, and one planted dataset with whatever was trained on it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

# Runs are compared to the last bit, and two processes share the cores. Read when numpy and torch are imported.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
# Where a test asks for a second thread, waiting for it is no work.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
# What somebody has compiled elsewhere says nothing of what is compiled here.
os.environ.pop("TORCHINDUCTOR_CACHE_DIR", None)
# As workers and commands have it, also where a test trains without them.
os.environ.setdefault("MKL_CBWR", "AVX2,STRICT")

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "kdsweep", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("kdsweep")

TESTS = Path(__file__).parent
ROOT = TESTS.parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is slow has twice the time, and files with most of it are begun first: the last ones are short."""
    seconds = float(os.environ.get("PYTEST_TIMEOUT") or config.getoption("timeout") or config.getini("timeout") or 0)
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(2 * seconds))
    slow = Counter(scope(item.nodeid) for item in items if item.get_closest_marker("slow"))
    on_ray = {scope(item.nodeid) for item in items if "cluster" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: (scope(item.nodeid) not in on_ray, -slow[scope(item.nodeid)]))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One process runs all tests of a file, or of a folder with fixtures of its own: they share what they have made."""
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid)

    return Scheduling(config, log)


def scope(nodeid: str) -> str:
    """What is run by one process: a test's file, or its folder where that has fixtures of its own."""
    file = ROOT / nodeid.partition("::")[0]
    return str(file.parent if file.parent != TESTS and (file.parent / "conftest.py").exists() else file)


@pytest.fixture(scope="session")
def cluster():
    """Ray with two processors, whatever the machine has, and of its processes only those that we need."""
    from kdsweep.run.ray import runner  # isort: skip  (it says how Ray is to be imported)
    import ray
    from ray.cluster_utils import Cluster

    few = {"include_dashboard": False, "no_monitor": True, "include_log_monitor": False}
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "object_store_memory": 200 * 2**20, **few})
    ray.init(nodes.address, log_to_driver=False)
    yield runner
    ray.shutdown()
    nodes.shutdown()


@pytest.fixture(scope="session")
def dataset():
    """Vectors of three classes, as tests.helpers.trials reads them."""
    from kdsweep.data import registry
    from tests.helpers.trials import DATA

    return registry.load(DATA.reference)


@pytest.fixture(scope="session")
def trainer(dataset):
    """Trains a trial once for all tests."""
    from tests.helpers.trials import Trainer

    return Trainer(dataset)
