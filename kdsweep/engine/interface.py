"""What trains trials, one alone or several as a pack, is asked by the same words: `Training`.

`single.Run` and `stacked.pack.Pack` implement it, and share what is the same thing in both: the loop over epochs
(`epochs`), what a step looks at (`batches`) and the value that is all of a training (`state`). A lane is a member's
place; a trial alone is lane 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from kdsweep.data.tensors import Tensors
from kdsweep.engine.state import State
from kdsweep.objective.base import Objective
from kdsweep.objective.batch import Outputs
from kdsweep.values.card import Part
from kdsweep.values.trial import Trial

# A network's weights by name, and those of all networks of a trial by role: "network", "teacher", "auxiliary <name>".
Weights = Mapping[str, Tensor]
WeightsByRole = Mapping[str, Weights]


class Epoch(NamedTuple):
    """One epoch's numbers of one member.

    Attributes:
        number: from 1.
        metrics: "train/loss", "train/loss/<term>" (unweighted), "train/critic/<term>", "valid/<metric>", and
            "valid/teacher_<metric>" for a teacher that trains inside the trial.
        finite: False when the training loss was not: the run has diverged.
        seconds: it took; of a pack, a member's share.
    """

    number: int
    metrics: dict[str, float]
    finite: bool
    seconds: float


class Training(Protocol):
    """Trials in training. Iterate `epochs`; to stop early, stop iterating, or go on with fewer by `keep`.

    Attributes:
        trials: their descriptions, by lane.
        active: how many of the lanes are members; what comes after them is padding.
        done: epochs that are behind them.
        parts: the data that they see.
        objective: of one member, for what all of them share.
    """

    trials: list[Trial]
    active: int
    done: int
    parts: Mapping[Part, Tensors]
    objective: Objective

    def epochs(self) -> Iterator[list[Epoch]]:
        """Train on: one item an epoch, with an Epoch for each member in lane order."""
        ...

    def keep(self, lanes: Sequence[int]) -> None:
        """Go on with these members, in this order. Called between epochs."""
        ...

    def outputs(self, role: str, part: Part) -> list[Outputs]:
        """What each member's network of a role says of every row of a part, in evaluation mode."""
        ...

    def scores(self, part: Part) -> list[dict[str, float]]:
        """Each member's metrics of a part: its network's, and "teacher_..." of a teacher that trains with it."""
        ...

    def gradients(self) -> list[dict[str, float]]:
        """Each term's share of the gradient norms in each member's own network, at the end, on one batch."""
        ...

    def weights(self, lane: int) -> WeightsByRole:
        """A copy of one member's networks."""
        ...

    def load(self, lane: int, weights: WeightsByRole) -> None:
        """Put weights back into one member's networks."""
        ...

    def numbers(self, lane: int) -> dict[str, float]:
        """Every number of one member's objective, by full name."""
        ...

    def full_height(self, lane: int) -> float:
        """The fraction of training after which a member's schedules have all reached their full weight."""
        ...

    def state(self) -> State:
        """All that this training is, between two epochs."""
        ...

    def restore(self, state: State) -> None:
        """Become the training that this was taken from: one of the same trials in the same lanes, as it was built.

        Raises:
            ValueError: it is of other trials.
        """
        ...
