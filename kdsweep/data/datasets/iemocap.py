"""IEMOCAP's utterances by six emotions: features of their words, of their sound and of the speaker's face.

IEMOCAP_features_raw.pkl, as the dialogue models share it (github.com/declare-lab/conv-emotion, DialogueRNN): a pickle
of videoIDs, videoSpeakers, videoLabels, videoText [100], videoAudio [100], videoVisual [512] and videoSentence, each a
mapping from dialogue to its utterances, then the names of the training and of the test dialogues (session 5). `root`
is its folder. IEMOCAP itself is licensed by USC (sail.usc.edu/iemocap). Busso et al. LRE 42, 2008; Majumder et al.
DialogueRNN. arXiv:1811.00405.

The pickle is read by an unpickler that makes numpy arrays and plain containers and nothing else. `group: session` is
for `folds: {by: group, count: 5}`, the usual protocol with speakers that are never shared; the published test part is
one session, so that there dialogues are the groups.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdsweep.values.card import Card, Modality

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset

WIDTHS = {"text": 100, "audio": 100, "visual": 512}
CLASSES = ("happy", "sad", "neutral", "angry", "excited", "frustrated")
NAME = "IEMOCAP_features_raw.pkl"
# All that arrays and containers are made of, by numpy 1 and 2.
ALLOWED = {
    *((module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")),
    *((module, "scalar") for module in ("numpy.core.multiarray", "numpy._core.multiarray")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    ("builtins", "set"),
    ("__builtin__", "set"),
    ("collections", "OrderedDict"),
}


def card(root: str = ".", group: str = "dialogue") -> Card:
    if group not in ("dialogue", "session"):
        raise ValueError(f"group is dialogue or session, got {group!r}")
    modalities = {name: Modality("vector", (width,)) for name, width in WIDTHS.items()}
    return Card(modalities, CLASSES, grouped=True, licence="IEMOCAP: by agreement with USC")


def load(root: str = ".", group: str = "dialogue") -> Dataset:
    from kdsweep.data.dataset import Dataset
    from kdsweep.data.datasets import _downloaded as downloaded

    described, path = card(root, group), Path(root) / NAME
    utterances, _, labels, *features, _, train, test = _read(path)
    dialogues = [*sorted(train), *sorted(test)]
    ids = [str(one) for dialogue in dialogues for one in utterances[dialogue]]
    of_row = [str(dialogue) for dialogue in dialogues for _ in utterances[dialogue]]
    split = np.where(np.isin(of_row, sorted(map(str, test))), "test", "train")
    modalities = {}
    for (name, width), told in zip(WIDTHS.items(), features, strict=True):
        rows = [value for dialogue in dialogues for value in told[dialogue]]
        wrong = next((row for row, value in enumerate(rows) if np.shape(value) != (width,)), None)
        if wrong is not None or len(rows) != len(ids):
            got = f"{len(rows)} rows" if wrong is None else f"{np.shape(rows[wrong])} in row {wrong}"
            raise ValueError(f"{path}: {name} has {width} features in each of {len(ids)} utterances, got {got}")
        modalities[name] = downloaded.standardise(np.array(rows, np.float64), np.flatnonzero(split == "train"))
    return Dataset(
        card=described,
        modalities=modalities,
        present=downloaded.all_present(modalities),
        labels=np.array([label for dialogue in dialogues for label in labels[dialogue]], dtype=np.int64),
        ids=np.array(ids),
        split=split,
        # Ses05F_impro01 is a dialogue of the fifth session.
        groups=np.array([one[:5] if group == "session" else one for one in of_row]),
    )


class _Plain(pickle.Unpickler):
    """Makes arrays and containers; a pickle can ask for anything else, and does not get it."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def _read(path: Path) -> tuple[Any, ...]:
    if not path.is_file():
        about = "features of IEMOCAP's utterances, see kdsweep/data/datasets/iemocap.py"
        raise ValueError(f"{path} is not there: {about}; set options: {{root: its folder}}")
    try:
        found = _Plain(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except Exception as error:  # Damaged bytes may raise anything.
        raise ValueError(f"{path}: the file is damaged, or holds other than arrays: {error}") from error
    if not isinstance(found, tuple | list) or len(found) != 9:
        got = f"{len(found)} parts" if isinstance(found, tuple | list) else type(found).__name__
        raise ValueError(f"{path}: holds 9 parts, from videoIDs to the test dialogues, got {got}")
    return tuple(found)
