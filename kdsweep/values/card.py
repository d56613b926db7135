"""Which dataset, what is known of it before a row is read, how it is split, and what identifies the rows afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["vector", "image", "spectrogram", "sequence", "video"]
Part = Literal["train", "valid", "test"]
# How many axes a sample of each kind may have.
AXES: dict[Kind, tuple[int, ...]] = {
    "vector": (1,),
    "image": (2, 3),
    "spectrogram": (2, 3),
    "sequence": (2,),
    "video": (4,),
}
PARTS: tuple[Part, ...] = ("train", "valid", "test")


@dataclass(frozen=True)
class Modality:
    """One modality: what kind of thing it is, and the shape of one sample without the batch axis.

    vector [F] · image [H, W] or [channels, H, W] · spectrogram [bins, frames] or [channels, bins, frames] ·
    video [frames, channels, H, W] · sequence [steps, F + 1], whose last feature is 1 on real steps and 0 on the padding
    behind them, so that sequences of unequal length are one array and an encoder needs no other argument.
    """

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
        groupings: columns of groups by which a study may split and over which it may infer, by name; the first is the
            one that stands where a study names none.
        licence, source: of the data, for whoever is about to use or share them.
        id_column: what the files that the data came from call the column that names rows.
    """

    modalities: Mapping[str, Modality]
    classes: tuple[str, ...]
    task: str = "classification"
    grouped: bool = False
    groupings: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""
    id_column: str = "id"


@dataclass(frozen=True)
class Reference:
    """Which dataset: one of `name` (shipped), `path` (a folder that `data import` wrote) and `python` (a callable).

    Attributes:
        options: keyword arguments of the dataset's loader.
    """

    name: str | None = None
    path: str | None = None
    python: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Split:
    """How parts are drawn of a dataset that does not say them.

    Attributes:
        seed: of the drawing.
        folds: of cross-validation, each of which tests once; 0: there are none, and a dataset's own parts stand.
        by: the grouping whose groups are never split; "": the dataset's own.
    """

    seed: int = 0
    folds: int = 0
    by: str = ""


@dataclass(frozen=True)
class Rows:
    """Which rows one fold trains, validates and tests on: digests of their ids, and how many there are.

    Attributes:
        unlabelled: how many rows have no label: of train among those that are counted, of the others beside them.
    """

    digests: Mapping[Part, str]
    counts: Mapping[Part, int]
    unlabelled: Mapping[Part, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What identifies a dataset's content, and what reports join to its predictions.

    Attributes:
        fingerprint: of all its values.
        folds: the rows of each fold's parts.
        groups: of every row that a fold tests, by its id; None where rows name none. Not part of the content: the same
            values may be grouped anew.
        tested: digest of the ids and labels of all rows that are tested on, in whatever fold; "" where nobody knows.
        test_groups: how many of them the first fold tests.
        known_groups: how many of these have rows in another part of the first fold, too.
        given: which parts the dataset itself names: "all", "test" (and validation is drawn from the rest), or "" where
            parts are drawn.
    """

    fingerprint: str
    folds: tuple[Rows, ...]
    test_groups: int | None = None
    tested: str = ""
    groups: Mapping[str, str] | None = None
    known_groups: int = 0
    given: Literal["", "test", "all"] = ""
