import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanbuild.training.packing import one_each, pack

LENGTHS = st.lists(st.integers(1, 32), min_size=1, max_size=300)


def packed(lengths: list[int], capacity: int = 32) -> list[list[int]]:
    return pack(np.array(lengths, dtype=np.int64), capacity).tolist()


@given(LENGTHS)
def test_every_example_is_placed_once(lengths):
    assert sorted(example for sequence in packed(lengths) for example in sequence) == list(
        range(len(lengths))
    )


@given(LENGTHS)
def test_no_sequence_is_longer_than_the_capacity(lengths):
    assert all(0 < sum(lengths[example] for example in sequence) <= 32 for sequence in packed(lengths))


@given(LENGTHS)
def test_at_most_one_sequence_is_half_empty(lengths):
    sizes = [sum(lengths[example] for example in sequence) for sequence in packed(lengths)]
    assert sum(size <= 16 for size in sizes) <= 1


@given(LENGTHS)
def test_placing_by_length_equals_placing_one_by_one(lengths):
    rooms: list[int] = []
    for length in sorted(lengths, reverse=True):
        fitting = [room for room in rooms if room >= length]
        if fitting:
            rooms[rooms.index(min(fitting))] -= length
        else:
            rooms.append(32 - length)
    sizes = sorted(32 - sum(lengths[example] for example in sequence) for sequence in packed(lengths))
    assert sizes == sorted(rooms)


def test_an_example_goes_where_it_leaves_least_room():
    # 7 opens a first sequence (room 3), 6 a second (room 4); 4 fills the second, 3 the first, 1 opens a third.
    assert packed([6, 1, 7, 3, 4], capacity=10) == [[2, 3], [0, 4], [1]]


def test_examples_of_a_sequence_keep_their_order():
    assert all(sequence == sorted(sequence) for sequence in packed([1, 5, 2, 9, 3, 9, 1, 1, 30]))


def test_an_example_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="1 to 32"):
        packed([33])


def test_without_packing_each_example_is_a_sequence():
    assert one_each(3).tolist() == [[0], [1], [2]]


def test_a_million_examples_are_packed_in_seconds():
    lengths = 1 + np.arange(1_000_000, dtype=np.int64) * 7919 % 1280
    sequences = pack(lengths, 2048)
    assert lengths.sum() / (len(sequences) * 2048) > 0.99
