"""Whether the report's intervals hold and its verdicts err as rarely as they say, on synthetic studies.

Each study has arms whose runs are right or wrong on each test sample, by the sample's ease, the arm's taste for it (or
for its group) and the seed's skill: so a new seed and a new sample both matter, and what is true is known exactly.

    python benchmarks/coverage.py [--studies 1000] [--only PART]
    python benchmarks/coverage.py --tables benchmarks/results/coverage-DATE.json

The first writes what it finds to benchmarks/results/coverage-DATE.json, the second that file's tables into
docs/statistics.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from kdsweep.report.statistics.collapses import Collapses
from kdsweep.report.statistics.compare import Comparison
from kdsweep.report.statistics.crossed import Crossed
from kdsweep.report.statistics.verdicts import Verdict, judge
from kdsweep.tasks.registry import METRICS

Array = NDArray[np.float64]
EASE, TASTE, BASE = 1.5, 0.6, 0.8  # logits: spread of samples, of an arm's taste for them, and where accuracy is 0.67
SMALL, LARGE = 0.05, 0.3  # logits: about 1 and 5 points of accuracy from seed to seed
DOCUMENT = Path(__file__).parents[1] / "docs" / "statistics.md"
AS_IS = ("difference", "looks")  # columns that are no shares
MOST = 60  # seeds that a study is willing to pay for, whatever its report advises


@dataclass(frozen=True)
class World:
    """Where studies are drawn from.

    Attributes:
        groups: sizes of the test set's groups; empty where samples are independent.
        collapse: share of runs that lose 2 logits, as diverging ones do.
        lone: whether only the first arm's runs collapse.
        shift: logits by which the first arm is better.
        correlation: of two arms' seeds and tastes.
        base: logits of a sample of middling ease.
    """

    seeds: int = 10
    samples: int = 500
    groups: tuple[int, ...] = ()
    seed_sd: float = SMALL
    collapse: float = 0.0
    lone: bool = False
    shift: float = 0.0
    correlation: float = 0.0
    base: float = BASE

    def __str__(self) -> str:
        test = f"{self.samples} samples"
        if self.groups:
            sizes = {*self.groups}
            size = f"{min(sizes)}" if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"
            test = f"{len(self.groups)} groups of {size}"
        words = [f"{self.seeds} seeds", test, f"seed noise {self.seed_sd:g}"]
        if self.collapse:
            words.append(f"{self.collapse:.0%} {'of one arm ' if self.lone else ''}collapse")
        if self.correlation:
            words.append(f"arms correlated {self.correlation:g}")
        if self.base != BASE:
            words.append(f"{100 * self.accuracy(0.0):.1f}% accuracy")
        return ", ".join(words)

    def units(self, rng: np.random.Generator, *, arms: int = 2, seeds: int = 0) -> Array:
        """Values of the test units [arms, S, I], as a report reads them."""
        S = seeds or self.seeds
        sizes = np.array(self.groups or [1] * self.samples)
        shared = rng.normal(scale=EASE, size=len(sizes)) if not self.groups else 0.7 * rng.normal(size=len(sizes))
        taste = TASTE * self._of_arms(rng, arms, len(sizes))
        logit = np.repeat(shared + taste, sizes, axis=1)
        if self.groups:
            logit = logit + rng.normal(scale=EASE, size=logit.shape[1])
        falls = rng.random((arms, S)) < self.collapse
        if self.lone:
            falls[1:] = False
        skill = self.seed_sd * self._of_arms(rng, arms, S) - 2 * falls
        skill[0] += self.shift
        chance = expit((self.base + logit[:, None] + skill[:, :, None]).astype(np.float32))
        right = rng.random(chance.shape, dtype=np.float32) < chance
        if not self.groups:
            return right.astype(float)
        sums = np.add.reduceat(right.astype(float), np.cumsum([0, *sizes[:-1]]), axis=2)
        return sums * len(sizes) / sizes.sum()

    def _of_arms(self, rng: np.random.Generator, arms: int, count: int) -> Array:
        """Standard normal [arms, count]; every arm is correlated with the first."""
        drawn = rng.normal(size=(arms, count))
        if self.correlation:
            drawn[1:] = self.correlation * drawn[0] + np.sqrt(1 - self.correlation**2) * drawn[1:]
        return drawn

    def accuracy(self, shift: float) -> float:
        """Of runs that do not collapse: the logits are normal, so one integral."""
        spread = (0.7**2 if self.groups else 0.0) + EASE**2 + TASTE**2 + self.seed_sd**2
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        return float((weights * expit(self.base + shift + np.sqrt(spread) * nodes)).sum() / weights.sum())

    @property
    def truth(self) -> float:
        """Expected difference of the first arm from another."""
        other = 0.0 if self.lone else self.collapse
        first, second = (
            (1 - rate) * self.accuracy(shift) + rate * self.accuracy(shift - 2)
            for shift, rate in ((self.shift, self.collapse), (0.0, other))
        )
        return first - second


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
SOME_GROUPS = (10, 20, 30, 40, 60, 80, 20, 100)
FEW = [(30, 60, 90, 180), (120, 240)]
# What an interval has to hold in: few seeds, few and unequal groups, small and large seed noise, arms that go together
# and apart, and nearly no errors at all.
SETTINGS = [
    *(
        World(seeds=seeds, seed_sd=noise, **test)
        for seeds, test, noise in itertools.product(
            (3, 5, 10),
            [{"samples": 360}, *({"groups": sizes} for sizes in (EQUAL_GROUPS, UNEQUAL_GROUPS, SOME_GROUPS, *FEW))],
            (SMALL, LARGE),
        )
    ),
    *(World(seeds=seeds, samples=360, correlation=c) for seeds in (3, 5, 10) for c in (0.95, -0.95)),
    *(World(seeds=seeds, samples=360, base=5.62) for seeds in (3, 5, 10)),
    *(World(seeds=10, shift=0.25, seed_sd=noise, **test) for noise in (SMALL, LARGE) for test in TESTS[1::3]),
]


def coverage(studies: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """How often 95% intervals hold the truth: the report's, what it was before no part might exceed it, its parts; and
    the first two among the studies where a component of the variance comes out negative."""
    rows = []
    for world in SETTINGS:
        truth = world.truth
        names = ("crossed", "without its parts", "seeds only", "samples only")
        held, widths = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
        among, negative = dict.fromkeys(names, 0), 0
        for _ in range(studies):
            a, b = world.units(rng)
            D = a - b
            crossed = Crossed.of(D)
            bare = replace(crossed.interval, beside=())
            drawn = (crossed.interval, bare, intervals.over(D.mean(1)), intervals.over(D.mean(0)))
            odd = min(crossed.squares.seed, crossed.squares.sample) < crossed.squares.noise
            negative += odd
            for name, found in zip(names, drawn, strict=True):
                low, high = found.bounds()
                inside = low <= truth <= high
                held[name] += inside
                among[name] += inside and odd
                widths[name] += high - low
        rows.append(
            {
                "setting": str(world),
                "difference": round(100 * world.truth, 1),
                **{name: count / studies for name, count in held.items()},
                "wider by": widths["crossed"] / widths["without its parts"] - 1,
                "negative": negative / studies,
                **{f"{name}, if negative": among[name] / max(negative, 1) for name in names[:2]},
            }
        )
        print(rows[-1], flush=True)
    return rows


def collapses(studies: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """What is said where one arm's runs collapse in 5 or 10%, or none do: both arms are equal otherwise, and the margin
    is what collapses make of the difference (3.4 points for 10%), or 3 points."""
    rows = []
    for rate, seeds in ((0.1, 5), (0.1, 10), (0.1, 20), (0.05, 10), (0.0, 10), (0.0, 50), (0.0, 100)):
        world = World(seeds=seeds, collapse=rate, lone=True)
        truth = world.truth
        margin = 100 * abs(truth) if rate else 3.0
        said, held = [], 0
        for _ in range(studies):
            values = world.units(rng)
            low, high = Crossed.of(values[0] - values[1]).interval.bounds()
            held += low <= truth <= high
            said.append(
                (verdicts_of(values, equivalent=margin, counted=False)[0], verdicts_of(values, equivalent=margin)[0])
            )
        rows.append(
            {
                "setting": f"{world}, margin {margin:.1f}" if rate else f"{world}, no collapse, margin 3",
                "interval": held / studies,
                "equivalent, before": sum(before.word == "equivalent" for before, _ in said) / studies,
                "equivalent": sum(now.word == "equivalent" for _, now in said) / studies,
                "if no run collapses": sum(now.provided for _, now in said) / studies,
            }
        )
        print(rows[-1], flush=True)
    return rows


def heavy_tails(studies: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Correlations of two unequal arms whose targets and errors have heavy tails: 10 seeds, 300 samples."""
    rows = []
    for name, df in itertools.product(("pearson", "ccc"), (3, 5, 100)):
        own = {"pearson": lambda v: 1 / np.sqrt(1 + v), "ccc": lambda v: 2 / (2 + v)}[name]
        scales = np.array([0.7, 1.2])
        truth = float(np.subtract(*own(scales**2 + 0.15**2)))
        held = 0
        for _ in range(studies):
            y = rng.standard_t(df, 300)
            each = scales[:, None] * rng.standard_t(df, (2, 300))
            runs = y + each[:, None] + 0.15 * rng.standard_t(df, (2, 10, 300)) + 0.02 * rng.normal(size=(2, 10, 1))
            values = [[_correlated(name, x, y) for x in arm] for arm in runs]
            low, high = Crossed.of(np.subtract(*np.array(values))).interval.bounds()
            held += low <= truth <= high
        rows.append({"setting": f"{name}, Student's t with {df} degrees of freedom", "crossed": held / studies})
        print(rows[-1], flush=True)
    return rows


def _correlated(name: str, x: Array, y: Array) -> Array:
    table = pd.DataFrame({"sample": np.arange(len(x)), "label": list(y[:, None]), "prediction": list(x[:, None])})
    return cast(pd.Series, scores.units(table, METRICS[name])).to_numpy()


def rare_class(studies: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Unweighted average recall of two equal arms where one class of three has few of 200 test samples: 10 seeds."""
    rows = []
    for few in (2, 3, 5, 10, 20):
        label = np.repeat([0, 1, 2], [120 - few, 80, few])
        held = 0
        for _ in range(studies):
            ease, taste = rng.normal(size=200), rng.normal(scale=TASTE, size=(2, 1, 200))
            right = rng.random((2, 10, 200)) < expit(BASE + ease + taste + SMALL * rng.normal(size=(2, 10, 1)))
            # A class's recall, less its sample: the same as leaving it out of a table of predictions.
            values = np.array([[_recalls(run, label) for run in arm] for arm in right])
            low, high = Crossed.of(values[0] - values[1]).interval.bounds()
            held += low <= 0 <= high
        rows.append({"setting": f"{few} of 200 samples", "crossed": held / studies})
        print(rows[-1], flush=True)
    return rows


def _recalls(right: Array, label: NDArray[np.int64]) -> Array:
    guess = np.where(right, label, (label + 1) % 3)
    table = pd.DataFrame({"sample": np.arange(len(label)), "label": label, "prediction": guess})
    return cast(pd.Series, scores.units(table, METRICS["uar"])).to_numpy()


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


def verdicts_of(
    values: Array, *, equivalent: float | None = None, look: int = 1, counted: bool = True
) -> list[Verdict]:
    """What the report says of the first arm against each other, from units [arms, S, I]: one family.

    Args:
        counted: whether collapses are looked for; the classes are four.
    """
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
                collapses=tuple(
                    Collapses.of(name, scored, maximize=True, chance=0.25)
                    for name, scored in zip("ab", runs, strict=True)
                )
                if counted
                else (),
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
        margin, wrong = 100 * world.truth, 0
        for _ in range(studies):
            # No run of this world collapses, and nothing else is asked here.
            said = verdicts_of(world.units(rng, arms=arms), equivalent=margin, counted=False)
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


# In this order, which gives each its stream.
EVERY = (coverage, macro_f1, verdicts, looks, equivalence, tuning, collapses, heavy_tails, rare_class)
PARTS = {part.__name__: part for part in EVERY}


def write_tables(found: dict[str, Any], document: Path) -> None:
    """Put every part's table between its two marks."""
    text = document.read_text()
    for name in PARTS:
        before, start, rest = text.partition(f"<!-- {name} -->\n")
        if start and name in found:
            _, end, after = rest.partition("<!-- end -->")
            text = f"{before}{start}\n{table(found[name]['rows'])}\n\n{end}{after}"
    document.write_text(text)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """As Markdown; shares in percent."""
    names = list(rows[0])

    def cell(name: str, value: Any) -> str:
        return str(value) if isinstance(value, str) else f"{value if name in AS_IS else 100 * value:.1f}"

    lines = [names, ["---", *["---:"] * (len(names) - 1)], *([cell(n, row[n]) for n in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--tables", type=Path, metavar="JSON")
    asked = parser.parse_args()
    if asked.tables:
        write_tables(json.loads(asked.tables.read_text()), DOCUMENT)
        return
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
