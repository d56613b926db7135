"""One Ray for the whole session, and one torch thread: runs are compared to the last bit."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def cluster():
    from kdsweep.sweep import ray

    ray.start(None)
    yield ray
    ray.stop()
