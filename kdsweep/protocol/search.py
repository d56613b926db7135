"""One search: generations of points, the thresholds that they carry, and which point was best."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from kdsweep.protocol.entries import defaults
from kdsweep.protocol.pruners import registry as pruners
from kdsweep.protocol.samplers import registry as samplers
from kdsweep.protocol.start import nearest, start
from kdsweep.protocol.trials import Replicate, Thresholds
from kdsweep.values.result import Proposal, Result, Tried
from kdsweep.values.space import Domain, Value, to_json
from kdsweep.values.study import Study
from kdsweep.values.trial import Trial, digest, subject

Numbers = dict[str, Value]
# A trial of the searched thing at a point; None while the models that it reads, or its arithmetic, are not known.
Make = Callable[[Mapping[str, Value], int, Thresholds], Trial | None]


class Ended(Exception):
    """This branch of the study goes no further."""


@dataclass(frozen=True)
class Search:
    """A search of one arm, row, control or model, in one replicate.

    Attributes:
        names: whose it is, by the names of its roles.
        template: its trial without the searched numbers.
        space: the ranges.
        make: builds the trial of a point.
        trials: its budget. It sizes the generations, and beyond that only cuts the sequence of points.
    """

    study: Study
    replicate: Replicate
    names: Mapping[str, str]
    template: Trial
    space: Mapping[str, Domain]
    make: Make
    trials: int
    proposals: dict[tuple[str, int], tuple[Proposal, ...]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What its stored proposals are found by: everything that decides them but the results."""
        settings = self.study.search
        return digest(
            {
                "template": self.template.identity,
                "space": {name: to_json(domain) for name, domain in self.space.items()},
                "first": list(settings.first),
                "sampler": samplers.identity(settings.sampler),
                "pruner": settings.pruner.identity if settings.pruner else None,
                "generations": list(self.sizes),
                "seed": self.study.seed,
                "place": list(self.replicate),
                "metric": self.study.metric,
                "names": dict(self.names),
            }
        )

    @property
    def sizes(self) -> Sizes:
        """Of its generations: a budget has to be large for the largest ones."""
        settings = self.study.search
        return sizes(self.trials, settings.generation, given=len(settings.first))

    def run(
        self,
        stored: Mapping[tuple[str, int], tuple[Proposal, ...]],
        want: Callable[[Trial, int, int], Result | None],
    ) -> list[Numbers] | None:
        """The distinct finished points, best first; None while there are trials to wait for.

        Args:
            stored: proposals by (key, generation). New ones are added to `self.proposals`.
            want: asks for a trial in its generation and number.

        Raises:
            Ended: all its trials are there, and none finished.
        """
        key, done = self.key, list[tuple[Proposal, Result]]()
        # By numbers: a point that was proposed before is that earlier trial, its thresholds included.
        first_seen: dict[str, Trial] = {}
        for generation in generations(self.trials, self.sizes):
            proposal_key = key, generation.number
            if proposal_key not in stored and proposal_key not in self.proposals:
                self.proposals[proposal_key] = self._propose(generation, done)
            points = (stored.get(proposal_key) or self.proposals[proposal_key])[: generation.used]
            results: list[Result | None] = []
            for number, point in enumerate(points, start=generation.first):
                if point.point not in first_seen:
                    trial = self.make(point.numbers, self.replicate.offset, point.thresholds)
                    if trial is None:
                        results.append(None)
                        continue
                    first_seen[point.point] = trial
                results.append(want(first_seen[point.point], generation.number, number))
            finished = [result for result in results if result is not None]
            if len(finished) < len(results):
                return None
            done += zip(points, finished, strict=True)
        return self._ranked(done)

    def _propose(self, generation: Generation, done: Sequence[tuple[Proposal, Result]]) -> tuple[Proposal, ...]:
        """A whole generation, told everything of the earlier ones in their order."""
        metric, settings, seed = self.study.metric, self.study.search, self._seed(generation)
        if not self.space:
            points: list[Numbers] = [{} for _ in range(generation.size)]
        elif not done:
            first = [self._first(point) for point in settings.first]
            points = start(self.space, size=generation.size, seed=seed, first=first)
        else:
            history = [Tried(point.numbers, r.state, r.score(metric), r.curves.get(metric, ())) for point, r in done]
            points = samplers.propose(
                settings.sampler, self.space, history, size=generation.size, maximize=self.study.maximize, seed=seed
            )
        thresholds = self._thresholds([result for _, result in done])
        return tuple(Proposal(numbers, thresholds) for numbers in points)

    def _seed(self, generation: Generation) -> int:
        """Of what is drawn: of whatever makes this search another one than those of other arms, data and recipes, so
        that no two share their luck. The key has more in it, down to the engine's revision: that would be another draw
        for every arm whenever a last bit of training moves."""
        space = {name: to_json(domain) for name, domain in self.space.items()}
        drawn = [
            self.study.seed,
            list(self.replicate),
            dict(self.names),
            space,
            generation.number,
            subject(self.template),
        ]
        return int(digest(drawn)[:15], 16)

    def _first(self, point: Literal["defaults"] | Mapping[str, Value]) -> Numbers:
        """A point to begin with: the published values, and what the study puts in their place."""
        whole = published(self.template, self.space)
        return whole if point == "defaults" else {name: point.get(name, value) for name, value in whole.items()}

    def _thresholds(self, earlier: Sequence[Result]) -> Thresholds:
        """Where trials of the next generation stop that fall behind the earlier ones."""
        pruner, metric = self.study.search.pruner, self.study.metric
        if pruner is None or not earlier:
            return ()
        curves = [result.curves.get(metric, ()) for result in earlier]
        epochs = int(self.template.train["epochs"])
        return pruners.load(pruner.kind)(curves, epochs=epochs, maximize=self.study.maximize, **pruner.numbers)

    def _ranked(self, done: Sequence[tuple[Proposal, Result]]) -> list[Numbers]:
        complete = [(point, result) for point, result in done if result.state == "complete"]
        if not complete:
            raise Ended("no trial of its search finished")
        sign = -1 if self.study.maximize else 1
        # Sorting is stable: ties stay in the order of their numbers.
        complete.sort(key=lambda pair: sign * pair[1].score(self.study.metric))
        distinct: dict[str, Numbers] = {}
        for point, _ in complete:
            distinct.setdefault(point.point, dict(point.numbers))
        return list(distinct.values())


def published(trial: Trial, space: Mapping[str, Domain]) -> Numbers:
    """The values of a method's paper, and of the study's recipe, for all that is searched. One inside its range is the
    member of it that a search would try; others stay as they are published."""
    numbers = defaults(trial.method, tuple(sorted(trial.choices.items())), trial.dropped)
    recipe = {f"train.{name}": value for name, value in trial.train.items()}
    whole: dict[str, Value] = {**trial.choices, **numbers, **recipe}
    return {
        name: nearest(domain, whole[name]) if domain.contains(whole[name]) else whole[name]
        for name, domain in space.items()
    }


class Sizes(NamedTuple):
    """How many points the first generation of a search has, and each later one."""

    first: int
    later: int


def sizes(trials: int, generation: int, *, given: int = 1) -> Sizes:
    """The first generation is twice as large as later ones, and takes half of the budget at most: whatever learns from
    earlier points, a sampler or a pruner, has to get its turn.

    Args:
        trials: the budget.
        generation: points of a later generation where the budget is large.
        given: points to begin with, for which the first generation has room.
    """
    return Sizes(max(given, min(2 * generation, math.ceil(trials / 2))), min(generation, math.ceil(trials / 4)))


class Generation(NamedTuple):
    """Points `first` to `first + size` of a search, of which its budget uses the first `used`."""

    number: int
    first: int
    size: int
    used: int


def generations(trials: int, sizes: Sizes) -> Iterator[Generation]:
    """A search's generations, each asked whole."""
    number = first = 0
    while first < trials:
        whole = sizes.first if number == 0 else sizes.later
        yield Generation(number, first, whole, min(whole, trials - first))
        number, first = number + 1, first + whole


def finalist_rank(results: Sequence[Result], metric: str, *, maximize: bool) -> tuple[bool, float]:
    """Sorts the better point first, by the mean of its fresh seeds; one with a failed seed below all without."""
    complete = [result.score(metric) for result in results if result.state == "complete"]
    if not complete:
        return True, float("inf")
    mean = statistics.fmean(complete)
    return len(complete) < len(results), -mean if maximize else mean
