"""How fast an epoch reads its rows: from memory, from a map of a file, and as np.load + TensorDataset + DataLoader.

The same rows in the same order, the same small network, one thread, alternating in one run. `python benchmarks/data.py`
prints rows/s, MB/s (of float32, as the network sees them) and the ratios, once with the network's steps and once
without, and how fast files are imported. Seconds depend on the machine; read the ratios. `--cold` drops the file from
the page cache before each epoch of the map: what a dataset larger than memory costs where the disk must be asked.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kdsweep.data.dataset import Dataset
from kdsweep.data.disk import format
from kdsweep.data.importing import files
from kdsweep.data.importing import join as importing
from kdsweep.data.tensors import Tensors, to_tensors

BATCH, EPOCHS = 128, 5
CPU = torch.device("cpu")


class Setting(NamedTuple):
    rows: int
    shape: tuple[int, ...]
    kind: str
    storage: str


SETTINGS = {
    "features, float32": Setting(40_000, (512,), "vector", "float32"),
    "features, float16": Setting(40_000, (512,), "vector", "float16"),
    "images, uint8": Setting(20_000, (3, 48, 48), "image", "uint8"),
}


def written(setting: Setting, folder: Path) -> tuple[float, float]:
    """Import .npy files as a user would; seconds for the import, and for np.load of the same file into memory."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((setting.rows, *setting.shape), dtype=np.float32)
    np.save(folder / "x.npy", values)
    np.save(folder / "y.npy", np.arange(setting.rows) % 10)
    began = time.perf_counter()
    x, y = (files.read(f"{folder / name}.npy", id_column=None) for name in ("x", "y"))
    dataset = importing.join({"x": x}, y, kinds={"x": setting.kind}).dataset
    format.write(dataset, folder / "d", storage={"x": setting.storage})  # type: ignore[dict-item]
    imported = time.perf_counter() - began
    began = time.perf_counter()
    np.load(folder / "x.npy")
    return imported, time.perf_counter() - began


def part(folder: Path, *, large: bool) -> Tensors:
    os.environ["KDSWEEP_MEMORY"] = "0" if large else str(2**40)
    dataset: Dataset = format.read(folder / "d")
    return to_tensors(dataset.select(np.arange(len(dataset))), ("x",), CPU)


def ours(tensors: Tensors, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(tensors), generator=generator)
    for start in range(0, len(order) - BATCH + 1, BATCH):
        rows = order[start : start + BATCH]
        inputs, _ = tensors.batch(rows)
        yield inputs["x"], tensors.labels[rows]


def loader(folder: Path, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """What everybody writes, its files read once."""
    x, y = (torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ("x", "y"))
    made = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, y), BATCH, shuffle=True, drop_last=True, generator=generator
    )
    while True:
        yield from made


class Network(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(width, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def epoch(batches: Iterator[tuple[Tensor, Tensor]], steps: int, train: Callable[[Tensor, Tensor], None]) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        train(*next(batches))
    return time.perf_counter() - began


def measure(name: str, setting: Setting, folder: Path, *, cold: bool) -> None:
    imported, loaded = written(setting, folder)
    megabytes = 4e-6 * setting.rows * int(np.prod(setting.shape))
    print(f"\n{name}: {setting.rows} rows of {setting.shape}, {megabytes:.0f} MB as float32")
    speed = f"{setting.rows / imported:8.0f} rows/s {megabytes / imported:6.0f} MB/s"
    print(f"import {speed}; np.load {megabytes / loaded:6.0f} MB/s")
    read = {"memory": part(folder, large=False), "map": part(folder, large=True)}
    read["map"].batch(torch.arange(2))
    flat = next((folder / "d" / ".decoded").glob("*/rows.x.npy"))
    network = Network(int(np.prod(setting.shape)))
    optimiser = torch.optim.AdamW(network.parameters())

    def step(x: Tensor, y: Tensor) -> None:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimiser.step()

    steps = setting.rows // BATCH
    plain = loader(folder, torch.Generator().manual_seed(0))
    next(plain)
    for title, train in (("with steps", step), ("reading alone", lambda x, y: None)):
        seconds: dict[str, list[float]] = {"memory": [], "map": [], "DataLoader": []}
        for number in range(EPOCHS):
            for way in seconds:
                if way == "map" and cold:
                    del read["map"]
                    drop(flat)
                    read["map"] = part(folder, large=True)
                generator = torch.Generator().manual_seed(number)
                batches = plain if way == "DataLoader" else ours(read[way], generator)
                seconds[way].append(epoch(batches, steps, train))
        print(title)
        for way, taken in seconds.items():
            middle = statistics.median(taken)
            ratio = statistics.median(a / b for a, b in zip(seconds["memory"], taken, strict=True))
            speed = f"{setting.rows / middle:9.0f} rows/s {megabytes / middle:7.0f} MB/s"
            each = f"{1e3 * middle / steps:6.2f} ms a step"
            print(f"  {way:11} {speed} {each}   {ratio:.2f} x the speed from memory")


def drop(path: Path) -> None:
    """Out of the page cache, which keeps what a map still holds."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--only", choices=SETTINGS)
    told = parser.parse_args()
    torch.set_num_threads(1)
    for name, setting in SETTINGS.items():
        if told.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                measure(name, setting, Path(folder), cold=told.cold)


if __name__ == "__main__":
    main()
