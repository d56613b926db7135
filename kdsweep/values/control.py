"""Controls: what a gain is not. Each breaks one thing on purpose, and all that is known of each stands in this table.

A new control that changes inputs or the teacher in one of the ways below is one more entry. A new way of breaking them
is a word of `inputs` or `teacher`, and whoever builds a trial (`kdsweep.engine.build`) has to know it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Subject:
    """The arm that a control is asked about.

    Attributes:
        teacher: how its method has one: "frozen", "joint" or "none".
        given: whether that is one which the user brought.
        mixed: whether rows are blended with their labels.
        reads: what each term of its objective reads; asked for only where it matters, as that builds the objective.
        meaningless: why the task gives the control no meaning; "" where it does.
        unlabelled: how many training rows have no label in the data themselves.
    """

    teacher: str
    given: bool
    mixed: bool
    reads: Callable[[], Iterable[Sequence[str]]]
    meaningless: str = ""
    unlabelled: int = 0


@dataclass(frozen=True)
class Control:
    """One thing that is broken.

    Attributes:
        question: what it answers, as a report prints it.
        broken: what is done, in a few words.
        inputs: of the auxiliary modalities. "student": the student's stand in for them, for the models that a trial
            reads as well; "shuffled": permuted within class, in the training part.
        teacher: "untrained": at its initial weights and frozen; "labels": smoothed labels in its place, and no model is
            read.
        searched: whether it has a search of its own, like an arm. Without, it uses the arm's best point.
        applies: why it says nothing about an arm; "" where it does. Asked after what holds for all controls.
    """

    name: str
    question: str
    broken: str = ""
    inputs: Literal["own", "student", "shuffled"] = "own"
    teacher: Literal["own", "untrained", "labels"] = "own"
    searched: bool = False
    applies: Callable[[Subject], str] = lambda subject: ""

    def meaningless(self, subject: Subject) -> str:
        """Why it says nothing about this arm; "" where it does."""
        if subject.teacher == "none":
            return "the method reads no teacher"
        if subject.meaningless:
            return subject.meaningless
        if self.teacher != "labels" and subject.given and subject.teacher == "frozen":
            return "the teacher is given and cannot be retrained"
        return self.applies(subject)

    def drops(self, reads: Sequence[str], *, trains: str, joint: bool) -> bool:
        """Whether a term is left without meaning: one that reads this, trains that, beside a joint teacher or none."""
        if self.teacher == "labels":
            return not _from_labels(reads)
        return self.teacher == "untrained" and joint and trains == "teacher"


def _from_labels(reads: Sequence[str]) -> bool:
    """Whether smoothed labels can stand in for the teacher in what a term reads."""
    return all(read.startswith("student.") or read in ("teacher.logits", "labels") for read in reads)


def _labels_can_teach(subject: Subject) -> str:
    if subject.mixed:
        return "mixup blends the labels already"
    if subject.teacher == "joint":
        return "the teacher trains with the student: its place cannot be taken by labels"
    told = [reads for reads in subject.reads() if "teacher.logits" in reads]
    return "" if any(map(_from_labels, told)) else "no term reads the teacher's logits"


def _classes_are_known(subject: Subject) -> str:
    gone = subject.unlabelled
    return f"it permutes within classes, and {gone:,} training samples have no label" if gone else ""


# Nothing is broken.
NONE = Control("", "")
CONTROLS = {
    control.name: control
    for control in (
        Control(
            "student_only_teacher",
            "Does the other modality matter, or any soft teacher? This one sees only the student's.",
            "teacher sees the student's modalities alone",
            inputs="student",
            searched=True,
        ),
        Control(
            "shuffled_within_class",
            "Does the pairing matter beyond the class? Auxiliary inputs are permuted within it.",
            "auxiliary inputs shuffled within class",
            inputs="shuffled",
            applies=_classes_are_known,
        ),
        Control(
            "untrained_teacher",
            "Does what the teacher learned matter? It stays at its initial weights.",
            "teacher at its initial weights",
            teacher="untrained",
        ),
        Control(
            "label_smoothing",
            "Is it plain regularisation? Smoothed labels stand in for the teacher's scores.",
            "smoothed labels as teacher",
            teacher="labels",
            applies=_labels_can_teach,
        ),
    )
}


def control(name: str) -> Control:
    """The control of a trial; of one without, that which breaks nothing."""
    return CONTROLS[name] if name else NONE
