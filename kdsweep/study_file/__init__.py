"""Reading a study file: everything in it is checked before anything starts, and every mistake is reported at once."""

from kdsweep.study_file.findings import Mistake, StudyError
from kdsweep.study_file.resolve import load, parse
from kdsweep.study_file.schema import schema
from kdsweep.study_file.template import template

__all__ = ["Mistake", "StudyError", "load", "parse", "schema", "template"]
