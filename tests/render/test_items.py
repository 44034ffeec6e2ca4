"""The key of an item: equal for equal texts in any kind of column, whatever labels and numbers say."""

import polars as pl
import pytest

from flanbuild.artifacts.columns import arrow_schema
from flanbuild.render.items import item_keys
from flanbuild.sample import sample_table


def keys(task, rows):
    frame = pl.DataFrame(rows, schema=pl.DataFrame(arrow_schema(task).empty_table()).schema)
    return item_keys(task, frame.lazy()).tolist()


def with_columns(task, **columns):
    return task.model_copy(update={"columns": columns})


def test_case_space_and_punctuation_make_no_other_item(tasks):
    rows = {
        "premise": ["A dog barks.", "a dog  barks", "A dog bites."],
        "hypothesis": ["It is loud."] * 3,
        "label": [0, 1, 0],
    }

    first, second, third = keys(tasks["rte"], rows)

    assert first == second != third


def test_texts_do_not_run_into_the_next_column(tasks):
    first, second = keys(
        with_columns(tasks["rte"], a="string", b="string"), {"a": ["x y", "x"], "b": ["z", "y z"]}
    )

    assert first != second


@pytest.mark.parametrize(
    ("kind", "one", "same", "other"),
    [
        (["string"], ["a", "b"], ["A", "b."], ["a b"]),
        ([["string"]], [["a"], ["b"]], [["A"], ["b"]], [["a", "c"], ["b"]]),
        ({"en": "string", "at": "int32"}, {"en": "a", "at": 1}, {"en": "A", "at": 2}, {"en": "b", "at": 1}),
        ([{"key": "string", "value": "string"}], [{"key": "1", "value": "a"}], [{"key": "1", "value": "A"}], []),
        ("string", None, "", "a"),
    ],
    ids=str,
)  # fmt: skip
def test_texts_inside_lists_and_structs_count(tasks, kind, one, same, other):
    first, second, third = keys(with_columns(tasks["rte"], a=kind), {"a": [one, same, other]})

    assert first == second != third


def test_without_text_columns_each_row_is_an_item(tasks):
    task = with_columns(tasks["rte"], number="int64", label="class_label")

    assert len(set(keys(task, {"number": [1, 1, 1], "label": [0, 0, 0]}))) == 3


def test_every_task_has_keys(tasks):
    for task in tasks.values():
        for split in task.upstream_splits():
            table = sample_table(task, split, rows=60)
            frame = pl.DataFrame(table)
            found = item_keys(task, frame.lazy())
            columns = [name for name, kind in task.columns.items() if kind not in ("class_label", "int32")]

            assert len(found) == frame.height
            assert len(set(found.tolist())) <= frame.select(columns).n_unique(), task.name
