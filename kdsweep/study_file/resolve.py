"""Reading a study file: everything in it is checked before anything starts, and every mistake is reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from kdsweep.protocol.pruners import registry as pruners
from kdsweep.protocol.samplers import registry as samplers
from kdsweep.study_file import ablation, arms, brought, roles, sections, text
from kdsweep.study_file.findings import Findings, Mistake, StudyError, did_you_mean, listed
from kdsweep.study_file.sections import File
from kdsweep.tasks import registry as tasks
from kdsweep.values.card import Card
from kdsweep.values.study import SEARCHABLE_TRAIN, Arm, Claim, Data, Finalists, Row, Study, Train


def load(path: FilePath | str) -> Study:
    """The study of this file.

    Raises:
        StudyError: it cannot be read, or is no valid study: with every mistake that was found.
    """
    path = FilePath(path)
    try:
        with path.open("rb") as file:
            content = file.read(text.MAX_BYTES + 1)
    except OSError as error:
        raise StudyError(str(path), [Mistake(0, f"cannot be read: {error.strerror or error}")]) from error
    if len(content) > text.MAX_BYTES:
        raise StudyError(str(path), [Mistake(0, f"a study file has at most {text.MAX_BYTES} bytes, got more")])
    try:
        written = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        mistake = Mistake(line, f"a study file is UTF-8, got the byte 0x{content[error.start]:02x}")
        raise StudyError(str(path), [mistake]) from error
    return parse(written, name=path.stem, path=str(path))


def parse(source: str, *, name: str = "study", path: str = "") -> Study:
    """The study that the text stands for; `name` where it names none, `path` for messages.

    Raises:
        StudyError: it is no valid study: with every mistake that was found.
    """
    value, findings = text.read(source)
    study = None
    if isinstance(value, dict):
        study = _resolve(value, findings, name=name, path=path, source=source)
    elif not findings.mistakes:
        findings.refuse((), f"a study file is a mapping of sections, got {sections.shown(value)}")
    if findings.mistakes or study is None:
        raise StudyError(path or name, findings.mistakes)
    return study


def _resolve(written: dict[str, Any], findings: Findings, *, name: str, path: str, source: str) -> Study | None:
    """The study; None only where findings hold a mistake."""
    written, recipe = _take_ranges(written, findings)
    file = sections.read(written, findings)
    _check_availability(file, findings)
    study_name = file.name or name
    if rule := arms.name_fault(study_name):
        findings.refuse(("name",), f"a study's name {rule}, got {study_name!r}")

    data, card = file.data, None
    if data is not None:
        card = roles.describe(data, findings)
        if card is not None and "task" not in written:
            file = file.model_copy(update={"task": card.task})
    elif written.get("data") is None:
        findings.refuse(("data",), "data is missing: expected its name and the modalities that the student sees")
    auxiliary = roles.auxiliary(data, card) if data is not None and card is not None else None
    metric = _metric(file, findings)
    columns = brought.columns(file, card, findings)
    if data is not None and card is not None and data.auxiliary is None and columns:
        # What a teacher said is no modality that anybody sees.
        seen = tuple(name for name in card.modalities if name not in (*data.student, *columns.values()))
        data = data.model_copy(update={"auxiliary": seen})
    _check_search(file, findings)
    common = arms.shared(recipe, file.every_arm, findings)
    read = arms.read(file.arms, common, auxiliary=auxiliary, task=file.task, findings=findings)
    if not written.get("arms", {}):
        findings.refuse(("arms",), "arms needs at least one arm, such as student_only: {}")
    teacher_space, teacher_fixed = arms.teacher_settings(common, findings)
    finalists = _finalists(file, findings)
    _check_first(file, read, findings)
    claim = _claim(file, read, findings)
    if data is None or card is None or auxiliary is None:
        return None
    rows = _rows(file, read, data, auxiliary, findings)
    _check_task(file, card, findings)
    _check_recipe(file, columns, rows, findings)
    networks = roles.complete(file.networks, data, card, findings)
    if file.resources.workers > 1 and _drops_out(networks):
        message = "dropout draws other masks on several workers, and results would differ: expected 1, or dropout 0"
        findings.refuse(("resources", "workers"), message)
    augment = roles.augmentations(file.augment, data, card, findings)
    if file.evaluate.missing and len(data.student) == 1:
        message = "evaluate.missing takes modalities away from a student that sees several, got one"
        findings.refuse(("evaluate", "missing"), message)
    if file.evaluate.views and not any(augment.get(name) for name in data.student):
        message = "evaluate.views averages the views of augment, and no modality of the student has any"
        findings.refuse(("evaluate", "views"), message)
    if file.resources.workers > 1 and any(":" in name for steps in augment.values() for step in steps for name in step):
        message = "an augmentation of your own draws otherwise on several workers, and results would differ: expected 1"
        findings.refuse(("resources", "workers"), message)
    return Study(
        name=study_name,
        seed=file.seed,
        data=data,
        card=card,
        task=file.task,
        metric=metric,
        maximize=tasks.load(file.task).metrics[metric].maximize,
        select=file.select,
        networks=networks,
        teachers=file.teachers,
        train=file.train,
        augment=augment,
        arms=read,
        search=file.search,
        finalists=finalists,
        confirm=file.confirm,
        evaluate=file.evaluate,
        ablated=file.ablate.arm if file.ablate else "",
        retune=file.ablate.retune if file.ablate else False,
        rows=rows,
        controls=file.controls,
        claim=claim,
        equivalent=file.report.equivalent,
        references=file.report.references,
        storage=file.storage,
        resources=file.resources,
        teacher_space=teacher_space,
        teacher_fixed=teacher_fixed,
        given=brought.given(file, networks["teacher"], columns, findings),
        path=path,
        source=source,
        warnings=tuple(findings.warnings),
    )


def _take_ranges(written: dict[str, Any], findings: Findings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The file without the ranges under `train`, and those, by name."""
    train = written.get("train")
    if not isinstance(train, dict):
        return written, {}
    ranges = {key: value for key, value in train.items() if isinstance(value, dict) and key in Train.model_fields}
    for key in ranges:
        if key not in SEARCHABLE_TRAIN:
            message = f"train.{key} is one value for all arms: ranges go with {listed(SEARCHABLE_TRAIN)}"
            findings.refuse(("train", key), message)
    rest = {key: value for key, value in train.items() if key not in ranges}
    return {**written, "train": rest}, {key: value for key, value in ranges.items() if key in SEARCHABLE_TRAIN}


def _drops_out(networks: Any) -> bool:
    """Whether any part of the networks has dropout."""
    if not isinstance(networks, dict):
        return False
    return any((key == "dropout" and bool(value)) or _drops_out(value) for key, value in networks.items())


def _check_availability(file: File, findings: Findings) -> None:
    """What the format knows and this version does not do yet is refused, never ignored."""
    if file.resources.compile == "on" and (file.resources.pack == 1 or file.resources.workers > 1):
        message = "compile: on is for packs of several trials on one worker: expected off, got on"
        findings.refuse(("resources", "compile"), message)


def _check_task(file: File, card: Card, findings: Findings) -> None:
    """Labels are classes, several yes or no, or values: a study asks for no other task of them."""
    labels = tasks.load(card.task).labels
    able = [name for name in tasks.TASKS if tasks.load(name).labels is labels]
    if file.task not in able:
        findings.refuse(("task",), f"the data is made for {' or '.join(able)}, got the task {file.task}")


def _check_recipe(file: File, columns: Mapping[str, str], rows: tuple[Row, ...], findings: Findings) -> None:
    """What the recipe or the data would do to nothing, or to less than it says, is refused."""
    for key, why in tasks.load(file.task).meaningless.items():
        if key in Train.model_fields and getattr(file.train, key) != Train.model_fields[key].default:
            findings.refuse(("train", key), f"{why}: {key} does nothing to them")
    takes_away = [row.name for row in rows if row.data.keys() - {"drop_labels"}]
    if file.data is not None and file.data.drop_auxiliary:
        takes_away.append("data.drop_auxiliary")
    if columns and takes_away:
        message = "what a brought teacher said was said of the whole data: nothing of it is taken away by"
        findings.refuse(("teachers", "outputs"), f"{message} {listed(takes_away)}")


def _metric(file: File, findings: Findings) -> str:
    """The metric, or the task's own where there is no such one."""
    known = list(tasks.load(file.task).metrics)
    if file.metric is None:
        return known[0]
    if file.metric not in known:
        message = f"no metric {file.metric!r} for {file.task}: expected {listed(known)}"
        findings.refuse(("metric",), message + did_you_mean(file.metric, known))
        return known[0]
    return file.metric


def _finalists(file: File, findings: Findings) -> Finalists:
    trials = file.search.trials
    if file.finalists is None:
        default = Finalists()
        return default.model_copy(update={"points": min(default.points, trials)})
    if file.finalists.points > trials:
        message = f"finalists.points must be at most search.trials, got {file.finalists.points} of {trials}"
        findings.refuse(("finalists", "points"), message)
    return file.finalists


def _check_search(file: File, findings: Findings) -> None:
    """The sampler and the pruner are some that there are."""
    sampler, pruner = file.search.sampler, file.search.pruner
    if ":" not in sampler and sampler not in (known := samplers.names()):
        rule = f"search.sampler must be {listed(known)}, or package.module:callable"
        findings.refuse(("search", "sampler"), f"{rule}, got {sampler!r}{did_you_mean(sampler, known)}")
    else:
        try:
            samplers.identity(sampler)
        except ValueError as error:
            findings.refuse(("search", "sampler"), f"search.sampler: {error}")
    if pruner is not None and pruner.kind not in (known := pruners.names()):
        message = f"search.pruner.kind must be {listed(known)}, got {pruner.kind!r}{did_you_mean(pruner.kind, known)}"
        findings.refuse(("search", "pruner", "kind"), message)


def _check_first(file: File, read: Mapping[str, Arm], findings: Findings) -> None:
    """A first point counts in every arm that searches its numbers, and must lie inside their ranges."""
    known = sorted({key for arm in read.values() for key in arm.space})
    # A search begins with a generation of twice the size at most: what goes beyond it would never run.
    most = min(2 * file.search.generation, file.search.trials)
    if (count := len(file.search.first)) > most:
        message = f"search.first has at most 2 * search.generation points, within search.trials: {most}, got {count}"
        findings.refuse(("search", "first"), message)
    for index, point in enumerate(file.search.first):
        for key, value in point.items() if isinstance(point, dict) else ():
            path = ("search", "first", index, key)
            searching = [arm for arm in read.values() if key in arm.space]
            if not searching and len(read) == len(file.arms):
                message = f"no arm searches {key!r}: they search {listed(known)}"
                findings.refuse(path, message + did_you_mean(key, known))
            for arm in searching:
                if not arm.space[key].contains(value):
                    findings.refuse(path, f"a first point lies in the range of {key} in {arm.name}, got {value!r}")


def _find_arm(
    name: str, path: tuple[str | int, ...], file: File, read: Mapping[str, Arm], findings: Findings
) -> Arm | None:
    """The arm of this name; None where there is none, or where it could not be read."""
    known = [arm.name for arm in read.values() if not arm.reference]
    if name in known:
        return read[name]
    if name in read:
        findings.refuse(path, f"{name} is a reference row, outside the equal budget: expected {listed(known)}")
    elif name not in file.arms:
        findings.refuse(path, f"no arm {name!r}: expected {listed(known)}{did_you_mean(name, known)}")
    return None


def _claim(file: File, read: Mapping[str, Arm], findings: Findings) -> Claim | None:
    written = file.report.claim
    if written is None:
        if file.controls:
            findings.refuse(("controls",), "controls are for the arm of report.claim, and there is none")
        return None
    _find_arm(written.arm, ("report", "claim", "arm"), file, read, findings)
    for index, name in enumerate(written.against):
        path = ("report", "claim", "against", index)
        _find_arm(name, path, file, read, findings)
        if name == written.arm or name in written.against[:index]:
            findings.refuse(path, f"a claim is against other arms, each once, got {name!r} again")
    for index, control in enumerate(file.controls):
        if control in file.controls[:index]:
            findings.refuse(("controls", index), f"controls are listed once, got {control!r} again")
    return Claim(written.arm, written.against)


def _rows(
    file: File, read: Mapping[str, Arm], data: Data, auxiliary: tuple[str, ...], findings: Findings
) -> tuple[Row, ...]:
    if file.ablate is None:
        return ()
    arm = _find_arm(file.ablate.arm, ("ablate", "arm"), file, read, findings)
    if arm is None:
        return ()
    return ablation.read(file.ablate, arm, data=data, auxiliary=auxiliary, task=file.task, findings=findings)
