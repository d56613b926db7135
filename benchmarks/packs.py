"""What a member's step costs in packs of every size, against the same work alone and against arithmetic itself.

`python benchmarks/packs.py` times digits with an MLP, batch 128, one thread; everything in turn, the best of several
turns, in one run: read the ratios. Then every method, every network that is shipped on made-up data of its kind, and
memory. It prints the tables and, without --quick, writes them to benchmarks/results/.

- alone: the plain loop, one trial.
- stacked: a pack as it is; replayed: the same operations from a trace; compiled: at one width, dead lanes included.
- bound: one batched matrix product of as many operations as the step has.
"""

from __future__ import annotations

import datetime
import multiprocessing
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from methods import DATA, MAPS, trial

from kdsweep import methods
from kdsweep.data import registry as source
from kdsweep.data.dataset import Dataset
from kdsweep.engine.build import Models, initial, models, parts
from kdsweep.engine.epochs import train_epoch
from kdsweep.engine.single import Run
from kdsweep.engine.stacked.choose import Operations, settle
from kdsweep.engine.stacked.compile import has_compiler
from kdsweep.engine.stacked.pack import Pack
from kdsweep.engine.workers import Workers
from kdsweep.networks import ENCODERS, FUSIONS, complete
from kdsweep.run.machine import equal_products, keep_freed_memory
from kdsweep.values.card import Card, Kind, Modality
from kdsweep.values.study import Data, Train
from kdsweep.values.trial import Trial

WIDTHS = (2, 4, 8, 16, 32, 64, 128)
COMPILED = (8,)
# AMID with a discriminator as wide as the student: of one of 256, nearly all of a step is matrix products.
SMALL = {"amid, small": ("amid", {"entropy_width": 64, "batch_size": 64})}


class Work:
    """One way of training: seconds of a member's step, the best of several turns."""

    def __init__(
        self, asked: Trial, width: int, *, traced: bool = False, dataset: Dataset | None = None, data: Data = DATA
    ) -> None:
        dataset, device = dataset or source.load(data.reference), torch.device("cpu")
        seen = parts(asked, dataset, data, device)
        weights = initial(asked, dataset.card)
        self.width, self.best, self.turn = width, float("inf"), 0
        self.steps = len(seen["train"]) // int(asked.train["batch_size"])

        def made(member: Trial) -> Models:
            return models(member, dataset.card, seen["train"], weights, device=device, workers=Workers())

        members = [replace(asked, seed=seed) for seed in range(width)]
        if asked.arithmetic == "plain":
            self.training: Run | Pack = Run(asked, made(asked), seen)
        else:
            self.training = Pack(members, [made(member) for member in members], seen)
            self.training.step.traces.on |= traced
        self.training.total = 100

    def go(self) -> None:
        self.turn += 1
        began = time.process_time()
        train_epoch(self.training, self.turn)
        # The first turn warms up, traces and compiles.
        spent = (time.process_time() - began) / self.steps / self.width
        self.best = min(self.best, spent if self.turn > 1 else float("inf"))

    def operations(self) -> float:
        """Of a member's step, matrix products and convolutions alone."""
        with Operations() as counted:
            train_epoch(self.training, 1)
        return counted.total / self.steps / self.width


def bound(operations: float, width: int) -> float:
    """Seconds of a batched matrix product of so many operations for each of so many members."""
    inner = max(8, round((operations / (2 * 128)) ** 0.5))
    left, right = torch.randn(width, 128, inner), torch.randn(width, inner, inner)
    spent = []
    for _ in range(20):
        began = time.process_time()
        torch.bmm(left, right)
        spent.append(time.process_time() - began)
    return min(spent) / width * operations / (2 * 128 * inner**2)


def in_turn(works: Sequence[Work], turns: int) -> None:
    for _ in range(turns + 1):
        for work in works:
            work.go()


def sizes(name: str, *, turns: int, widths: Sequence[int], compiled: Sequence[int]) -> list[str]:
    method, changed = SMALL.get(name, (name, {}))
    asked = trial(method, "mlp", **changed)
    stacked = replace(asked, arithmetic="stacked")
    alone = Work(asked, 1)
    packs = {width: (Work(stacked, width), Work(stacked, width, traced=True)) for width in widths}
    made = {width: Work(replace(asked, arithmetic=f"compiled@{width}"), width) for width in compiled if has_compiler()}
    in_turn([alone, *[work for pair in packs.values() for work in pair], *made.values()], turns)
    operations = packs[widths[0]][0].operations()
    lines = [
        f"{name}: {operations:.1e} operations a member-step; alone {1e3 * alone.best:.2f} ms.",
        "",
        "| members | stacked, ms | replayed | compiled | bound | stacked is faster than alone by | compiled by |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for width, (as_it_is, replayed) in packs.items():
        own = made[width].best if width in made else None
        cells = (as_it_is.best, replayed.best, own, bound(operations, width))
        ratios = (alone.best / as_it_is.best, alone.best / own if own else None)
        shown = [f"{1e3 * cell:.3f}" if cell is not None else "" for cell in cells]
        lines.append(f"| {width} | {' | '.join(shown)} | {' | '.join(f'{r:.1f}' if r else '' for r in ratios)} |")
    return [*lines, ""]


def every_method(*, turns: int, chosen: Callable[[str], bool]) -> list[str]:
    lines = [
        "A member's step of each method, ms (an MLP; a small CNN where a method compares maps).",
        "",
        "| method | alone | in 8 | in 32 | in 32 faster by |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in filter(chosen, methods.names()):
        if name in ("teacher", "auxiliary_only"):
            continue
        asked = trial(name, "cnn" if name in MAPS else "mlp")
        works = [Work(asked, 1), *[Work(replace(asked, arithmetic="stacked"), width) for width in (8, 32)]]
        in_turn(works, turns)
        alone, eight, many = (1e3 * work.best for work in works)
        lines.append(f"| {name} | {alone:.2f} | {eight:.2f} | {many:.2f} | {alone / many:.1f} |")
    return [*lines, ""]


SHAPES: dict[Kind, tuple[int, ...]] = {
    "vector": (64,),
    "image": (1, 16, 16),
    "spectrogram": (1, 24, 32),
    "sequence": (40, 7),
    "video": (8, 1, 16, 16),
}


def made_up(kind: Kind) -> Dataset:
    """Noise of a kind, in two modalities."""
    rng, rows = np.random.default_rng(0), 640
    modality, present = Modality(kind, SHAPES[kind]), np.ones(rows, bool)
    values = {name: rng.standard_normal((rows, *SHAPES[kind])).astype(np.float32) for name in ("x", "y")}
    if kind == "sequence":
        for of in values.values():
            # A sequence's last channel says which of its steps are real.
            of[..., -1] = 1.0
    return Dataset(
        card=Card({"x": modality, "y": modality}, tuple("abcdefgh")),
        modalities=values,
        present=dict.fromkeys(values, present),
        labels=rng.integers(0, 8, rows),
        ids=np.array([f"{row:04d}" for row in range(rows)]),
    )


def every_network(*, turns: int) -> list[str]:
    lines = [
        "A member's step of each network, ms, trained on labels alone (fusions: two MLPs below).",
        "",
        "| network | reads | alone | in 8 | in 32 | in 32 faster by |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    told = [(name, kind, "student_only") for name, part in ENCODERS.items() for kind in part.kinds[:1]]
    told += [(name, "vector", "teacher") for name in FUSIONS]
    for name, kind, method in told:
        asked = network_trial(name, kind, method)
        data = Data(name="digits", student=("x",), auxiliary=asked.auxiliary)
        dataset = made_up(kind)

        def work(
            arithmetic: str, width: int, asked: Trial = asked, dataset: Dataset = dataset, data: Data = data
        ) -> Work:
            return Work(replace(asked, arithmetic=arithmetic), width, dataset=dataset, data=data)

        stacks = settle(asked, dataset, data).name == "stacked"
        works = [work("plain", 1), *([work("stacked", 8), work("stacked", 32)] if stacks else [])]
        in_turn(works, turns)
        times = [1e3 * one.best for one in works]
        cells = [f"{ms:.2f}" for ms in times] + (
            [f"{times[0] / times[-1]:.1f}"] if stacks else ["trains plainly", "", ""]
        )
        lines.append(f"| {name} | {kind} | {' | '.join(cells)} |")
    return [*lines, ""]


def network_trial(name: str, kind: Kind, method: str) -> Trial:
    """A network on its own: an encoder as a student, a fusion as a teacher."""
    if method == "teacher":
        role = {"x": complete("mlp", kind=kind), "y": complete("mlp", kind=kind), "fusion": complete(name)}
    else:
        role = {"x": complete(name, kind=kind)}
    trains = "teacher" if method == "teacher" else "student"
    return Trial(
        trains=trains, method=method, code="", fingerprint="", rows={"train": ""}, student=("x",),
        auxiliary=("y",) if method == "teacher" else (), task="classification", select="last", metric="accuracy",
        train=Train(epochs=4, batch_size=64).model_dump(), networks={trains: role},
    )  # fmt: skip


def memory() -> list[str]:
    """What a member takes, measured in processes of their own, and what is counted before the first trial."""
    lines = ["Memory of a member, MiB.", "", "| method | measured | counted |", "| --- | ---: | ---: |"]
    for name in ("student_only", "kd", "crd", "amid"):
        few, many = (_peak(name, width) for width in (8, 40))
        counted = settle(trial(name, "mlp"), source.load(DATA.reference), DATA).memory
        lines.append(f"| {name} | {(many - few) / 32 / 2**20:.1f} | {counted / 2**20:.1f} |")
    return [*lines, ""]


def _peak(name: str, width: int) -> int:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_resident, (name, width))


def _resident(name: str, width: int) -> int:
    """Bytes that this process has held at most. Not `ru_maxrss`, which begins at what its parent had held."""
    torch.set_num_threads(1)
    Work(replace(trial(name, "mlp"), arithmetic="stacked"), width).go()
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None, "memory is measured on Linux alone"
    return int(found[1]) * 2**10


def main() -> None:
    """Everything, or the parts named: methods, networks, memory, or a method by its name."""
    quick = "--quick" in sys.argv
    asked = [word for word in sys.argv[1:] if not word.startswith("--")]
    torch.set_num_threads(1)
    equal_products()
    keep_freed_memory()
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    today = datetime.date.today()
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    whole = ("kd", "student_only", *SMALL, "amid", "methods", "networks", "memory")
    for part in asked or (("kd", "methods") if quick else whole):
        if part == "methods":
            lines = every_method(turns=2, chosen=lambda name: not quick or name in ("kd", "crd", "at"))
        elif part == "networks":
            lines = every_network(turns=2)
        elif part == "memory":
            lines = memory()
        else:
            wide = WIDTHS if part in ("kd", "student_only") and not quick else WIDTHS[:5]
            lines = sizes(part, turns=3, widths=wide, compiled=COMPILED)
        print("\n".join(lines), flush=True)
        if not quick:
            path = folder / f"{today}-packs.md"
            title = f"# {today}: packs, one thread of {platform.machine()}, torch {torch.__version__}\n\n"
            before = path.read_text() + "\n" if path.exists() else title
            path.write_text(before + "\n".join(lines))


if __name__ == "__main__":
    main()
