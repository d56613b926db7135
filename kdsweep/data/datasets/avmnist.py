"""AV-MNIST as MultiBench ships it: degraded images of digits beside spectrograms of spoken digits with noise.

Download avmnist from github.com/pliang279/MultiBench and unpack it; `root` is the folder that holds

    image/train_data.npy [60000, 784]    audio/train_data.npy [60000, 112, 112]    train_labels.npy

and the same of test, 10000, in 0 to 255. The last 5,000 of the training rows validate, as there. `pool: 2` averages
squares of 2 x 2 of a spectrogram, which then needs a quarter of the 3.5 GB. Liang et al. MultiBench. arXiv:2107.07502;
after Vielzeuf et al., 1808.07275.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kdsweep.values.card import Card, Modality

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset

VALID, EDGE, ROWS = 5000, 112, 1000


def card(root: str = ".", pool: int = 1) -> Card:
    if pool < 1 or EDGE % pool:
        raise ValueError(f"pool divides {EDGE}, got {pool}")
    modalities = {"image": Modality("image", (1, 28, 28)), "audio": Modality("spectrogram", (EDGE // pool,) * 2)}
    return Card(modalities, tuple("0123456789"), licence="MNIST: CC BY-SA 3.0; sounds: see MultiBench")


def load(root: str = ".", pool: int = 1, valid: int = VALID) -> Dataset:
    from kdsweep.data.dataset import Dataset
    from kdsweep.data.datasets import _downloaded as downloaded

    described = card(root, pool)
    labels = [_array(root, f"{part}_labels.npy", ()).astype(np.int64) for part in ("train", "test")]
    train, test = map(len, labels)
    images = [_array(root, f"image/{part}_data.npy", (784,)) for part in ("train", "test")]
    sounds = [_array(root, f"audio/{part}_data.npy", (EDGE, EDGE)) for part in ("train", "test")]
    for part, rows, *others in zip(("train", "test"), (train, test), images, sounds, strict=True):
        if {len(one) for one in others} != {rows}:
            raise ValueError(f"{root}: every sample has an image and a sound, got {rows} labels in {part} of others")
    modalities = {
        "image": np.concatenate([_scaled(one, 1) for one in images]).reshape(-1, 1, 28, 28),
        "audio": np.concatenate([_scaled(one, pool) for one in sounds]),
    }
    return Dataset(
        card=described,
        modalities=modalities,
        present=downloaded.all_present(modalities),
        labels=np.concatenate(labels),
        ids=np.array([f"{part} {row:05d}" for part, rows in (("train", train), ("test", test)) for row in range(rows)]),
        split=np.repeat(["train", "valid", "test"], [train - valid, valid, test]),
    )


def _array(root: str, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    path = Path(root) / name
    if not path.is_file():
        about = "avmnist of github.com/pliang279/MultiBench, unpacked"
        raise ValueError(f"{path} is not there: {about}; set options: {{root: its folder}}")
    try:
        found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path}: the file is damaged: {error}") from error
    if found.shape[1:] != shape:
        raise ValueError(f"{path}: a sample has the shape {shape}, got {found.shape[1:]}")
    return found


def _scaled(values: NDArray[Any], pool: int) -> NDArray[np.float32]:
    """From 0 to 255 into 0 to 1, squares of `pool` averaged; a thousand rows at a time."""
    edge = EDGE // pool
    shape = (len(values), edge, edge) if values.ndim == 3 else values.shape
    scaled = np.empty(shape, np.float32)
    for start in range(0, len(values), ROWS):
        some = np.asarray(values[start : start + ROWS], np.float32) / 255
        if values.ndim == 3:
            some = some.reshape(-1, edge, pool, edge, pool).mean((2, 4))
        scaled[start : start + ROWS] = some
    return scaled
