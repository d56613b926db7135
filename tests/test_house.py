"""How tests are built: none leans on another, on what is private, or on a function put in the place of ours."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.fast import ALWAYS, CORE, folders_of

TESTS = Path(__file__).parent
MODULES = {path.relative_to(TESTS).as_posix(): ast.parse(path.read_text()) for path in sorted(TESTS.rglob("*.py"))}


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each name that a module imports: what it is called here, and where it is from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.asname or name.name.partition(".")[0], name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((name.asname or name.name, f"{node.module}.{name.name}") for name in node.names)
        elif isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("pytest.importorskip("):
            yield ast.unparse(node.targets[0]), "a library that may be missing"


def is_private(name: str) -> bool:
    # What a NamedTuple offers to all begins with an underscore as well.
    return name.startswith("_") and not name.startswith("__") and name not in ("_replace", "_fields", "_asdict")


def is_module(source: str) -> bool:
    # In a folder that is a registry, an underscore says that a module is no entry.
    return TESTS.parent.joinpath(*source.split(".")).with_suffix(".py").exists()


def private_names(tree: ast.Module) -> set[str]:
    """Private names of kdsweep that a test imports, or reads from whatever is not a library's."""
    names = dict(imported(tree))
    ours = {source for source in names.values() if source.startswith("kdsweep") and not is_module(source)}
    found = {source for source in ours if is_private(source.split(".")[-1])}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            text = ast.unparse(node)
            root = text.partition(".")[0]
            if root != "self" and names.get(root, "kdsweep").startswith("kdsweep"):
                found.add(text)
    return found | {source for source in replaced(tree) if is_private(source.split(".")[-1])}


def replaced(tree: ast.Module) -> set[str]:
    """What monkeypatch puts something in the place of, where that is kdsweep's."""
    names, found = dict(imported(tree)), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            target = node.args[0]
            if isinstance(target, ast.Constant):
                source = str(target.value)
            else:
                root, _, rest = ast.unparse(target).partition(".")
                source = ".".join(
                    part for part in (names.get(root, root), rest, ast.literal_eval(node.args[1])) if part
                )
            if source.startswith("kdsweep"):
                found.add(source)
    return found


def is_function(source: str) -> bool:
    # A constant may be made smaller: the code under test is still all ours.
    return not source.split(".")[-1].isupper()


def in_each_module(names_of: Callable[[ast.Module], set[str]]) -> dict[str, set[str]]:
    """Where there is anything, what."""
    return {module: names for module, tree in MODULES.items() if (names := names_of(tree))}


def test_no_test_imports_another():
    """What two tests share lies in tests/helpers."""

    def other_tests(tree: ast.Module) -> set[str]:
        return {source for _, source in imported(tree) if source.startswith("tests.") and ".test_" in source}

    assert in_each_module(other_tests) == {}


def test_no_test_reaches_for_what_is_private():
    assert in_each_module(private_names) == {}


def test_no_test_puts_a_function_in_the_place_of_ours():
    assert in_each_module(lambda tree: set(filter(is_function, replaced(tree)))) == {}


def test_the_rules_are_broken_where_they_are_broken():
    tree = ast.parse(
        "from kdsweep.run import store\nfrom kdsweep.run.store import _hidden\nimport torch\n"
        "store._inner()\ntorch._dynamo.reset()\npair._replace(a=1)\n"
        "monkeypatch.setattr(store, 'listing', None)\nmonkeypatch.setattr('kdsweep.run.store.LIMIT', 1)\n"
        "monkeypatch.setattr(torch, 'add', None)\n"
    )
    assert private_names(tree) == {"kdsweep.run.store._hidden", "store._inner"}
    assert set(filter(is_function, replaced(tree))) == {"kdsweep.run.store.listing"}


def test_a_change_is_tested_by_the_tests_of_its_folder():
    assert folders_of(["kdsweep/report/sections/arms.py", "tests/data/test_maps.py"]) == ["data", "report", *ALWAYS]
    assert folders_of(["tests/test_readme.py"]) == [*ALWAYS, "test_readme.py"]
    whole = sorted(name for name in (*CORE, *ALWAYS) if (TESTS / name).exists())
    assert folders_of([]) == folders_of(["Makefile"]) == folders_of(["kdsweep/atomic.py"]) == whole


def test_every_folder_of_tests_is_a_folder_of_the_package():
    folders = {path.parent.name for path in TESTS.glob("*/test_*.py")}
    assert folders <= {path.name for path in (TESTS.parent / "kdsweep").iterdir()}
