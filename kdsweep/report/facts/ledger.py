"""What was known when: each claim that was registered and each showing of test results, by the test rows concerned.

The ledger is the store's, not a study's: whoever looks again at the same test rows looks again, under whatever name.
Rows are the same where the samples and their labels are, or where the whole dataset is: another split is no new data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from kdsweep.report.facts.described import Described
from kdsweep.values.study import Study
from kdsweep.values.trial import digest

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Stated:
    """What a study sets out to show, and how it is judged; `arm` is "" where it claims nothing."""

    arm: str
    against: tuple[str, ...]
    metric: str
    select: str
    margin: float | None

    @classmethod
    def by(cls, study: Study | Described) -> Stated:
        claim = study.claim
        arm, against = (claim.arm, tuple(sorted(claim.against))) if claim else ("", ())
        return cls(arm, against, study.metric, study.select, study.equivalent)

    @property
    def digest(self) -> str:
        return digest(dataclasses.asdict(self))


@dataclass(frozen=True)
class Outcome:
    """What a showing said of one pair; numbers in the metric's printed unit, None where there was no interval."""

    arm: str
    against: str
    verdict: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Entry:
    """A line of the ledger.

    Attributes:
        when: in UTC, to the microsecond.
        rows, data: digests of the test rows' ids and labels, and of the whole dataset's content.
        source: digest of the study file's text.
        trials: the confirm runs that were shown: of the claim's arms, without a claim of all; () of a registration.
        n: seeds, times repeats.
        whole: whether these were all confirm runs, so that there was a verdict to be read.
    """

    kind: Literal["registered", "shown"]
    when: str
    study: str
    rows: str
    data: str
    stated: Stated
    source: str = ""
    trials: tuple[str, ...] = ()
    n: int = 0
    whole: bool = False
    outcomes: tuple[Outcome, ...] = ()

    @property
    def name(self) -> str:
        """Of what it says, whenever it is said: the same thing shown twice is one line."""
        said = replace(self, when="", source="", outcomes=(), trials=tuple(sorted(self.trials)))
        # A study that is only called otherwise shows the same thing.
        return digest(dataclasses.asdict(replace(said, study="") if self.kind == "shown" else said))

    def is_about(self, rows: str, data: str) -> bool:
        """Whether these test rows are its own."""
        return (bool(rows) and rows == self.rows) or (bool(data) and data == self.data)

    def continues(self, earlier: Entry) -> bool:
        """Whether this shows what `earlier` did, or that and more runs of it: same claim, nothing else changed."""
        return self.stated == earlier.stated and set(earlier.trials) <= set(self.trials)

    def is_another(self, earlier: Entry) -> bool:
        """Whether this is about something else than `earlier`: another claim, or another study."""
        ours = self.study == earlier.study or bool(set(self.trials) & set(earlier.trials))
        return self.stated != earlier.stated or not ours


@dataclass(frozen=True)
class History:
    """Where a report stands among the showings of its test rows.

    Attributes:
        now: what this report shows; None where it shows no test result, or nobody knows.
        showings, registrations: every one on these test rows, this report's own left out if it is new, in order.
    """

    now: Entry | None = None
    showings: tuple[Entry, ...] = ()
    registrations: tuple[Entry, ...] = ()

    @cached_property
    def earlier(self) -> tuple[Entry, ...]:
        """Showings before this one was first shown, less those that this one merely completes."""
        if self.now is None:
            return self.showings
        told = next((entry.when for entry in self.showings if entry.name == self.now.name), self.now.when)
        before = [entry for entry in self.showings if entry.when < told]
        return tuple(entry for entry in before if entry.whole or not self.now.continues(entry))

    @property
    def look(self) -> int:
        """Which showing of these test rows this is: each that said something else came before it."""
        return 1 + _count(self.earlier)

    @property
    def next_look(self) -> int:
        """Which showing the next one would be, with more seeds."""
        shown = {entry.name: entry for entry in (*self.showings, *filter(None, [self.now]))}
        return 1 + _count(shown.values())

    @property
    def first(self) -> Entry | None:
        """The showing that fixed the claim, where that was not this one."""
        return self.earlier[0] if self.earlier else None

    @property
    def registration(self) -> Entry | None:
        """Of this very claim of this study, before any result on these test rows was shown."""
        first = min((entry.when for entry in (*self.showings, *filter(None, [self.now]))), default="")
        return next((entry for entry in self.registrations if self._is_mine(entry) and entry.when < first), None)

    @property
    def afterwards(self) -> str:
        """Why the claim is one that was set after the test results were seen; "" where it was set before."""
        now, first = self.now, self.first
        if now is None or first is None:
            return ""
        own = [entry for entry in self.earlier if not now.is_another(entry)]
        if any(not now.continues(entry) for entry in own):
            return "what its arms are was changed since: other losses, ranges, settings or seeds than were shown"
        fixed = own[0].when if own else now.when
        foreign = [entry for entry in self.earlier if now.is_another(entry) and entry.when < fixed]
        if not foreign or self.registration:
            return ""
        return _changed(foreign[0], now)

    def _is_mine(self, entry: Entry) -> bool:
        return self.now is not None and entry.study == self.now.study and entry.stated == self.now.stated


def showing(study: Described, index: pd.DataFrame, there: Collection[str]) -> Entry | None:
    """What a report of this study shows of test; None while no confirm run has ended.

    Args:
        there: trials that have a result.
    """
    if index.empty:
        return None
    stated = Stated.by(study)
    arms = {name for name, arm in study.arms.items() if not arm.reference}
    if stated.arm:
        arms = {stated.arm, *stated.against}
    roles = index[index["wanted"].astype(bool) & (index["stage"] == "confirm") & index["arm"].isin(arms)]
    roles = roles[(roles["control"] == "") & (roles["row"] == "") & (roles["trains"] == "student")]
    roles = roles[roles["trial"].isin(set(there))]
    if roles.empty:
        return None
    planned = study.budget.seeds * study.budget.repeats
    ended = roles.groupby("arm").size() // study.data.folds
    return Entry(
        kind="shown",
        when=moment(),
        study=study.name,
        rows=study.data.tested,
        data=study.data.fingerprint,
        stated=stated,
        source=digest(study.file),
        trials=tuple(sorted(set(roles["trial"]))),
        n=int(ended.max()),
        # A complete study has nothing left to run, whatever failed.
        whole=study.complete or (len(ended) == len(arms) and int(ended.min()) >= planned),
    )


def registration(study: Study) -> Entry:
    """A study's claim, registered now.

    Args:
        study: with a claim and facts.
    """
    assert study.facts is not None
    return Entry(
        kind="registered",
        when=moment(),
        study=study.name,
        rows=study.facts.tested,
        data=study.facts.fingerprint,
        stated=Stated.by(study),
        source=digest(study.source),
    )


NOTHING_SHOWN = History()


def history(entries: Iterable[Entry], now: Entry | None, *, rows: str, data: str) -> History:
    """Of these test rows, in the order of time."""
    about = sorted((entry for entry in entries if entry.is_about(rows, data)), key=lambda entry: entry.when)
    return History(
        now,
        tuple(entry for entry in about if entry.kind == "shown"),
        tuple(entry for entry in about if entry.kind == "registered"),
    )


def moment() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def to_json(entry: Entry) -> dict[str, Any]:
    return dataclasses.asdict(entry)


def from_json(line: Mapping[str, Any]) -> Entry:
    stated = Stated(**{**line["stated"], "against": tuple(line["stated"]["against"])})
    outcomes = tuple(Outcome(**outcome) for outcome in line["outcomes"])
    return Entry(**{**line, "stated": stated, "trials": tuple(line["trials"]), "outcomes": outcomes})


def _count(entries: Iterable[Entry]) -> int:
    """How many things were shown: what was seen unfinished, and whole later, is one."""
    every = list(entries)
    whole = [entry for entry in every if entry.whole]
    return len(whole) + sum(not entry.whole and not any(other.continues(entry) for other in whole) for entry in every)


def _changed(then: Entry, now: Entry) -> str:
    """What differs between the first claim on these rows and this one, in words."""
    pairs: Sequence[tuple[str, object, object]] = (
        ("claim", (then.stated.arm, then.stated.against), (now.stated.arm, now.stated.against)),
        ("metric", then.stated.metric, now.stated.metric),
        ("epoch that counts", then.stated.select, now.stated.select),
        ("margin", then.stated.margin, now.stated.margin),
        ("study", then.study, now.study),
    )
    differ = [what for what, before, after in pairs if before != after]
    return f"these test rows had been shown with another {' and another '.join(differ)}"
