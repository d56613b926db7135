"""Images of digits with most of their energy removed, beside spoken digits: paired by class, as in AV-MNIST.

`avdigits.npz`: mod_image uint8 [10000, 28, 28] and mod_audio uint8 [10000, 32, 48], log-mel; y, split, groups (the
speaker: test speakers are not heard in training). Vielzeuf, Lechervy, Pateux, Jurie. CentralNet. arXiv:1808.07275.
MNIST is CC BY-SA 3.0, the Free Spoken Digit Dataset CC BY-SA 4.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kdsweep.values.card import Card, Modality

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset


def card(root: str = ".", speakers: bool = True) -> Card:
    modalities = {"image": Modality("image", (1, 28, 28)), "audio": Modality("spectrogram", (32, 48))}
    return Card(modalities, tuple("0123456789"), grouped=speakers, licence="CC BY-SA 3.0 and CC BY-SA 4.0")


def load(root: str = ".", speakers: bool = True) -> Dataset:
    """With `speakers` a speaker's rows are a group: leave them ungrouped for a student that sees images alone."""
    from kdsweep.data.dataset import Dataset
    from kdsweep.data.datasets import _downloaded as downloaded

    keys = ("mod_image", "mod_audio", "y", "split", "groups")
    found = downloaded.arrays(root, "avdigits.npz", keys, about="MNIST and the Free Spoken Digit Dataset, paired")
    split = np.where(found["split"] == "val", "valid", found["split"])
    train = np.flatnonzero(split == "train")
    modalities = {
        "image": downloaded.standardise(found["mod_image"][:, None], train, axes=(0, 1, 2, 3)),
        "audio": downloaded.standardise(found["mod_audio"], train, axes=(0, 1, 2)),
    }
    return Dataset(
        card=card(speakers=speakers),
        modalities=modalities,
        present=downloaded.all_present(modalities),
        labels=found["y"].astype(np.int64),
        ids=np.array([f"{number:05d}" for number in range(len(split))]),
        split=split,
        groups=found["groups"] if speakers else None,
    )
