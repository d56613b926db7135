"""The words that a report uses, in plain ones: tooltips of column heads, and a list at the end."""

from __future__ import annotations

from collections.abc import Mapping

from kdsweep.report import sections
from kdsweep.report.render import section

# Words that several sections use; those of one alone are explained there.
GLOSSARY = {
    "arm": "One row of the comparison: a method with its choices, ranges and teacher.",
    "teacher": "The model that an arm distils from, by the key of its first run, and its mean score on test.",
    "n": "Confirm runs that count, one a seed; failed and unfinished ones are named beside them.",
    "mean": "Average over seeds, at the epoch that counts.",
    "SD": "Standard deviation over seeds: one half of the uncertainty. The other half is the test set.",
    "over": "What the interval holds for: new seeds and new test samples, or less where it says so.",
    "p": "Two-sided p of the interval's t test after Holm's adjustment for its family.",
    "verdict": "Better, worse, equivalent within ±r, or undecided. Undecided is not the same as no effect.",
    "difference": "Row minus baseline with its 95% interval, unadjusted for being one of several.",
    "finished": "Search and finalist trials that ran to the end.",
    "pruned": "Search trials stopped early because they fell behind. They count in the budget.",
    "failed": "Trials that diverged or broke. They count in the budget.",
    "retuned": "Whether the row had a search of its own, with the full method's budget.",
    "exploratory": "Outside the claim: a finding to be confirmed by another study, not a test of this one.",
    "claim": "What the study set out to show before its test results were seen; its comparisons are one Holm family.",
    "crossed interval": "A 95% interval for a new seed and a new test sample at once, from their two-way table.",
    "equivalent": "Both one-sided tests say that the difference lies within ±r, and r was set before the study.",
    "look": "A showing of results on these test rows that says something new. Later looks are tested more strictly.",
    "row": "The full method with something taken away or changed; everything else as it was.",
    "question": "What the row is there to answer.",
    "what would decide it": "More seeds, if the difference stays what it is; or why no number of them will.",
}
# Columns that name what they are about: "− KD", "p, KD", "verdict, KD".
NAMED = {"− ": "difference", "p, ": "p", "verdict, ": "verdict"}


def words() -> dict[str, str]:
    """Every word that is explained, and what it means."""
    return GLOSSARY | section.glossary(section.discover(sections))


def explained(column: str, words: Mapping[str, str]) -> str | None:
    """What a column's head means; None where it speaks for itself."""
    word = next((word for prefix, word in NAMED.items() if column.startswith(prefix)), column)
    # "best of …" explains "best of 16".
    open_ended = (meaning for word, meaning in words.items() if word.endswith("…") and column.startswith(word[:-1]))
    return words.get(word) or next(open_ended, None)
