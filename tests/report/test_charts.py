"""Points of a strip never lie upon each other, and say what templates.csv says."""

from itertools import pairwise

import pytest
from evaluation_folder import metric_scores
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("altair", reason="flanbuild[report] is not installed")

from flanbuild.page.frame import draw
from flanbuild.report.charts import losses, scores, spread, strip

SPAN = (0.0, 100.0)


def rows(by_model: dict[str, list[float]]) -> list[dict[str, str]]:
    return [
        {
            "model": model,
            "cluster": "nli",
            "task": "rte",
            "split": "test",
            "metric": "accuracy",
            "template": str(template),
            "score": str(score),
        }
        for model, values in by_model.items()
        for template, score in enumerate(values)
    ]


SCORES = st.lists(st.integers(0, 20).map(lambda n: n * 5.0), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_no_two_points_have_one_place(tuned, untuned):
    points = strip(rows({"tuned": tuned, "untuned": untuned}), {"rte": "accuracy"}, SPAN)

    assert len({(point.score, point.offset) for point in points}) == len(tuned) + len(untuned)


def test_ten_equal_scores_are_ten_points_at_even_steps():
    points = strip(rows({"tuned": [30.0] * 10}), {"rte": "accuracy"}, SPAN)

    steps = sorted(point.offset for point in points)
    assert {round(b - a, 6) for a, b in pairwise(steps)} == {round(24 / 9, 6)}


def test_nearly_equal_scores_are_stacked_and_distant_ones_are_not():
    near = strip(rows({"tuned": [30.0, 30.5]}), {"rte": "accuracy"}, SPAN)
    far = strip(rows({"tuned": [30.0, 60.0]}), {"rte": "accuracy"}, SPAN)

    assert len({point.offset for point in near}) == 2
    assert len({point.offset for point in far}) == 1


def test_tuned_scores_are_above_the_line_and_untuned_ones_below():
    points = strip(rows({"tuned": [30.0], "untuned": [30.0]}), {"rte": "accuracy"}, SPAN)

    assert [point.offset < 0 for point in points] == [True, False]


def test_every_template_keeps_its_score():
    points = strip(rows({"tuned": [60.0, 20.0, 60.0]}), {"rte": "accuracy"}, SPAN)

    assert {point.template: point.score for point in points} == {0: 60.0, 1: 20.0, 2: 60.0}


def test_dev_scores_and_other_metrics_are_no_points():
    own = rows({"tuned": [60.0]})[0]

    assert strip([own | {"split": "dev"}, own | {"metric": "f1"}], {"rte": "accuracy"}, SPAN) == []


def test_the_models_differ_in_shape_and_in_color():
    points = strip(rows({"tuned": [30.0], "untuned": [30.0]}), {"rte": "accuracy"}, SPAN)
    chart = spread(points, {"rte": metric_scores(30.0)}, SPAN).to_dict()

    marks = [layer["mark"] for layer in chart["layer"] if layer["mark"]["type"] == "point"]
    assert [(mark["shape"], mark["fill"]) for mark in marks] == [
        ("circle", "var(--mark)"),
        ("diamond", "var(--paper)"),
    ]


def test_points_are_drawn_in_different_places():
    points = strip(rows({"tuned": [30.0] * 3}), {"rte": "accuracy"}, SPAN)

    svg = draw(spread(points, {"rte": metric_scores(30.0)}, SPAN), "")

    places = [
        part.split(")")[0] for part in svg.split('transform="translate(') if "var(--mark)" in part[:300]
    ]
    assert len(set(places)) == len(places) == 3


def test_scores_have_their_interval_and_baselines():
    chart = scores({"rte": metric_scores(60.0)}, SPAN).to_dict()

    values = [layer["data"]["values"] for layer in chart["layer"]]
    assert {"task": "rte", "score": 50.0} in values[0]  # majority
    tuned = next(rows[0] for rows in values if rows[0].get("model") == "tuned")
    assert (tuned["low"], tuned["high"]) == pytest.approx((60 - 1.96 * 2.5, 60 + 1.96 * 2.5), abs=1e-3)


def test_losses_are_those_of_the_series():
    chart = losses([{"step": "1", "loss": "5.0"}], [{"step": "1", "loss": "4.5"}]).to_dict()

    values = [layer["data"]["values"] for layer in chart["layer"]]
    assert values[0] == [{"step": 1, "loss": 5.0}]
    assert values[1] == values[2] == [{"step": 1, "loss": 4.5}]
