"""Trials that differ only in numbers train as one: a stack of networks is one network with a leading axis.

Forward passes run under `vmap` over the members; one `autograd.grad` of the summed losses goes to flat [K, P] buffers
of parameters; the optimisers are ours, with every number a column. No member's numbers depend on its company: on a CPU
they are bit for bit the same at any width from two up, in any lane, whoever leaves. So there are never fewer than two.

Letters: K members, B rows of a batch, P parameters, N rows of a part.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdsweep.data.tensors import Tensors, take
from kdsweep.data.views import patterns
from kdsweep.engine import epochs, evaluation, scoring, state
from kdsweep.engine.batches import Batches
from kdsweep.engine.build import Models, recipe
from kdsweep.engine.frozen import together
from kdsweep.engine.interface import Epoch, WeightsByRole
from kdsweep.engine.stacked.stack import Named, Seen, copy_of, rows_of, stacked
from kdsweep.engine.stacked.step import Step
from kdsweep.engine.stacked.trace import Traces
from kdsweep.engine.state import State
from kdsweep.engine.streams import generator
from kdsweep.engine.workers import Workers
from kdsweep.networks.base import Network
from kdsweep.objective.batch import Outputs
from kdsweep.tasks import registry as tasks
from kdsweep.values.arithmetic import compiled_width
from kdsweep.values.card import Part
from kdsweep.values.trial import Trial, structure


class Pack:
    """At most W trials of one structure in training; it only shrinks.

    Args:
        trials: their descriptions, in lanes 0 to K - 1.
        made: each one's own networks and objective, with its own initial weights.
        parts: the data, which all of them see.
        workers: the processes among which each batch is divided.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        made: Sequence[Models],
        parts: Mapping[Part, Tensors],
        workers: Workers | None = None,
    ) -> None:
        self.parts, self.workers = parts, workers or Workers()
        self.fixed = compiled_width(trials[0].arithmetic)
        self.active, self.done = len(trials), 0
        lanes = self._padded(range(len(trials)))
        self.trials = [trials[lane] for lane in lanes]
        made = [made[lane] for lane in lanes]
        recipes = [recipe(trial) for trial in self.trials]
        self.total, self.batch_size = int(recipes[0]["epochs"]), int(recipes[0]["batch_size"])
        self.labelled_share = recipes[0].get("labelled")
        self.step = Step(
            made,
            recipes,
            [trial.seed for trial in self.trials],
            self.workers,
            structure=structure(trials[0]),
            compiled=self.fixed is not None,
        )
        # What networks say in evaluation mode: never compiled, for compiling it would cost more than it saves.
        self.evaluations = Traces(structure(trials[0]), compiled=False)
        self.objective = self.step.calls.objective
        self.frozen = {
            role: _distinct([models.frozen[role] for models in made])
            for role in made[0].frozen
            if role not in made[0].live
        }
        self.live = {
            role: _Live(copy.deepcopy(network), *stacked([models.live[role] for models in made]))
            for role, network in made[0].live.items()
        }
        views, train = made[0].views, parts["train"]
        own = [views.streams(generator, trial.seed) for trial in self.trials]
        self.batches = Batches(train, made[0].read, views, own, patterns(train.present, train.labelled), self.workers)

    def _padded(self, lanes: Sequence[int]) -> list[int]:
        """The lanes, and copies of the first of them up to the width that the arithmetic asks for.

        At width one it differs from all others in the last bits: a lone member gets a second lane. A compiled step has
        one width, whoever is left.
        """
        width = max(len(lanes), 2) if self.fixed is None else self.fixed
        assert len(lanes) <= width, f"{len(lanes)} members in a pack compiled at {width}"
        return [*lanes, *[lanes[0]] * (width - len(lanes))]

    # --- training

    def epochs(self) -> Iterator[list[Epoch]]:
        """Train on: one item an epoch, with an Epoch for each member in lane order. See `keep`."""
        self._expect(self.total - self.done)
        return epochs.epochs(self)

    def update(self, rows: Tensor, done: int, progress: float) -> Named:
        """One update of the critics and one of everything else, on rows [K, B]: [K] values, those before it."""
        return self.step.update(self._see(rows), progress)

    def tells(self, metric: str, lane: int, progress: float) -> bool:
        """Whether a member has this metric by then: a critic's begins when its adversary joins."""
        critic, starts = metric.removeprefix("train/critic/"), self.step.starts
        return critic not in starts or starts[critic][lane] < progress

    def first_update(self) -> None:
        """An update on the first rows, from which training does not go on: it shows whether there can be one."""
        rows = torch.arange(min(self.batch_size, len(self.parts["train"])), device=self.parts["train"].labels.device)
        self.step.update(self._see(rows.expand(len(self.trials), -1)), 0.0)

    def keep(self, lanes: Sequence[int]) -> None:
        """Go on with these of the active lanes, in their order; the others leave. Called between epochs."""
        if len(lanes) == self.active:
            return
        self.active = len(lanes)
        if not lanes:
            return
        index = self._padded(lanes)
        self.trials = [self.trials[lane] for lane in index]
        where = torch.tensor(index, device=self.parts["train"].labels.device)
        self.frozen = {role: outputs._replace(which=outputs.which[where]) for role, outputs in self.frozen.items()}
        self.live = {
            role: _Live(live.base, rows_of(live.parameters, where), rows_of(live.buffers, where))
            for role, live in self.live.items()
        }
        streams = self.batches.streams
        self.batches.streams = [{name: copy_of(rng) for name, rng in streams[lane].items()} for lane in index]
        self.step.keep(index)
        self._expect(self.total - self.done)

    def _expect(self, more: int) -> None:
        self.step.expect(more * epochs.batches(self)[1])

    def _see(self, rows: Tensor) -> Seen:
        """These rows [K, B] of the training part, and what frozen models say of them."""
        inputs, present, labels, labelled, mixed = self.batches.look(rows)
        frozen = {f"frozen {role}": outputs.of(rows) for role, outputs in self.frozen.items()}
        with torch.no_grad():
            for role, (base, parameters, buffers) in self.live.items():
                own = self.step.stack.run(base.eval(), parameters, buffers, inputs, present, precision="float32")
                frozen[f"frozen {role}"] = self.step.stack.gathered(own, rows.shape[1])
        if self.live and self.trials[0].distils_from == "unimodal":
            several = [Outputs(**frozen[f"frozen {name}"]) for name in self.trials[0].auxiliaries]
            frozen["frozen teacher"] = {**together(several)._asdict(), "features": {}}
        return Seen(inputs, present, frozen, labels, labelled, rows, mixed)

    # --- what became of them

    def outputs(self, role: str, part: Part) -> list[Outputs]:
        """What a role's network of each active member says about every row of a part, in evaluation mode."""
        base, rows = self.step.bases[role].eval(), torch.arange(len(self.parts[part]))
        pieces = []

        def say(flat: Tensor, buffers: Named, inputs: Named, present: Named) -> dict[str, Any]:
            parameters = self.step.main.flat.views(flat)[role]
            return self.step.stack.run(base, parameters, buffers, inputs, present, shared=True)

        self.evaluations.on = self.step.traces.on
        with torch.no_grad():
            for some in torch.split(rows.to(self.parts[part].labels.device), evaluation.CHUNK):
                inputs, present = self.parts[part].batch(self.workers.mine(some), base.names)
                given = self.step.main.flat.value, self.step.buffers[role], inputs, present
                own = self.evaluations(("outputs", role, self.step.width, len(some)), say, *given)
                pieces.append(self.step.stack.gathered(own, len(some)))
        logits, embedding, there = (
            torch.cat([piece[key] for piece in pieces], dim=1) for key in ("logits", "embedding", "present")
        )
        return [Outputs(logits[lane], embedding[lane], there[lane]) for lane in range(self.active)]

    def scores(self, part: Part) -> list[dict[str, float]]:
        """Metrics of a part for each active member: its network's, and "teacher_..." of a teacher trained with it."""
        roles = [role for role in ("network", "teacher") if role in self.step.bases]
        task = tasks.load(self.trials[0].task)
        return scoring.scores(task, {role: scoring.judged(task, self, role, part) for role in roles})

    def gradients(self) -> list[dict[str, float]]:
        """Each term's share of the gradient norms in each active member's own network, at the end, on one batch."""
        seen = self._see(epochs.drawn(self, "gradients")[:, : self.batch_size])
        norms = self.step.gradients(seen, epochs.LATE)
        return [
            epochs.shares({name: float(values[lane]) for name, values in norms.items()}) for lane in range(self.active)
        ]

    def weights(self, lane: int) -> dict[str, Named]:
        """A copy of one member's networks."""
        groups = self.step.groups
        return {
            name: {
                key: value[lane].detach().clone() for key, value in {**groups[name], **self.step.buffers[name]}.items()
            }
            for name in self.step.bases
        }

    def load(self, lane: int, weights: WeightsByRole) -> None:
        """Put weights back into one member's networks."""
        groups = self.step.groups
        for name, own in weights.items():
            for key, value in own.items():
                (groups[name] if key in groups[name] else self.step.buffers[name])[key][lane].copy_(value)

    def numbers(self, lane: int) -> dict[str, float]:
        """Every number of one member's objective, by full name."""
        return {
            f"{name}.{number}": float(self.step.buffers["objective"][f"objective.terms.{name}.{number}"][lane])
            for name, term in self.step.terms.items()
            for number in term.number_names
        }

    def full_height(self, lane: int) -> float:
        """The fraction of training after which a member's schedules have all reached their full weight."""
        numbers = self.numbers(lane)
        return max(numbers[f"{name}.start"] + numbers[f"{name}.ramp"] for name in self.step.terms)

    def state(self) -> State:
        """All that this training is."""
        tensors = state.flat(step=self.step.tensors())
        for lane, (draws, views) in enumerate(zip(self.step.draws, self.batches.streams, strict=True)):
            streams = state.flat(draws=state.of_streams(draws), views=state.of_streams(views))
            tensors |= {f"lane {lane}/{name}": value for name, value in streams.items()}
        return State(self._ids, self.done, tensors)

    def restore(self, taken: State) -> None:
        """Become the training that this was taken from."""
        state.check(taken, self._ids)
        self.step.restore(taken.under("step"))
        for lane, (draws, views) in enumerate(zip(self.step.draws, self.batches.streams, strict=True)):
            state.into_streams(draws, taken.under(f"lane {lane}/draws"))
            state.into_streams(views, taken.under(f"lane {lane}/views"))
        self.done = taken.epoch

    @property
    def _ids(self) -> tuple[str, ...]:
        return tuple(trial.id for trial in self.trials)


class _Live(NamedTuple):
    """Frozen models that are asked at every step: one of them, and the parameters and buffers of all, [K, ...]."""

    base: Network
    parameters: Named
    buffers: Named


class _Frozen(NamedTuple):
    """What the members' frozen models say of every row: several members may read the same one, which is there once.

    Attributes:
        outputs: logits, embedding, present [models, N, ...], and features by name.
        which: [K], each member's model.
    """

    outputs: dict[str, Any]
    which: Tensor

    def of(self, rows: Tensor) -> dict[str, Any]:
        """Each member's own rows [K, B] of its own model."""
        mine = rows + self.which[:, None] * self.outputs["present"].shape[1]
        return {
            key: {name: take(f.flatten(0, 1), mine) for name, f in value.items()}
            if key == "features"
            else take(value.flatten(0, 1), mine)
            for key, value in self.outputs.items()
        }


def _distinct(several: Sequence[Outputs]) -> _Frozen:
    distinct = list({id(outputs): outputs for outputs in several}.values())
    position = {id(outputs): at for at, outputs in enumerate(distinct)}
    stack = {key: torch.stack([getattr(o, key) for o in distinct]) for key in ("logits", "embedding", "present")}
    names = distinct[0].features
    features = {name: torch.stack([outputs.features[name] for outputs in distinct]) for name in names}
    which = torch.tensor([position[id(outputs)] for outputs in several], device=distinct[0].logits.device)
    return _Frozen({**stack, "features": features}, which)
