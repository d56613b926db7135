"""How much faster a sweep is here than with the tools it is made of, as ratios measured in one run.

The same work for all: logit distillation on digits, one MLP, 16 epochs, from one teacher. `make bench` prints the table
and writes it to benchmarks/results/ under the day's date. Seconds depend on the machine; read the ratios.
"""

from __future__ import annotations

import datetime
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

# Before ray: it sets what Ray reads when it is imported.
import kdsweep.sweep.ray as cluster  # isort: skip
import ray

from kdsweep import study_file
from kdsweep.data import source
from kdsweep.results import Results
from kdsweep.study import Data
from kdsweep.sweep import local
from kdsweep.sweep.launch import Launch, with_facts

EPOCHS, BATCH, TEMPERATURE = 16, 128, 4.0
PROCESSES = os.cpu_count() or 1
STUDY = """
data: {{name: digits, student: [top], auxiliary: [bottom]}}
networks: {{student: {{top: mlp}}, teacher: {{top: mlp, bottom: mlp}}, auxiliary: {{bottom: mlp}}}}
train: {{epochs: {epochs}, lr: {{float: [1e-3, 1e-2], log: true}}}}
teachers: {{trials: 1}}
arms: {{kd: {{}}}}
search: {{trials: {trials}, pruner: null}}
finalists: {{points: 1}}
confirm: {{seeds: 1}}
resources: {{pack: {pack}}}
"""


class Student(torch.nn.Module):
    """The MLP of the study, as a user would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Linear(32, 64),
            torch.nn.LayerNorm(64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 64),
        )
        self.head = torch.nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(x))


def data() -> tuple[torch.Tensor, ...]:
    """Inputs, labels and made-up teacher scores of the training part; inputs and labels of validation."""
    asked = Data(name="digits", student=("top",))
    dataset = source.load(asked)
    parts = dataset.parts(asked)
    x, y = torch.as_tensor(dataset.modalities["top"].copy()), torch.as_tensor(dataset.labels)
    train, valid = parts["train"], parts["valid"]
    return x[train], y[train], torch.nn.functional.one_hot(y[train], 10) * 5.0, x[valid], y[valid]


def user_loop(config: dict[str, float], report: Any = None) -> float:
    """The loop that everybody writes: DataLoader, zero_grad, backward, step, an evaluation an epoch."""
    torch.set_num_threads(1)
    x, y, teacher, valid_x, valid_y = data()
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, y, teacher), BATCH, shuffle=True, drop_last=True
    )
    model, accuracy = Student(), 0.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["lr"], weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(loader))
    for _ in range(EPOCHS):
        model.train()
        for batch_x, batch_y, batch_t in loader:
            logits = model(batch_x)
            soft = torch.nn.functional.kl_div(
                torch.log_softmax(logits / TEMPERATURE, 1),
                torch.softmax(batch_t / TEMPERATURE, 1),
                reduction="batchmean",
            )
            loss = torch.nn.functional.cross_entropy(logits, batch_y) + config["weight"] * TEMPERATURE**2 * soft
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(valid_x).argmax(1) == valid_y).double().mean().item()
        if report is not None:
            report({"accuracy": accuracy})
    return accuracy


def ours(trials: int, pack: int | str, *, on_ray: bool) -> float:
    """Seconds of our launch of so many search trials."""
    found = study_file.parse(STUDY.format(trials=trials, epochs=EPOCHS, pack=pack), name="bench")
    with tempfile.TemporaryDirectory() as folder:
        launch = Launch(with_facts(found), Results(folder))
        began = time.perf_counter()
        (cluster if on_ray else local).run(launch)
        assert launch.complete
        return time.perf_counter() - began


def search_space() -> Any:
    from ray import tune

    return {"lr": tune.loguniform(1e-3, 1e-2), "weight": tune.loguniform(0.1, 10.0)}


def tuned(trainable: Any, trials: int, **config: Any) -> float:
    """Seconds of Ray Tune with its OptunaSearch."""
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    with tempfile.TemporaryDirectory() as folder:
        settings = tune.TuneConfig(
            metric="accuracy", mode="max", search_alg=OptunaSearch(), num_samples=trials, **config
        )
        tuner = tune.Tuner(
            trainable,
            param_space=search_space(),
            tune_config=settings,
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        began = time.perf_counter()
        results = tuner.fit()
        assert not results.errors
        return time.perf_counter() - began


def ray_tune_and_train(trials: int) -> float:
    """As Ray's guide shows: a Tune function that launches a TorchTrainer of one worker."""
    import ray.train
    from ray import tune
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    def loop(config: dict[str, float]) -> None:
        user_loop(config, lambda metrics: ray.train.report(metrics))

    def driver(config: dict[str, float]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            TorchTrainer(
                loop,
                train_loop_config=config,
                scaling_config=ScalingConfig(num_workers=1),
                run_config=RunConfig(storage_path=folder, callbacks=[TuneReportCallback()]),
            ).fit()

    # The driver of a trial holds nothing, so that its worker finds a CPU.
    light = tune.with_resources(driver, tune.PlacementGroupFactory([{"memory": 2.0**20}]))
    return tuned(light, trials, max_concurrent_trials=PROCESSES)


def ray_tune_reused(trials: int) -> float:
    """The best that Ray Tune alone gives: functions in reused processes."""
    from ray import tune

    def trainable(config: dict[str, float]) -> None:
        user_loop(config, tune.report)

    return tuned(trainable, trials, reuse_actors=True)


def optuna_worker(storage: str, trials: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name="bench", storage=optuna.storages.JournalStorage(backend(storage)))
    study.optimize(
        lambda trial: user_loop(
            {
                "lr": trial.suggest_float("lr", 1e-3, 1e-2, log=True),
                "weight": trial.suggest_float("weight", 0.1, 10, log=True),
            }
        ),
        n_trials=trials,
    )


def backend(path: str) -> Any:
    from optuna.storages.journal import JournalFileBackend

    return JournalFileBackend(path)


def plain_optuna(trials: int) -> float:
    """Optuna in as many processes as there are cores, the study in one file; the processes' imports are not counted."""
    import optuna

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/journal"
        optuna.create_study(
            study_name="bench", storage=optuna.storages.JournalStorage(backend(path)), direction="maximize"
        )
        with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
            pool.starmap(optuna_worker, [(path, 1)] * PROCESSES)
            began = time.perf_counter()
            pool.starmap(optuna_worker, [(path, trials // PROCESSES)] * PROCESSES)
            return time.perf_counter() - began


def zero_step(trials: int) -> float:
    """Seconds a trial costs on Ray when it trains for one epoch of one step: what the engine adds."""
    found = study_file.parse(STUDY.format(trials=trials, epochs=1, pack="auto"), name="bench")
    found_ = with_facts(found)
    with tempfile.TemporaryDirectory() as folder:
        launch = Launch(found_, Results(folder))
        began = time.perf_counter()
        cluster.run(launch)
        return (time.perf_counter() - began) / trials


def main() -> None:
    small = "--quick" in sys.argv
    many, few = (64, 2) if small else (128, 6)
    cluster.start(None)
    # Workers are started and have imported torch before anything is timed.
    ours(PROCESSES * 8, "auto", on_ray=True)
    rates: dict[str, list[float]] = {}
    for _ in range(1 if small else 2):
        for name, trials, run in (
            ("kdsweep on Ray, packs", many, lambda n: ours(n, "auto", on_ray=True)),
            ("kdsweep on Ray, one trial at a time", many // 2, lambda n: ours(n, 1, on_ray=True)),
            ("Optuna alone, a process a core", many // 2, plain_optuna),
            ("Ray Tune + OptunaSearch, reused actors", many // 4, ray_tune_reused),
            ("Ray Tune + Ray Train + OptunaSearch", few, ray_tune_and_train),
        ):
            rates.setdefault(name, []).append(60 * trials / run(trials))
            print(f"{name}: {rates[name][-1]:.0f} trials/min", flush=True)
    overhead = zero_step(many)
    cluster.stop()
    print(table(rates, overhead))
    if not small:
        folder = Path(__file__).parent / "results"
        folder.mkdir(exist_ok=True)
        (folder / f"{datetime.date.today()}.md").write_text(table(rates, overhead))


def table(rates: dict[str, list[float]], overhead: float) -> str:
    best = {name: sum(values) / len(values) for name, values in rates.items()}
    first = next(iter(best.values()))
    lines = [
        f"# {datetime.date.today()}: {PROCESSES} cores, {platform.machine()}",
        "",
        f"torch {torch.__version__}, ray {ray.__version__}",
        "",
        f"Logit distillation on digits, one MLP, {EPOCHS} epochs a trial, a search of random to TPE points.",
        "",
        "| | trials a minute | packs are faster by |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {rate:.0f} | {first / rate:.1f} |" for name, rate in best.items()),
        "",
        f"A trial of one epoch costs {overhead:.3f} s on Ray, all included.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
