"""One Ray for the whole session, and one torch thread: runs are compared to the last bit."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def cluster():
    from kdsweep.run import ray

    ray.start(None)
    yield ray
    ray.stop()


@pytest.fixture(scope="module")
def one_thread():
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
