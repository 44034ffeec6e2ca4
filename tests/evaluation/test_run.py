import csv
import json
import shutil
from dataclasses import replace

import pytest
import toys

from flanbuild.artifacts.arrow import read_table
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.metrics import METRICS
from flanbuild.evaluation.paper import PAPER, SEEN_BEST
from flanbuild.evaluation.rows import EvaluationRows
from flanbuild.evaluation.run import evaluate
from flanbuild.evaluation.scores import Answers, by_template, majority, random_guess, summary
from flanbuild.training.run import train

CONFIG = EvaluateConfig(max_new_tokens=8)
RANKED = [toys.evaluation_row(i, t) for i in range(60, 78) for t in (0, 1)]
WRITTEN = [toys.evaluation_row(i, t, ranked=False) for i in range(60, 78) for t in (0, 1)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A mixture with held-out tasks, their rows, and a model trained on it."""
    place = tmp_path_factory.mktemp("evaluation")
    rows = [toys.row(i, i % 2) for i in range(192)]
    toys.write_mixture(place / "mixture", rows, rows[:20])
    tasks = {
        "rte": (["accuracy", "macro_f1"], RANKED),
        "said": (["exact_match", "rouge1"], WRITTEN),
        "gone": (["accuracy"], None),
    }
    toys.hold_out(place / "mixture", place / "rendered", tasks)
    train(place / "mixture", place / "model", toys.TINY)
    return place


@pytest.fixture(scope="module")
def report(place):
    evaluate(place / "model", place / "mixture", place / "rendered", place / "report", CONFIG)
    return place / "report"


@pytest.fixture(scope="module")
def scores(report):
    return json.loads((report / "scores.json").read_text())


def rows(options: list[list[str]], answers: list[str], templates: list[int] | None = None) -> EvaluationRows:
    count = len(answers)
    return EvaluationRows(
        prompt=[""] * count,
        template=templates or [0] * count,
        row=list(range(count)),
        options=options,
        answer=answers,
        answers=[[answer] for answer in answers],
    )


def test_a_tuned_model_beats_chance_where_the_untuned_does_not(scores):
    accuracy = scores["scores"]["nli"]["rte"]["accuracy"]
    assert accuracy["tuned"]["mean"] > 90
    assert accuracy["untuned"]["mean"] < 50
    assert accuracy["random"] == pytest.approx(100 / 6, abs=1e-3)


def test_a_tuned_model_writes_the_answer_and_stops(scores):
    assert scores["scores"]["nli"]["said"]["exact_match"]["tuned"]["mean"] > 90


def test_a_task_without_rows_is_listed_not_skipped(scores):
    assert scores["not_evaluated"] == {"nli/gone": "no evaluation split"}
    assert "gone" not in scores["scores"]["nli"]


def test_the_paper_stands_beside_a_task_it_reports(scores):
    assert scores["scores"]["nli"]["rte"]["accuracy"]["paper"]["mean"] == 78.3
    assert "paper" not in scores["scores"]["nli"]["said"]["exact_match"]


def test_scores_can_be_recomputed_from_the_predictions(report):
    table = read_table(report / "predictions.arrow").to_pylist()
    mine = [row for row in table if row["model"] == "tuned" and row["task"] == "rte" and row["template"] == 0]
    right = sum(row["prediction"] == row["answer"] for row in mine) / len(mine)
    with (report / "templates.csv").open() as file:
        listed = {tuple(list(row.values())[:5]): float(row["score"]) for row in csv.DictReader(file)}
    assert listed["tuned", "nli", "rte", "accuracy", "0"] == pytest.approx(100 * right, abs=1e-3)
    assert all(row["prediction"] == row["options"][row["logliks"].index(max(row["logliks"]))] for row in mine)


def test_evaluating_twice_gives_equal_bytes(place, report):
    evaluate(place / "model", place / "mixture", place / "rendered", place / "again", CONFIG)
    assert all((place / "again" / path.name).read_bytes() == path.read_bytes() for path in report.iterdir())


def test_fewer_examples_are_the_first_rows_under_all_templates(place, tmp_path):
    evaluate(
        place / "model", place / "mixture", place / "rendered", tmp_path / "few", replace(CONFIG, examples=3)
    )
    table = read_table(tmp_path / "few/predictions.arrow").to_pylist()
    asked = {(row["row"], row["template"]) for row in table if row["task"] == "rte"}
    assert asked == {(row, template) for row in (60, 61, 62) for template in (0, 1)}


def test_a_model_of_other_make_is_evaluated_without_an_untuned_one(place, tmp_path):
    shutil.copytree(place / "model/untuned", tmp_path / "model")
    evaluate(
        tmp_path / "model",
        place / "mixture",
        place / "rendered",
        tmp_path / "out",
        replace(CONFIG, examples=1),
    )
    figures = json.loads((tmp_path / "out/scores.json").read_text())["scores"]["nli"]["rte"]["accuracy"]
    assert "untuned" not in figures


def test_rows_other_than_the_manifest_says_stop_the_run(place, tmp_path):
    shutil.copytree(place / "rendered", tmp_path / "rendered")
    (tmp_path / "rendered/nli/rte/test.arrow").write_bytes(b"other rows")
    with pytest.raises(ArtifactError, match=r"nli/rte/test\.arrow: sha256"):
        evaluate(place / "model", place / "mixture", tmp_path / "rendered", tmp_path / "out", CONFIG)
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_not_there_is_one_sentence(place, tmp_path):
    with pytest.raises(DeclarationError, match="no such folder"):
        evaluate(tmp_path / "none", place / "mixture", place / "rendered", tmp_path / "out", CONFIG)


def test_a_mixture_that_holds_nothing_out_has_nothing_to_evaluate(place, tmp_path):
    mixture = toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0)] * 2, [toys.row(0, 0)])
    with pytest.raises(ArtifactError, match="nothing to evaluate"):
        evaluate(place / "model", mixture, place / "rendered", tmp_path / "out", CONFIG)


def test_templates_are_scored_apart():
    asked = rows([["a", "b"]] * 4, ["a", "a", "b", "b"], templates=[0, 1, 0, 1])
    answers = Answers(["a", "b", "b", "b"], [[-1.0, -2.0], [-2.0, -1.0], [-2.0, -1.0], [-2.0, -1.0]])
    assert by_template(asked, answers, ["accuracy"])["accuracy"] == {0: 100, 1: 50}


def test_a_summary_names_the_best_template_and_the_worst():
    found = summary("accuracy", {0: 50.0, 1: 70.0, 2: 30.0})
    assert (found["mean"], found["best"], found["best_template"], found["worst_template"]) == (50, 70, 1, 2)
    assert found["sd"] == pytest.approx((800 / 3) ** 0.5, abs=1e-3)


def test_of_distances_the_lowest_is_best():
    assert summary("edit_distance", {0: 5.0, 1: 2.0})["best_template"] == 1


def test_majority_is_the_commonest_answer():
    assert majority(rows([["no", "yes"]] * 4, ["yes", "no", "yes", "yes"]), "accuracy") == 75


def test_majority_of_options_that_differ_is_the_commonest_place():
    options = [["red", "blue"], ["one", "two"], ["up", "down"], ["in", "out"]]
    assert majority(rows(options, ["blue", "two", "up", "out"]), "accuracy") == 75


def test_majority_of_free_text_is_the_commonest_reference():
    assert majority(rows([[]] * 4, ["x", "y", "x", "z"]), "exact_match") == 50


def test_a_random_guess_is_counted_over_the_options_of_each_row():
    assert random_guess(rows([["a", "b"], ["a", "b", "c", "d"]], ["a", "b"]), "accuracy") == pytest.approx(
        37.5
    )
    assert random_guess(rows([[]], ["a"]), "accuracy") is None
    assert random_guess(rows([["a", "b"]], ["a"]), "f1") is None


def test_an_answer_that_is_no_option_is_named(tmp_path):
    wrong = [toys.evaluation_row(60, 0) | {"answer": "hiss"}]
    toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0)] * 2, [toys.row(0, 0)])
    toys.hold_out(tmp_path / "mixture", tmp_path / "rendered", {"rte": (["accuracy"], wrong)})
    with pytest.raises(ArtifactError, match="'hiss' is none of its options"):
        evaluate(tmp_path / "model", tmp_path / "mixture", tmp_path / "rendered", tmp_path / "out", CONFIG)


def test_the_paper_is_quoted_with_metrics_we_have():
    assert {published.metric for published in PAPER.values()} <= set(METRICS)
    assert set(PAPER) >= SEEN_BEST
