import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanbuild.evaluation.intervals import Replicates, interval, replicates
from flanbuild.evaluation.rows import EvaluationRows
from flanbuild.keys import row_keys


def rows(answers: list[str], templates: int = 1) -> EvaluationRows:
    """The rows under so many templates, template after template."""
    count = len(answers) * templates
    return EvaluationRows(
        prompt=[""] * count,
        template=[index // len(answers) for index in range(count)],
        row=[index % len(answers) for index in range(count)],
        options=[["no", "yes"]] * count,
        answer=answers * templates,
        answers=[[answer] for answer in answers * templates],
    )


def test_the_standard_error_of_a_share_is_the_textbooks():
    # Three of four right: values 100, 100, 100, 0; standard deviation 50 (n - 1), so 50 / 2.
    found = replicates(rows(["yes"] * 4), ["yes", "yes", "yes", "no"], "accuracy")
    assert found.stderr == pytest.approx(25.0)


def test_templates_of_one_row_are_not_independent_rows():
    once = replicates(rows(["yes"] * 4), ["yes", "yes", "yes", "no"], "accuracy")
    twice = replicates(rows(["yes"] * 4, templates=2), ["yes", "yes", "yes", "no"] * 2, "accuracy")
    assert twice.stderr == once.stderr


def test_a_single_row_has_no_standard_error():
    one = replicates(rows(["yes"]), ["yes"], "accuracy")
    assert one.stderr is None
    assert interval(one, one, 0.0, "toy") is None


def test_a_metric_that_is_no_mean_gets_a_standard_error_too():
    answers = ["yes", "no"] * 30
    found = replicates(rows(answers), [*answers[:50], *["no"] * 10], "f1")
    assert 0 < found.stderr < 20


def test_the_jackknife_of_a_mean_is_its_standard_error():
    # Of 20 rows in 20 groups, so that the jackknife leaves out one row at a time.
    values = np.arange(20.0)
    without = (values.sum() - values) / 19
    by_row, by_group = Replicates(values, by_row=True), Replicates(without, by_row=False)
    assert by_group.stderr == pytest.approx(by_row.stderr)


def test_rows_are_paired_so_what_both_models_miss_does_not_widen_the_interval():
    hard = np.array([0.0, 100.0] * 50)
    assert interval(Replicates(hard + 10, by_row=True), Replicates(hard, by_row=True), 10.0, "toy") == (
        10,
        10,
    )


def test_the_interval_covers_about_95_percent_of_samples():
    # One thousand samples of 40 rows with a known mean of 50; keyed draws, so the count never changes.
    draws = row_keys(7, np.arange(1000)[:, None], np.arange(40)[None, :]) % np.uint64(101)
    inside = 0
    for number, sample in enumerate(draws.astype(np.float64)):
        low, high = interval(
            Replicates(sample, by_row=True), Replicates(np.zeros(40), by_row=True), 0.0, str(number)
        )
        inside += low <= 50 <= high
    assert 920 <= inside <= 970


@given(st.lists(st.sampled_from([0.0, 50.0, 100.0]), min_size=2, max_size=30))
def test_an_interval_lies_within_the_differences_of_the_rows(values):
    first = Replicates(np.array(values), by_row=True)
    low, high = interval(first, Replicates(np.zeros(len(values)), by_row=True), 0.0, "toy")
    assert min(values) <= low <= high <= max(values)
