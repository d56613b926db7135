"""Runs, in about a minute, the tests that a change touches most often: `make test-fast`.

What has changed is what git says of the working tree. kdsweep/<folder> and tests/<folder> go to tests/<folder>;
what lies elsewhere, or no change at all, to the core. Tests marked slow are left to `make test`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CORE = ("cli", "protocol", "study_file", "values")
ALWAYS = ("test_house.py", "test_layers.py")
TWO_PROCESSES = ("-n", "2", "--dist", "loadscope", "--no-loadscope-reorder")


def changed() -> list[str]:
    """Files that the working tree has otherwise than the last commit, or that git does not know yet."""
    questions = (["git", "diff", "--name-only", "HEAD"], ["git", "ls-files", "--others", "--exclude-standard"])
    answers = [
        subprocess.run(words, cwd=TESTS.parent, capture_output=True, text=True, check=True) for words in questions
    ]
    return [line for answer in answers for line in answer.stdout.splitlines()]


def folders_of(files: Iterable[str]) -> list[str]:
    """Folders and files in tests/ for these files of the repository."""
    names: set[str] = set()
    for file in files:
        match Path(file).parts:
            case ("tests", name) if name.startswith("test_"):
                names.add(name)
            case ("kdsweep" | "tests", folder, _, *_) if folder != "helpers":
                names.add(folder)
            case _:
                names.update(CORE)
    return sorted(name for name in {*(names or CORE), *ALWAYS} if (TESTS / name).exists())


if __name__ == "__main__":
    paths = [str(TESTS / name) for name in folders_of(changed())]
    sys.exit(pytest.main([*TWO_PROCESSES, "-m", "not slow", *sys.argv[1:], *paths]))
