"""A cluster of Ray to run on: joined where there is one, or started on this machine; and how much it holds."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import Any

import ray

from kdsweep.values.study import Study

# Enough for what Tune itself passes around: data and weights go through the store.
OBJECT_STORE = 200 * 2**20


def start(address: str | None) -> str:
    """Join the cluster at `address`, or start Ray on this machine; returns the dashboard's address, "" without one."""
    if ray.is_initialized():
        return ""
    local: dict[str, Any] = {}
    if not address:
        local = {"include_dashboard": True, "dashboard_host": "127.0.0.1", "object_store_memory": OBJECT_STORE}
    context = ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **local)
    return f"http://{context.dashboard_url}" if context.dashboard_url else ""


class Starting:
    """`start` on this machine, in the background: it waits for processes as long as the driver reads its libraries."""

    def __init__(self) -> None:
        self._address: Future[str] = Future()
        self._over = threading.Event()
        threading.Thread(target=self._start, name="starts Ray", daemon=True).start()

    def _start(self) -> None:
        try:
            self._address.set_result(start(None))
        except BaseException as error:
            self._address.set_exception(error)
        # The kernel ends Ray's processes with the thread that they are children of.
        self._over.wait()

    def result(self) -> str:
        """What `start` returns, or raises."""
        return self._address.result()

    def stop(self) -> None:
        """Whatever has become of it."""
        self._address.exception()
        stop()
        self._over.set()


def stop() -> None:
    ray.shutdown()


def slots_of(study: Study) -> int:
    """How many packs run at once: as many as the cluster's CPUs and GPUs hold."""
    if study.resources.concurrency != "auto":
        return study.resources.concurrency
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    names = {"cpus": "CPU", "gpus": "GPU"}
    held = [
        there.get(names[key], 0.0) / (each * study.resources.workers)
        for key, each in study.resources.per_pack.items()
        if each
    ]
    return max(1, int(min(held, default=1)))
