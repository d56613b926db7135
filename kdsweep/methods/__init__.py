"""Methods: one recipe a file. The folder is the registry; a user's own method is any importable module like these.

A method's module has
    a docstring     its first line says what it is; the rest gives the equation and the paper
    SPACE           the numbers worth searching and their ranges, by full name ("kd.weight")
    build(**choices) -> Objective, with published values as defaults
and, where they differ from these defaults,
    TERMS = ("ce",)         every term that build can return, in order
    CHOICES = {}            structure, each name with the values it may take, the default first
    WHEN = {}               what exists only under some choices: {"kd": {"with_kd": (True,)}}, for a term or a number;
                            "task" counts as a choice
    REQUIRED = ("ce",)      terms that are never ablated
    BASE = ()               terms that add-one-in rows keep beside REQUIRED (what trains a joint teacher)
    NUMBERS = ()            further numbers that may be set, but are not searched unless a study gives a range
    TEACHER = "frozen"      or "joint" (trains inside the trial), "none", or "self" (this method trains teachers)
    AUXILIARY = "none"      "frozen" where it reads auxiliary models, "joint" where it trains them
    TASKS = TASKS           or CLASSES, where it reads a softmax or takes labels for classes
                            (TEACHER, AUXILIARY and TASKS may be functions of the choices)
    revision = 1            raised when the recipe's numbers change
"""

from kdsweep.methods.registry import SCHEDULE, Method, load, names
from kdsweep.tasks.registry import CLASSES, TASKS, TEMPERED

__all__ = ["CLASSES", "SCHEDULE", "TASKS", "TEMPERED", "Method", "load", "names"]
