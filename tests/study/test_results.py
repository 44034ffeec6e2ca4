"""Figures of a study follow from the answers to its rows, and only like rows are compared."""

from math import sqrt
from statistics import stdev

import pytest
from study_world import study, write_run

from flanbuild.errors import ArtifactError
from flanbuild.study.results import results

HALF = [True] * 10 + [False] * 10
MORE = [True] * 14 + [False] * 6
"""Twenty rows, of which 14 are right: those of HALF and four others."""


def test_a_point_has_the_mean_over_tasks_and_its_standard_error_over_rows(tmp_path):
    write_run(tmp_path, "a", {"rte": HALF, "cb": MORE})

    (point,) = results(study({"1": ["a"]}), tmp_path).points

    # (50 + 70) / 2; the error of a mean of two independent means
    errors = [stdev([100.0 * right for right in rows]) / sqrt(20) for rows in (HALF, MORE)]
    assert point.held_out.mean == 60.0
    assert point.held_out.stderr == pytest.approx(sqrt(errors[0] ** 2 + errors[1] ** 2) / 2)


def test_a_difference_is_paired_by_row(tmp_path):
    write_run(tmp_path, "a", {"rte": HALF})
    write_run(tmp_path, "b", {"rte": MORE})

    first, second = results(study({"1": ["a"], "4": ["b"]}), tmp_path).points

    # Four of twenty rows change from wrong to right, none the other way; unpaired, the error would be 15.7.
    changes = [100.0] * 4 + [0.0] * 16
    assert first.difference is None
    assert second.difference.mean == pytest.approx(20.0)
    assert second.difference.stderr == pytest.approx(stdev(changes) / sqrt(20))


def test_rows_are_averaged_over_seeds_whose_spread_is_told(tmp_path):
    write_run(tmp_path, "a0", {"rte": HALF})
    write_run(tmp_path, "a1", {"rte": MORE})

    (point,) = results(study({"1": ["a0", "a1"]}), tmp_path).points

    values = [100.0] * 10 + [50.0] * 4 + [0.0] * 6
    assert point.held_out.mean == 60.0
    assert point.held_out.stderr == pytest.approx(stdev(values) / sqrt(20))
    assert point.seed_sd == pytest.approx(stdev([50.0, 70.0]))


def test_trained_tasks_are_those_that_every_point_scored(tmp_path):
    write_run(tmp_path, "a", {"rte": HALF}, seen={"trec": HALF, "cola": MORE})
    write_run(tmp_path, "b", {"rte": HALF}, seen={"trec": MORE})

    found = results(study({"1": ["a"], "4": ["b"]}), tmp_path)

    assert found.seen_tasks == ("trec",)
    assert [point.seen.mean for point in found.points] == [50.0, 70.0]


def test_points_without_a_common_trained_task_have_no_such_score(tmp_path):
    write_run(tmp_path, "a", {"rte": HALF}, seen={"cola": MORE})
    write_run(tmp_path, "b", {"rte": HALF}, seen={"trec": MORE})

    assert [point.seen for point in results(study({"1": ["a"], "4": ["b"]}), tmp_path).points] == [None, None]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"first_row": 1}, "a and b were scored on other held-out rows"),
        ({"sets": {"rte": "2" * 32}}, "a and b were scored on other evaluation sets of rte"),
        ({"config": {"examples": 30}}, "a was evaluated with examples 20 and b with 30"),
    ],
)
def test_points_that_were_scored_on_other_rows_are_refused(tmp_path, other, message):
    write_run(tmp_path, "a", {"rte": HALF})
    write_run(tmp_path, "b", {"rte": HALF}, **other)

    with pytest.raises(ArtifactError, match=message):
        results(study({"1": ["a"], "4": ["b"]}), tmp_path)


def test_a_study_of_too_few_rows_says_what_to_raise(tmp_path):
    write_run(tmp_path, "a", {"rte": HALF[:5]})

    with pytest.raises(
        ArtifactError, match=r"no held-out task has a percentage of 20 rows .* evaluate.examples"
    ):
        results(study({"1": ["a"]}), tmp_path)
