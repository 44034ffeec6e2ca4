import csv
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import toys
from safetensors.torch import load_file, save_file

from flanbuild.artifacts.arrow import read_table
from flanbuild.artifacts.files import sha256_of, xxh3_of
from flanbuild.artifacts.records import HeldOutGroup, Manifest, read_record, write_record
from flanbuild.errors import ArtifactError, DeclarationError, ExecutionError
from flanbuild.evaluation.comparison import ScoredRows, published
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.metrics import METRICS
from flanbuild.evaluation.paper import PAPER, SEEN_BEST
from flanbuild.evaluation.ranking import loglikelihoods
from flanbuild.evaluation.record import SampleRecord, ScoreRecord
from flanbuild.evaluation.rows import EvaluationRows
from flanbuild.evaluation.run import evaluate
from flanbuild.evaluation.samples import samples
from flanbuild.evaluation.scores import (
    Answers,
    best_template,
    by_template,
    constants,
    majority,
    random_guess,
    summary,
)
from flanbuild.training.run import train

CONFIG = EvaluateConfig(max_new_tokens=8, seen_examples=12)
RANKED = [toys.evaluation_row(i, t) for i in range(60, 78) for t in (0, 1)]
DEV = [toys.evaluation_row(i, t) for i in range(78, 90) for t in (0, 1)]
WRITTEN = [toys.evaluation_row(i, t, ranked=False) for i in range(60, 78) for t in (0, 1)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A mixture with held-out tasks, their evaluation sets, and a model trained on it."""
    place = tmp_path_factory.mktemp("evaluation")
    rows = [toys.row(i, i % 2) for i in range(192)]
    toys.write_mixture(place / "mixture", rows, rows[:20])
    tasks = {
        "rte": (["accuracy", "macro_f1"], RANKED),
        "said": (["exact_match", "rouge1"], WRITTEN),
        "gone": (["accuracy"], None),
    }
    toys.hold_out(place / "mixture", place / "evaluation", tasks)
    toys.write_evaluation_set(place / "evaluation/nli/rte", "rte", ["accuracy", "macro_f1"], RANKED, dev=DEV)
    toys.write_evaluation_set(place / "evaluation/misc/sounds", "sounds", ["accuracy"], RANKED, dev=DEV)
    for cluster, task in (("misc", "sounds"), ("misc", "unbuilt")):
        toys.train_on(place / "mixture", cluster, task)
    train(place / "mixture", place / "model", toys.TINY)
    return place


@pytest.fixture(scope="module")
def report(place):
    evaluate(place / "model", place / "mixture", place / "evaluation", place / "report", CONFIG)
    return place / "report"


@pytest.fixture(scope="module")
def record(report):
    return read_record(report / "scores.json", ScoreRecord)


@pytest.fixture
def copy(place, tmp_path):
    """A copy of the mixture and its evaluation sets, to change."""
    for name in ("mixture", "evaluation"):
        shutil.copytree(place / name, tmp_path / name)
    return tmp_path


def change_held_out(mixture: Path, **changes) -> None:
    """Rewrites the manifest with other facts of the held-out task rte, and with that task alone."""
    manifest = read_record(mixture / "manifest.json", Manifest)
    task = toys.held_out_task("rte", ["accuracy"], **changes)
    group = HeldOutGroup(asked=True, rule="asked for", tasks={"rte": task})
    write_record(mixture / "manifest.json", toys.with_identity(manifest, held_out={"nli": group}))


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


def test_a_tuned_model_beats_chance_where_the_untuned_does_not(record):
    accuracy = record.scores["nli"]["rte"]["accuracy"]
    assert accuracy.tuned.mean > 90
    assert accuracy.untuned.mean < 50
    assert accuracy.random == pytest.approx(100 / 6, abs=1e-3)


def test_a_tuned_model_generates_the_answer_and_stops(record):
    assert record.scores["nli"]["said"]["exact_match"].tuned.mean > 90


def test_a_task_without_test_split_is_listed_with_the_reason(record):
    assert record.not_evaluated["nli/gone"] == "the task has no test split"
    assert "gone" not in record.scores["nli"]


@pytest.mark.parametrize(
    ("task", "kind", "paper"),
    [
        ("rte", "hub", 78.3),
        ("rte", "mirror", 78.3),
        ("rte", "sample", None),
        ("rte", "files", None),
        ("said", "hub", None),
    ],
)
def test_the_paper_stands_beside_real_rows_of_a_task_that_it_reports(task, kind, paper):
    found = published(task, "accuracy", toys.SOURCE.model_copy(update={"kind": kind}))
    assert (found.mean if found else None) == paper


def test_the_paper_does_not_stand_beside_sample_rows(record):
    assert record.sources["rte"].kind == "sample"
    assert record.scores["nli"]["rte"]["accuracy"].paper is None


def test_scores_json_says_how_the_model_was_trained_and_on_what(record):
    run, tuned = record.training, record.models["tuned"]
    assert (run.base, run.used.steps, run.config["learning_rate"]) == ("random weights", 60, 5e-3)
    assert run.used.examples > 60 * 8  # packed: more than one example in a sequence
    assert not {"model", "tokenizer"} & set(run.config)
    assert (tuned.architecture, tuned.parameters) == ("llama", record.models["untuned"].parameters)
    assert 50_000 < tuned.parameters < 500_000
    assert record.trained_on["sounds"].examples == 192
    assert record.held_out["nli"].rule == "asked for"


def test_samples_are_right_and_wrong_answers_of_different_rows_with_their_prompts(report):
    found = read_record(report / "samples.json", SampleRecord).samples
    assert set(found) == {"rte", "said", "sounds"}
    for sample in found["rte"]:
        asked = toys.evaluation_row(sample.row, sample.template)
        assert (sample.prompt, list(sample.answers)) == (asked["prompt"], asked["answers"])
        assert sample.right is (sample.predictions["tuned"] == asked["completion"])
        assert set(sample.predictions) == {"tuned", "untuned"}
    right = [sample.row for sample in found["rte"] if sample.right]
    assert len(set(right)) == len(right) == 2


def test_right_and_wrong_samples_are_two_of_each_where_there_are_as_many():
    asked = rows([["a", "b"]] * 6, ["a"] * 6)
    answers = Answers(["a", "a", "a", "b", "b", "b"], [])
    chosen = samples("rte", ScoredRows(asked, {"tuned": answers}))
    assert [sample.right for sample in chosen] == [True, True, False, False]


def test_scores_json_records_what_ran(record, place):
    run = record.models["tuned"]
    assert (run.dtype, run.attention, run.ranking) == ("float32", "sdpa", "trees")
    assert run.weights == {"model.safetensors": sha256_of(place / "model/model.safetensors")}
    assert run.tokenizer == record.models["untuned"].tokenizer
    assert record.environment.device == "cpu"
    assert record.environment.versions["transformers"] == version("transformers")
    assert record.mixture.digest == read_record(place / "mixture/manifest.json", Manifest).digest
    assert record.contamination == read_record(place / "mixture/manifest.json", Manifest).contamination
    assert record.evaluation_sets["rte"]["test"] == xxh3_of(place / "evaluation/nli/rte/test.arrow")


def test_scores_can_be_recomputed_from_the_predictions(report):
    table = read_table(report / "predictions.arrow").to_pylist()
    wanted = {"model": "tuned", "task": "rte", "split": "test", "template": 0}
    mine = [row for row in table if wanted.items() <= row.items()]
    right = sum(row["prediction"] == row["answer"] for row in mine) / len(mine)
    with (report / "templates.csv").open() as file:
        listed = {tuple(list(row.values())[:6]): float(row["score"]) for row in csv.DictReader(file)}
    assert listed["tuned", "nli", "rte", "test", "accuracy", "0"] == pytest.approx(100 * right, abs=1e-3)
    assert all(row["prediction"] == row["options"][row["logliks"].index(max(row["logliks"]))] for row in mine)


def test_evaluating_twice_gives_equal_bytes(place, report):
    evaluate(place / "model", place / "mixture", place / "evaluation", place / "again", CONFIG)
    assert all((place / "again" / path.name).read_bytes() == path.read_bytes() for path in report.iterdir())


def test_fewer_examples_are_the_first_rows_under_all_templates(place, tmp_path):
    evaluate(
        place / "model",
        place / "mixture",
        place / "evaluation",
        tmp_path / "few",
        replace(CONFIG, examples=3),
    )
    table = read_table(tmp_path / "few/predictions.arrow").to_pylist()
    asked = {(row["row"], row["template"]) for row in table if (row["task"], row["split"]) == ("rte", "test")}
    assert asked == {(row, template) for row in (60, 61, 62) for template in (0, 1)}


def test_dev_rows_are_scored_and_choose_a_template(record):
    accuracy = record.scores["nli"]["rte"]["accuracy"]
    assert accuracy.tuned.best_on_dev_template in (0, 1)
    assert accuracy.tuned.best_on_dev > 90
    assert record.scores["nli"]["said"]["rouge1"].tuned.best_on_dev is None


def test_every_score_has_its_rows_and_its_standard_error(record):
    for metrics in record.scores["nli"].values():
        for scores in metrics.values():
            assert scores.rows == 18
            assert scores.untuned.stderr is not None


def test_the_difference_has_an_interval_that_holds_it(record):
    difference = record.scores["nli"]["rte"]["accuracy"].difference
    assert difference.low < difference.mean < difference.high
    assert difference.low > 0
    assert difference.high - difference.low == pytest.approx(2 * 1.96 * difference.stderr, rel=0.2)


def test_a_trained_task_is_scored_on_its_dev_rows(record):
    accuracy = record.seen["misc"]["sounds"]["accuracy"]
    assert (accuracy.rows, list(record.evaluation_sets["sounds"])) == (12, ["dev"])
    assert accuracy.tuned.mean > 90 > accuracy.untuned.mean


def test_a_trained_task_with_too_few_dev_rows_is_not_chosen(place, tmp_path):
    few = replace(CONFIG, examples=1, dev_examples=0, seen_examples=13)
    evaluate(place / "model/untuned", place / "mixture", place / "evaluation", tmp_path / "out", few)
    assert read_record(tmp_path / "out/scores.json", ScoreRecord).seen == {}


def test_a_trained_task_without_evaluation_set_is_listed_with_the_command(record):
    assert "`flanbuild evalset unbuilt` makes it" in record.not_evaluated["misc/unbuilt"]


def test_a_killed_evaluation_continues_from_what_was_scored(place, tmp_path, monkeypatch, report):
    folder = tmp_path / "report"
    asked = []

    def stops_at_the_third(model, requests, method, advance, *, task):
        asked.append(task)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return loglikelihoods(model, requests, method, advance, task=task)

    monkeypatch.setattr("flanbuild.evaluation.ranking.loglikelihoods", stops_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        evaluate(place / "model", place / "mixture", place / "evaluation", folder, CONFIG)
    evaluate(place / "model", place / "mixture", place / "evaluation", folder, CONFIG)
    assert asked == ["rte", "rte", "sounds", "sounds", "rte", "rte", "sounds"]
    assert all((folder / path.name).read_bytes() == path.read_bytes() for path in report.iterdir())
    assert [path.name for path in tmp_path.glob(".report.*")] == [".report.lock"]


def test_each_protocol_reports_its_own_accuracies(place, tmp_path):
    few = replace(CONFIG, examples=2, seen_tasks=0, dev_examples=0)
    found = {}
    for name in ("flan", "lm-eval", "t0"):
        out = tmp_path / name
        config = replace(few, protocol=name)
        evaluate(place / "model", place / "mixture", place / "evaluation", out, config)
        found[name] = read_record(out / "scores.json", ScoreRecord)
    assert [record.protocol for record in found.values()] == ["flan", "lm-eval", "t0"]
    declared = {"accuracy", "macro_f1"}
    assert [set(record.scores["nli"]["rte"]) - declared for record in found.values()] == [
        {"accuracy_norm"},
        {"accuracy_norm", "accuracy_bytes"},
        set(),
    ]


def test_a_model_without_training_record_is_evaluated_alone(place, tmp_path):
    shutil.copytree(place / "model/untuned", tmp_path / "model")
    few = replace(CONFIG, examples=1)
    evaluate(tmp_path / "model", place / "mixture", place / "evaluation", tmp_path / "out", few)
    record = read_record(tmp_path / "out/scores.json", ScoreRecord)
    assert record.scores["nli"]["rte"]["accuracy"].untuned is None


def test_a_base_model_that_is_gone_leaves_the_tuned_scores(place, tmp_path, caplog):
    shutil.copytree(place / "model", tmp_path / "model", ignore=shutil.ignore_patterns("untuned"))
    few = replace(CONFIG, examples=1)
    with caplog.at_level("INFO", "flanbuild"):
        evaluate(tmp_path / "model", place / "mixture", place / "evaluation", tmp_path / "out", few)
    record = read_record(tmp_path / "out/scores.json", ScoreRecord)
    assert "no such folder" in record.not_asked["untuned"]
    assert "the untuned model is left out" in caplog.text
    assert list(record.models) == ["tuned"]
    assert record.scores["nli"]["rte"]["accuracy"].tuned.mean > 0


def test_a_base_model_by_relative_path_is_evaluated_from_another_folder(place, tmp_path, monkeypatch):
    shutil.copytree(place / "model/untuned", tmp_path / "base", ignore=shutil.ignore_patterns("tokenizer*"))
    monkeypatch.chdir(tmp_path)
    again = replace(toys.TINY, model="base", tokenizer=str(place / "model"), steps=1)
    train(place / "mixture", Path("out/tuned"), again)
    monkeypatch.chdir("/")
    few = replace(CONFIG, examples=1)
    evaluate(tmp_path / "out/tuned", place / "mixture", place / "evaluation", tmp_path / "scores", few)
    record = read_record(tmp_path / "scores/scores.json", ScoreRecord)
    assert record.models["untuned"].tokenizer == record.models["tuned"].tokenizer


def test_damaged_rows_stop_the_run(place, copy):
    (copy / "evaluation/nli/rte/test.arrow").write_bytes(b"other rows")
    with pytest.raises(ArtifactError, match=r"nli/rte/test\.arrow: its xxh3 digest is"):
        evaluate(place / "model", copy / "mixture", copy / "evaluation", copy / "out", CONFIG)
    assert not (copy / "out").exists()


def test_a_missing_evaluation_set_names_the_command_that_makes_it(place, copy):
    shutil.rmtree(copy / "evaluation/nli/rte")
    with pytest.raises(ArtifactError, match="`flanbuild evalset rte` makes it"):
        evaluate(place / "model", copy / "mixture", copy / "evaluation", copy / "out", CONFIG)


def test_an_evaluation_set_of_other_rows_stops_the_run(place, copy):
    other = toys.SOURCE.model_copy(update={"digest": "b" * 64})
    toys.write_evaluation_set(copy / "evaluation/nli/rte", "rte", ["accuracy"], RANKED, other)
    with pytest.raises(ArtifactError, match="rte was made of other rows"):
        evaluate(place / "model", copy / "mixture", copy / "evaluation", copy / "out", CONFIG)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"has_test": False}, "rte: the task has no test split"),
        ({"missing": ("validation",)}, "rte: the source has no split validation"),
    ],
)
def test_nothing_left_to_evaluate_is_an_error_with_the_reason(facts, reason, place, copy):
    change_held_out(copy / "mixture", **facts)
    with pytest.raises(ArtifactError, match=f"no task of the hold-out nli can be evaluated .{reason}"):
        evaluate(place / "model", copy / "mixture", copy / "evaluation", copy / "out", CONFIG)


def test_a_task_held_out_by_name_is_scored_under_its_cluster(place, copy):
    toys.hold_out(copy / "mixture", copy / "evaluation", {"rte": (["accuracy"], RANKED)}, name="rte")
    few = replace(CONFIG, examples=1)
    evaluate(place / "model/untuned", copy / "mixture", copy / "evaluation", copy / "out", few)
    assert list(read_record(copy / "out/scores.json", ScoreRecord).scores) == ["nli"]


@pytest.mark.parametrize("task", ["rte", "said"])
def test_a_model_whose_scores_are_no_numbers_stops_the_run(task, place, tmp_path):
    shutil.copytree(place / "model/untuned", tmp_path / "model")
    weights = load_file(tmp_path / "model/model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, tmp_path / "model/model.safetensors", {"format": "pt"})
    toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0)] * 2, [toys.row(0, 0)])
    rows = RANKED if task == "rte" else WRITTEN
    toys.hold_out(tmp_path / "mixture", tmp_path / "evaluation", {task: (["accuracy"], rows)})
    with pytest.raises(ExecutionError, match=f"{task}: the model's scores are not finite .*--dtype float32"):
        evaluate(tmp_path / "model", tmp_path / "mixture", tmp_path / "evaluation", tmp_path / "out", CONFIG)
    assert not (tmp_path / "out").exists()


def test_truncated_prompts_and_border_merges_are_recorded_by_task(place, tmp_path):
    few = replace(CONFIG, examples=2, prompt_length=8, dev_examples=0, seen_tasks=0)
    evaluate(place / "model/untuned", place / "mixture", place / "evaluation", tmp_path / "out", few)
    run = read_record(tmp_path / "out/scores.json", ScoreRecord).models["tuned"]
    assert run.truncated_prompts == {"rte": 4, "said": 4}
    assert run.border_merges == {}


def test_a_model_that_is_not_there_is_one_sentence(place, tmp_path):
    with pytest.raises(DeclarationError, match="no such folder"):
        evaluate(tmp_path / "none", place / "mixture", place / "evaluation", tmp_path / "out", CONFIG)


def test_a_mixture_that_holds_nothing_out_has_nothing_to_evaluate(place, tmp_path):
    mixture = toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0)] * 2, [toys.row(0, 0)])
    with pytest.raises(ArtifactError, match="nothing to evaluate"):
        evaluate(place / "model", mixture, place / "evaluation", tmp_path / "out", CONFIG)


def test_templates_are_scored_apart():
    asked = rows([["a", "b"]] * 4, ["a", "a", "b", "b"], templates=[0, 1, 0, 1])
    answers = Answers(["a", "b", "b", "b"], [[-1.0, -2.0], [-2.0, -1.0], [-2.0, -1.0], [-2.0, -1.0]])
    assert by_template(asked, answers, ["accuracy"])["accuracy"] == {0: 100, 1: 50}


def test_a_summary_names_the_best_template_and_the_worst():
    found = summary("accuracy", {0: 50.0, 1: 70.0, 2: 30.0})
    assert (found.mean, found.best, found.best_template, found.worst_template) == (50, 70, 1, 2)
    assert found.sd == pytest.approx((800 / 3) ** 0.5, abs=1e-3)


def test_of_distances_the_lowest_is_best():
    assert summary("edit_distance", {0: 5.0, 1: 2.0}).best_template == 1


def test_majority_is_the_commonest_answer_of_the_dev_rows():
    test = rows([["no", "yes"]] * 4, ["yes", "no", "no", "no"])
    dev = rows([["no", "yes"]] * 3, ["yes", "no", "yes"])
    assert majority(test, dev, "accuracy") == 25


def test_majority_of_options_that_differ_is_the_commonest_position():
    test = rows(
        [["red", "blue"], ["one", "two"], ["up", "down"], ["in", "out"]], ["blue", "two", "up", "out"]
    )
    dev = rows([["a", "b"], ["c", "d"], ["e", "f"]], ["b", "c", "f"])
    assert majority(test, dev, "accuracy") == 75


def test_majority_of_free_text_is_the_commonest_reference():
    dev = rows([[]] * 3, ["x", "z", "x"])
    assert majority(rows([[]] * 4, ["x", "y", "x", "z"]), dev, "exact_match") == 50


def test_without_dev_rows_there_is_no_majority():
    assert majority(rows([["no", "yes"]], ["yes"]), rows([], []), "accuracy") is None


def test_the_best_template_on_dev_decides_which_test_score_is_the_papers_number():
    found = summary("accuracy", {0: 50.0, 1: 70.0}, dev={0: 90.0, 1: 80.0})
    assert (found.best, found.best_on_dev, found.best_on_dev_template) == (70, 50, 0)


def test_of_equal_templates_the_first_is_best():
    assert best_template("accuracy", {2: 50.0, 1: 70.0, 3: 70.0}) == 1


def test_an_answer_that_never_changes_is_counted_by_template():
    asked = rows([["no", "yes"]] * 4, ["yes", "no", "yes", "no"], templates=[0, 0, 1, 1])
    assert constants(asked, ["no", "no", "yes", "no"]) == {"no": 1}


def test_where_options_differ_a_position_can_be_constant():
    asked = rows([["a", "b"], ["c", "d"]], ["a", "d"])
    assert constants(asked, ["b", "d"]) == {"option 2": 1}


def test_a_single_row_is_no_constant_answer():
    assert constants(rows([["a", "b"]], ["a"]), ["a"]) == {}


def test_a_random_guess_is_counted_over_the_options_of_each_row():
    assert random_guess(rows([["a", "b"], ["a", "b", "c", "d"]], ["a", "b"]), "accuracy") == pytest.approx(
        37.5
    )
    assert random_guess(rows([[]], ["a"]), "accuracy") is None
    assert random_guess(rows([["a", "b"]], ["a"]), "f1") is None


def test_an_answer_that_is_no_option_is_named(tmp_path):
    wrong = [toys.evaluation_row(60, 0) | {"answer": "hiss"}]
    toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0)] * 2, [toys.row(0, 0)])
    toys.hold_out(tmp_path / "mixture", tmp_path / "evaluation", {"rte": (["accuracy"], wrong)})
    with pytest.raises(ArtifactError, match="'hiss' is not among its options"):
        evaluate(tmp_path / "model", tmp_path / "mixture", tmp_path / "evaluation", tmp_path / "out", CONFIG)


def test_the_paper_is_quoted_with_metrics_we_have():
    assert {published.metric for published in PAPER.values()} <= set(METRICS)
    assert set(PAPER) >= SEEN_BEST
