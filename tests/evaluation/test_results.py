import pytest

from flanbuild.evaluation.record import Difference, MetricScores, ScoreRecord, TemplateScores
from flanbuild.evaluation.results import means, metrics, spread_rows, task_rows


def template_scores(mean: float, *, best_on_dev: float | None = None) -> TemplateScores:
    return TemplateScores(
        mean=mean,
        sd=0.0,
        best=mean,
        best_template=0,
        worst=mean,
        worst_template=0,
        best_on_dev=best_on_dev,
        templates=2,
    )


def scores(tuned: float, untuned: float | None = None, *, rows: int = 20) -> MetricScores:
    return MetricScores(
        rows=rows,
        tuned=template_scores(tuned, best_on_dev=tuned + 1),
        untuned=None if untuned is None else template_scores(untuned),
        majority=50.0,
        random=25.0,
    )


@pytest.fixture
def record() -> ScoreRecord:
    """Two held-out tasks of enough rows, one of few, one without percentages, and a trained one."""
    held_out = {
        "cb": {"accuracy": scores(30.0, 20.0), "f1_macro": scores(1.0)},
        "rte": {"accuracy": scores(60.0, 50.0)},
        "wnli": {"accuracy": scores(99.0, 99.0, rows=2)},
        "age": {"edit_distance": scores(7.0)},
    }
    mains = {
        "cb": ("accuracy", "f1_macro"),
        "rte": ("accuracy",),
        "wnli": ("accuracy",),
        "trec": ("accuracy",),
    }
    return ScoreRecord.model_construct(
        scores={"nli": held_out},
        seen={"misc": {"trec": {"accuracy": scores(80.0)}}},
        metrics=mains | {"age": ("edit_distance",)},
    )


def test_a_cluster_has_the_means_of_its_tasks_main_metrics(record):
    # (30 + 60) / 2, (20 + 50) / 2, (31 + 61) / 2; the task of two rows and the one without percentages stay out
    assert metrics(record)["nli"] == {
        "tuned": 45.0,
        "untuned": 35.0,
        "best_on_dev": 46.0,
        "majority": 50.0,
        "random": 25.0,
    }


def test_trained_tasks_are_a_group(record):
    assert metrics(record)["seen"]["tuned"] == 80.0


def test_each_held_out_task_has_the_number_of_scores_json(record):
    assert metrics(record)["tasks"] == {"cb": 30.0, "rte": 60.0, "wnli": 99.0, "age": 7.0}


def test_a_figure_that_a_task_lacks_is_no_mean(record):
    assert "untuned" not in metrics(record)["seen"]


def test_a_group_without_figures_is_left_out(record):
    assert "seen" not in metrics(record.model_copy(update={"seen": {}}))


def test_the_rows_of_tasks_begin_with_what_was_held_out(record):
    rows = task_rows(record)

    assert [(row["kind"], row["task"]) for row in rows][-2:] == [("held out", "age"), ("trained on", "trec")]
    assert rows[0] == {
        "kind": "held out",
        "cluster": "nli",
        "task": "cb",
        "metric": "accuracy",
        "tuned": "30.0",
        "untuned": "20.0",
        "best_on_dev": "31.0",
        "majority": "50.0",
        "random": "25.0",
    }


def test_the_spread_has_both_models_of_a_template_in_a_row(record):
    same = {
        "cluster": "nli",
        "task": "rte",
        "split": "test",
        "metric": "accuracy",
        "template": "3",
        "rows": "20",
    }
    templates = [same | {"model": "tuned", "score": "60"}, same | {"model": "untuned", "score": "50"}]

    (row,) = spread_rows(record, templates)

    assert (row["template"], row["tuned"], row["untuned"]) == ("3", "60", "50")


@pytest.mark.parametrize("other", [{"split": "dev"}, {"metric": "f1_macro"}])
def test_dev_scores_and_further_metrics_are_no_part_of_the_spread(record, other):
    row = {
        "cluster": "nli",
        "task": "cb",
        "split": "test",
        "metric": "accuracy",
        "template": "0",
        "rows": "20",
    }

    assert spread_rows(record, [row | {"model": "tuned", "score": "60"} | other]) == []


def differing(mean: float, stderr: float) -> MetricScores:
    difference = Difference(mean=mean, low=mean - 9, high=mean + 7, stderr=stderr)
    return scores(50.0 + mean, 50.0).model_copy(update={"difference": difference})


def test_the_interval_of_a_mean_over_tasks_adds_the_variances_of_independent_rows():
    found = means([differing(10.0, 3.0), differing(20.0, 4.0)])

    # √(3² + 4²) / 2 = 2.5, and 1.96 × 2.5 = 4.9
    assert (found.tasks, found.rows, found.difference.mean) == (2, 40, 15.0)
    assert found.difference.low == pytest.approx(10.1, abs=0.01)
    assert found.difference.high == pytest.approx(19.9, abs=0.01)


def test_the_interval_of_one_task_is_its_own():
    assert means([differing(10.0, 3.0)]).difference == differing(10.0, 3.0).difference


def test_a_task_without_untuned_scores_leaves_no_difference():
    assert means([differing(10.0, 3.0), scores(60.0)]).difference is None


def test_nothing_has_no_means():
    assert means([]) is None
