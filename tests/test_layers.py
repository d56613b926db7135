"""Which part may import which, and what stays unloaded until it is needed."""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kdsweep

ROOT = Path(kdsweep.__file__).parent
QUICKSTART = ROOT.parent / "search_spaces" / "quickstart.yaml"
# What each folder may import of kdsweep, beside itself. One that is not listed may import anything.
MAY_IMPORT = {
    "values": set(),
    # Losses of scores are written with the arithmetic of terms.
    "tasks": {"objective.numerics", "values"},
    "objective": {"tasks", "values"},
    "methods": {"objective", "tasks", "values"},
    "networks": {"objective", "values"},
    "data": {"tasks", "values.card", "values.user_code"},
    "study_file": {"data", "methods", "networks", "protocol.pruners", "protocol.samplers", "tasks", "values"},
    "engine": {"data", "methods", "networks", "objective", "tasks", "values"},
    "protocol.pruners": {"values"},
    "protocol.samplers": {"values"},
    "protocol": {"data", "engine.REVISION", "methods", "networks", "tasks", "values"},
    "run": {"data", "engine", "methods", "networks", "objective", "protocol", "study_file", "tasks", "values"},
    "report": {"run.store", "tasks", "values"},
    "cli.live": {"tasks", "values"},
}
# What anybody may import.
FOR_ALL = {"atomic"}
# Where alone a heavy library may be imported.
ONLY_IN = {
    "ray": {"run.ray"},
    "optuna": {"protocol.samplers", "report.statistics.importance"},
    "plotly": {"report"},
    "jinja2": {"report"},
}
WITHOUT_TORCH = {"report", "study_file", "values", "run.store", "cli"}


@functools.cache
def modules() -> dict[str, Path]:
    """Every module, by its name inside kdsweep."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


@functools.cache
def imports(path: Path) -> tuple[str, ...]:
    return tuple(walk(path))


def walk(path: Path) -> Iterator[str]:
    """Full names that a file imports when it runs, at its top or in a function: not those of `if TYPE_CHECKING`."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports name the whole module"
            # `from kdsweep import methods` is an import of kdsweep.methods.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def inside(name: str, parts: set[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def part_of(name: str) -> str | None:
    """The most particular of the listed parts that a module belongs to."""
    return max((part for part in MAY_IMPORT if inside(name, {part})), key=len, default=None)


def test_the_walk_sees_imports_at_the_top_and_in_functions():
    assert "ray.tune" in set(imports(modules()["run.ray.runner"]))
    assert "optuna.samplers.TPESampler" in set(imports(modules()["protocol.samplers.tpe"]))
    assert "kdsweep.run.launch.Launch" not in set(imports(modules()["cli.live"]))


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_what_lies_below_it(part):
    mine = {name: path for name, path in modules().items() if part_of(name) == part}
    assert mine, f"no module is {part}: the table of parts is out of date"
    for name, path in mine.items():
        ours = {found.removeprefix("kdsweep.") for found in imports(path) if found.startswith("kdsweep.")}
        wrong = {found for found in ours if not inside(found, MAY_IMPORT[part] | {part} | FOR_ALL)}
        assert not wrong, f"{name} may import {sorted(MAY_IMPORT[part])}, and imports {sorted(wrong)}"


@pytest.mark.parametrize("part", FOR_ALL)
def test_what_anybody_may_import_imports_nothing_of_ours(part):
    assert not [found for found in imports(modules()[part]) if inside(found, {"kdsweep"})]


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_heavy_library_has_one_home(library):
    homes = {name for name, path in modules().items() if any(inside(found, {library}) for found in imports(path))}
    assert homes
    assert not {name for name in homes if not inside(name, ONLY_IN[library])}


def test_what_reads_studies_and_tables_does_not_know_torch():
    for name, path in modules().items():
        if inside(name, WITHOUT_TORCH):
            assert not [found for found in imports(path) if inside(found, {"torch", "safetensors.torch"})], name


def loaded_by(code: str) -> set[str]:
    """Which of the heavy libraries are loaded in a fresh process after this code."""
    heavy = ("torch", "ray", "optuna", "plotly", "pandas", "sklearn", "scipy")
    after = f"import sys, json; print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{after}"], capture_output=True, text=True, timeout=60, cwd=ROOT.parent
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def command(*words: str) -> str:
    return f"from kdsweep.cli.main import app\napp({list(words)!r}, standalone_mode=False)"


def test_help_and_validate_load_no_heavy_library():
    assert loaded_by(command("--help")) == set()
    assert loaded_by(command("validate", str(QUICKSTART))) == set()


def test_reading_every_method_loads_no_torch():
    code = (
        "from kdsweep import methods\nfor name in methods.names(): assert methods.load(name).module.SPACE is not None"
    )
    assert loaded_by(code) == set()


def test_reading_every_task_loads_no_heavy_library():
    assert loaded_by("from kdsweep.tasks import registry\nfor name in registry.TASKS: registry.load(name)") == set()


def test_a_plan_loads_no_torch():
    assert "torch" not in loaded_by("import kdsweep.protocol.plan")


def test_public_names_are_sorted_and_there():
    assert kdsweep.__all__ == sorted(kdsweep.__all__)
    assert all(getattr(kdsweep, name).__name__ == name for name in kdsweep.__all__)


def test_importing_kdsweep_loads_nothing_heavy():
    assert loaded_by("import kdsweep") == set()


def test_importing_kdsweep_changes_nothing_in_the_process():
    code = (
        "import os\nbefore = dict(os.environ)\nimport kdsweep, kdsweep.engine.loop\nassert dict(os.environ) == before"
    )
    loaded_by(code)


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Trainer'"):
        kdsweep.Trainer  # noqa: B018
