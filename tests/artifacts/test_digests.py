"""Equal rows have equal digests, whatever cut or wrote them; any changed value gives another digest."""

import itertools

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flanbuild.artifacts.digests import RowsDigest, rows_digest

TYPES = pa.schema(
    [
        ("text", pa.string()),
        ("number", pa.int64()),
        ("real", pa.float64()),
        ("flag", pa.bool_()),
        ("tags", pa.list_(pa.string())),
        ("turns", pa.list_(pa.list_(pa.int32()))),
        ("answer", pa.struct([("text", pa.string()), ("starts", pa.list_(pa.int32()))])),
        ("pair", pa.list_(pa.int16(), 2)),
        ("nothing", pa.null()),
    ]
)
LARGE = {
    "text": pa.large_string(),
    "tags": pa.large_list(pa.large_string()),
    "turns": pa.large_list(pa.list_(pa.int32())),
    "answer": pa.struct([("text", pa.large_string()), ("starts", pa.large_list(pa.int32()))]),
}

texts = st.none() | st.text(max_size=4)
numbers = st.none() | st.integers(-3, 3)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": texts,
            "number": numbers,
            "real": st.none() | st.sampled_from([0.0, 1.5, -2.0]),
            "flag": st.none() | st.booleans(),
            "tags": st.none() | st.lists(texts, max_size=3),
            "turns": st.none() | st.lists(st.none() | st.lists(numbers, max_size=2), max_size=2),
            "answer": st.none()
            | st.fixed_dictionaries({"text": texts, "starts": st.none() | st.lists(numbers, max_size=2)}),
            "pair": st.none() | st.lists(st.integers(-3, 3), min_size=2, max_size=2),
            "nothing": st.none(),
        }
    ),
    max_size=8,
)


def table_of(rows):
    return pa.Table.from_pylist(rows, schema=TYPES)


@given(ROWS, st.lists(st.integers(0, 8), max_size=4))
@settings(max_examples=150, deadline=None)
def test_how_rows_are_cut_into_chunks_does_not_matter(rows, cuts):
    table = table_of(rows)
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [table.slice(start, end - start) for start, end in itertools.pairwise(bounds)]
    in_parts = RowsDigest()
    for part in parts:
        in_parts.update(part)

    assert rows_digest(pa.concat_tables(parts)) == rows_digest(table)
    assert in_parts.hexdigest() == rows_digest(table)


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_large_types_hold_the_same_rows(rows):
    table = table_of(rows)
    large = pa.schema([(field.name, LARGE.get(field.name, field.type)) for field in TYPES])

    assert rows_digest(pa.Table.from_pylist(rows, schema=large)) == rows_digest(table)


@given(ROWS, ROWS, ROWS)
@settings(max_examples=100, deadline=None)
def test_a_slice_of_a_longer_table_is_as_the_same_rows_alone(before, rows, after):
    inside = table_of([*before, *rows, *after]).slice(len(before), len(rows))

    assert rows_digest(inside) == rows_digest(table_of(rows))


@given(ROWS, ROWS)
@settings(max_examples=300, deadline=None)
def test_other_rows_have_another_digest(one, other):
    assume(one != other)

    assert rows_digest(table_of(one)) != rows_digest(table_of(other))


@given(ROWS, st.data())
@settings(max_examples=300, deadline=None)
def test_one_changed_value_gives_another_digest(rows, data):
    other = data.draw(ROWS.filter(bool))
    assume(rows)
    index = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(TYPES.names))
    assume(rows[index][name] != other[0][name])
    changed = [*rows]
    changed[index] = rows[index] | {name: other[0][name]}

    assert rows_digest(table_of(changed)) != rows_digest(table_of(rows))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "c"], ["a", "bc"]),
        (["", None], [None, ""]),
        ([["a"], []], [[], ["a"]]),
        ([["a", "b"]], [["ab"]]),
        ([[None]], [[""]]),
        ([[], None], [None, []]),
        ([0, None], [None, 0]),
        ([False, None], [None, False]),
        ([{"a": None}], [None]),
    ],
)
def test_values_that_share_their_bytes_are_told_apart(one, other):
    kind = pa.array([*one, *other]).type

    first, second = (pa.table({"x": pa.array(values, kind)}) for values in (one, other))

    assert rows_digest(first) != rows_digest(second)


def test_the_order_of_rows_counts_and_the_order_of_columns_does_not():
    table = pa.table({"a": ["x", "y"], "b": [1, 2]})

    assert rows_digest(table.take([1, 0])) != rows_digest(table)
    assert rows_digest(table.select(["b", "a"])) == rows_digest(table)
