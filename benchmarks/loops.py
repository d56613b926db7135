"""The training loop that everybody writes, for the arms of the sweep that is measured, and the tools that can run it.

Logit distillation, FitNet, InfoNCE and the student alone, from one teacher: an MLP on digits, or convolutions over the
sequences of a worn sensor (UTD-MHAD, where KDSWEEP_DATA names the folder of its file).
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdsweep.data import registry as source
from kdsweep.values.study import Data

ARMS = ("student_only", "kd", "fitnet", "infonce")
WIDTH = 64
PROCESSES = os.cpu_count() or 1
RANGES = {"lr": (1e-3, 1e-2), "weight": (0.1, 10.0), "temperature": (0.5, 8.0)}
Config = Mapping[str, float]


class Student(nn.Module):
    """The MLP of the study, as a user would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(32, WIDTH), nn.LayerNorm(WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH)
        )
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.layers(x)
        return self.head(embedding), embedding


class Convolutions(nn.Module):
    """The study's residual convolutions over time, for recordings that are all of one length."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv1d(6, 32, 3, padding=1), nn.Conv1d(32, 32, 3, padding=2, dilation=2)])
        self.shortcuts = nn.ModuleList([nn.Linear(6, 32), nn.Linear(32, 32)])
        self.norms = nn.ModuleList([nn.LayerNorm(32), nn.LayerNorm(32)])
        self.out, self.head = nn.Linear(64, WIDTH), nn.Linear(WIDTH, 27)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = x[..., :-1]
        for convolve, shortcut, norm in zip(self.convolutions, self.shortcuts, self.norms, strict=True):
            h = shortcut(h) + torch.relu(norm(convolve(h.transpose(1, 2)).transpose(1, 2)))
        embedding = self.out(torch.cat([h.mean(1), h.amax(1)], 1))
        return self.head(embedding), embedding


class Task(NamedTuple):
    """What is trained on, as our study and the loop see it.

    Attributes:
        data, networks: of the study.
        batch: rows of a step.
        student: as a user would write it.
    """

    data: Data
    networks: Mapping[str, Any]
    batch: int
    student: Callable[[], nn.Module]


def _networks(student: str, auxiliary: str, part: Any) -> dict[str, Any]:
    return {"student": {student: part}, "teacher": {student: part, auxiliary: part}, "auxiliary": {auxiliary: part}}


TASKS = {
    "digits": Task(
        Data(name="digits", student=("top",), auxiliary=("bottom",)), _networks("top", "bottom", "mlp"), 128, Student
    ),
    "utd_mhad": Task(
        Data(
            name="utd_mhad",
            student=("inertial",),
            auxiliary=("skeleton",),
            options={"root": os.environ.get("KDSWEEP_DATA", "")},
        ),
        _networks("inertial", "skeleton", {"tcn": {"channels": [32, 32]}}),
        64,
        Convolutions,
    ),
}


class Distillation(nn.Module):
    """What an arm adds to the cross entropy."""

    def __init__(self, arm: str) -> None:
        super().__init__()
        self.arm = arm
        if arm == "fitnet":
            self.project = nn.Linear(WIDTH, WIDTH)
        if arm == "infonce":
            self.left, self.right = nn.Linear(WIDTH, 128), nn.Linear(WIDTH, 128)

    def forward(self, logits: Tensor, embedding: Tensor, taught: Tensor, teacher: Tensor, config: Config) -> Any:
        temperature = config["temperature"]
        if self.arm == "kd":
            student, target = F.log_softmax(logits / temperature, 1), F.softmax(taught / temperature, 1)
            return temperature**2 * F.kl_div(student, target, reduction="batchmean")
        if self.arm == "fitnet":
            return F.mse_loss(self.project(embedding), teacher)
        if self.arm == "infonce":
            left, right = F.normalize(self.left(embedding)), F.normalize(self.right(teacher))
            scores, own = left @ right.T / temperature, torch.arange(len(left))
            return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2
        return 0.0


def data(task: Task) -> tuple[Tensor, ...]:
    """Inputs, labels, made-up scores and embeddings of a teacher for the training part; inputs and labels of
    validation."""
    dataset = source.load(task.data.reference)
    parts, (name,) = dataset.parts(task.data.split), task.data.student
    x, y = torch.as_tensor(dataset.modalities[name].copy()), torch.as_tensor(dataset.labels)
    train, valid, classes = parts["train"], parts["valid"], len(dataset.card.classes)
    scores, embeddings = F.one_hot(y[train], classes) * 5.0, torch.randn(len(train), WIDTH)
    return x[train], y[train], scores, embeddings, x[valid], y[valid]


def train(
    arm: str,
    epochs: int,
    config: Config,
    report: Callable[[dict[str, float]], None] = lambda row: None,
    *,
    on: str = "digits",
) -> float:
    """DataLoader, zero_grad, backward, step, an evaluation an epoch: the validation accuracy at the end."""
    torch.set_num_threads(1)
    task = TASKS[on]
    x, y, taught, teacher, valid_x, valid_y = data(task)
    dataset = torch.utils.data.TensorDataset(x, y, taught, teacher)
    loader = torch.utils.data.DataLoader(dataset, task.batch, shuffle=True, drop_last=True)
    model, distillation, accuracy = task.student(), Distillation(arm), 0.0
    parameters = [*model.parameters(), *distillation.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=config["lr"], weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    for _ in range(epochs):
        model.train()
        for batch_x, batch_y, batch_taught, batch_teacher in loader:
            logits, embedding = model(batch_x)
            extra = distillation(logits, embedding, batch_taught, batch_teacher, config)
            loss = F.cross_entropy(logits, batch_y) + config["weight"] * extra
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(valid_x)[0].argmax(1) == valid_y).double().mean().item()
        report({"accuracy": accuracy})
    return accuracy


# --- Optuna alone


def optuna_alone(trials: int, epochs: int, arms: Sequence[str] = ARMS) -> tuple[float, float]:
    """Seconds of so many trials of each arm, in as many processes as there are cores, and with their start."""
    import optuna

    with tempfile.TemporaryDirectory() as folder:
        for arm in arms:
            optuna.create_study(study_name=arm, storage=_journal(f"{folder}/{arm}"), direction="maximize")
        began = time.perf_counter()
        with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
            share = [(folder, arms, trials // PROCESSES, epochs)] * PROCESSES
            pool.starmap(_optimize, [(folder, arms, 1, 1)] * PROCESSES)
            ready = time.perf_counter()
            pool.starmap(_optimize, share)
            return time.perf_counter() - ready, time.perf_counter() - began


def _optimize(folder: str, arms: Sequence[str], trials: int, epochs: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for arm in arms:
        study = optuna.load_study(study_name=arm, storage=_journal(f"{folder}/{arm}"))

        def objective(trial: Any, arm: str = arm) -> float:
            config = {name: trial.suggest_float(name, *ends, log=True) for name, ends in RANGES.items()}
            return train(arm, epochs, config)

        study.optimize(objective, n_trials=trials)


def _journal(path: str) -> Any:
    import optuna
    from optuna.storages.journal import JournalFileBackend

    return optuna.storages.JournalStorage(JournalFileBackend(path))


# --- Ray Tune: seconds from the first trial's first line to the last one's end, and with the start of workers


def tune_and_train(trials: int, epochs: int, on: str = "digits") -> tuple[float, float]:
    """Of kd, as Ray's guide shows it: a Tune function that launches a TorchTrainer of one worker."""
    import ray.train
    from ray import tune
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    def driver(config: dict[str, float], spans: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            TorchTrainer(
                lambda config: _noted(spans, epochs, config, ray.train.report, on),
                train_loop_config=config,
                scaling_config=ScalingConfig(num_workers=1),
                run_config=RunConfig(storage_path=folder, callbacks=[TuneReportCallback()]),
            ).fit()

    # The driver of a trial holds nothing, so that its worker finds a CPU.
    nothing = tune.PlacementGroupFactory([{"memory": 2.0**20}])
    return _tuned(driver, trials, resources=nothing, max_concurrent_trials=PROCESSES)


def tune_reused(trials: int, epochs: int, on: str = "digits") -> tuple[float, float]:
    """Of kd in the best that Ray Tune alone gives: functions in reused processes."""
    from ray import tune

    def function(config: dict[str, float], spans: str) -> None:
        _noted(spans, epochs, config, tune.report, on)

    return _tuned(function, trials, reuse_actors=True)


def _noted(spans: str, epochs: int, config: Config, report: Callable[[dict[str, float]], None], on: str) -> None:
    began = time.time()
    train("kd", epochs, config, report, on=on)
    with open(spans, "a") as file:
        file.write(f"{began} {time.time()}\n")


def _tuned(function: Callable[..., None], trials: int, *, resources: Any = None, **config: Any) -> tuple[float, float]:
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    with tempfile.TemporaryDirectory() as folder:
        spans = f"{folder}/spans"
        trainable = tune.with_parameters(function, spans=spans)
        tuner = tune.Tuner(
            tune.with_resources(trainable, resources) if resources is not None else trainable,
            param_space={name: tune.loguniform(*ends) for name, ends in RANGES.items()},
            tune_config=tune.TuneConfig(
                metric="accuracy", mode="max", search_alg=OptunaSearch(), num_samples=trials, **config
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        began = time.perf_counter()
        results = tuner.fit()
        whole = time.perf_counter() - began
        assert not results.errors
        times = [list(map(float, line.split())) for line in Path(spans).read_text().splitlines()]
        assert len(times) == trials
        return max(end for _, end in times) - min(start for start, _ in times), whole
