"""One trial in training, as it is written: networks, an objective, an optimiser. Nothing here knows about sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from kdsweep.data.tensors import Tensors
from kdsweep.data.views import patterns
from kdsweep.engine import epochs, evaluation, scoring, state
from kdsweep.engine.batches import Batches
from kdsweep.engine.build import Models, recipe
from kdsweep.engine.frozen import together
from kdsweep.engine.interface import Epoch, WeightsByRole
from kdsweep.engine.optimiser import Optimiser, critic_optimiser
from kdsweep.engine.state import State
from kdsweep.engine.streams import generator, seed_of
from kdsweep.engine.workers import Workers
from kdsweep.networks.base import Network
from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch, Mixed, Outputs
from kdsweep.tasks import registry as tasks
from kdsweep.values.card import Part
from kdsweep.values.trial import Trial


@dataclass
class Run:
    """A trial in training, a `Training` of one lane; its networks are those of `models`."""

    trial: Trial
    models: Models
    parts: Mapping[Part, Tensors]
    workers: Workers = field(default_factory=Workers)

    def __post_init__(self) -> None:
        self.trials, self.active, self.done = [self.trial], 1, 0
        self.recipe, self.objective = recipe(self.trial), self.models.objective
        self.total, self.batch_size = int(self.recipe["epochs"]), int(self.recipe["batch_size"])
        self.labelled_share = self.recipe.get("labelled")
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
        views, train = self.models.views, self.parts["train"]
        own = [views.streams(generator, seed)]
        self.batches = Batches(
            train, self.models.read, views, own, patterns(train.present, train.labelled), self.workers
        )
        self.draws = {name: generator(seed, "draw", name) for name, _ in self.objective.items()}
        self.start = {name: float(term.start) for name, term in self.objective.items()}

    def epochs(self) -> Iterator[list[Epoch]]:
        """Train on: one item an epoch, a list of one."""
        return epochs.epochs(self)

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
        rows = epochs.drawn(self, "gradients")[:, : self.batch_size]
        batch, drawn = self._batch(rows, epochs.LATE, 0), self.objective.draw(rows.shape[1], self.draws)
        summands = self.objective.weighted(batch, drawn)
        parameters, norms = _trained(self.models.network), {}
        for name, value in summands.items():
            gradients: Sequence[Tensor | None] = [None]
            if value.requires_grad:
                gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
            pieces = [gradient.flatten() for gradient in gradients if gradient is not None]
            norms[name] = float(torch.linalg.vector_norm(torch.cat(pieces))) if pieces else 0.0
        return [epochs.shares(norms)]

    def weights(self, lane: int = 0) -> dict[str, dict[str, Tensor]]:
        """A copy of the trial's networks."""
        return {
            name: {key: value.detach().clone() for key, value in network.state_dict().items()}
            for name, network in self.networks.items()
        }

    def load(self, lane: int, weights: WeightsByRole) -> None:
        """Put weights back."""
        for name, network in self.networks.items():
            network.load_state_dict(dict(weights[name]))

    def numbers(self, lane: int = 0) -> dict[str, float]:
        """Every number of the objective, by full name."""
        return self.objective.numbers()

    def full_height(self, lane: int = 0) -> float:
        """The fraction of training after which every term's schedule has reached its full weight."""
        return max(float(term.start + term.ramp) for _, term in self.objective.items())

    def state(self) -> State:
        """All that this training is."""
        gradients = {str(n): p.grad.clone() for n, p in enumerate(self.optimiser.parameters) if p.grad is not None}
        tensors = state.flat(
            **{f"network {name}": state.of_module(network) for name, network in self.networks.items()},
            **{f"critic {name}": state.of_optimiser(own.torch) for name, own in self.critics.items()},
            objective=state.of_module(self.objective),
            optimiser=state.of_optimiser(self.optimiser.torch),
            gradients=gradients,
            draws=state.of_streams(self.draws),
            views=state.of_streams(self.batches.streams[0]),
        )
        return State((self.trial.id,), self.done, tensors)

    def restore(self, taken: State) -> None:
        """Become the training that this was taken from."""
        state.check(taken, [self.trial.id])
        for name, network in self.networks.items():
            state.into_module(network, taken.under(f"network {name}"))
        state.into_module(self.objective, taken.under("objective"))
        state.into_optimiser(self.optimiser.torch, taken.under("optimiser"))
        for name, own in self.critics.items():
            state.into_optimiser(own.torch, taken.under(f"critic {name}"))
        for number, gradient in taken.under("gradients").items():
            self.optimiser.parameters[int(number)].grad = gradient.clone()
        state.into_streams(self.draws, taken.under("draws"))
        state.into_streams(self.batches.streams[0], taken.under("views"))
        self.done = taken.epoch

    def tells(self, metric: str, lane: int, progress: float) -> bool:
        """Everything that was measured: before its adversary joins a critic has no value."""
        return True

    def update(self, rows: Tensor, done: int, progress: float) -> dict[str, Tensor]:
        """One update of the critics and one of everything else, on rows [1, B]: [1] values, those before it."""
        return {name: value[None] for name, value in self._update(rows, done, progress).items()}

    def _update(self, rows: Tensor, done: int, progress: float) -> dict[str, Tensor]:
        drawn = self.objective.draw(rows.shape[1], self.draws)
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

    def _batch(self, rows_KB: Tensor, progress: float, done: int) -> Batch:
        look, (rows,) = self.batches.look(rows_KB), rows_KB
        inputs, present = ({name: values[0] for name, values in own.items()} for own in (look.inputs, look.present))

        def say(role: str, network: Network) -> Outputs:
            # Dropout draws from torch's global stream, which nothing else reads: one stream a role, step and worker.
            torch.manual_seed(seed_of(self.trial.seed, "dropout", role, done, self.workers.rank))
            with evaluation.half(self.recipe["precision"], rows.device):
                outputs = network.train()(inputs, present)
            return self.workers.gather(outputs.widen(), len(rows))

        frozen = {name: _rows(outputs, rows) for name, outputs in self.models.frozen.items()}
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
            labels=look.labels[0],
            samples=rows,
            progress=torch.tensor(progress, device=rows.device),
            teacher=teacher,
            auxiliary=frozen | {name: say(name, model) for name, model in self.models.auxiliaries.items()},
            teacher_head=self.models.teacher_head,
            mixed=Mixed(look.mixed["labels"][0], look.mixed["share"][0]) if look.mixed else None,
            labelled=look.labelled["rows"][0] if look.labelled else None,
        )


def _trained(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _critic(term: Term) -> nn.Module:
    critic: nn.Module | None = term.critic
    assert critic is not None
    return critic


def _rows(outputs: Outputs, rows: Tensor) -> Outputs:
    features = {name: feature[rows] for name, feature in outputs.features.items()}
    return Outputs(outputs.logits[rows], outputs.embedding[rows], outputs.present[rows], features)
