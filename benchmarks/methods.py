"""What a step of each method costs, relative to student_only in the same run: what the methods' pages print.

`python benchmarks/methods.py` times the plain loop on digits (an MLP; a small CNN where a method compares maps), batch
128, one thread, the methods in turn and the best of several turns, and writes benchmarks/results/methods.json.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from kdsweep import methods
from kdsweep.data import registry as source
from kdsweep.engine.build import initial, models, parts
from kdsweep.engine.epochs import train_epoch
from kdsweep.engine.single import Run
from kdsweep.engine.workers import Workers
from kdsweep.networks import complete
from kdsweep.values.space import Value
from kdsweep.values.study import Data, Train
from kdsweep.values.trial import Trial

TURNS = 5
MAPS = ("at", "nst", "ickd")
DATA = Data(name="digits", student=("top",), auxiliary=("bottom",))


def trial(name: str, encoder: str, *, batch_size: int = 128, **changed: Value) -> Trial:
    """A student's trial on digits; `changed` are choices of the method."""
    method = methods.load(name)
    choices = {**method.defaults(), **changed}
    part = complete(encoder, kind="image")
    roles = {
        "student": {"top": part},
        "teacher": {"top": part, "bottom": part, "fusion": complete(None)},
        "bottom": {"bottom": part},
    }
    common = {
        "code": "", "fingerprint": "", "rows": {"train": ""}, "task": "classification", "select": "last",
        "metric": "accuracy", "train": Train(epochs=TURNS + 1, batch_size=batch_size).model_dump(),
        "auxiliary": ("bottom",),
    }  # fmt: skip
    auxiliary = Trial(
        trains="bottom", method="auxiliary_only", student=(), networks={"bottom": roles["bottom"]}, **common
    )
    teacher = Trial(
        trains="teacher", method="teacher", student=("top",), networks={"teacher": roles["teacher"]}, **common
    )
    frozen = method.teacher(choices) == "frozen"
    # A method that compares maps needs a teacher that shows one: an auxiliary model.
    taught_by = auxiliary if encoder == "cnn" else teacher
    own = ("student", "teacher") if method.teacher(choices) == "joint" else ("student",)
    return Trial(
        trains="student", method=name, student=("top",), choices=choices, networks={role: roles[role] for role in own},
        # From the first step on: what a term costs when it is there.
        numbers={f"{term}.start": 0.0 for term in method.terms(choices)},
        teacher=taught_by if frozen else None, distils_from="bottom" if encoder == "cnn" else "multimodal",
        auxiliaries={"bottom": auxiliary} if method.auxiliary(choices) == "frozen" else {}, **common,
    )  # fmt: skip


def training(asked: Trial) -> Run:
    dataset, device = source.load(DATA.reference), torch.device("cpu")

    seen = parts(asked, dataset, DATA, device)
    return Run(
        asked,
        models(asked, dataset.card, seen["train"], initial(asked, dataset.card), device=device, workers=Workers()),
        seen,
    )


def relative(encoder: str, names: list[str]) -> dict[str, float]:
    """Seconds of an epoch's steps over those of student_only; evaluation is not counted."""
    running = {name: training(trial(name, encoder)) for name in ["student_only", *names]}
    best = dict.fromkeys(running, float("inf"))
    for turn in range(1, TURNS + 2):
        for name, one in running.items():
            one.total = TURNS + 1
            began = time.perf_counter()
            train_epoch(one, turn)
            # The first turn warms up.
            best[name] = min(best[name], time.perf_counter() - began if turn > 1 else float("inf"))
    return {name: round(best[name] / best["student_only"], 1) for name in names}


def main() -> None:
    torch.set_num_threads(1)
    names = [name for name in methods.names() if name not in ("student_only", "teacher", "auxiliary_only")]
    costs = relative("mlp", [name for name in names if name not in MAPS]) | relative("cnn", list(MAPS))
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "methods.json").write_text(json.dumps(dict(sorted(costs.items())), indent=1) + "\n")
    print(json.dumps(costs, indent=1))


if __name__ == "__main__":
    main()
