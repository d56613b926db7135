"""What a trial was named by is compared with what lies on the machine that is to train it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from kdsweep import methods
from kdsweep.data import registry
from kdsweep.protocol.code import check_code, check_data, code_digest
from kdsweep.values import user_code
from kdsweep.values.study import Data
from kdsweep.values.trial import Given
from tests.helpers.trials import distilled

DIGITS = Data(name="digits", student=("top",), auxiliary=("bottom",))
METHOD = '''"""Ours."""
from kdsweep import objective
from code_constants import SCALE
TERMS, SPACE, TEACHER = ("ce",), {}, "none"
def build(): return objective.Objective(ce=objective.CrossEntropy(weight=SCALE))
'''


def asked(method: str = "kd", **changes):
    return replace(distilled("kd"), method=method, code=code_digest(method), teacher=None, **changes)


def test_what_lies_here_as_it_was_is_no_fault():
    check_code(asked())


def test_an_edit_beside_a_method_of_the_users_own_is_the_machines_fault(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "code_package").mkdir()
    (tmp_path / "code_package" / "mine.py").write_text(METHOD)
    (tmp_path / "code_constants.py").write_text("SCALE = 1.0\n")
    trial = asked("code_package.mine")
    check_code(trial)
    (tmp_path / "code_constants.py").write_text("SCALE = 1000.0\n")
    with pytest.raises(user_code.ChangedSource, match=r"the source of code_package.mine is another here"):
        check_code(trial)


def test_a_method_that_adds_to_the_path_is_named_as_by_a_process_that_has_not_imported_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CODE_LIBRARY", str(tmp_path / "lib"))
    for folder in ("code_adding", "lib"):
        (tmp_path / folder).mkdir()
    adding = "import os, sys\nsys.path.insert(0, os.environ['CODE_LIBRARY'])\n"
    (tmp_path / "code_adding" / "mine.py").write_text(adding + METHOD.replace("code_constants", "code_helper"))
    (tmp_path / "lib" / "code_helper.py").write_text("SCALE = 1.0\n")
    fresh = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from kdsweep.values.imports import source_digest; print(source_digest('code_adding.mine'))"
    )
    elsewhere = subprocess.run([sys.executable, "-c", fresh], capture_output=True, text=True, check=True)
    assert methods.load("code_adding.mine").digest == elsewhere.stdout.strip()


def test_another_version_of_kdsweep_is_the_machines_fault():
    with pytest.raises(user_code.ChangedSource, match="the source of kdsweep is another here"):
        check_code(replace(asked(), code="of another version"))


def test_networks_and_augmentations_of_the_users_own_are_compared_in_models_that_are_read_as_well(
    tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "code_net.py").write_text("def net(shape): ...\n")
    part = user_code.named("code_net:net", {}, what="a network")
    reading = replace(asked(), auxiliaries={"bottom": replace(asked(), networks={"bottom": {"bottom": part}})})
    trials = [
        replace(asked(), networks={"student": {"top": part}}),
        replace(asked(), augment={"top": [part]}),
        reading,
    ]
    for trial in trials:
        check_code(trial)
    (tmp_path / "code_net.py").write_text("def net(shape): ...\n# Edited.\n")
    for trial in trials:
        with pytest.raises(user_code.ChangedSource, match="the source of code_net has changed"):
            check_code(trial)


def test_other_weights_of_a_given_teacher_are_the_machines_fault(tmp_path):
    path = tmp_path / "given.safetensors"
    path.write_bytes(b"weights")
    given = Given("weights", user_code.weights(str(path))["digest"], path=str(path))
    check_code(replace(asked(), teacher=given))
    path.write_bytes(b"others")
    with pytest.raises(user_code.ChangedSource, match=r"given\.safetensors has changed"):
        check_code(replace(asked(), teacher=given))
    path.unlink()
    with pytest.raises(user_code.ChangedSource, match="the weights of the given teacher: cannot read"):
        check_code(replace(asked(), teacher=given))


def test_other_data_than_the_study_was_read_with_are_the_machines_fault():
    trial = asked(fingerprint=registry.fingerprint(DIGITS))
    check_data(trial, DIGITS)
    with pytest.raises(user_code.ChangedSource, match=r"the data on .* are not those"):
        check_data(replace(trial, fingerprint="of other rows"), DIGITS)
    with pytest.raises(user_code.ChangedSource, match="the data cannot be read on "):
        check_data(trial, Data(python="code_nowhere:load", student=("top",)))
