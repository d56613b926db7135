"""One thread a process, one Ray for all tests, and one planted dataset with whatever was trained on it."""

from __future__ import annotations

import os

# Runs are compared to the last bit, and two processes share the cores. Read when numpy and torch are imported.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import pytest


@pytest.fixture(scope="session")
def cluster():
    from kdsweep.run import ray

    ray.start(None)
    yield ray
    ray.stop()


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
