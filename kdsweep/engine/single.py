"""Training is an iterator of epochs: to stop early, stop iterating. Nothing here knows about sweeps."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from kdsweep.data.tensors import Tensors
from kdsweep.data.views import patterns
from kdsweep.engine import evaluation, scoring
from kdsweep.engine.build import Models, recipe, together
from kdsweep.engine.optimiser import Optimiser, critic_optimiser
from kdsweep.engine.streams import generator, seed_of
from kdsweep.engine.workers import Workers
from kdsweep.networks.base import Network
from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch, Mixed, Outputs
from kdsweep.tasks import registry as tasks
from kdsweep.values.card import Part
from kdsweep.values.trial import Trial

# The progress at which terms are weighed at the end: a schedule that decays has not yet come to nothing.
LATE = 0.99


class Epoch(NamedTuple):
    """One epoch's numbers.

    Attributes:
        number: from 1.
        metrics: "train/loss", "train/loss/<term>" (unweighted), "train/critic/<term>", "valid/<metric>", and
            "valid/teacher_<metric>" for a teacher that trains inside the trial.
        finite: False when the training loss was not: the run has diverged.
        seconds: it took.
    """

    number: int
    metrics: dict[str, float]
    finite: bool
    seconds: float


@dataclass
class Run:
    """A trial in training: iterate `epochs`; its networks are those of `models`."""

    trial: Trial
    models: Models
    parts: Mapping[Part, Tensors]
    workers: Workers = field(default_factory=Workers)

    def __post_init__(self) -> None:
        self.recipe, self.objective = recipe(self.trial), self.models.objective
        self.networks = self.models.trained
        critics = {id(p) for term in self.objective.critics().values() for p in _critic(term).parameters()}
        parameters = {name: _trained(network) for name, network in self.networks.items()}
        for name, term in self.objective.items():
            parameters[f"term {name}"] = [p for p in term.parameters() if id(p) not in critics]
        scales = {
            parameter: network.lr_scale(name)
            for network in self.networks.values()
            for name, parameter in network.named_parameters()
        }
        self.optimiser = Optimiser(parameters, self.recipe, scales=scales)
        self.critics = {
            name: critic_optimiser(_critic(term), self.recipe, float(term.get_buffer("critic_lr")))
            for name, term in self.objective.critics().items()
        }
        seed = self.trial.seed
        self.view_draws = self.models.views.streams(generator, seed)
        self.patterns = patterns(self.parts["train"].present)
        self.draws = {name: generator(seed, "draw", name) for name, _ in self.objective.items()}
        self.start = {name: float(term.start) for name, term in self.objective.items()}

    def epochs(self) -> Iterator[list[Epoch]]:
        """Train: one item an epoch, `train.epochs` of them. An epoch is the whole batches of a fresh permutation.

        A list of one: a lone trial is asked like a pack of them.
        """
        total = int(self.recipe["epochs"])
        for number in range(1, total + 1):
            began = time.perf_counter()
            metrics = {name: value.item() for name, value in self._epoch(number, total).items()}
            finite = math.isfinite(metrics["train/loss"])
            metrics |= {f"valid/{name}": value for name, value in self.scores("valid")[0].items()}
            yield [Epoch(number, metrics, finite, time.perf_counter() - began)]

    def keep(self, lanes: Sequence[int]) -> None:
        """There is one lane: to leave it, stop iterating."""

    def outputs(self, role: str, part: Part) -> list[Outputs]:
        """What a role's network says about every row of a part, in evaluation mode."""
        return [evaluation.outputs(self.networks[role], self.parts[part], self.workers, self.recipe["precision"])]

    def scores(self, part: Part) -> list[dict[str, float]]:
        """Metrics of a part: the network's own, and "teacher_..." of a teacher that trains inside the trial."""
        roles = [role for role in ("network", "teacher") if role in self.networks]
        task = tasks.load(self.trial.task)
        return scoring.scores(task, {role: scoring.judged(task, self, role, part) for role in roles})

    def gradients(self) -> list[dict[str, float]]:
        """Each term's share of the gradient norms in the trial's own network, at the end, on one batch."""
        train = self.parts["train"]
        order = torch.randperm(len(train), generator=generator(self.trial.seed, "gradients"))
        rows = order[: int(self.recipe["batch_size"])].to(train.labels.device)
        summands = self.objective.weighted(self._batch(rows, LATE, 0), self.objective.draw(len(rows), self.draws))
        parameters, norms = _trained(self.models.network), {}
        for name, value in summands.items():
            found: Sequence[Tensor | None] = [None]
            if value.requires_grad:
                found = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
            pieces = [gradient.flatten() for gradient in found if gradient is not None]
            norms[name] = float(torch.linalg.vector_norm(torch.cat(pieces))) if pieces else 0.0
        return [shares(norms)]

    def state(self, lane: int = 0) -> dict[str, dict[str, Tensor]]:
        """The weights of the trial's networks, by role."""
        return {
            name: {key: value.detach().clone() for key, value in network.state_dict().items()}
            for name, network in self.networks.items()
        }

    def load(self, lane: int, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put weights back."""
        for name, network in self.networks.items():
            network.load_state_dict(dict(state[name]))

    def numbers(self, lane: int = 0) -> dict[str, float]:
        """Every number of the objective, by full name."""
        return self.objective.numbers()

    def full_height(self, lane: int = 0) -> float:
        """The fraction of training after which every term's schedule has reached its full weight."""
        return max(float(term.start + term.ramp) for _, term in self.objective.items())

    def _epoch(self, number: int, total: int) -> dict[str, Tensor]:
        train = self.parts["train"]
        size = min(int(self.recipe["batch_size"]), len(train))
        steps = len(train) // size
        order = torch.randperm(len(train), generator=generator(self.trial.seed, "order", number))
        order = order.to(train.labels.device)
        sums: dict[str, Tensor] = {}
        for step in range(steps):
            done = (number - 1) * steps + step
            for name, value in self._step(order[step * size : (step + 1) * size], done, total * steps).items():
                sums[name] = sums[name] + value / steps if name in sums else value / steps
        return sums

    def _step(self, rows: Tensor, done: int, steps: int) -> dict[str, Tensor]:
        """One update of the critics and one of everything else. The values are those before the update."""
        progress = done / steps
        drawn = self.objective.draw(len(rows), self.draws)
        batch = self._batch(rows, progress, done)
        values = self._critic_steps(batch, progress)
        parts = self.objective(batch, drawn)
        every = int(self.recipe["accumulate"])
        self.optimiser.backward(parts.total / every, adds=done % every > 0)
        # What is left at the end of training, less than a whole number of batches, is no update.
        if done % every == every - 1:
            for network in self.networks.values():
                self.workers.sum_gradients(_trained(network))
            self.optimiser.update(progress)
        self.objective.remember(batch, drawn)
        terms = {f"train/loss/{name}": value.detach() for name, value in parts.values.items()}
        return {"train/loss": parts.total.detach(), **terms, **values}

    def _critic_steps(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        seen = batch.detach()
        for name, optimiser in self.critics.items():
            # Before the adversary joins nobody reads its critic.
            if progress < self.start[name]:
                continue
            term = self.objective[name]
            for _ in range(term.steps):
                drawn = {
                    k: v.to(batch.labels.device) for k, v in term.draw(len(batch.labels), self.draws[name]).items()
                }
                value = term.critic_value(seen._replace(draws=drawn))
                optimiser.step(value, progress)
                values[f"train/critic/{name}"] = value.detach()
        return values

    def _batch(self, rows: Tensor, progress: float, done: int) -> Batch:
        train, views, mixed = self.parts["train"], self.models.views, None
        inputs, present = self._seen(rows)
        if views.alpha is not None:
            partners, shares = views.partners(rows[None], [self.view_draws], self.patterns)
            others, there = self._seen(partners[0])
            inputs = views.blend(inputs, others, shares)
            present = {name: present[name] & there[name] for name in present}
            mixed = Mixed(train.labels[partners[0]], shares[0])

        def say(role: str, network: Network) -> Outputs:
            # Dropout draws from torch's global stream, which nothing else reads: one stream a role, step and worker.
            torch.manual_seed(seed_of(self.trial.seed, "dropout", role, done, self.workers.rank))
            with evaluation.half(self.recipe["precision"], rows.device):
                said = network.train()(inputs, present)
            return self.workers.gather(said.widen(), len(rows))

        frozen = {name: _rows(said, rows) for name, said in self.models.frozen.items()}
        with torch.no_grad():
            for role, network in self.models.live.items():
                frozen[role] = self.workers.gather(network(inputs, present), len(rows))
        if self.models.live and self.trial.distils_from == "unimodal":
            frozen["teacher"] = together([frozen[name] for name in self.trial.auxiliaries])
        teacher = frozen.pop("teacher", None)
        if self.models.teacher is not None:
            teacher = say("teacher", self.models.teacher)
        return Batch(
            student=say("student", self.models.network),
            labels=train.labels[rows],
            samples=rows,
            progress=torch.tensor(progress, device=rows.device),
            teacher=teacher,
            auxiliary=frozen | {name: say(name, model) for name, model in self.models.auxiliaries.items()},
            teacher_head=self.models.teacher_head,
            mixed=mixed,
        )

    def _seen(self, rows: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """This worker's inputs of a batch, in the view that the trial's networks see, and their presence."""
        inputs, present = self.parts["train"].batch(self.workers.mine(rows), self.models.read)
        if not self.models.views.steps:
            return inputs, present
        one_lane = {name: values[None] for name, values in inputs.items()}
        there = {name: values[None] for name, values in present.items()}
        seen = self.models.views.of(one_lane, there, [self.view_draws], self.workers.mine, len(rows))
        return {name: values[0] for name, values in seen.items()}, present


def shares(norms: Mapping[str, float]) -> dict[str, float]:
    """Each one's part of their sum; NaN where that is 0 or not finite."""
    total = sum(norms.values())
    fine = math.isfinite(total) and total > 0
    return {name: norm / total if fine else math.nan for name, norm in norms.items()}


def _trained(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _critic(term: Term) -> nn.Module:
    critic: nn.Module | None = term.critic
    assert critic is not None
    return critic


def _rows(said: Outputs, rows: Tensor) -> Outputs:
    features = {name: feature[rows] for name, feature in said.features.items()}
    return Outputs(said.logits[rows], said.embedding[rows], said.present[rows], features)
