from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanbuild.declare.mixture import Mixture, Size
from flanbuild.declare.rate import SCHEMES, Rate, RateScheme, templates_per_row
from flanbuild.mix.allocation import allocate as allocate_named
from flanbuild.mix.allocation import largest_remainder
from flanbuild.mix.shards import TaskRef

counts = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 50_000), min_size=1)


def mixture(**keys):
    return Mixture(name="m", path="m.yaml", **keys)


def allocate(declared, rows):
    return allocate_named(
        declared, rows, {name: TaskRef(name, name, "nli" if name < "d" else "misc") for name in rows}
    )


def test_a_pass_gives_each_task_its_rows_up_to_the_maximum():
    # Paper, section 2.1: a task gains nothing beyond 3,000.
    given_ = allocate(mixture(size=Size(passes=1)), {"wnli": 605, "snli": 30_000, "none": 0})

    assert given_ == {"wnli": 605, "snli": 3000}


def test_a_size_in_examples_is_split_by_largest_remainder():
    # Rates 605 and 3,000 of 3,605: shares of 100 are 16.78 and 83.22; the missing one goes to the larger remainder.
    assert allocate(mixture(size=Size(examples=100)), {"wnli": 605, "snli": 30_000}) == {
        "snli": 83,
        "wnli": 17,
    }


@given(counts, st.integers(1, 1_000_000))
def test_examples_sum_to_the_size(rows, size):
    given_ = allocate(mixture(size=Size(examples=size)), rows)

    assert sum(given_.values()) == (size if any(rows.values()) else 0)


@given(counts, st.integers(1, 20))
def test_the_order_of_tasks_does_not_matter(rows, passes):
    declared = mixture(size=Size(passes=passes))

    assert allocate(declared, rows) == allocate(declared, dict(reversed(rows.items())))


@given(counts, st.integers(1, 30_000))
def test_by_passes_another_task_changes_no_task(rows, extra):
    declared = mixture(size=Size(passes=10))

    assert allocate(declared, rows).items() <= allocate(declared, rows | {"new": extra}).items()


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 1000), min_size=1), st.integers(0, 10_000))
def test_whole_numbers_are_within_one_of_their_share(weights, total):
    given_ = largest_remainder(weights, total)

    assert sum(given_.values()) == total
    for name, weight in weights.items():
        assert abs(given_[name] - total * weight / sum(weights.values())) < 1


@pytest.mark.parametrize(("rows", "expected"), [(2290, 10), (16_946, 2), (30_000, 1), (0, 1)])
def test_a_row_is_rendered_under_as_many_templates_as_times_it_is_drawn(rows, expected):
    assert templates_per_row(mixture(size=Size(passes=10), rate=Rate(max=3000)), rows) == expected


@pytest.mark.parametrize(("rows", "expected"), [(100, 10), (3000, 3), (8000, 1), (30_000, 1)])
def test_a_size_in_examples_needs_no_more_templates_than_if_one_task_gave_all_of_it(rows, expected):
    assert templates_per_row(mixture(size=Size(examples=8000)), rows) == expected


def test_the_templates_of_a_row_are_at_most_those_that_the_size_states():
    assert templates_per_row(mixture(size=Size(examples=8000, templates_per_row=2)), 100) == 2


def test_a_temperature_flattens():
    # 3,000 · (750 / 3,000)^(1/2) = 1,500: a quarter of the rows gives half of the examples.
    flat = mixture(size=Size(passes=1), rate=Rate(scheme="temperature", temperature=2))

    assert allocate(flat, {"a": 750, "b": 30_000}) == {"a": 1500, "b": 3000}


def test_a_temperature_of_one_is_proportional():
    one = mixture(size=Size(passes=3), rate=Rate(scheme="temperature", temperature=1))

    assert allocate(one, {"a": 7, "b": 30_000}) == allocate(
        mixture(size=Size(passes=3)), {"a": 7, "b": 30_000}
    )


def test_uniform_gives_each_task_the_same():
    same = mixture(size=Size(passes=2), rate=Rate(scheme="uniform", max=50))

    assert allocate(same, {"a": 7, "b": 30_000}) == {"a": 100, "b": 100}


def test_weights_divide_a_size_among_clusters_and_mix_proportionally_within():
    # nli 40 %, shared 1:3 by rows; misc 60 % but for e, which has a weight of its own, 20 of 120.
    weights = {"nli": 40, "misc": 60, "e": 20}
    declared = mixture(size=Size(examples=1200), rate=Rate(scheme="weights", weights=weights))

    assert allocate(declared, {"a": 100, "b": 300, "d": 50, "e": 900}) == {
        "a": 100,
        "b": 300,
        "d": 600,
        "e": 200,
    }


def test_a_task_without_weight_gives_nothing():
    declared = mixture(size=Size(examples=10), rate=Rate(scheme="weights", weights={"a": 1}))

    assert allocate(declared, {"a": 100, "b": 300}) == {"a": 10, "b": 0}


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"scheme": "temperature"}, "scheme 'temperature' needs the key 'temperature'"),
        ({"temperature": 2}, "'temperature' belongs to scheme 'temperature', not to 'proportional'"),
        ({"scheme": "weights"}, "scheme 'weights' needs the key 'weights'"),
        ({"scheme": "weights", "weights": {"a": -1}}, "greater than or equal to 0"),
        ({"scheme": "unifrom"}, r"no scheme 'unifrom' is known here. Did you mean 'uniform'\?"),
    ],
)
def test_a_scheme_needs_its_keys_and_no_others(keys, sentence):
    with pytest.raises(ValueError, match=sentence):
        Rate(**keys)


def test_a_new_scheme_is_one_entry_of_the_registry(monkeypatch):
    root = RateScheme(
        "root", lambda rows, rate: min(isqrt(rows), rate.max), (), "the square root of the rows"
    )
    monkeypatch.setitem(SCHEMES, root.name, root)

    declared = mixture(size=Size(passes=1), rate=Rate(scheme="root"))

    assert allocate(declared, {"a": 100, "b": 30_000}) == {"a": 10, "b": 173}


def test_weights_need_a_size_in_examples():
    with pytest.raises(ValueError, match="weights divides a size"):
        mixture(rate=Rate(scheme="weights", weights={"a": 1}), size=Size(passes=1))


def test_a_row_under_several_templates_counts_as_often():
    each = mixture(size=Size(passes=2), templates_per_example=3)

    assert allocate(each, {"a": 40}) == {"a": 240}
    assert templates_per_row(each, 40) == 6
