"""What a study file must not say: each mistake comes with its line, what was expected, and the nearest valid name."""

import pytest

from kdsweep import study_file
from kdsweep.study_file import Mistake, StudyError

# Line 1 of every case that begins with `arms`.
DATA = "data: {name: digits, student: [top], auxiliary: [bottom]}\n"
KD = DATA + "arms: {kd: {}, student_only: {}}\n"
AMID = DATA + "arms: {amid: {}, student_only: {}}\n"


def mistakes(text: str) -> list[Mistake]:
    with pytest.raises(StudyError) as error:
        study_file.parse(text)
    return error.value.mistakes


def arm(keys: str, name: str = "kd") -> str:
    return f"{DATA}arms:\n  {name}: {{{keys}}}\n"


def row(entry: str) -> str:
    return f"{AMID}ablate:\n  arm: amid\n  rows:\n    - leave_one_out\n    - {entry}\n"


CASES = {
    # The text.
    "a key written twice": (KD + "seed: 1\nseed: 2\n", 4, "the key 'seed' is written twice, first in line 3"),
    "a tab": (DATA + "arms:\n\tkd: {}\n", 3, "YAML is indented with spaces, got a tab"),
    "an empty file": ("", 1, "the file is empty"),
    "only a comment": ("# later\n", 1, "the file is empty"),
    "no mapping": ("- kd\n", 1, "a study file is a mapping of sections, got ['kd']"),
    "a word": ("kd", 1, "a study file is a mapping of sections, got 'kd'"),
    "a tag that runs code": (KD + "name: !!python/object/apply:os.system [ls]\n", 3, "tags are not read"),
    "a harmless tag": (KD + "seed: !!int 3\n", 3, "tags are not read"),
    "a tag on a key": (KD + "!!str seed: 3\n", 3, "tags are not read"),
    "two documents": (KD + "---\n" + KD, 3, "a study file is one YAML document"),
    "unbalanced braces": (DATA + "arms: {kd: {}\n", 3, "not YAML"),
    "an unknown alias": (DATA + "arms: *all\n", 2, "the alias *all needs an anchor &all"),
    "an alias of itself": (DATA + "arms: &a {kd: *a}\n", 2, "the alias *a needs an anchor &a that ends before it"),
    "a list as key": (DATA + "? [a]\n: 1\n", 2, "a key is a word"),
    "a merge key": (KD + "train: {<<: {epochs: 3}}\n", 3, "merging with << is not read"),
    "deep nesting": (KD + "augment: " + "[" * 500 + "]" * 500, 3, "at most 20 levels deep"),
    "a control character": (KD + "name: a\x07b\n", 3, "printable text, got the character U+0007"),
    "a number without end": (KD + "train: {lr: .inf}\n", 3, "a number must be finite, got .inf"),
    "no number": (arm("kd.weight: .nan"), 3, "a number must be finite, got .nan"),
    "a number that overflows": (arm("kd.weight: {float: [1, 1e999]}"), 3, "a number must be finite, got 1e999"),
    "a number of many digits": (KD + f"seed: {'9' * 5000}\n", 3, "at most 18 digits"),
    # Sections.
    "an unknown key": (KD + "trian: {epochs: 3}\n", 3, "unknown key 'trian': expected name, seed", "train"),
    "an unknown key inside": (KD + "train:\n  epoch: 3\n", 4, "unknown key 'epoch': expected epochs", "epochs"),
    "an unknown key deep inside": (
        KD + "search: {pruner: {kep: 0.5}}\n", 3, "unknown key 'kep': expected kind, keep", "keep",
    ),
    "no data": ("arms: {kd: {}}\n", 1, "data is missing"),
    "data of nothing": ("arms: {kd: {}}\ndata:\n", 2, "data is missing"),
    "no arms": (DATA, 1, "arms needs at least one arm"),
    "empty arms": (DATA + "arms: {}\n", 2, "arms needs at least one arm"),
    "arms as a list": (DATA + "arms: [kd]\n", 2, "arms must be a mapping, got ['kd']"),
    "a wrong type": (KD + "train: {epochs: many}\n", 3, "train.epochs must be a whole number, got 'many'"),
    "a number in quotes": (KD + "train: {epochs: '30'}\n", 3, "train.epochs must be a whole number, got '30'"),
    "yes for a truth": (AMID + "ablate: {arm: amid, retune: yes}\n", 3, "must be true or false or 'both', got 'yes'"),
    "a number out of bounds": (KD + "search: {trials: 0}\n", 3, "search.trials must be at least 1, got 0"),
    "an unknown word": (KD + "train: {optimizer: sdg}\n", 3, "'adamw', 'adam' or 'sgd', got 'sdg'", "sgd"),
    "a union's wrong word": (
        KD + "resources: {concurrency: atuo}\n", 3, "a whole number or 'auto', got 'atuo'", "auto",
    ),
    "an unknown resource": (
        KD + "resources: {per_pack: {cpu: 1}}\n", 3, "unknown key 'cpu': expected cpus, gpus", "cpus",
    ),
    "dropout on several workers": (
        KD + "networks: {student: {top: {mlp: {dropout: 0.1}}}}\nresources: {workers: 2}\n", 4, "dropout",
    ),
    "an unknown control": (KD + "controls: [shuffled]\n", 3, "got 'shuffled'", "shuffled_within_class"),
    "controls without a claim": (KD + "controls: [untrained_teacher]\n", 3, "for the arm of report.claim"),
    "an unknown metric": (KD + "metric: acuracy\n", 3, "no metric 'acuracy' for classification", "accuracy"),
    "an unknown task": (KD + "task: classify\n", 3, "got 'classify'", "classification"),
    "a task of other labels": (KD + "task: multilabel\n", 3, "the data is made for classification or retrieval, got"),
    "an augmentation of another kind": (KD + "augment: {top: [time_mask]}\n", 3, "time_mask is for spectrogram"),
    "an augmentation that is none": (KD + "augment: {top: [flop]}\n", 3, "no augmentation 'flop': found crop, flip"),
    "an augmentation's argument": (KD + "augment: {top: [crop: {share: 2}]}\n", 3, "above 0 and at most 1, got 2"),
    "an augmented modality that is none": (KD + "augment: {tup: [flip]}\n", 3, "no modality 'tup'"),
    "an augmentation of yours that is not there": (
        KD + 'augment: {top: ["tests.helpers.augmenting:zzz"]}\n', 3, "tests.helpers.augmenting has no 'zzz'",
    ),
    "outputs that are no column": (KD + "teachers: {outputs: logits}\n", 3, "the data has no column 'logits'"),
    "outputs that somebody sees": (KD + "teachers: {outputs: bottom}\n", 3, "is seen by nobody, and 'bottom' is a"),
    "compiling what trains alone": (KD + "resources: {compile: on, pack: 1}\n", 3, "expected off, got on"),
    "a teacher's file that is missing": (
        KD + "teachers: {weights: no.safetensors}\n", 3, "cannot read 'no.safetensors'",
    ),
    "a teacher's file of another kind": (KD + "teachers: {weights: t.pt}\n", 3, "are a safetensors file, got 't.pt'"),
    "a study's name with a slash": (KD + "name: a/b\n", 3, "a study's name has no '/' in it"),
    "more finalists than trials": (
        KD + "search: {trials: 3}\nfinalists: {points: 4}\n", 4, "at most search.trials, got 4 of 3",
    ),
    "a first point of an unknown number": (
        KD + "search:\n  first:\n    - defaults\n    - {kd.wieght: 1}\n", 6, "no arm searches 'kd.wieght'", "kd.weight",
    ),
    "a first point out of range": (
        KD + "search: {first: [{kd.weight: 1e6}]}\n", 3, "a first point lies in the range of kd.weight in kd",
    ),
    "more first points than a first generation": (
        KD + "search:\n  generation: 1\n  first: [defaults, {kd.weight: 1}, {kd.weight: 2}]\n",
        5, "search.first has at most 2 * search.generation points, within search.trials: 2, got 3",
    ),
    "more first points than trials": (
        KD + "search:\n  trials: 1\n  first: [defaults, {kd.weight: 1}]\n", 5, "within search.trials: 1, got 2",
    ),
    "a first point of another word": (KD + "search: {first: [default]}\n", 3, "got 'default'", "defaults"),
    # Data and networks.
    "an unknown dataset": ("data: {name: digit, student: [top]}\narms: {kd: {}}\n", 1, "no dataset 'digit'", "digits"),
    "two datasets": ("data: {name: digits, path: here/, student: [top]}\narms: {kd: {}}\n", 1, "got name, path"),
    "no dataset": ("data: {student: [top]}\narms: {kd: {}}\n", 1, "one of name, path and python, got none"),
    "no student": ("data: {name: digits}\narms: {kd: {}}\n", 1, "data needs student"),
    "a loader that is not there": (
        "data:\n  student: [top]\n  python: no_such_package:load\narms: {kd: {}}\n",
        3, "cannot import 'no_such_package",
    ),
    "an option that the data does not take": (
        "data: {name: digits, student: [top], options: {size: 3}}\narms: {kd: {}}\n", 1, "options of dataset 'digits'",
    ),
    "a modality that is not there": (
        "data:\n  name: digits\n  student:\n    - topp\narms: {kd: {}}\n", 4, "no modality 'topp': it has top", "top",
    ),
    "a modality in both roles": (
        "data:\n  name: digits\n  student: [top]\n  auxiliary: [top]\narms: {kd: {}}\n",
        4, "got 'top' again as auxiliary",
    ),
    "folds by groups that are not there": (
        "data:\n  name: digits\n  student: [top]\n  folds: {by: group, count: 3}\narms: {kd: {}}\n", 4, "names groups",
    ),
    "an unknown role": (KD + "networks: {studnet: {top: mlp}}\n", 3, "unknown key 'studnet'", "student"),
    "an unknown encoder": (KD + "networks: {student: {top: mpl}}\n", 3, "no encoder 'mpl': found cnn, cnn3d", "mlp"),
    "an unknown fusion": (KD + "networks: {teacher: {fusion: conct}}\n", 3, "no fusion 'conct'", "concat"),
    "an unknown argument": (
        KD + "networks:\n  student:\n    top:\n      mlp: {hiden: [3]}\n", 6, "'mlp' takes hidden", "hidden",
    ),
    "an argument of a wrong type": (
        KD + "networks: {student: {top: {mlp: {hidden: 64}}}}\n",
        3, "hidden of mlp must be a list of whole numbers, got 64",
    ),
    "a place that the role lacks": (KD + "networks: {student: {botom: mlp}}\n", 3, "the student has no 'botom'"),
    "two encoders in one place": (KD + "networks: {student: {top: {mlp: {}, cnn: {}}}}\n", 3, "one encoder or fusion"),
    # Arms.
    "an unknown method": (arm("", "kdd"), 3, "no method 'kdd' in kdsweep/methods", "kd"),
    "an unknown method in use": (arm("use: infonec"), 3, "no method 'infonec'", "infonce"),
    "a module that is not there": (arm("use: no_such_package.loss"), 3, "cannot import method 'no_such_package.loss'"),
    "an arm that is no mapping": (DATA + "arms:\n  kd: 3\n", 3, "an arm is a mapping of its keys"),
    "a name with a slash": (arm("use: kd", "a/b"), 3, "an arm's name has no '/' in it"),
    "a name with a dot before it": (arm("use: kd", ".hidden"), 3, "does not begin with '.'"),
    "a name that does not print": (arm("use: kd", '"a\\nb"'), 3, "printable text"),
    "a label that is no text": (arm("label: 3"), 3, "label must be text, got 3"),
    "equal labels": (
        DATA + "arms:\n  kd: {}\n  other: {use: kd, label: kd}\n", 4, "two arms have the label 'kd': kd and other",
    ),
    "a number that the method does not read": (
        arm("kd.temprature: 3"), 3, "kd does not read 'kd.temprature': it reads", "kd.temperature",
    ),
    "a number without its term": (arm("temperature: 3"), 3, "kd does not read 'temperature'", "kd.temperature"),
    "a number of a term that is not there": (
        arm("kd.weight: 1", "amid"), 3, "kd.weight exists only where with_kd is True",
    ),
    "an unknown number of a term that is not there": (
        arm("kd.wait: 1", "amid"), 3, "amid does not read 'kd.wait'",
    ),
    "a number of another form": (
        arm("entropy.form: gaussian, entropy.critic_lr: 1", "amid"),
        3, "exists only where entropy_form is pair or joint",
    ),
    "a choice of an unknown value": (
        arm("entropy.form: gausian", "amid"),
        3, "entropy_form is one of pair, joint, gaussian, got 'gausian'", "gaussian",
    ),
    "a choice written twice": (
        arm("entropy.form: joint, entropy_form: pair", "amid"),
        3, "entropy.form and entropy_form are the same choice",
    ),
    "1 for a choice of true": (arm("with_kd: 1", "amid"), 3, "with_kd is one of False, True, got 1"),
    "a range with a value outside the choice": (
        arm("entropy.form: {choice: [pair, triple]}", "amid"), 3, "one of pair, joint, gaussian, got 'triple'",
    ),
    "a range of numbers for a choice": (arm("entropy.steps: {int: [1, 5]}", "amid"), 3, "got a range of numbers"),
    "low above high": (
        arm("kd.weight: {float: [2, 1]}"), 3, "kd.weight: low must be below high, got low=2.0, high=1.0",
    ),
    "a logarithmic range from 0": (
        arm("kd.weight: {float: [0, 1], log: true}"), 3, "a logarithmic range starts above 0",
    ),
    "a range with one end": (arm("kd.weight: {float: [1]}"), 3, "float has two ends, [low, high], got [1]"),
    "a range of words": (arm("kd.weight: {float: [a, b]}"), 3, "a range has two finite numbers"),
    "a range of parts": (arm("kd.weight: {int: [1, 2.5]}"), 3, "int has whole ends, got [1, 2.5]"),
    "an unknown kind of range": (arm("kd.weight: {floot: [1, 2]}"), 3, "unknown key 'floot': a range has", "float"),
    "two kinds of range": (
        arm("kd.weight: {float: [1, 2], int: [1, 2]}"), 3, "one of float, int, choice, got float, int",
    ),
    "a logarithmic choice": (arm("kd.weight: {choice: [1, 2], log: true}"), 3, "a choice has no order"),
    "a value twice": (arm("kd.weight: {choice: [1, 1]}"), 3, "a choice names each value once"),
    "a list for a number": (arm("kd.weight: [1, 2]"), 3, "kd.weight must be a value or a range, got [1, 2]"),
    "nothing for a number": (arm("kd.weight:"), 3, "kd.weight must be a value or a range, got nothing"),
    "a word for a number": (arm("kd.weight: heavy"), 3, "kd.weight must be a number, got 'heavy'"),
    "a negative weight": (arm("kd.weight: -1"), 3, "kd.weight must be at least 0, got -1"),
    "a temperature of 0": (arm("kd.temperature: 0"), 3, "kd.temperature must be above 0, got 0"),
    "a start beyond the end": (
        arm("kd.start: {float: [0, 2]}"), 3, "kd.start must be a fraction of training, from 0 to 1",
    ),
    "a learning rate of 0": (arm("train.lr: 0"), 3, "train.lr must be above 0, got 0"),
    "a recipe's number that is not searched": (
        arm("train.epochs: {int: [1, 9]}"), 3, "train.epochs is one value for all",
    ),
    "an unknown number of the recipe": (arm("train.ler: 1"), 3, "no 'train.ler': arms read train.lr", "train.lr"),
    "a range of epochs": (KD + "train: {epochs: {int: [1, 9]}}\n", 3, "train.epochs is one value for all arms"),
    "a bad range under train": (KD + "train: {lr: {float: [1, 1e-3]}}\n", 3, "lr: low must be below high"),
    "a number that no arm reads": (KD + "every_arm: {kd.wait: 1}\n", 3, "no arm reads 'kd.wait'", "kd.weight"),
    "an unknown teacher": (
        arm("teacher: unimodel"), 3, "one of multimodal, unimodal, bottom, got 'unimodel'", "unimodal",
    ),
    "a teacher of the student's own modality": (
        arm("teacher: top"), 3, "one of multimodal, unimodal, bottom, got 'top'",
    ),
    "a teacher for none": (
        arm("teacher: multimodal", "student_only"), 3, "student_only takes no teacher: it reads none",
    ),
    "a teacher beside its own": (arm("teacher: bottom", "amid"), 3, "amid takes no teacher: it trains its own"),
    "auxiliary models without modalities": (
        "data: {name: digits, student: [top], auxiliary: []}\narms:\n  amid: {}\n",
        3, "the data has no auxiliary modality",
    ),
    "a reference row with keys": (arm("train.lr: 1", "teacher"), 3, "takes no keys, got 'train.lr'"),
    "the other reference row with keys": (arm("label: A", "auxiliary_only"), 3, "takes no keys, got 'label'"),
    # Claim and ablation.
    "a claim for an arm that is not there": (
        KD + "report: {claim: {arm: dk, against: [student_only]}}\n", 3, "no arm 'dk': expected kd, student_only", "kd",
    ),
    "a claim against an arm that is not there": (
        KD + "report:\n  claim:\n    arm: kd\n    against: [studnt_only]\n", 6, "no arm 'studnt_only'", "student_only",
    ),
    "a claim against itself": (
        KD + "report: {claim: {arm: kd, against: [kd]}}\n", 3, "other arms, each once, got 'kd'",
    ),
    "a claim against nothing": (KD + "report: {claim: {arm: kd, against: []}}\n", 3, "at least 1 long, got []"),
    "a claim against a reference row": (
        DATA + "arms: {kd: {}, teacher: {}}\nreport: {claim: {arm: kd, against: [teacher]}}\n",
        3, "teacher is a reference",
    ),
    "an ablation of no arm": (KD + "ablate: {rows: [leave_one_out]}\n", 3, "ablate needs arm"),
    "an ablated arm that is not there": (KD + "ablate: {arm: kdd}\n", 3, "no arm 'kdd'", "kd"),
    "a required term dropped": (row("{without: [ce]}"), 7, "ce is required by amid and is never dropped"),
    "an unknown term dropped": (row("{without: [entrpy]}"), 7, "amid has no term 'entrpy'", "entropy"),
    "a term dropped that is not built": (row("{without: [kd]}"), 7, "amid has no term 'kd'"),
    "rows of an unknown word": (row("leave_one_in"), 7, "no rows 'leave_one_in'", "leave_one_out"),
    "rows of an unknown key": (row("{witout: [entropy]}"), 7, "unknown key 'witout'", "without"),
    "a row set to an unknown value": (row("{set: {entropy.form: gauss}}"), 7, "got 'gauss'"),
    "a row set to a range": (row("{set: {entropy.weight: {float: [1, 2]}}}"), 7, "to one value, got a range"),
    "a row of an unknown number": (
        row("{set: {entropy.wait: 1}}"), 7, "amid does not read 'entropy.wait'", "entropy.weight",
    ),
    "a row of no values": (row("{each: {entropy.weight: 1}}"), 7, "each lists the values of entropy.weight, got 1"),
    "a row of unknown data": (row("{each: {data.drop_label: [0.5]}}"), 7, "got 'data.drop_label'", "data.drop_labels"),
    "a share above 1": (row("{each: {data.drop_auxiliary: [1.5]}}"), 7, "from 0 to below 1, got 1.5"),
    "a row of an unknown modality": (
        row("{each: {data.auxiliary: [[botom]]}}"), 7, "no auxiliary modality 'botom'", "bottom",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_mistake_is_refused_with_its_line_and_the_nearest_name(case):
    text, line, rule, *nearest = case
    (mistake,) = mistakes(text)
    assert (mistake.line, rule in mistake.message) == (line, True), mistake
    assert [f"did you mean {name!r}?" in mistake.message for name in nearest] == [True] * len(nearest), mistake


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file():
    text = "seed: -1\n" + arm("kd.wieght: 1, teacher: bottm") + "metric: acc\ntrain: {epochs: 0, lr: fast}\n"
    assert [mistake.line for mistake in mistakes(text)] == [1, 4, 4, 5, 6, 6]


def test_the_error_prints_a_line_a_mistake(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(KD + "seed: -1\nmetric: acc\n")
    with pytest.raises(StudyError) as error:
        study_file.load(path)
    first, second = str(error.value).splitlines()
    assert first == f"{path}:3: seed must be at least 0, got -1"
    assert second.startswith(f"{path}:4: no metric 'acc' for classification")


def test_what_every_arm_is_told_wrongly_is_said_once():
    text = KD.replace("student_only: {}", "two: {use: kd}") + "every_arm: {kd.weight: -1}\n"
    assert mistakes(text) == [Mistake(3, "kd.weight must be at least 0, got -1")]


def test_a_tag_runs_no_code(tmp_path):
    marker = tmp_path / "ran"
    mistakes(KD + f"name: !!python/object/apply:os.mkdir [{marker}]\n")
    assert not marker.exists()


def test_aliases_that_multiply_are_refused():
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    (mistake,) = mistakes("\n".join(lines))
    assert "aliases counted in full" in mistake.message


def test_a_large_file_is_refused_before_it_is_parsed(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_bytes(KD.encode() + b"# " + b"x" * 10_000_000)
    with pytest.raises(StudyError, match="at most 1000000 bytes"):
        study_file.load(path)
    (mistake,) = mistakes(path.read_text())
    assert mistake.line == 0


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [(KD.encode() + b"name: \xff", 3, "a study file is UTF-8, got the byte 0xff"), (b"\xef\xbb\xbf\n", 1, "is empty")],
)
def test_bytes_that_are_no_text_are_refused(tmp_path, content, line, message):
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(StudyError) as error:
        study_file.load(path)
    assert [(m.line, message in m.message) for m in error.value.mistakes] == [(line, True)]


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path, name):
    with pytest.raises(StudyError, match="cannot be read"):
        study_file.load(tmp_path / name)


def test_a_folder_of_data_that_is_not_there_is_named_in_full(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "study.yaml").write_text("arms: {kd: {}}\ndata:\n  student: [a]\n  path: mine/\n")
    with pytest.raises(StudyError) as error:
        study_file.load("../study.yaml")
    (mistake,) = error.value.mistakes
    assert mistake.line == 4
    assert f"there is none at {tmp_path / 'here' / 'mine'}" in mistake.message


def test_a_users_code_that_fails_is_a_mistake_of_its_line(tmp_path, monkeypatch):
    (tmp_path / "broken_losses").mkdir()
    (tmp_path / "broken_losses" / "loss.py").write_text("1 / 0\n")
    (tmp_path / "broken_data.py").write_text("def load(): raise KeyError('x')\n")
    monkeypatch.syspath_prepend(tmp_path)
    (mistake,) = mistakes(arm("use: broken_losses.loss"))
    assert mistake.line == 3
    assert "ZeroDivisionError" in mistake.message
    (mistake,) = mistakes("data:\n  student: [top]\n  python: broken_data:load\narms: {kd: {}}\n")
    assert mistake.line == 3
    assert "KeyError" in mistake.message
