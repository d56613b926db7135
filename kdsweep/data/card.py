"""What a study must know of a dataset before a row of it is read, and what identifies the rows afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["vector", "image", "spectrogram", "sequence", "video"]
Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")


@dataclass(frozen=True)
class Modality:
    """One modality: what kind of thing it is, and the shape of one sample without the batch axis."""

    kind: Kind
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Card:
    """A dataset's description.

    Attributes:
        modalities: by name.
        classes: names, in the order of the labels.
        task: the task it is made for; a study may name another.
        grouped: whether rows name a group (speaker, subject, recording).
    """

    modalities: Mapping[str, Modality]
    classes: tuple[str, ...]
    task: str = "classification"
    grouped: bool = False


@dataclass(frozen=True)
class Rows:
    """Which rows one fold trains, validates and tests on: digests of their ids, and how many there are."""

    digests: Mapping[Part, str]
    counts: Mapping[Part, int]


@dataclass(frozen=True)
class Facts:
    """What identifies a dataset's content: a fingerprint of all its values, and the rows of each fold's parts."""

    fingerprint: str
    folds: tuple[Rows, ...]
    test_groups: int | None = None
