"""The report: verdicts, words and tables from synthetic runs, and a page that runs nothing it was given."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdsweep.report import build, sections
from kdsweep.report.facts import costs, ledger
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import csv, glossary, latex
from kdsweep.report.render import page as render
from kdsweep.report.render.section import CHAPTERS, discover
from kdsweep.report.render.tables import Command, Difference, P, Table, text
from kdsweep.report.sections import ablation, arms, certainty, controls, headline, papers, term_effects
from kdsweep.report.statistics.compare import compare, confirmed
from kdsweep.report.statistics.verdicts import Verdict, against_baselines, amount, judge
from tests.helpers import report_fakes
from tests.helpers.report_fakes import elements, nasty


@pytest.fixture(scope="module")
def runs() -> Runs:
    return report_fakes.make()


@pytest.fixture(scope="module")
def folder(runs, tmp_path_factory) -> Path:
    """A report of them: its page, and what lies beside it."""
    folder = tmp_path_factory.mktemp("report")
    assert build(runs, folder).path == folder / "index.html"
    return folder


@pytest.fixture(scope="module")
def page(folder) -> str:
    return (folder / "index.html").read_text()


def pair(runs, a="amid", b="kd"):
    return compare(runs, confirmed(runs, a), confirmed(runs, b))


# The comparison


def test_the_difference_is_that_of_the_printed_means(runs):
    means = [runs.test().reindex(confirmed(runs, arm).finished.values()).mean() for arm in ("amid", "kd")]
    assert pair(runs).interval.mean == pytest.approx(means[0] - means[1])


def test_a_clear_winner_is_better_and_its_loser_worse(runs):
    assert [judge(runs, [pair(runs, *names)])[0].word for names in (("amid", "kd"), ("kd", "amid"))] == [
        "better",
        "worse",
    ]


def test_where_less_is_better_the_lower_score_wins():
    runs = report_fakes.make(metric="log_loss", equivalent=None)
    assert pair(runs).interval.mean < 0
    assert judge(runs, [pair(runs)])[0].word == "better"


def test_groups_take_the_samples_place():
    assert pair(report_fakes.make(groups=20)).over == "seeds × groups"


def test_with_repeats_a_row_of_the_table_is_a_repeat():
    runs = report_fakes.make(repeats=4, seeds=3, search=2)
    assert (pair(runs).over, pair(runs).n, pair(runs).crossed.seeds) == ("repeats × samples", 4, 4)


def test_with_folds_the_fold_is_the_unit():
    runs = report_fakes.make(folds=4, seeds=2, search=2)
    assert (pair(runs).over, pair(runs).n, pair(runs).interval.df) == ("folds", 4, 3)


def test_runs_are_paired_by_seed_and_a_failed_one_leaves_its_pair():
    runs = report_fakes.make(fail="kd")
    assert pair(runs).n == 9
    assert confirmed(runs, "kd").count == "9; 1 of 10 failed"


def test_a_confirm_run_that_could_not_run_has_failed_once_the_study_is_complete():
    runs = report_fakes.make()
    lost = confirmed(runs, "amid").finished[0, 0, 3]
    trials = runs.trials[runs.trials["trial"] != lost]
    runs = replace(runs, trials=trials)
    assert confirmed(runs, "amid").count == "9; 1 of 10 failed"
    assert judge(runs, [pair(runs)])[0].word == "undecided"


def test_an_arm_with_a_failed_confirm_run_is_never_better_but_can_lose():
    runs = report_fakes.make(fail="amid")
    assert judge(runs, [pair(runs)])[0].word == "undecided"
    assert "failed" in judge(runs, [pair(runs)])[0].detail
    runs = report_fakes.make(fail="kd")
    assert judge(runs, [pair(runs)])[0].word == "better"


def test_two_seeds_get_an_interval_and_no_verdict():
    runs = report_fakes.make(seeds=2)
    assert pair(runs).interval is not None
    assert judge(runs, [pair(runs)])[0].word == "no verdict"


def test_unequal_budgets_get_no_verdict():
    runs = report_fakes.make()
    index = runs.index[~((runs.index["arm"] == "kd") & (runs.index["stage"] == "search") & (runs.index["number"] > 9))]
    runs = replace(runs, index=index)
    assert judge(runs, [pair(runs)])[0].detail == "the tuning budgets differ: 16 trials against 10"


def test_calibration_error_gets_no_verdict():
    runs = report_fakes.make(metric="ece", equivalent=None)
    assert (pair(runs).over, judge(runs, [pair(runs)])[0].word) == ("seeds only", "no verdict")


def test_a_class_that_rests_on_one_sample_gets_its_difference_and_a_sentence_and_no_interval():
    runs = report_fakes.make(metric="uar", seeds=4)

    def rare(trial):
        kept = made(trial)
        return None if kept is None else kept.assign(label=kept["label"].where(kept.index > 0, 4))

    made = runs.predictions
    found = pair(replace(runs, predictions=rare))
    assert found.interval is None
    assert found.difference == pytest.approx(np.mean(found.pairs))
    assert "rests on one test sample" in judge(runs, [found])[0].detail
    assert pair(runs).interval is not None


def test_the_printed_difference_of_a_set_s_metric_is_that_of_the_printed_scores():
    found = pair(report_fakes.make(metric="macro_f1", seeds=4, samples=80))
    assert found.interval.mean == pytest.approx(np.mean(found.scores[0]) - np.mean(found.scores[1]))


def test_few_groups_say_so():
    assert "4 groups" in pair(report_fakes.make(groups=4, seeds=4)).cautions[0]
    assert pair(report_fakes.make(groups=27, seeds=4)).cautions == ()


def test_an_unfinished_study_gets_no_verdict():
    runs = report_fakes.make(complete=False, confirmed=4)
    assert judge(runs, [pair(runs)])[0].word == "no verdict"
    assert confirmed(runs, "amid").count == "4; 6 of 10 unfinished"


def test_equal_arms_are_equivalent_only_within_a_margin_the_study_set():
    runs = report_fakes.make(equivalent=60.0, seeds=10)
    same = compare(runs, confirmed(runs, "kd"), confirmed(runs, "kd"))
    assert str(judge(runs, [same])[0]) == "equivalent within ±60 points"
    runs = report_fakes.make(equivalent=None)
    same = compare(runs, confirmed(runs, "kd"), confirmed(runs, "kd"))
    assert judge(runs, [same])[0].word == "undecided"


def test_an_open_question_says_what_would_decide_it():
    runs = report_fakes.make(samples=60, equivalent=1.0, skills={"kd": 1.25})
    verdict = judge(runs, [pair(runs, "kd", "student_only")])[0]
    assert verdict.word == "undecided"
    assert re.search(r"\d+ more seeds would decide this|no number of seeds", verdict.detail)
    assert "±1 is less than this test set can show" in verdict.detail


def test_a_later_look_is_stricter():
    small = {"search": 1, "samples": 10}
    assert report_fakes.make(looks=[10], **small).look == 1
    assert report_fakes.make(looks=[10], repeats=2, **small).look == 2
    assert report_fakes.make(looks=[5, 10], **small).look == 2
    assert report_fakes.make(looks=[3, 5], **small).look == 3


def test_the_claim_is_a_family_of_its_own(runs):
    claimed = [key for key, one in against_baselines(runs).items() if one.claimed]
    assert sorted(claimed) == [("amid", "kd"), ("amid", "student_only")]
    assert ("kd", "student_only") in against_baselines(runs)


# The words


def test_the_headline_says_the_claim_with_its_numbers(runs):
    said = headline.answer(runs)
    assert said.title == "AMID is better than Student only and KD in accuracy"
    assert re.search(r"AMID is better than KD \(\+\d+\.\d \[\d+\.\d, \d+\.\d\] points\)", said.sentences[0])
    assert "at the settings found" in said.facts


def test_without_a_claim_everything_is_exploratory():
    runs = report_fakes.make(claim=False)
    assert "exploratory" in headline.answer(runs).title
    assert not any(one.claimed for one in against_baselines(runs).values())


def test_the_auxiliary_modality_helps_only_where_the_control_is_beaten_too(runs):
    assert headline.helps(runs).startswith("The auxiliary modality (bottom) helps")
    without = runs.index[runs.index["control"] != "student_only_teacher"]
    runs = replace(runs, index=without)
    assert "was not asked" in headline.helps(runs)


def test_a_student_taught_as_well_by_its_own_modality_shows_no_help():
    runs = report_fakes.make()
    index = runs.index.copy()
    # The control's runs are the method's own: nothing is left between them.
    control = index["control"] == "student_only_teacher"
    index.loc[control & (index["stage"] == "control"), "trial"] = list(confirmed(runs, "amid").finished.values())
    runs = replace(runs, index=index)
    assert "is not shown" in headline.helps(runs)


def test_a_student_that_others_beat_is_not_called_unbeaten():
    runs = report_fakes.make(skills={"student_only": 0.6, "amid": 0.6, "kd": 2.5})
    said = headline.helps(runs)
    assert "AMID is not shown to beat Student only. KD does, which was not claimed beforehand." in said
    nobody = headline.helps(report_fakes.make(skills={"amid": 1.2, "kd": 1.2}))
    assert nobody.endswith("AMID is not shown to beat Student only.")


@pytest.mark.parametrize("claim", [True, False])
def test_the_answer_names_a_teacher_that_does_worse_than_the_student_alone(runs, claim):
    weak = report_fakes.make(skills={"teacher": 0.5}, claim=claim)
    main = {row["arm"]: row["accuracy (%)"] for row in arms.table(weak)[0].rows}
    who = "AMID" if claim else "KD"
    numbers = f"{main['Teacher']:.1f} against {main['Student only']:.1f} %"
    sentence = f"On average the teacher of {who} does worse than Student only: {numbers}."
    assert headline.answer(weak).sentences[-1] == sentence
    assert not headline.weak_teacher(runs)


def test_of_a_metric_where_less_is_better_a_weak_teacher_has_more():
    weak = report_fakes.make(skills={"teacher": 0.5}, metric="log_loss")
    assert "the teacher of AMID does worse" in headline.weak_teacher(weak)
    assert not headline.weak_teacher(report_fakes.make(metric="log_loss"))


def test_an_unfinished_study_is_not_called_either_way():
    said = headline.answer(report_fakes.make(complete=False, confirmed=5))
    assert said.title.startswith("Not yet known")
    assert not any("helps" in sentence for sentence in said.sentences)


def test_a_caution_stands_under_the_answer_and_before_every_section(runs):
    said = headline.answer(runs)._replace(cautions=("AMID is not <trained out>.",))
    page = render.page(runs, said, [])
    assert page.index(said.sentences[-1][:20]) < page.index("AMID is not &lt;trained out&gt;.") < page.index("<footer>")


# The tables


def test_the_main_table_has_every_arm_and_the_references_last(runs):
    (table,) = arms.table(runs)
    assert [row["arm"] for row in table.rows] == ["Student only", "KD", "AMID", "Teacher", "Auxiliary only"]
    amid = table.rows[2]
    assert (amid["finished"], amid["pruned"], amid["failed"]) == (17, 4, 1)
    assert re.fullmatch(r"multimodal teacher-.* \d+\.\d", amid["teacher"])
    assert amid["verdict, KD"].word == "better"


def test_an_arms_seconds_hold_its_teachers_and_auxiliary_models_with_their_searches():
    runs = report_fakes.make(seeds=3, search=2, samples=30)
    alone = costs.spent(runs, "student_only")["device-seconds"]
    # Trials of a search and its finalists, three runs of confirm, and for kd three of the teacher.
    assert (alone, costs.spent(runs, "kd")["device-seconds"]) == (3.5 * 11, 3.5 * 14)
    trials = runs.trials.assign(auxiliaries="")
    trials.loc[trials["trial"] == "kd-confirm-0-0-1", "auxiliaries"] = "auxiliary_only-0-0-1"
    searched = {**runs.index.iloc[0].to_dict(), "trial": "kd-final-0", "trains": "bottom", "seed": 0}
    index = pd.concat([runs.index, pd.DataFrame([searched])])
    runs = replace(runs, index=index, trials=trials)
    assert costs.spent(runs, "kd")["device-seconds"] == 3.5 * 18


def test_each_table_says_what_it_can_detect(runs):
    crossed = [one.comparison.crossed for one in against_baselines(runs).values() if one.claimed]
    least = min(100 * one.detectable(0.025) for one in crossed)
    for section in (arms, certainty, ablation, controls):
        notes = " ".join(section.table(runs)[0].notes)
        assert re.search(r"10 seeds on 400 test samples detect differences of [\d.]+", notes), section.__name__
    assert f"differences of {amount(least)}" in " ".join(arms.table(runs)[0].notes)


def test_column_heads_are_explained_whatever_they_name():
    words = glossary.words()
    assert glossary.explained("− KD", words) == words["difference"]
    assert glossary.explained("verdict, AMID", words) == words["verdict"]
    assert glossary.explained("best of 16", words) == words["best of …"]
    assert glossary.explained("a user's term", words) is None


def test_a_control_and_a_row_name_their_teacher(runs):
    for section in (ablation, controls):
        named = [row["teacher"] for row in section.table(runs)[0].rows if row["n"]]
        assert all(re.fullmatch(r"multimodal teacher-.* [\d.]+", teacher) for teacher in named)


def test_the_ablation_marks_terms_and_says_what_was_not_retuned(runs):
    (table,), (terms,) = ablation.table(runs), term_effects.table(runs)
    row = next(row for row in table.rows if row["row"] == "without entropy")
    assert (row["kd"], row["entropy"]) == (True, False)
    assert "favours" in row["retuned"]
    assert [(row["term"], row["leave one out"] is not None, row["add one in"] is not None) for row in terms.rows] == [
        ("kd", False, True),
        ("mi_teacher", True, False),
        ("entropy", True, False),
    ]


def test_a_control_without_runs_does_not_apply(runs):
    (table,) = controls.table(runs)
    assert {row["control"]: str(row["verdict"]) for row in table.rows}["label_smoothing"] == "does not apply"
    assert all(row["question"] for row in table.rows)


def test_papers_are_those_of_the_terms_in_use(runs):
    terms, _ = papers.table(runs)
    (row,) = terms.rows
    assert (row["used by"], row["paper"].href) == ("kd", "https://arxiv.org/abs/1503.02531")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (None, "–"),
        (True, "✓"),
        (1234567, "1\N{THIN SPACE}234\N{THIN SPACE}567"),
        (-0.001, "0.00"),
        (-1.5, "−1.50"),
        (Difference(0.5, -1.0, 2.0), "+0.50 [−1.00, 2.00]"),
        (Difference(-0.001, -1.0, 1.0), "0.00 [−1.00, 1.00]"),
        (float("nan"), "–"),
        (P(0.0004), "< 0.001"),
        (P(0.0123), "0.012"),
    ],
)
def test_a_cell_is_written_as_a_reader_expects(cell, expected):
    assert text(cell) == expected


def test_csv_keeps_full_precision_and_no_formula():
    table = Table("t", "c", [{"=name": "=1+1", "d": Difference(1 / 3, -0.25, 1.0), "v": Verdict("worse", 0.1, "-x")}])
    lines = csv.render(table).splitlines()
    assert lines[0] == "'=name,d,d: low,d: high,v,v: detail"
    assert lines[1] == f"'=1+1,{1 / 3!r},-0.25,1.0,worse,'-x"


def test_latex_leaves_sentences_out():
    table = Table("t", "c", [{"name": "x", "p": P(0.5), "why": "a long story"}], prose=("why",))
    assert r"{}x & 0.500 \\" in latex.render(table)
    assert "story" not in latex.render(table)
    assert csv.render(table).splitlines()[1] == "x,0.5,a long story"


def test_latex_escapes_what_it_would_run():
    table = Table("t", "50%", [{"name": r"\input{x}_$&#~^", "d": Difference(1.0, -0.5, 2.0)}])
    written = latex.render(table)
    assert r"\textbackslash{}input\{x\}\_\$\&\#\textasciitilde{}\textasciicircum{}" in written
    assert r"50\%" in written
    assert r"+1.00 [$-$0.50, 2.00]" in written
    assert r"\begin{tabular}{lr}" in written


# The page


def test_a_report_is_one_page_its_tables_and_its_runs(runs, folder):
    assert (folder / "index.html").stat().st_size < 2.5e6
    assert {"arms.csv", "arms.tex", "ablation.csv"} <= {path.name for path in (folder / "tables").iterdir()}
    stored = pd.read_parquet(folder / "runs.parquet")
    assert len(stored) == len(runs.index)
    assert {"stage", "arm", "state", "param.kd.weight"} <= set(stored)


@pytest.mark.slow
def test_equal_runs_give_equal_pages(runs, page, tmp_path):
    assert build(report_fakes.make(), tmp_path).path.read_text() == page


def test_the_page_needs_nothing_from_elsewhere(page):
    loaded = [
        attrs.get("src") or attrs.get("href", "")
        for tag, attrs in elements(page)
        if tag in ("script", "link", "img", "iframe") and ("src" in attrs or "href" in attrs)
    ]
    assert loaded == []


def test_every_section_is_headed_in_its_chapter_and_not_broken(page):
    found = elements(page)
    shown = [attrs["id"] for tag, attrs in found if tag == "section"]
    heads = [attrs.get("id") for tag, attrs in found if tag in ("h2", "h3")]
    assert len(shown) >= 15
    assert all(f"{name}-title" in heads for name in shown)
    assert [tag for tag, _ in found if tag == "summary"] == ["summary"] * (len(CHAPTERS) - 1)
    front, *folded = page.split("<details")
    assert [name for name in shown if f'id="{name}"' in front] == ["arms", "ablation"]
    assert all(title in part for title, part in zip(list(CHAPTERS.values())[1:], folded, strict=True))
    assert "could not be drawn" not in page
    assert all(attrs.get("aria-label") for tag, attrs in found if tag == "div" and attrs.get("class") == "ink")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"confirmed": 0, "complete": False},
        {"confirmed": 1, "complete": False},
        {"claim": False},
        {"folds": 3, "seeds": 2},
        {"repeats": 3, "seeds": 2},
        {"groups": 12, "metric": "macro_f1"},
        {"metric": "log_loss", "equivalent": None},
        {"fail": "amid"},
    ],
)
def test_no_state_of_a_study_breaks_a_section(options, tmp_path, recwarn):
    page = build(report_fakes.make(**{"search": 3, "samples": 40, "seeds": 3, **options}), tmp_path).path.read_text()
    assert "could not be drawn" not in page, [str(warning.message) for warning in recwarn]


def test_a_study_that_has_only_begun_has_a_report(tmp_path, recwarn):
    runs = report_fakes.make(search=2, seeds=3, samples=20, complete=False)
    begun = replace(
        runs,
        index=pd.DataFrame(),
        trials=pd.DataFrame(),
        curves=pd.DataFrame(),
        predictions=lambda trial: None,
        history=ledger.NOTHING_SHOWN,
    )
    page = build(begun, tmp_path).path.read_text()
    assert "could not be drawn" not in page, [str(warning.message) for warning in recwarn]
    assert "unfinished" in page


def test_a_name_in_a_study_runs_nothing(tmp_path):
    page = build(nasty(), tmp_path).path.read_text()
    found = elements(page)
    assert not [tag for tag, _ in found if tag in ("img", "iframe", "object")]
    assert not [attrs for _, attrs in found if any(name.startswith("on") for name in attrs)]
    policy = next(attrs["content"] for tag, attrs in found if attrs.get("http-equiv"))
    assert "unsafe-inline" not in policy.split("style-src")[0]
    figures = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    assert figures
    assert all(json.loads(figure)["data"] and "<" not in figure for figure in figures)


def test_a_report_knows_no_torch_ray_or_optuna():
    modules = ["kdsweep.report.render.page", *(f"{sections.__name__}.{section.name}" for section in discover(sections))]
    code = (
        f"import importlib, sys; [importlib.import_module(name) for name in {modules}]; "
        "print([name for name in ('torch', 'ray', 'optuna') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"


def test_planning_loads_no_plotly():
    code = "import sys, kdsweep.report.statistics.crossed; print('plotly' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "False"


def test_replay_names_each_run(runs):
    (table,) = importlib.import_module("kdsweep.report.sections.replay").table(runs)
    assert len(table.rows) == 10 * (3 + 3 + 3)
    assert table.rows[0]["command"] == Command("python -m kdsweep replay student_only-confirm-0-0-1")
