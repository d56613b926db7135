"""Comparisons judged together: better, worse, equivalent or undecided, and what would decide it."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics import intervals, multiplicity
from kdsweep.report.statistics.compare import Comparison, compare, confirmed
from kdsweep.report.statistics.crossed import Crossed
from kdsweep.report.statistics.intervals import Interval
from kdsweep.report.statistics.multiplicity import Adjusted

ALPHA = 0.05
MOST = 500  # runs beyond which nobody is advised to go
Word = Literal["better", "worse", "equivalent", "undecided", "no verdict"]


@dataclass(frozen=True)
class Verdict:
    """A word, the p behind it after Holm's adjustment, and what stands in the way or would decide.

    Attributes:
        margin: the study's, in words: of an equivalent pair, and of a better or worse one that lies within it.
        advised: the fewest seeds (or repeats) in all that would decide an open question; None where none would.
        level: of the interval that agrees with the verdict, Holm's adjustment included: `interval.bounds(level)` leaves
            0 out where one is better or worse, and lies inside the margin where they are equivalent (90% in a family of
            one: two one-sided tests at 5%). None without a verdict.
        within: whether a better or worse one lies within what the study calls equal.
        provided: whether an undecided pair is equivalent provided that no run collapses; `margin` and `level` are then
            those of equivalence.
        proviso: what runs without a collapse do not exclude, a sentence that a table prints once; "" where runs
            collapsed, which is a finding of its own (`comparison.findings`), and where nothing is said of the pair.
    """

    word: Word
    p: float | None
    detail: str = ""
    margin: str = ""
    advised: int | None = None
    level: float | None = None
    within: bool = False
    provided: bool = False
    proviso: str = ""

    @property
    def mirrored(self) -> Verdict:
        """The same of b against a."""
        words: dict[Word, Word] = {"better": "worse", "worse": "better"}
        return replace(self, word=words.get(self.word, self.word))

    def __str__(self) -> str:
        if self.within:
            return f"{self.word}, within {self.margin}"
        if self.provided:
            return f"equivalent within {self.margin} if no run collapses"
        return f"equivalent within {self.margin}" if self.word == "equivalent" else self.word


def judge(runs: Runs, family: Sequence[Comparison]) -> list[Verdict]:
    """One verdict each, the p values adjusted for being judged together (Holm 1979)."""
    alpha = multiplicity.level(runs.look, ALPHA)
    margin = runs.study.equivalent
    judged = [i for i, comparison in enumerate(family) if comparison.interval is not None and not comparison.barriers]
    # The family is as large as it was planned: what got no verdict counts as a test that showed nothing.
    silent = [1.0] * (len(family) - len(judged))
    differ = dict(
        zip(judged, multiplicity.holm_tests([*(_interval(family[i]).p for i in judged), *silent]), strict=False)
    )
    equal: dict[int, Adjusted] = {}
    if margin is not None:
        width = margin / runs.metric.scale
        same = [_interval(family[i]).equivalence(width) for i in judged]
        equal = dict(zip(judged, multiplicity.holm_tests([*same, *silent]), strict=False))
    return [
        _verdict(runs, comparison, differ[i], equal.get(i), alpha, len(family))
        if i in differ
        else Verdict("no verdict", None, "; ".join(comparison.barriers) or "too few runs")
        for i, comparison in enumerate(family)
    ]


@dataclass(frozen=True)
class Judged:
    """A comparison with its verdict, and whether it is part of a claim that was set before the results were seen."""

    comparison: Comparison
    verdict: Verdict
    claimed: bool


@functools.lru_cache(maxsize=1)
def against_baselines(runs: Runs) -> dict[tuple[str, str], Judged]:
    """Every arm against every baseline, by their names: the claim's pairs are one family, all others another."""
    # Two baselines meet once, the later one against the earlier.
    pairs = [(a, b) for i, b in enumerate(runs.baselines) for a in runs.arms if a not in runs.baselines[: i + 1]]
    claim = runs.study.claim
    families = [
        [pair for pair in pairs if claim and pair[0] == claim.arm and pair[1] in claim.against],
        [pair for pair in pairs if not (claim and pair[0] == claim.arm and pair[1] in claim.against)],
    ]
    judged: dict[tuple[str, str], Judged] = {}
    for family, claimed in zip(families, (True, False), strict=True):
        compared = [compare(runs, confirmed(runs, a), confirmed(runs, b)) for a, b in family]
        verdicts = judge(runs, compared)
        judged |= {
            pair: Judged(comparison, verdict, claimed and runs.stated_before)
            for pair, comparison, verdict in zip(family, compared, verdicts, strict=True)
        }
    return {pair: judged[pair] for pair in pairs}


def _verdict(
    runs: Runs, comparison: Comparison, differ: Adjusted, equal: Adjusted | None, alpha: float, family: int
) -> Verdict:
    interval, metric = _interval(comparison), runs.metric
    ahead = (interval.mean > 0) == metric.maximize
    margin = runs.study.equivalent
    written = f"±{margin:g} {unit(metric.unit)}" if margin is not None else ""
    level, proviso = 1 - alpha / differ.times, comparison.proviso
    inside = equal is not None and equal.p <= alpha
    if differ.p <= alpha:
        winner, failed = (comparison.a, comparison.failures[0]) if ahead else (comparison.b, comparison.failures[1])
        if failed:
            detail = f"{failed} of {winner}'s confirm runs failed, so it cannot be called better"
            return Verdict("undecided", differ.p, detail, level=level)
        if not inside:
            return Verdict("better" if ahead else "worse", differ.p, level=level, proviso=proviso)
        return Verdict(
            "better" if ahead else "worse",
            differ.p,
            f"the difference is real, and within what the study calls equal, {written}",
            written,
            level=level,
            within=True,
            proviso=proviso,
        )
    if equal is not None and inside:
        if sum(comparison.failures):
            detail = f"confirm runs failed, so it cannot be called equivalent within {written}"
            return Verdict("undecided", differ.p, detail, level=level)
        level, (open_, seeds) = 1 - 2 * alpha / equal.times, _overturned(runs, comparison, written)
        if not open_:
            return Verdict("equivalent", differ.p, margin=written, level=level, proviso=proviso)
        return Verdict(
            "undecided",
            differ.p,
            open_,
            written,
            advised=seeds,
            level=level,
            provided=not comparison.findings,
            proviso=proviso,
        )
    detail, advised = _what_would_decide(runs, comparison, family, written)
    return Verdict("undecided", differ.p, detail, advised=advised, level=level)


class Advice(NamedTuple):
    words: str
    seeds: int | None


def _overturned(runs: Runs, comparison: Comparison, margin: str) -> Advice:
    """Why collapses that were not seen could carry equivalent sides apart; without words where they could not.

    A side's mean may lie lower by what its runs do not exclude: the rate 3/n (or, where some collapsed, the upper bound
    of their rate) times the loss of a collapse. No ten runs exclude that: in 35% of studies an arm that collapses in a
    tenth of its runs shows none in ten.
    """
    metric, width = runs.metric, (runs.study.equivalent or 0.0) / runs.metric.scale
    lead = _interval(comparison).mean * (1 if metric.maximize else -1)
    rooms = zip((width + lead, width - lead), comparison.collapses, strict=False)
    risks = [(room, side) for room, side in rooms if room < side.unseen]
    if not risks:
        return Advice("", None)
    if found := [side.name for _, side in risks if side.seen]:
        names = " and ".join(dict.fromkeys(found))
        return Advice(
            f"runs of {names} collapsed, at a rate that could carry the two further apart than {margin}", None
        )
    room, side = max(risks, key=lambda risk: risk[1].loss / risk[0])
    if not math.isfinite(side.loss):
        return Advice(f"{side.runs} runs without a collapse do not exclude some, and what one costs is not known", None)
    needed = math.ceil(3 * side.loss / room)
    return Advice(
        f"{side.runs} runs without a collapse do not exclude a rate of {side.highest:.0%}, and from a rate of "
        f"{room / side.loss:.1%} on, at {amount(side.loss * metric.scale)} {unit(metric.unit)} each, collapses of "
        f"{side.name} would carry the two further apart; {needed} runs without one would exclude that",
        needed if needed <= MOST else None,
    )


def _what_would_decide(runs: Runs, comparison: Comparison, family: int, margin: str) -> Advice:
    """More seeds, and how many; or no number of them."""
    metric = runs.metric
    crossed = comparison.crossed
    if crossed is None:
        return Advice("more folds would narrow this", None)
    # Adding seeds is another look, and it is tested more strictly.
    alpha = multiplicity.level(runs.next_look, ALPHA) / family
    row = comparison.over.split(" ")[0]
    clauses = []
    mean = _interval(comparison).mean
    if mean == 0 and crossed.squares.seed == crossed.squares.noise == 0:
        return Advice("the two do not differ on a single test sample", None)
    ahead = "better" if (mean > 0) == metric.maximize else "worse"
    seeds = crossed.seeds_to_differ(alpha)
    equal = None
    if seeds is not None:
        clauses.append(f"{_more(seeds - comparison.n, row)} would show it {ahead}, if the difference stays what it is")
    if runs.study.equivalent is not None:
        width = runs.study.equivalent / metric.scale
        equal = crossed.seeds_to_equal(alpha, width)
        if equal is not None:
            clauses.append(f"{_more(equal - comparison.n, row)} would show it equivalent within {margin}, if it is")
        elif width <= (least := intervals.quantile(1 - alpha, crossed.samples - 1) * _sample_error(crossed)):
            clauses.append(
                f"±{runs.study.equivalent:g} is less than this test set can show: at best "
                f"±{amount(least * metric.scale)} {unit(metric.unit)}"
            )
    if runs.study.equivalent is None:
        clauses.append(
            "to show them equal takes a margin, report: {equivalent: ...}, declared before the test part is read"
        )
    if seeds is None and mean == 0:
        clauses.append(f"no number of {row} shows a difference where there is none")
    elif seeds is None:
        least = crossed.smallest(alpha) * metric.scale
        clauses.append(
            f"no number of {row} will show a difference: the test set is too small for differences under "
            f"{amount(least)} {unit(metric.unit)}"
            if least >= abs(_interval(comparison).mean) * metric.scale
            else f"more than 500 {row} would be needed to show a difference this small"
        )
    return Advice("; ".join(clauses), min((n for n in (seeds, equal) if n is not None), default=None))


def _more(count: int, rows: str) -> str:
    return f"1 more {rows.removesuffix('s')}" if count == 1 else f"{count} more {rows}"


def unit(word: str) -> str:
    """Of a difference: shares differ by points."""
    return "points" if word == "%" else word


def amount(value: float) -> str:
    """Two significant digits, as few zeros as that takes."""
    return f"{value:.2g}" if 0 < abs(value) < 10 else f"{value:.0f}"


def _sample_error(crossed: Crossed) -> float:
    return math.sqrt(crossed.sample / crossed.samples)


def _interval(comparison: Comparison) -> Interval:
    assert comparison.interval is not None
    return comparison.interval
