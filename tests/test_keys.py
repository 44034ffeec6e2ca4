import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flanbuild.keys import keyed_order, row_keys, task_key


def test_a_key_never_changes():
    # Worked out once with Python integers; a change here changes everyone's data.
    assert task_key(2021, "order train", "rte") == 18158974701161938488
    assert row_keys(1, np.array([0, 1, 2]), 0).tolist() == [
        6791897765849424158,
        8614008028692990056,
        12017601128915079454,
    ]


def splitmix64(x):
    mask = 2**64 - 1
    x = (x + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**40), st.integers(0, 1000))
def test_numpy_and_plain_integers_agree(key, row, repeat):
    plain = splitmix64(splitmix64((row * 0x9E3779B97F4A7C15 + key) % 2**64) ^ repeat)

    assert int(row_keys(key, np.array([row]), repeat)[0]) == plain


@given(st.sets(st.integers(0, 10_000), min_size=2), st.integers(0, 10_000))
def test_another_row_moves_no_row(rows, extra):
    few = np.array(sorted(rows - {extra}))
    many = np.array(sorted(rows | {extra}))

    assert [r for r in keyed_order(7, many) if r != extra] == keyed_order(7, few).tolist()
