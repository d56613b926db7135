"""How much faster a sweep is here than with the tools it is made of, as ratios measured in one run.

The same work for all: the arms of `loops.py` on digits, from one teacher, with as many trials for each. `make bench`
prints the tables and writes them to benchmarks/results/ under the day's date. Seconds depend on the machine; read the
ratios.

- searching: trials a minute from the first trial's start to the last one's end, for processes that have started.
- whole: with the start of workers; ours also with the teacher, and the confirmation at the end.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

# Before ray: it sets what Ray reads when it is imported.
from kdsweep.run.ray import cluster, runner  # isort: skip
import loops
import ray
from loops import ARMS, PROCESSES, TASKS

from kdsweep import study_file
from kdsweep.run.launch import Launch, with_facts
from kdsweep.run.store import Results

EPOCHS, LONG = 16, 64
PACKS, FROM_CACHE = "kdsweep, packs", "kdsweep, compiled, from the cache"
STUDY = """
data: {data}
networks: {networks}
train: {{epochs: {epochs}, batch_size: {batch}, lr: {{float: [1e-3, 1e-2], log: true}}}}
teachers: {{trials: 2}}
arms: {{{arms}}}
search: {{trials: {trials}, pruner: null}}
finalists: {{points: 1}}
confirm: {{seeds: 1}}
resources: {{pack: {pack}, compile: {compile}}}
"""


@dataclass(frozen=True)
class Sweep:
    """What was measured: search trials, and the seconds of them alone and of the whole launch."""

    trials: int
    searching: float
    whole: float


def ours(
    trials: int,
    *,
    epochs: int = EPOCHS,
    batch: int = 0,
    arms: Sequence[str] = ARMS,
    on: str = "digits",
    pack: int | str = "auto",
    compiling: str = "off",
    root: str | None = None,
) -> Sweep:
    """Our launch of so many search trials of each arm, on Ray."""
    text = described(trials, epochs=epochs, batch=batch, arms=arms, on=on, pack=pack, compile=compiling)
    found = study_file.parse(text, name="bench")
    with tempfile.TemporaryDirectory() as folder:
        results = Results(root or folder)
        began = time.perf_counter()
        launch = Launch(with_facts(found), results)
        runner.run(launch)
        whole = time.perf_counter() - began
        assert launch.complete
        searched = {role.trial for role in launch.plan.roles if role.stage == "search"}
        told = [meta for id_, meta in results.metadata().items() if id_ in searched]
        ends = [datetime.datetime.fromisoformat(meta[name]) for name in ("start", "end") for meta in told]
        return Sweep(trials * len(arms), (max(ends) - min(ends)).total_seconds(), whole)


def described(
    trials: int, *, epochs: int, batch: int = 0, arms: Sequence[str], on: str = "digits", **changes: Any
) -> str:
    """The study file."""
    task, fixed = TASKS[on], {"pack": "auto", "compile": "off"}
    return STUDY.format(
        data=task.data.model_dump_json(include={"name", "student", "auxiliary", "options"}),
        networks=json.dumps(task.networks),
        epochs=epochs,
        batch=batch or task.batch,
        arms=", ".join(f"{arm}: {{}}" for arm in arms),
        trials=trials,
        **{**fixed, **changes},
    )


def theirs(trials: int, seconds: tuple[float, float], arms: Sequence[str] = ARMS) -> Sweep:
    return Sweep(trials * len(arms), *seconds)


def search(few: int, many: int, turns: int) -> list[str]:
    """The quickstart's search, of the arms without a network of their own to train against."""
    found: dict[str, list[Sweep]] = {}
    for _ in range(turns):
        for name, run in (
            (PACKS, lambda: ours(many)),
            ("kdsweep, one trial at a time", lambda: ours(many // 2, pack=1)),
            ("Optuna alone, a process a core", lambda: theirs(many, loops.optuna_alone(many, EPOCHS))),
            ("Ray Tune, reused actors, kd alone", lambda: theirs(many, loops.tune_reused(many, EPOCHS), ["kd"])),
            ("Ray Tune + Ray Train, kd alone", lambda: theirs(few, loops.tune_and_train(few, EPOCHS), ["kd"])),
        ):
            found.setdefault(name, []).append(run())
            print(f"{name}: {found[name][-1]}", flush=True)
    return table(f"A search of {many} trials for each of {', '.join(ARMS)}, {EPOCHS} epochs a trial", found, PACKS)


def sequences(few: int, many: int) -> list[str]:
    """Of a network over sequences, whose trials are large enough to train one at a time: what is left is Ray's own."""
    if not os.environ.get("KDSWEEP_DATA"):
        return ["Sequences: not measured, for KDSWEEP_DATA names no folder with utd_mhad.npz.", ""]
    found: dict[str, list[Sweep]] = {}
    for name, run in (
        (PACKS, lambda: ours(many, arms=["kd"], on="utd_mhad")),
        ("Ray Tune, reused actors", lambda: theirs(many, loops.tune_reused(many, EPOCHS, "utd_mhad"), ["kd"])),
        ("Ray Tune + Ray Train", lambda: theirs(few, loops.tune_and_train(few, EPOCHS, "utd_mhad"), ["kd"])),
    ):
        found[name] = [run()]
        print(f"sequences, {name}: {found[name][-1]}", flush=True)
    return table(f"Sequences: UTD-MHAD, {many} trials of kd, {EPOCHS} epochs a trial", found, PACKS)


def long_sweep(trials: int, few: int, arms: Sequence[str]) -> list[str]:
    """Many trials of a structure, which are worth compiling."""
    found: dict[str, list[Sweep]] = {}
    with tempfile.TemporaryDirectory() as cold, tempfile.TemporaryDirectory() as warm:
        long = partial(ours, epochs=LONG, arms=arms)

        def again() -> Sweep:
            shutil.copytree(f"{cold}/compiled", f"{warm}/compiled")
            return long(trials, compiling="on", root=warm)

        for name, run in (
            ("kdsweep, compiled, cold", lambda: long(trials, compiling="on", root=cold)),
            (FROM_CACHE, again),
            ("kdsweep, not compiled", lambda: long(few * 4)),
            ("Optuna alone, a process a core", lambda: theirs(few, loops.optuna_alone(few, LONG, arms), arms)),
        ):
            found[name] = [run()]
            print(f"{name}: {found[name][-1]}", flush=True)
    return table(
        f"A long sweep: {trials} trials for each of {', '.join(arms)}, {LONG} epochs a trial", found, FROM_CACHE
    )


def table(title: str, found: dict[str, list[Sweep]], first: str) -> list[str]:
    """Rates, and how many times those of the first are of each."""
    lines = [f"{title}.", "", "| | searching, trials a minute | faster by | whole | faster by |"]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    rates = {
        name: [60 * sum(s.trials for s in sweeps) / sum(getattr(s, part) for s in sweeps)
               for part in ("searching", "whole")]
        for name, sweeps in found.items()
    }  # fmt: skip
    for name, rate in rates.items():
        cells = [f"{value:.0f} | {best / value:.1f}" for value, best in zip(rate, rates[first], strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def overhead(trials: int) -> list[str]:
    """What the engine costs: a trial of one step, and the time from the command to the first trial."""
    one_step = ours(trials, epochs=1, batch=1000)
    lines = [
        f"A trial of one step costs {one_step.searching / one_step.trials:.3f} s while searching, "
        f"{one_step.whole / one_step.trials:.3f} s with everything ({one_step.trials} trials).",
        "",
    ]
    for how in ("--local", ""):
        lines += [
            f"From the command to the first trial{' ' + how if how else ', on Ray'}: {first_trial(how):.1f} s.",
            "",
        ]
    return lines


def first_trial(how: str) -> float:
    """Seconds from `python -m kdsweep launch` to the start of a trial."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        file.write_text(f"{described(1, epochs=1, arms=['kd'])}storage: {folder}/store\n")
        began = datetime.datetime.now(datetime.UTC)
        subprocess.run(
            [sys.executable, "-m", "kdsweep", "launch", str(file), *how.split()],
            cwd=folder, check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        starts = [meta["start"] for meta in Results(f"{folder}/store").metadata().values()]
        return (min(map(datetime.datetime.fromisoformat, starts)) - began).total_seconds()


def main() -> None:
    """Everything, or with --quick a small part of it, which is not written down."""
    quick = "--quick" in sys.argv
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cluster.start(None)
    # Workers have read their modules from disk once before anything is timed.
    ours(8)
    lines = [f"# {datetime.date.today()}: {PROCESSES} cores of {platform.machine()}", ""]
    lines += [f"torch {torch.__version__}, ray {ray.__version__}", ""]
    lines += search(2, 24, 1) if quick else search(6, 64, 2)
    lines += sequences(2, 8) if quick else sequences(4, 32)
    if not quick:
        lines += long_sweep(512, 16, ("student_only", "kd"))
        lines += long_sweep(256, 8, ARMS)
    lines += overhead(32 if quick else 128)
    cluster.stop()
    print("\n".join(lines))
    if not quick:
        folder = Path(__file__).parent / "results"
        folder.mkdir(exist_ok=True)
        (folder / f"{datetime.date.today()}.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
