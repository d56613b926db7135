"""Trials in a process of their own: what they raise there as well is no accident of this one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kdsweep.engine.faults import Fault, Suspected
from kdsweep.run.store import Results
from kdsweep.values.study import Data
from kdsweep.values.trial import Trial


def work_apart(
    trials: Sequence[Trial],
    data: Data,
    results: Results,
    *,
    device: str,
    suspected: Suspected,
    staged: Callable[[str], None],
    faulted: Callable[[Fault], None],
) -> None:
    """As `worker.work`, in a fresh process that sees what this one sees.

    Raises:
        OSError: the process died, or the machine failed it.
    """
    job = {
        "path": sys.path,
        "trials": [trial.to_json() for trial in trials],
        "data": data.model_dump(),
        "root": results.root,
        "device": device,
        "suspected": {id_: [asdict(fault) for fault in faults] for id_, faults in suspected.items()},
    }
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, "-m", "kdsweep.run.apart", str(answer)]
        done = subprocess.run(command, input=json.dumps(job), text=True, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise ChildProcessError(f"a process of its own ended with {done.returncode}: {last}")
        became: dict[str, Any] = json.loads(answer.read_text())
    for id_ in became["staged"]:
        staged(id_)
    for fault in became["faults"]:
        faulted(Fault(**fault))


def main(job: Mapping[str, Any], answer: Path) -> None:
    """The other side: train, and say which trials are staged and what others raised."""
    sys.path[:] = job["path"]
    from kdsweep.run.worker import work

    staged: list[str] = []
    faults: list[Fault] = []
    work(
        [Trial.from_json(trial) for trial in job["trials"]],
        Data(**job["data"]),
        Results(job["root"]),
        device=job["device"],
        suspected={id_: [Fault(**fault) for fault in several] for id_, several in job["suspected"].items()},
        staged=staged.append,
        faulted=faults.append,
    )
    answer.write_text(json.dumps({"staged": staged, "faults": [asdict(fault) for fault in faults]}))


if __name__ == "__main__":
    main(json.load(sys.stdin), Path(sys.argv[1]))
