"""What is wrong with a study file, and where: every mistake is collected, none stops the reading."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

# Where something stands in the file: keys and list positions from the top.
Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing to change. Line 0 is the file itself."""

    line: int
    message: str


class StudyError(ValueError):
    """A study file that cannot be used, with everything that is wrong with it, a line each."""

    def __init__(self, file: str, mistakes: Iterable[Mistake]) -> None:
        self.file = file
        self.mistakes = sorted(mistakes)
        super().__init__(
            "\n".join(f"{file}:{m.line}: {m.message}" if m.line else f"{file}: {m.message}" for m in self.mistakes)
        )


@dataclass
class Findings:
    """Mistakes and warnings, as they are found.

    Attributes:
        lines: the line of each key and list entry.
        unreadable: places whose value could not be read: nothing more is said about them.
    """

    lines: dict[Path, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unreadable: set[Path] = field(default_factory=set)

    def line(self, path: Path) -> int:
        """Where `path` is written; of something that is missing, where its place would be."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def refuse(self, path: Path, message: str) -> None:
        if not any(path[: len(unread)] == unread for unread in self.unreadable):
            self.refuse_line(self.line(path), message)

    def readable(self, path: Path) -> bool:
        """Whether all inside `path` could be read."""
        return not any(unread[: len(path)] == path for unread in self.unreadable)

    def refuse_line(self, line: int, message: str) -> None:
        # What every_arm says wrongly is wrong in each arm: once is enough.
        if Mistake(line, message) not in self.mistakes:
            self.mistakes.append(Mistake(line, message))

    def warn(self, path: Path, message: str) -> None:
        if (warning := f"line {self.line(path)}: {message}") not in self.warnings:
            self.warnings.append(warning)


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """The end of a message: the nearest of the valid names, or nothing where none is near."""
    spelled = {str(word).lower(): str(word) for word in known}
    close = difflib.get_close_matches(str(name).lower(), spelled, n=1, cutoff=0.5)
    return f"; did you mean {spelled[close[0]]!r}?" if close else ""


def listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names)) or "none"
