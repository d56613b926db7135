"""The conditions of deployment: in what state a student meets its modalities at test. Nothing is trained for them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from kdsweep.values.trial import digest

if TYPE_CHECKING:
    from kdsweep.values.study import Evaluate


@dataclass(frozen=True)
class Condition:
    """One state of the test part.

    Attributes:
        kind: "missing", modalities away; "noise" or "shift", one modality changed; "views", several views averaged.
        modalities: those that it changes; of views those that are augmented.
        strength: of noise the share of the modality's variance that it replaces, of a shift how many standard
            deviations it adds, both of the training part; of views how many are averaged.
    """

    kind: Literal["missing", "noise", "shift", "views"]
    modalities: tuple[str, ...]
    strength: float = 0.0

    @property
    def id(self) -> str:
        return digest(asdict(self))

    @property
    def words(self) -> str:
        """As a table names it."""
        names = " and ".join(self.modalities)
        match self.kind:
            case "missing":
                return f"without {names}"
            case "noise":
                return f"{names}: {100 * self.strength:g} % noise"
            case "shift":
                return f"{names}: shifted by {self.strength:g} SD"
            case "views":
                return f"{self.strength:g} views averaged"


def conditions(evaluate: Evaluate, student: Sequence[str], augment: Mapping[str, Any]) -> tuple[Condition, ...]:
    """All that a study asks for, kind by kind."""
    found: list[Condition] = []
    if evaluate.missing:
        away = (some for n in range(1, len(student)) for some in itertools.combinations(student, n))
        found += [Condition("missing", some) for some in away]
    for name in student:
        found += [Condition("noise", (name,), share) for share in evaluate.noise]
    for name in student:
        found += [Condition("shift", (name,), deviations) for deviations in evaluate.shift]
    seen = tuple(name for name in student if augment.get(name))
    found += [Condition("views", seen, float(count)) for count in evaluate.views]
    return tuple(dict.fromkeys(found))
