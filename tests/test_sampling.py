import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanbuild.mixtures import Mixture, Rate, Size
from flanbuild.sampling import allocate, largest_remainder, versions

counts = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 50_000), min_size=1)


def mixture(**keys):
    return Mixture(name="m", path="m.yaml", **keys)


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
def test_a_row_has_as_many_versions_as_times_it_is_drawn(rows, expected):
    assert versions(mixture(size=Size(passes=10), rate=Rate(max=3000)), rows) == expected
