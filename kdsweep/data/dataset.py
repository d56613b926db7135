"""A dataset: named modalities, labels, one split, groups, and what is missing where."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kdsweep.data import split as drawing
from kdsweep.tasks import registry as tasks
from kdsweep.tasks.labels import labelled, without
from kdsweep.values.card import Card, Facts, Part, Rows, Split

Array = NDArray[Any]
# Bytes of float32 that are read at a time by whoever looks at everything.
CHUNK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Dataset:
    """All rows of a dataset, N of them.

    Attributes:
        card: its description.
        modalities: float32 arrays [N, *shape], by name; missing rows are zero-filled. Of a dataset on disk these, and
            `present`, are columns that are read when they are indexed with row numbers: `select` and `only` read,
            or, of what is larger than memory, leave it where it is (`maps`).
        present: [N] bool by modality; False where that modality is missing.
        labels: [N] or [N, C], as the card's task has them; its classes are the names of the C classes, labels or
            targets. A row without a label is -1 of whole numbers, NaN of others.
        ids: [N] str, unique; what a result names a sample by.
        split: [N] of "train", "valid", "test", or None where the study draws it.
        groups: [N] str (speaker, subject, recording), or None.
        groupings: [N] str each, by the names that the card has of them, where there is more than one way to group.
        fingerprint: of the whole content, where it is stored beside it; "": it is computed when it is asked for.
    """

    card: Card
    modalities: Mapping[str, Array]
    present: Mapping[str, Array]
    labels: Array
    ids: Array
    split: Array | None = None
    groups: Array | None = None
    groupings: Mapping[str, Array] = field(default_factory=dict)
    fingerprint: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def labelled(self) -> Array:
        """[N] bool: the rows that have a label."""
        return labelled(self.labels)

    def parts(self, split: Split, fold: int = 0) -> dict[Part, Array]:
        """Row numbers of each part; of what validates and tests, the rows that have a label.

        Raises:
            ValueError: a part has too few of those.
        """
        return drawing.parts(self, split, fold)

    def only(self, parts: Sequence[Part], modalities: Iterable[str], split: Split, fold: int = 0) -> Dataset:
        """The rows of these parts alone, with `split` saying which is which. Nothing else is read."""
        rows = self.parts(split, fold)
        asked = self._altered(modalities={name: self.modalities[name] for name in modalities})
        chosen = asked.select(np.concatenate([rows[part] for part in parts]))
        return replace(chosen, split=np.concatenate([np.full(len(rows[part]), part) for part in parts]))

    def grouped_by(self, name: str) -> Array | None:
        """The groups of a grouping; of no name, those that stand where nothing else is said.

        Raises:
            ValueError: there is no such grouping.
        """
        if name and name not in self.groupings:
            raise ValueError(
                f"rows are grouped by {', '.join(self.groupings) or 'nothing that has a name'}, got {name!r}"
            )
        return self.groupings[name] if name else self.groups

    def facts(self, split: Split, *, over: str = "") -> Facts:
        """What identifies this dataset's content under a split.

        Args:
            over: the grouping that a new draw would be new in; "": that of the split.
        """
        parted = [self.parts(split, fold) for fold in range(split.folds or 1)]
        folds = [
            Rows(
                {part: Hash(self.ids[rows]).text() for part, rows in parts.items()},
                {part: len(rows) for part, rows in parts.items()},
                drawing.unlabelled(self, split, fold),
            )
            for fold, parts in enumerate(parted)
        ]
        content = self.fingerprint or self.digest()
        whole = Facts(content, tuple(folds), tested=self._tested(split), given=self._given(split))
        groups = self.grouped_by(over or split.by)
        if groups is None:
            return whole
        rows, first = np.concatenate([parts["test"] for parts in parted]), parted[0]
        tested = set(groups[first["test"]])
        return replace(
            whole,
            groups=dict(zip(self.ids[rows].tolist(), groups[rows].tolist(), strict=True)),
            test_groups=len(tested),
            known_groups=len(tested & set(groups[np.concatenate([first["train"], first["valid"]])])),
        )

    def _given(self, split: Split) -> Literal["", "test", "all"]:
        if split.folds or self.split is None:
            return ""
        return "all" if (self.split == "valid").any() else "test"

    def digest(self) -> str:
        """A fingerprint of ids, labels, every value, and what is missing."""
        every = np.arange(len(self))
        hashed = Hash(self.ids, self.labels)
        for name in sorted(self.modalities):
            # The kind decides how a modality is scaled and augmented.
            hashed.add(np.array([name, self.card.modalities[name].kind]))
            hashed.add_in_pieces((len(self), *self.shape(name)), (values for _, values in self.chunks(name)))
            hashed.add(self.present[name][every])
        return hashed.text()

    def _tested(self, split: Split) -> str:
        """The samples that are tested on, whatever else a dataset holds of them or beside them."""
        rows = np.concatenate([self.parts(split, fold)["test"] for fold in range(split.folds or 1)])
        rows = rows[np.argsort(self.ids[rows])]
        return Hash(self.ids[rows], self.labels[rows]).text()

    def shape(self, name: str) -> tuple[int, ...]:
        """Of one sample of a modality."""
        values = self.modalities[name]
        return values.shape[1:] if isinstance(values, np.ndarray) else self.card.modalities[name].shape

    def chunks(self, name: str, rows: Array | None = None) -> Iterator[tuple[Array, Array]]:
        """Row numbers and their values of one modality, piece by piece: all rows, or these."""
        values = self.modalities[name]
        step = max(1, CHUNK_BYTES // max(1, 4 * math.prod(self.shape(name))))
        for start in range(0, len(self) if rows is None else len(rows), step):
            stop = start + step
            some = np.arange(start, min(stop, len(self))) if rows is None else rows[start:stop]
            # All rows of an array need no copy.
            yield some, values[start:stop] if rows is None and isinstance(values, np.ndarray) else values[some]

    def without_auxiliary(self, rows: Array, auxiliary: tuple[str, ...], share: float, seed: int) -> Dataset:
        """Take the auxiliary modalities away from this share of `rows`; a smaller share takes a subset of a larger."""
        lost = np.random.default_rng([seed, 0xD209]).permutation(rows)[: round(share * len(rows))]
        modalities, present = dict(self.modalities), dict(self.present)
        for name in auxiliary:
            modalities[name], present[name] = _without(modalities[name], lost), present[name].copy()
            present[name][lost] = False
        return self._altered(modalities=modalities, present=present)

    def without_labels(self, rows: Array, share: float) -> Dataset:
        """Take the labels away from this share of those of `rows` that have one, of every class alike.

        Which rows lose theirs, their own ids say: other rows, another order or another fold change at most one of a
        class, and a smaller share takes a subset of a larger. A class keeps one label at least.
        """
        some = rows[self.labelled[rows]]
        strata = tasks.load(self.card.task).labels.strata(self.labels[some])
        place = np.array([int(Hash(np.array(["label", id_])).text(), 16) for id_ in self.ids[some]], dtype=object)
        lost = []
        for kind in np.unique(strata) if strata is not None else [None]:
            members = np.arange(len(some)) if strata is None else np.flatnonzero(strata == kind)
            ordered = members[np.argsort(place[members])]
            lost.append(ordered[: min(round(share * len(members)), len(members) - 1)])
        return self._altered(labels=without(self.labels, some[np.concatenate(lost)]))

    def shuffled_within_class(self, rows: Array, auxiliary: tuple[str, ...], seed: int) -> Dataset:
        """Permute the auxiliary inputs of `rows` within each class, all auxiliary modalities by one permutation.

        Of several labels a class is a set of them.

        Raises:
            ValueError: the labels are numbers, or not all of these rows have one.
        """
        if tasks.load(self.card.task).labels.counts(self.labels, len(self.card.classes)) is None:
            raise ValueError(f"shuffled_within_class permutes within classes, and a {self.card.task} has none")
        if gone := int((~self.labelled[rows]).sum()):
            raise ValueError(f"shuffled_within_class permutes within classes, and {gone} training rows have no label")
        rng, source = np.random.default_rng([seed, 0x5FFE]), np.arange(len(self))
        kinds, of_row = np.unique(self.labels[rows], axis=0, return_inverse=True)
        for kind in range(len(kinds)):
            members = rows[of_row == kind]
            source[members] = rng.permutation(members)
        moved = {name: _selected(self.modalities[name], source) for name in auxiliary}
        there = {name: self.present[name][source] for name in auxiliary}
        return self._altered(modalities={**self.modalities, **moved}, present={**self.present, **there})

    def student_only(self, student: tuple[str, ...], auxiliary: tuple[str, ...]) -> Dataset:
        """Put the student's modality in the place of every auxiliary one: same networks, no other information."""
        seen = student[0]
        card = replace(self.card, modalities=stand_in(self.card, student, auxiliary).modalities)
        moved, there = (dict.fromkeys(auxiliary, table[seen]) for table in (self.modalities, self.present))
        return self._altered(card=card, modalities={**self.modalities, **moved}, present={**self.present, **there})

    def select(self, rows: Array) -> Dataset:
        """These rows alone: in memory, or still on disk where they are larger than that."""
        return self._altered(
            modalities={name: _selected(values, rows) for name, values in self.modalities.items()},
            present={name: self.present[name][rows] for name in self.modalities},
            labels=self.labels[rows],
            ids=self.ids[rows],
            split=self.split[rows] if self.split is not None else None,
            groups=self.groups[rows] if self.groups is not None else None,
            groupings={name: groups[rows] for name, groups in self.groupings.items()},
        )

    def _altered(self, **changes: Any) -> Dataset:
        # A stored fingerprint is that of the whole, unaltered content.
        return replace(self, fingerprint="", **changes)


def stand_in(card: Card, student: tuple[str, ...], auxiliary: tuple[str, ...]) -> Card:
    """The card under which each auxiliary modality is a copy of the student's first one."""
    return replace(card, modalities={**card.modalities, **dict.fromkeys(auxiliary, card.modalities[student[0]])})


def _selected(values: Any, rows: Array) -> Any:
    return values[rows] if isinstance(values, np.ndarray) else values.select(rows)


def _without(values: Any, rows: Array) -> Any:
    if not isinstance(values, np.ndarray):
        return values.without(rows)
    left = values.copy()
    left[rows] = 0
    return left


class Hash:
    """A fingerprint of arrays, which may come in pieces."""

    def __init__(self, *arrays: Array) -> None:
        self._hashed = hashlib.blake2b(digest_size=12)
        for array in arrays:
            self.add(array)

    def add(self, array: Array) -> None:
        # A fixed-width text array holds its width in every entry: equal texts must digest equally.
        text = array.dtype.kind in "US"
        self._hashed.update(f"{'text' if text else array.dtype.str}{array.shape}".encode())
        self._hashed.update("\n".join(array.tolist()).encode() if text else np.ascontiguousarray(array).tobytes())

    def add_in_pieces(self, shape: tuple[int, ...], pieces: Iterable[Array]) -> None:
        """A float32 array of this shape, in pieces along its first axis: as if it were added whole."""
        self._hashed.update(f"{np.dtype(np.float32).str}{shape}".encode())
        for piece in pieces:
            self._hashed.update(np.ascontiguousarray(piece, np.float32).tobytes())

    def text(self) -> str:
        return self._hashed.hexdigest()
