"""What a valid study file becomes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdsweep import study_file
from kdsweep.values.card import Card, Modality
from kdsweep.values.space import Choice, Float, Int
from kdsweep.values.study import Row, Study

QUICKSTART = Path(__file__).parent.parent.parent / "search_spaces" / "quickstart.yaml"
DATA = "data: {name: digits, student: [top], auxiliary: [bottom]}\n"

WHOLE = """
name: digits
seed: 0
data:
  name: digits
  student: [top]
  auxiliary: [bottom]
  split_seed: 0
task: classification
metric: accuracy
select: last
networks:
  student: {top: {mlp: {hidden: [64], embedding: 64}}}
  teacher: {top: mlp, bottom: mlp, fusion: concat}
teachers: {trials: 8, seeds: each}
train: {epochs: 30, batch_size: 128, optimizer: adamw, schedule: cosine, warmup: 0.05, weight_decay: 1e-4, clip: 1.0}
augment: {}
every_arm:
  train.lr: {float: [1e-4, 1e-2], log: true}
arms:
  student_only: {}
  kd: {}
  kd_unimodal: {use: kd, teacher: unimodal, label: "KD, auxiliary teacher"}
  amid:
    entropy.weight: {float: [0.01, 2.0], log: true}
    entropy.start: {float: [0.0, 0.5]}
    mi_auxiliary.temperature: 0.1
search: {trials: 64, generation: 8, sampler: tpe, pruner: {keep: 0.5}, first: [defaults], repeats: 1}
finalists: {points: 4, seeds: 3}
confirm: {seeds: 10}
ablate: {arm: amid, retune: false, rows: [leave_one_out, add_one_in, {without: [mi_teacher, entropy]},
  {set: {entropy.form: gaussian}}, {each: {data.drop_auxiliary: [0.5, 0.9]}}]}
controls: [student_only_teacher, shuffled_within_class, untrained_teacher, label_smoothing]
report: {claim: {arm: amid, against: [student_only, kd]}, equivalent: 0.5}
storage: runs/
resources: {device: auto, per_pack: {cpus: 1}, concurrency: auto, workers: 1, pack: auto, compile: off}
"""


def parse(text: str) -> Study:
    return study_file.parse(DATA + text)


def rows(entries: str, arm: str = "amid: {}") -> dict[str, Row]:
    study = parse(f"arms: {{{arm}}}\nablate: {{arm: {arm.split(':')[0]}, rows: [{entries}]}}")
    return {row.name: row for row in study.rows}


def test_every_key_of_the_format_is_read():
    study = study_file.parse(WHOLE)
    assert list(study.arms) == ["student_only", "kd", "kd_unimodal", "amid"]
    assert study.equivalent == 0.5
    assert study.claim is not None
    assert study.claim.against == ("student_only", "kd")
    assert len(study.controls) == 4
    assert study.warnings == ()


def test_the_quickstart_is_valid_and_has_twelve_lines():
    study = study_file.load(QUICKSTART)
    assert study.name == "quickstart"
    assert (study.ablated, study.claim.against) == ("kd", ("student_only",))
    assert len(QUICKSTART.read_text().splitlines()) == 12


def test_all_but_data_and_arms_has_a_default():
    study = study_file.parse("data: {name: digits, student: [top]}\narms: {kd: {}}", name="mine")
    assert (study.name, study.metric, study.storage) == ("mine", "accuracy", "runs/")
    assert (study.rows, study.controls, study.claim, study.ablated) == ((), (), None, "")
    assert study.auxiliary == ("bottom",)


def test_an_arm_searches_its_methods_ranges_and_what_every_arm_is_told():
    arm = parse("arms: {kd: {}}\nevery_arm: {train.lr: {float: [1e-4, 1e-2], log: true}}").arms["kd"]
    assert set(arm.space) == {"kd.temperature", "kd.weight", "train.lr"}
    assert arm.space["train.lr"] == Float(1e-4, 1e-2, log=True)
    assert (arm.teacher, arm.label, arm.line) == ("multimodal", "kd", 2)


def test_an_arms_own_setting_goes_before_every_arm_and_that_before_train():
    study = parse(
        "train: {lr: {float: [0.1, 0.2]}, clip: {float: [1, 2]}}\n"
        "every_arm: {train.lr: 0.01, kd.weight: 2}\n"
        "arms: {kd: {kd.weight: 3}, other: {use: kd, train.lr: {float: [0.3, 0.4]}}, student_only: {}}"
    )
    assert study.arms["kd"].fixed == {"train.lr": 0.01, "kd.weight": 3.0}
    assert study.arms["other"].fixed == {"kd.weight": 2.0}
    assert study.arms["other"].space["train.lr"] == Float(0.3, 0.4)
    assert study.arms["student_only"].fixed == {"train.lr": 0.01}
    assert study.teacher_space == {"train.clip": Float(1.0, 2.0)}
    assert study.teacher_fixed == {"train.lr": 0.01}


def test_a_fixed_number_leaves_the_space_and_is_a_float():
    arm = parse("arms: {kd: {kd.temperature: 4}}").arms["kd"]
    assert "kd.temperature" not in arm.space
    assert isinstance(arm.fixed["kd.temperature"], float)


def test_equal_numbers_make_equal_arms_however_they_are_written():
    one, two = (parse(f"arms: {{kd: {{kd.weight: {range}}}}}").arms["kd"] for range in
                ("{float: [1, 10]}", "{float: [1.0, 1e1], log: false}"))  # fmt: skip
    assert one == two


def test_choices_are_written_with_a_dot_or_an_underscore():
    dotted, joined = (
        parse(f"arms: {{amid: {{{key}: gaussian}}}}").arms["amid"] for key in ("entropy.form", "entropy_form")
    )
    assert dotted.choices == joined.choices
    assert dotted.choices["entropy_form"] == "gaussian"
    assert "entropy.critic_lr" not in dotted.space


def test_searching_structure_is_allowed_with_a_warning():
    study = parse("arms: {amid: {entropy.form: {choice: [joint, gaussian]}}}")
    arm = study.arms["amid"]
    assert arm.space["entropy_form"] == Choice(("joint", "gaussian"))
    assert arm.choices["entropy_form"] == "joint"
    assert "entropy.critic_lr" not in arm.space, "it exists under one of the two only"
    assert ["line 2: searching entropy_form" in warning for warning in study.warnings] == [True]


def test_a_range_may_be_of_whole_numbers_or_of_values():
    arm = parse("arms: {kd: {kd.temperature: {choice: [1, 4]}, kd.weight: {int: [1, 5]}}}").arms["kd"]
    assert arm.space == {"kd.temperature": Choice((1.0, 4.0)), "kd.weight": Int(1, 5)}


def test_teachers_default_to_what_the_method_reads():
    arms = parse("arms: {kd: {}, student_only: {}, amid: {}, teacher: {}, other: {use: kd, teacher: bottom}}").arms
    assert {name: arm.teacher for name, arm in arms.items()} == {
        "kd": "multimodal", "student_only": "", "amid": "", "teacher": "", "other": "bottom",
    }  # fmt: skip
    assert [name for name, arm in arms.items() if arm.reference] == ["teacher"]


def test_networks_are_complete_and_canonical():
    short = parse("arms: {kd: {}}\nnetworks: {student: {top: mlp}}").networks
    full = parse("arms: {kd: {}}\nnetworks: {student: {top: {mlp: {dropout: 0, hidden: [64]}}}}").networks
    assert short == full
    assert {role: list(places) for role, places in short.items()} == {
        "student": ["top"], "teacher": ["top", "bottom", "fusion"], "auxiliary": ["bottom"],
    }  # fmt: skip
    assert json.dumps(short, sort_keys=True) == json.dumps(full, sort_keys=True), "0 and 0.0 would hash apart"


def test_a_student_of_two_modalities_has_a_fusion():
    study = study_file.parse("data: {name: digits, student: [top, bottom]}\narms: {student_only: {}}")
    assert list(study.networks["student"]) == ["top", "bottom", "fusion"]
    assert study.networks["auxiliary"] == {}


def test_leave_one_out_drops_each_term_that_is_not_required():
    assert [row.dropped for row in rows("leave_one_out").values()] == [
        ("ce_teacher",), ("mi_teacher",), ("mi_auxiliary",), ("entropy",),
    ]  # fmt: skip


def test_add_one_in_keeps_what_trains_the_teacher():
    assert {name: row.dropped for name, row in rows("add_one_in").items()} == {
        "only mi_teacher": ("mi_auxiliary", "entropy"),
        "only mi_auxiliary": ("mi_teacher", "entropy"),
        "only entropy": ("mi_teacher", "mi_auxiliary"),
    }


def test_rows_may_set_choices_numbers_and_data():
    found = rows(
        "{set: {entropy.form: gaussian, mi_teacher.temperature: 1}},"
        "{each: {data.drop_auxiliary: [0.5, 0.9], entropy.steps: [2]}}, {each: {data.auxiliary: [[]]}}"
    )
    assert list(found) == [
        "entropy.form = gaussian, mi_teacher.temperature = 1",
        "data.drop_auxiliary = 0.5",
        "data.drop_auxiliary = 0.9",
        "entropy.steps = 2",
        "data.auxiliary = none",
    ]
    first, drop, _, steps, none = found.values()
    assert (first.choices, first.numbers) == ({"entropy_form": "gaussian"}, {"mi_teacher.temperature": 1.0})
    assert (drop.kind, drop.data) == ("each", {"drop_auxiliary": 0.5})
    assert steps.choices == {"entropy_steps": 2}
    assert none.data == {"auxiliary": ()}


def test_a_row_with_fewer_labels_comes_with_the_student_that_learns_from_those_alone():
    found = rows("{each: {data.drop_labels: [0, 0.5]}}, {set: {data.drop_labels: 0.5, entropy.steps: 2}}")
    terms = ("ce_teacher", "mi_teacher", "mi_auxiliary", "entropy")
    assert {name: (row.dropped, dict(row.data)) for name, row in found.items()} == {
        "data.drop_labels = 0.5": ((), {"drop_labels": 0.5}),
        "labels alone, data.drop_labels = 0.5": (terms, {"drop_labels": 0.5}),
        "labels alone": (terms, {}),
        "data.drop_labels = 0.5, entropy.steps = 2": ((), {"drop_labels": 0.5}),
    }


def test_of_rows_that_change_the_same_one_stays():
    assert list(rows("leave_one_out, {without: [entropy]}, {without: [entropy, mi_teacher]},"
                     "{without: [mi_teacher, entropy]}")) == [
        "without ce_teacher", "without mi_teacher", "without mi_auxiliary", "without entropy",
        "without mi_teacher, entropy",
    ]  # fmt: skip


def test_a_row_that_changes_nothing_is_left_out_with_a_warning():
    study = parse("arms: {amid: {}}\nablate: {arm: amid, rows: [{each: {entropy.form: [pair, joint]}}]}")
    assert [row.name for row in study.rows] == ["entropy.form = joint"]
    assert "is the arm amid as it is" in study.warnings[0]


def test_the_only_term_of_a_method_is_no_row_of_its_own():
    assert list(rows("leave_one_out, add_one_in", arm="kd: {}")) == ["without kd"]


def test_a_given_teacher_is_named_by_its_bytes(tmp_path):
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    for path in (one, two):
        path.write_bytes(b"weights")
    first, second = (parse(f"arms: {{kd: {{}}}}\nteachers: {{weights: {path}}}").given for path in (one, two))
    assert first == second
    assert first is not None
    assert set(first.network) == {"top", "bottom", "fusion"}


def test_the_default_number_of_finalists_fits_a_small_search():
    assert parse("arms: {kd: {}}\nsearch: {trials: 2}").finalists.points == 2


def test_numbers_and_words_are_read_as_yaml_1_2():
    study = parse("arms: {kd: {train.lr: 1e-3, label: on}}\nresources: {compile: off}\ntrain: {clip: 010}")
    assert study.arms["kd"].fixed["train.lr"] == 0.001
    assert study.arms["kd"].label == "on"
    assert (study.resources.compile, study.train.clip) == ("off", 10.0)


def test_anchors_and_aliases_are_read():
    study = parse("arms: {kd: &kd {kd.weight: 2}, again: {use: kd, kd.weight: &w 3}, third: {use: kd, kd.weight: *w}}")
    assert study.arms["third"].fixed == {"kd.weight": 3.0}


def test_arms_may_have_any_printable_name():
    arm = parse('arms: {"<b>KD &amp; 知識": {use: kd}}').arms["<b>KD &amp; 知識"]
    assert arm.label == "<b>KD &amp; 知識"


def test_a_users_own_method_is_found_by_its_module(tmp_path, monkeypatch):
    (tmp_path / "my_losses.py").write_text("TERMS = ('ce', 'mine')\nSPACE = {}\ndef build(): ...\n")
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "loss.py").write_text((tmp_path / "my_losses.py").read_text())
    monkeypatch.syspath_prepend(tmp_path)
    arm = parse("arms: {mine: {use: my_package.loss, mine.weight: {float: [1, 2]}, label: Ours}}").arms["mine"]
    assert (arm.method, arm.space) == ("my_package.loss", {"mine.weight": Float(1.0, 2.0)})


def test_the_schema_describes_every_key_and_accepts_the_files_that_are_shipped():
    schema = study_file.schema()
    assert schema["required"] == ["data", "arms"]
    assert set(study_file.schema()["properties"]) >= {"data", "arms", "networks", "ablate", "report", "resources"}
    assert set(schema["$defs"]["Arm"]["properties"]) == {"use", "teacher", "label"}
    assert {"$ref": "#/$defs/Range"} in schema["$defs"]["Train"]["properties"]["lr"]["anyOf"]
    json.dumps(schema)
    jsonschema = pytest.importorskip("jsonschema")
    for text in (WHOLE, QUICKSTART.read_text()):
        jsonschema.validate(json.loads(json.dumps(_yaml(text))), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"data": {"student": ["top"]}, "arms": {}}, schema)


def _yaml(text: str) -> object:
    from kdsweep.study_file.text import read

    return read(text).value


@pytest.mark.parametrize("student", [["top"], ["top", "bottom"]])
def test_the_template_is_a_valid_study(student):
    card = Card({"top": Modality("image", (1, 4, 8)), "bottom": Modality("image", (1, 4, 8))}, tuple("0123456789"))
    study = study_file.parse(study_file.template("digits", card, student=student))
    assert study.student == tuple(student)
    assert study.claim is not None


def test_the_schema_and_the_documentation_say_what_a_path_is_relative_to():
    told = study_file.schema()["$defs"]["Data"]["properties"]["path"]["description"]
    assert "relative to where the command runs" in told
    page = (Path(__file__).parent.parent.parent / "docs" / "data.md").read_text()
    assert "`path` is relative to the folder in which the command is run" in page


def test_the_template_names_data_of_a_users_own(tmp_path, monkeypatch):
    (tmp_path / "my_data.py").write_text(
        "import numpy as np\nfrom kdsweep.values.card import Card, Modality\nfrom kdsweep.data.dataset import Dataset\n"
        "card = Card({'a: b': Modality('vector', (3,)), 'c#': Modality('vector', (2,))}, ('x', 'y'))\n"
        "values = {name: np.ones((4, *one.shape), np.float32) for name, one in card.modalities.items()}\n"
        "there = {name: np.ones(4, bool) for name in values}\n"
        "def load(): return Dataset(card, values, there, np.arange(4) % 2, np.array(list('abcd')))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    card = Card({"a: b": Modality("vector", (3,)), "c#": Modality("vector", (2,))}, ("x", "y"))
    study = study_file.parse(study_file.template("my_data:load", card, student=["a: b"]))
    assert (study.data.python, study.auxiliary) == ("my_data:load", ("c#",))


def test_the_template_refuses_a_modality_that_is_not_there():
    with pytest.raises(ValueError, match="no modality 'side' in this dataset: found top"):
        study_file.template("digits", Card({"top": Modality("vector", (3,))}, ("a", "b")), student=["side"])


def test_reading_a_study_loads_no_heavy_library():
    code = (
        "import sys; from kdsweep import study_file; study_file.load(sys.argv[1]);"
        "print([name for name in ('torch', 'optuna', 'ray', 'plotly', 'pandas', 'sklearn') if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(QUICKSTART)], capture_output=True, text=True, timeout=60, check=True
    )
    assert out.stdout.strip() == "[]"


@settings(max_examples=60)
@given(st.text(alphabet="ab:{}[],&*!<#|>-'\"\n \t0.e~%@\\?x", max_size=60))
def test_any_text_is_read_or_refused(text):
    assert read_or_refused(text)


def read_or_refused(text: str) -> bool:
    try:
        study_file.parse(text)
    except study_file.StudyError as error:
        return bool(error.mistakes)
    return True


words = st.sampled_from(["kd", "top", "defaults", "auto", "both", "", "a:b", "crop", "weights", "module", "\x41" * 80])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 200) | st.floats(-1, 2) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.just("float"), inner, max_size=3),
    max_leaves=5,
)


# Where in WHOLE any value is put.
PLACES = (
    "data", "arms", "train", "search", "ablate", "networks", "report", "resources", "teachers", "controls", "every_arm",
    "augment", "name", "data student", "data auxiliary", "data folds", "arms kd", "arms amid entropy.weight",
    "arms amid entropy.form", "arms amid use", "arms kd teacher", "train lr", "train epochs", "search first",
    "search pruner", "ablate rows", "networks student top", "networks teacher fusion", "every_arm train.lr",
    "teachers weights", "report claim", "teachers outputs", "augment top", "networks student module",
    "networks teacher module", "networks student top", "task", "metric",
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=60)
@given(st.sampled_from(PLACES), values)
def test_any_value_in_any_place_is_read_or_refused(path, value):
    whole = json.loads(json.dumps(_yaml(WHOLE)))
    *parts, last = path.split()
    place = whole
    for part in parts:
        place = place.setdefault(part, {})
    place[last] = value
    assert read_or_refused(json.dumps(whole))


def test_the_documentation_names_every_key_of_the_recipe_every_metric_and_every_augmentation():
    from kdsweep.data.augment import AUGMENTATIONS
    from kdsweep.tasks.registry import METRICS
    from kdsweep.values.study import Train

    told = (Path(__file__).parent.parent.parent / "docs" / "training.md").read_text()
    metrics = {name.removeprefix("within_") for name in METRICS}
    missing = [name for name in (*Train.model_fields, *metrics, *AUGMENTATIONS) if f"`{name}`" not in told]
    assert not missing
