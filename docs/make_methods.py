"""Write docs/methods/ from the methods themselves: `python docs/make_methods.py`.

One page a method, from its docstring, terms, papers, ranges, choices and measured cost, and an index: nothing is
written by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

from kdsweep import methods
from kdsweep.methods import Method
from kdsweep.objective.base import Objective, Term
from kdsweep.values.space import Choice, Domain, Value

FOLDER = Path(__file__).parent / "methods"
# Step times relative to student_only, as `python benchmarks/methods.py` measured them last.
COSTS: dict[str, float] = json.loads(
    (Path(__file__).parent.parent / "benchmarks" / "results" / "methods.json").read_text()
)
TEACHERS = {
    "frozen": "Distils from a frozen teacher: `multimodal`, `unimodal` or one auxiliary modality.",
    "joint": "Its teacher trains with the student, inside the trial.",
    "none": "Has no teacher.",
    "self": "Trains the models that others distil from; a reference row outside the equal budget.",
}
AUXILIARY = {"frozen": "Reads auxiliary models, trained beforehand.", "joint": "Trains auxiliary models along."}
NOTE = "<!-- Written by docs/make_methods.py: change the method's module instead. -->\n"


def pages() -> dict[str, str]:
    """Every page by file name."""
    shipped = {name: methods.load(name) for name in methods.names()}
    return {"README.md": index(shipped)} | {f"{name}.md": page(method) for name, method in shipped.items()}


def index(shipped: dict[str, Method]) -> str:
    rows = [
        f"| [{name}]({name}.md) | {method.summary} | {method.teacher(method.defaults())} | {COSTS.get(name, 1):g} |"
        for name, method in shipped.items()
    ]
    head = ["| method | what it is | teacher | step cost |", "| --- | --- | --- | ---: |"]
    return "\n".join([NOTE, "# Methods", "", *head, *rows, ""])


def page(method: Method) -> str:
    body = (method.module.__doc__ or "").strip()
    parts = [NOTE, f"# {method.name}", "", body, "", TEACHERS[method.teacher(method.defaults())]]
    if (reads := method.auxiliary(method.defaults())) in AUXILIARY:
        parts[-1] += f" {AUXILIARY[reads]}"
    if (able := method.tasks(method.defaults())) != methods.TASKS:
        parts[-1] += f" For {' and '.join(able)} only."
    if method.name in COSTS:
        parts += [
            "",
            f"A step costs {COSTS[method.name]:g} times that of `student_only` (small networks on digits, a CPU).",
        ]
    return "\n".join([*parts, "", *terms(method), *choices(method), *numbers(method)])


def builds(method: Method) -> list[Objective]:
    """With the defaults, and with each other value of each choice."""
    others = [{name: value} for name, values in method.choices.items() for value in values[1:]]
    return [method.build({**method.defaults(), **other}) for other in [{}, *others]]


def terms(method: Method) -> list[str]:
    """Every term that some choice builds, with the rows that it counts, what it trains and its paper."""
    built: dict[str, Term] = {}
    for made in reversed(builds(method)):
        built |= dict(made.items())
    rows = [
        f"| `{name}` | {summary(built[name])} | {counted(built[name])} | {built[name].trains} | {cited(built[name])} |"
        for name in getattr(method.module, "TERMS", ("ce",))
    ]
    head = ["| term | what it does | rows | trains | paper |", "| --- | --- | --- | --- | --- |"]
    return ["## Terms", "", *head, *rows, ""]


def counted(term: Term) -> str:
    """Which rows count, by what it reads; of each, everything read has to be there."""
    return "with a label" if "labels" in term.reads else "all"


def cited(term: Term) -> str:
    return "; ".join(paper.citation for paper in term.papers)


def summary(term: Term) -> str:
    """A term's first line, fit for a cell of a table."""
    return (type(term).__doc__ or "").split("\n")[0].replace("|", "\\|")


def choices(method: Method) -> list[str]:
    if not method.choices:
        return []
    rows = [
        f"| `{written(name, method)}` | {', '.join(f'`{word(value)}`' for value in values)} |"
        for name, values in method.choices.items()
    ]
    head = ["| choice | values, the default first |", "| --- | --- |"]
    return ["## Choices", "", "Structure: compared as arms and rows, not searched.", "", *head, *rows, ""]


def written(choice: str, method: Method) -> str:
    """A choice as a study file writes it: "entropy_form" is `entropy.form`."""
    for term in getattr(method.module, "TERMS", ("ce",)):
        if choice.startswith(f"{term}_"):
            return f"{term}.{choice.removeprefix(f'{term}_')}"
    return choice


def word(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def numbers(method: Method) -> list[str]:
    values: dict[str, float] = {}
    for made in reversed(builds(method)):
        values |= made.numbers()
    rows = [f"| `{name}` | {range_of(domain)} | {values[name]:.4g} |" for name, domain in method.module.SPACE.items()]
    rows += [f"| `{name}` | not searched | {values[name]:.4g} |" for name in getattr(method.module, "NUMBERS", ())]
    lines = ["## Numbers", ""]
    if rows:
        lines += ["| number | range | default |", "| --- | --- | --- |", *rows, ""]
    return [*lines, "Each term also has `weight`, `start`, `ramp` and `decay`.", ""]


def range_of(domain: Domain) -> str:
    if isinstance(domain, Choice):
        return ", ".join(map(str, domain.values))
    return f"{domain.low:g} to {domain.high:g}" + (", logarithmic" if domain.log else "")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in set(FOLDER.glob("*.md")) - {FOLDER / name for name in pages()}:
        old.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
