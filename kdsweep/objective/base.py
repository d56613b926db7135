"""A loss is a sum of named terms; an ablation is that sum with a name removed."""

from __future__ import annotations

import copy
import functools
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from kdsweep.objective.batch import Batch, Sizes
from kdsweep.tasks.registry import TASKS
from kdsweep.values.paper import Paper


class Term(nn.Module, ABC):
    """One summand of an objective.

    A term's numbers (weight, temperature, ...) are 0-dim buffers, never Python branches, so that terms that differ
    only in numbers can be stacked and evaluated as one. Structure (an estimator, a form, a count of steps) is an
    ordinary attribute.

    Class attributes:
        papers: where the term comes from, for a report's bibliography.
        reads: what it needs, as "student.logits", "teacher.embedding", "auxiliary.embedding", "labels", ... A row
            counts only when everything read is present in it.
        trains: "teacher" for a term whose gradient reaches nothing but the teacher (or auxiliary models).
        mixes: whether it understands blends of two rows (mixup): False for one that takes labels for classes of
            one row, or remembers samples.
        tasks: those whose labels and scores it understands: `CLASSES` for one that reads a softmax or classes.

    Attributes:
        critic: None, or a network of the term's own (discriminator, variational q), trained by `critic_loss` and by
            nothing else: its parameters get no gradient from `loss`. A term that has one owns the number `critic_lr`,
            the ratio of the critic's learning rate to the main one.
        steps: critic updates before each main update.
        task: what the labels are, set by `Objective.setup`.

    Args:
        weight: factor of the term at its height.
        start: fraction of training before the term joins.
        ramp: fraction of training over which its weight rises from 0.
        decay: fraction at the end of training over which it falls back to 0.
        shape: of ramp and decay.
        numbers: the term's other numbers.
    """

    papers: tuple[Paper, ...] = ()
    reads: tuple[str, ...] = ("student.logits",)
    trains: Literal["student", "teacher"] = "student"
    tasks: tuple[str, ...] = TASKS
    mixes: bool = True

    weight: Tensor
    start: Tensor
    ramp: Tensor
    decay: Tensor

    def __init__(
        self,
        *,
        weight: float = 1.0,
        start: float = 0.0,
        ramp: float = 0.0,
        decay: float = 0.0,
        shape: Literal["linear", "cosine"] = "linear",
        **numbers: float,
    ) -> None:
        super().__init__()
        schedule = {"weight": weight, "start": start, "ramp": ramp, "decay": decay}
        self.number_names = (*schedule, *numbers)
        for name, value in {**schedule, **numbers}.items():
            self.register_buffer(name, torch.tensor(float(value)))
        self.shape = shape
        self.steps = 1
        self.task = "classification"
        self.critic: Any = None

    @abstractmethod
    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        """The term's value, unweighted, 0-dim. `rows` [B] bool are those that count: at least two."""

    def setup(self, sizes: Sizes) -> None:
        """Make projections, banks and critic. Called once, inside this term's own random stream."""

    def draw(self, batch_size: int, rng: torch.Generator) -> dict[str, Tensor]:
        """The random numbers that one evaluation needs: drawn outside `vmap`, read from `batch.draws`."""
        return {}

    def critic_loss(self, batch: Batch, rows: Tensor) -> Tensor:
        """What the critic minimises, 0-dim, on a detached batch. Its gradient is taken for the critic alone."""
        raise NotImplementedError(f"{type(self).__name__} has a critic and no critic_loss")

    def remember(self, batch: Batch, rows: Tensor) -> None:
        """What a term keeps of a batch (banks, running means), called once after each main update, without gradient.

        Writes into the term's buffers, which are saved with a run: `rows` [B] bool are those that count.
        """

    @property
    def remembers(self) -> bool:
        """Whether `remember` keeps anything: asking every term after every update would cost a tenth of it."""
        return type(self).remember is not Term.remember

    def rows(self, batch: Batch) -> Tensor:
        """[B] bool: the rows in which everything that the term reads is present, its label included.

        Of several auxiliary modalities one is enough: a term over them leaves out the others row by row.
        """
        sources = sorted({name.split(".")[0] for name in self.reads})
        if batch.labelled is None:
            sources = [source for source in sources if source != "labels"]
        there = [batch.there(source) for source in sources]
        return functools.reduce(operator.and_, there or [torch.ones_like(batch.student.present)])

    def forward(self, batch: Batch) -> Tensor:
        """The unweighted value, never in half precision; exactly 0, gradient 0, where fewer than two rows count."""
        with torch.autocast(batch.progress.device.type, enabled=False):
            return over_enough_rows(partial(self.loss, batch.widen()), self.rows(batch))

    def critic_value(self, batch: Batch) -> Tensor:
        """`critic_loss` with the same rule for few rows."""
        with torch.autocast(batch.progress.device.type, enabled=False):
            return over_enough_rows(partial(self.critic_loss, batch.widen()), self.rows(batch))

    def height(self, progress: Tensor) -> Tensor:
        """The schedule's factor in [0, 1] at `progress` (0-dim), without the weight."""
        rise = self._bend(_ratio(progress - self.start, self.ramp))
        fall = self._bend(_ratio(1.0 - progress, self.decay))
        return torch.where(progress >= self.start, rise * fall, 0.0)

    def _bend(self, x: Tensor) -> Tensor:
        return x if self.shape == "linear" else (1 - torch.cos(math.pi * x)) / 2


class Parts(NamedTuple):
    """An objective's value: the weighted total, and each term's own value before weighting."""

    total: Tensor
    values: dict[str, Tensor]


class Objective(nn.Module):
    """A sum of named terms.

    Every number is called `term.parameter` here, in a method's SPACE, in studies, tables and reports alike.
    """

    def __init__(self, **terms: Term) -> None:
        super().__init__()
        if not terms:
            raise ValueError("an objective needs at least one term, got none")
        self.terms = nn.ModuleDict(terms)

    def forward(self, batch: Batch, draws: Mapping[str, Mapping[str, Tensor]] | None = None) -> Parts:
        """`draws`: each term's random numbers, by its name."""
        values = {name: term(_with_draws(batch, draws, name)) for name, term in self.items()}
        return Parts(functools.reduce(operator.add, self._weigh(values, batch).values()), values)

    def weighted(self, batch: Batch, draws: Mapping[str, Mapping[str, Tensor]] | None = None) -> dict[str, Tensor]:
        """Each term's summand of the total."""
        return self._weigh(self(batch, draws).values, batch)

    def _weigh(self, values: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        return {name: term.weight * term.height(batch.progress) * values[name] for name, term in self.items()}

    def setup(self, sizes: Sizes, stream: Callable[[str], AbstractContextManager[object]]) -> None:
        """Make every term's modules. `stream(name)` enters the term's own random stream: no term moves another's.

        Raises:
            ValueError: a term does not understand the task.
        """
        for name, term in self.items():
            if sizes.task not in term.tasks:
                raise ValueError(f"{name} is a term for {', '.join(term.tasks)}, got the task {sizes.task}")
            if sizes.mixed and not term.mixes:
                raise ValueError(f"{name} takes labels or samples as they are, and mixup blends them")
            term.task = sizes.task
            with stream(name):
                term.setup(sizes)

    @torch.no_grad()
    def remember(self, batch: Batch, draws: Mapping[str, Mapping[str, Tensor]] | None = None) -> None:
        """After a main update: every term keeps what it needs of the batch."""
        seen = batch.detach().widen()
        with torch.autocast(batch.progress.device.type, enabled=False):
            for name, term in self.items():
                if term.remembers:
                    term.remember(_with_draws(seen, draws, name), term.rows(seen))

    def draw(self, batch_size: int, rngs: Mapping[str, torch.Generator]) -> dict[str, dict[str, Tensor]]:
        """One evaluation's random numbers, each term's from its own generator."""
        drawn = {name: term.draw(batch_size, rngs[name]) for name, term in self.items()}
        return {name: numbers for name, numbers in drawn.items() if numbers}

    def items(self) -> Iterator[tuple[str, Term]]:
        yield from self.terms.items()  # type: ignore[misc]

    def __getitem__(self, name: str) -> Term:
        return self.terms[name]  # type: ignore[return-value]

    def critics(self) -> dict[str, Term]:
        """The terms that own a critic."""
        return {name: term for name, term in self.items() if term.critic is not None}

    def without(self, *names: str) -> Objective:
        """This objective less the terms named."""
        for name in names:
            if name not in self.terms:
                raise ValueError(f"no term {name!r}: found {', '.join(self.terms)}")
        return Objective(**{name: copy.deepcopy(term) for name, term in self.items() if name not in names})

    def set(self, numbers: Mapping[str, float]) -> Objective:
        """This objective with other numbers: `set({"kd.temperature": 3.0})`."""
        changed, known = copy.deepcopy(self), self.numbers()
        for name, value in numbers.items():
            if name not in known:
                raise ValueError(f"no number {name!r}: found {', '.join(known)}")
            term, number = name.split(".")
            getattr(changed[term], number).fill_(value)
        return changed

    def numbers(self) -> dict[str, float]:
        """Every number, by its full name."""
        return {
            f"{name}.{number}": getattr(term, number).item()
            for name, term in self.items()
            for number in term.number_names
        }

    def papers(self) -> dict[str, tuple[Paper, ...]]:
        return {name: term.papers for name, term in self.items()}


def _with_draws(batch: Batch, draws: Mapping[str, Mapping[str, Tensor]] | None, name: str) -> Batch:
    """The batch with one term's random numbers, where the batch is."""
    own = (draws or {}).get(name, {})
    return batch._replace(draws={key: numbers.to(batch.progress.device) for key, numbers in own.items()})


def over_enough_rows(loss: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """`loss(rows)`, and exactly 0 where fewer than two rows count."""
    enough = rows.sum() >= 2
    # Where too few rows are left the loss is computed over all of them, which are zero-filled and so finite, and set
    # to 0 afterwards: a NaN that is multiplied by 0 stays a NaN.
    value = loss(rows | ~enough)
    return torch.where(enough, value, 0.0)


def mean_over_auxiliaries(loss: Callable[[str, Tensor], Tensor], batch: Batch, rows: Tensor) -> Tensor:
    """Mean of `loss(modality, its rows)` over the auxiliary modalities that at least two rows have."""
    total, counted = torch.zeros_like(batch.progress), torch.zeros_like(batch.progress)
    for modality, outputs in batch.auxiliary.items():
        there = rows & outputs.present
        total = total + over_enough_rows(partial(loss, modality), there)
        counted = counted + (there.sum() >= 2)
    return total / counted.clamp(min=1)


def _ratio(x: Tensor, width: Tensor) -> Tensor:
    """x / width held to [0, 1]; a width of 0 is a step, without a division by it."""
    wide = width > 0
    return torch.where(wide, (x / torch.where(wide, width, 1.0)).clamp(0, 1), 1.0)
