"""How the data were split, in words: no more than is known."""

from __future__ import annotations

from kdsweep.report.facts.runs import Runs

NAMES = {"valid": "validation", "test": "test"}


def sentence(runs: Runs) -> str:
    """Whose split it is, and how many samples its parts have."""
    data = runs.study.data
    named = (("training", data.train), ("validation", data.valid), ("test", data.test))
    sizes = ", ".join(f"{count:,} {part} samples" for part, count in named if count)
    if data.folds > 1:
        how = f"The data were cut at random into {data.folds} folds, once for all runs (the first: {sizes})."
    elif data.given == "all":
        how = f"The dataset's own split was used ({sizes})."
    elif data.given == "test":
        how = (
            "The dataset's own test part was used; the validation part was drawn from its training part, once for all "
            f"runs ({sizes})."
        )
    else:
        how = f"The data were split at random, once for all runs ({sizes})."
    return " ".join(filter(None, [how, _labels(runs), _groups(runs)]))


def known_groups(runs: Runs) -> str:
    """That test groups are in other parts, too; "" where none is."""
    data = runs.study.data
    if not data.known_groups:
        return ""
    return (
        f"{data.known_groups} of {data.test_groups} test groups also have rows in training or validation: intervals "
        "over groups do not speak of new ones."
    )


def _labels(runs: Runs) -> str:
    """Whose label is missing; "" where none is."""
    data = runs.study.data
    gone = dict(data.unlabelled)
    trained = gone.pop("train", 0)
    said = []
    if trained:
        said.append(f"{trained:,} training samples have no label.")
    if data.drop_labels:
        said.append(f"Of the training labels {100 * data.drop_labels:g}% were taken away, of every class alike.")
    if trained or data.drop_labels:
        said.append("A term that reads labels counts the samples that have one, every other term counts all.")
    if gone:
        parts = " and ".join(f"{count:,} {NAMES[part]} samples" for part, count in gone.items())
        said.append(f"{parts} without a label were left out.")
    return " ".join(said)


def _groups(runs: Runs) -> str:
    if not runs.grouped:
        return ""
    if known_groups(runs):
        return " ".join([known_groups(runs), *_levels(runs)])
    said = f"Test samples are in {runs.study.data.test_groups} groups, none of which has rows in another part."
    return " ".join([said, *_levels(runs)])


def _levels(runs: Runs) -> list[str]:
    data = runs.study.data
    parts = [f"No {data.split_by} is in two parts."] if data.split_by else []
    return parts + ([f"Intervals are over the groups by {data.infer_over}."] if data.infer_over else [])
