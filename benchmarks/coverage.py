"""Whether the report's intervals hold and its verdicts err as rarely as they say, on synthetic studies.

Each study has arms whose runs are right or wrong on each test sample, by the sample's ease, the arm's taste for it (or
for its group) and the seed's skill: so a new seed and a new sample both matter, and what is true is known exactly.

    python benchmarks/coverage.py [--studies 2000] [--only coverage|macro_f1|verdicts|looks|equivalence|tuning]

Prints the tables that docs/statistics.md quotes and writes them to benchmarks/results/coverage-DATE.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics import intervals, scores
from kdsweep.report.statistics.compare import Comparison
from kdsweep.report.statistics.crossed import Crossed
from kdsweep.report.statistics.verdicts import Verdict, judge
from kdsweep.tasks.registry import METRICS

Array = NDArray[np.float64]
EASE, TASTE, BASE = 1.5, 0.6, 0.8  # logits: spread of samples, of an arm's taste for them, and where accuracy is 0.67
SMALL, LARGE = 0.05, 0.3  # logits: about 1 and 5 points of accuracy from seed to seed
MOST = 60  # seeds that a study is willing to pay for, whatever its report advises


@dataclass(frozen=True)
class World:
    """Where studies are drawn from.

    Attributes:
        groups: sizes of the test set's groups; empty where samples are independent.
        collapse: share of runs that lose 2 logits, as diverging ones do.
        shift: logits by which the first arm is better.
    """

    seeds: int = 10
    samples: int = 500
    groups: tuple[int, ...] = ()
    seed_sd: float = SMALL
    collapse: float = 0.0
    shift: float = 0.0

    def __str__(self) -> str:
        test = f"{self.samples} samples"
        if self.groups:
            sizes = {*self.groups}
            size = f"{min(sizes)}" if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"
            test = f"{len(self.groups)} groups of {size}"
        noise = f"seed noise {self.seed_sd:g}" + (f", {self.collapse:.0%} collapse" if self.collapse else "")
        return f"{self.seeds} seeds, {test}, {noise}"

    def units(self, rng: np.random.Generator, *, arms: int = 2, seeds: int = 0) -> Array:
        """Values of the test units [arms, S, I], as a report reads them."""
        S = seeds or self.seeds
        sizes = np.array(self.groups or [1] * self.samples)
        shared = rng.normal(scale=EASE, size=len(sizes)) if not self.groups else 0.7 * rng.normal(size=len(sizes))
        taste = rng.normal(scale=TASTE, size=(arms, len(sizes)))
        logit = np.repeat(shared + taste, sizes, axis=1)
        if self.groups:
            logit = logit + rng.normal(scale=EASE, size=logit.shape[1])
        skill = self.seed_sd * rng.normal(size=(arms, S)) - 2 * (rng.random((arms, S)) < self.collapse)
        skill[0] += self.shift
        chance = expit((BASE + logit[:, None] + skill[:, :, None]).astype(np.float32))
        right = rng.random(chance.shape, dtype=np.float32) < chance
        if not self.groups:
            return right.astype(float)
        sums = np.add.reduceat(right.astype(float), np.cumsum([0, *sizes[:-1]]), axis=2)
        return sums * len(sizes) / sizes.sum()

    @property
    def truth(self) -> float:
        """Expected difference of the first arm from another: the logits are normal, so one integral each."""
        spread = (0.7**2 if self.groups else 0.0) + EASE**2 + TASTE**2 + self.seed_sd**2
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)

        def accuracy(shift: float) -> float:
            at = BASE + shift + np.sqrt(spread) * nodes
            return float((weights * ((1 - self.collapse) * expit(at) + self.collapse * expit(at - 2))).sum())

        return (accuracy(self.shift) - accuracy(0.0)) / float(weights.sum())


EQUAL_GROUPS = (20,) * 27
UNEQUAL_GROUPS = tuple(int(size) for size in np.linspace(5, 60, 27))
TESTS: list[dict[str, Any]] = [
    *({"samples": samples} for samples in (100, 500, 2000)),
    {"groups": EQUAL_GROUPS},
    {"groups": UNEQUAL_GROUPS},
]
WORLDS = [
    World(seeds=seeds, seed_sd=noise, shift=shift, **test)
    for seeds, test, noise, shift in itertools.product((5, 10), TESTS, (SMALL, LARGE), (0.0, 0.25))
    if not shift or test != {"samples": 2000}
]
# Outside what Student's t assumes: printed, so that nobody has to guess.
COLLAPSING = [World(seeds=seeds, seed_sd=SMALL, collapse=0.05) for seeds in (5, 10)]


def coverage(studies: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """How often 95% intervals hold the truth: crossed, and over seeds or samples alone."""
    rows = []
    for world in [*WORLDS, *COLLAPSING]:
        held = {"crossed": 0, "seeds only": 0, "samples only": 0}
        for _ in range(studies):
            a, b = world.units(rng)
            D = a - b
            each = (Crossed.of(D).interval, intervals.over(D.mean(1)), intervals.over(D.mean(0)))
            for name, found in zip(held, each, strict=True):
                low, high = found.bounds()
                held[name] += low <= world.truth <= high
        shares = {name: count / studies for name, count in held.items()}
        rows.append({"setting": str(world), "difference": round(100 * world.truth, 1), **shares})
        print(rows[-1], flush=True)
    return rows


def macro_f1(studies: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """The same through jackknife pseudo-values, two equal arms of five unequal classes."""
    rows = []
    for seeds, samples in itertools.product((5, 10), (100, 300, 1000)):
        held = 0
        for _ in range(studies):
            label = rng.choice(5, p=[0.4, 0.25, 0.15, 0.12, 0.08], size=samples)
            ease, taste = rng.normal(size=samples), rng.normal(scale=TASTE, size=(2, samples))
            values = np.empty((2, seeds, samples))
            for arm, seed in itertools.product(range(2), range(seeds)):
                skill = expit(BASE + ease + taste[arm] + SMALL * rng.normal())
                guess = np.where(rng.random(samples) < skill, label, rng.integers(5, size=samples))
                table = pd.DataFrame({"sample": np.arange(samples), "label": label, "prediction": guess})
                # Units come sorted by name as words: equal for both arms, so the pairing holds.
                values[arm, seed] = cast(pd.Series, scores.units(table, METRICS["macro_f1"])).to_numpy()
            low, high = Crossed.of(values[0] - values[1]).interval.bounds()
            held += low <= 0 <= high
        rows.append({"setting": f"{seeds} seeds, {samples} samples", "crossed": held / studies})
        print(rows[-1], flush=True)
    return rows


def verdicts_of(values: Array, *, equivalent: float | None = None, look: int = 1) -> list[Verdict]:
    """What the report says of the first arm against each other, from units [arms, S, I]: one family."""
    family = []
    for b in values[1:]:
        crossed = Crossed.of(values[0] - b)
        pairs, runs = tuple((values[0] - b).mean(1)), (tuple(values[0].mean(1)), tuple(b.mean(1)))
        over = intervals.over(pairs)
        family.append(
            Comparison(
                a="a",
                b="b",
                interval=crossed.interval,
                crossed=crossed,
                seeds_only=over,
                samples_only=None,
                over="seeds × samples",
                n=len(pairs),
                barriers=(),
                failures=(0, 0),
                pairs=pairs,
                scores=runs,
            )
        )
    study = SimpleNamespace(equivalent=equivalent)
    return judge(
        cast(Runs, SimpleNamespace(look=look, next_look=look + 1, study=study, metric=METRICS["accuracy"])), family
    )


def verdicts(studies: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """How often equal arms are called different: any of a claim's three baselines."""
    rows = []
    for world in [one for one in WORLDS if not one.shift]:
        said = [verdicts_of(world.units(rng, arms=4)) for _ in range(studies)]
        rows.append({"setting": str(world), **_wrong(said)})
        print(rows[-1], flush=True)
    return rows


def looks(studies: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """The same where seeds are added, up to three times, as many as the report advises."""
    rows = []
    for seed_sd, test in itertools.product((SMALL, LARGE), ({"samples": 500}, {"groups": EQUAL_GROUPS})):
        world, looked, last = World(seeds=5, seed_sd=seed_sd, **test), 0, []
        for _ in range(studies):
            whole, seeds = world.units(rng, arms=3, seeds=MOST), world.seeds
            for look in range(1, 5):
                looked += 1
                said = verdicts_of(whole[:, :seeds], look=look)
                advised = [one.advised for one in said if one.advised is not None]
                if _any(said, "better", "worse") or not advised or seeds == MOST:
                    break
                seeds = min(max(advised), MOST)
            last.append(said)
        rows.append({"setting": str(world), **_wrong(last), "looks": looked / studies})
        print(rows[-1], flush=True)
    return rows


def equivalence(studies: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """How often arms that differ by exactly the margin are called equivalent: the worst case there is."""
    rows = []
    for (seeds, noise, arms), test in itertools.product(
        [(10, SMALL, 2), (10, SMALL, 4), (10, LARGE, 2), (20, SMALL, 2)], TESTS[1:4]
    ):
        world = World(seeds=seeds, seed_sd=noise, shift=0.25, **test)
        wrong = 0
        for _ in range(studies):
            said = verdicts_of(world.units(rng, arms=arms), equivalent=100 * world.truth)
            wrong += _any(said, "equivalent")
        rows.append({"setting": f"{world}, {arms - 1} baselines", "false equivalent": wrong / studies})
        print(rows[-1], flush=True)
    return rows


def tuning(studies: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """How often two equal arms differ because each search found another point, and what finalists and repeats do."""
    rows = []
    for spread, protocol in itertools.product((0.1, 0.2), ("search", "finalists", "repeats")):
        said = []
        for _ in range(studies):
            seeds, searches = (5, 5) if protocol == "repeats" else (10, 1)
            chosen = [[_chosen(rng, spread, finalists=protocol != "search") for _ in range(searches)] for _ in range(2)]
            said.append(verdicts_of(_at(World(seeds=seeds), np.array(chosen), rng)))
        rows.append({"setting": f"points spread {spread:g} logits; {protocol}", **_wrong(said)})
        print(rows[-1], flush=True)
    return rows


def _chosen(rng: np.random.Generator, spread: float, *, finalists: bool) -> float:
    """True skill of the point that a search of 32 finds on 300 validation samples, of one seed each."""
    points = spread * rng.normal(size=32)
    order = np.argsort(-_validated(rng, points, seeds=1))
    if not finalists:
        return float(points[order[0]])
    best = points[order[:4]]
    return float(best[np.argmax(_validated(rng, best, seeds=3))])


def _validated(rng: np.random.Generator, skill: Array, *, seeds: int) -> Array:
    # Points share the validation samples; what is left of a score's noise is its run's.
    accuracy = expit((BASE + skill) / np.sqrt(1 + (EASE**2 + TASTE**2) / 2.89))
    noise = np.sqrt(0.12 / 300 / seeds + (0.2 * SMALL) ** 2 / seeds)
    return accuracy + noise * rng.normal(size=len(skill))


def _at(world: World, skill: Array, rng: np.random.Generator) -> Array:
    """Units [2, S, I] of arms at these skills [2, 1 or S]; with repeats each row is the mean of three seeds."""
    S, I = world.seeds, world.samples  # noqa: E741
    logit = rng.normal(scale=EASE, size=I) + rng.normal(scale=TASTE, size=(2, 1, I))
    each = 3 if skill.shape[1] > 1 else 1
    run = np.repeat(np.broadcast_to(skill, (2, S)), each, axis=1) + world.seed_sd * rng.normal(size=(2, S * each))
    right = rng.random((2, S * each, I)) < expit(BASE + logit + run[:, :, None])
    return right.reshape(2, S, each, I).mean(2)


def _wrong(studies: Sequence[Sequence[Verdict]]) -> dict[str, float]:
    """Shares of studies of equal arms with any "better", and with any "better" or "worse"."""
    return {
        "false better": sum(_any(said, "better") for said in studies) / len(studies),
        "false better or worse": sum(_any(said, "better", "worse") for said in studies) / len(studies),
    }


def _any(said: Sequence[Verdict], *words: str) -> bool:
    return any(one.word in words for one in said)


PARTS = {part.__name__: part for part in (coverage, macro_f1, verdicts, looks, equivalence, tuning)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    asked = parser.parse_args()
    path = asked.out / f"coverage-{(day := datetime.now(UTC).date().isoformat())}.json"
    for name, part in PARTS.items():
        if asked.only in (None, name):
            # Each part has a stream of its own: it can be run alone with the same result.
            rng = np.random.default_rng([list(PARTS).index(name), 20])
            rows = part(asked.studies, rng)
            found = json.loads(path.read_text()) if path.exists() else {"date": day, "numpy": np.__version__}
            found[name] = {"studies": asked.studies, "rows": rows}
            path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
