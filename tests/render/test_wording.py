"""Rows under templates: which template each row comes under, and where it stands."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flanbuild.artifacts.arrow import EVALUATION_SCHEMA, RENDERED_SCHEMA, rendered_position
from flanbuild.render.wording import dealt, evaluation_table


def frame_of(task, rows):
    """Evaluated fields of `rows` rows, whose texts name the row."""
    names = [*task.fields, "answer", "options_"]
    return pl.DataFrame(
        {"_row": range(rows), **{name: [f"{name} {i}" for i in range(rows)] for name in names}}
    ).with_columns(
        pl.col("_row").cast(pl.Int64),
        pl.lit(["yes", "no"]).alias("_options"),
        pl.concat_list("answer").alias("_answers") if rows else pl.lit([""]).alias("_answers"),
    )


@given(st.integers(0, 60), st.integers(1, 10), st.integers(1, 10))
@settings(max_examples=40, deadline=None)
def test_a_repeat_of_a_row_comes_under_another_template(tasks, rows, templates, versions):
    task, count = tasks["rte"], min(versions, templates)
    rank = np.arange(rows)[::-1]

    table = dealt(task, frame_of(task, rows), rank, templates, count, "\n")

    pairs = list(zip(table["row"].to_pylist(), table["template"].to_pylist(), strict=True))
    assert len(set(pairs)) == len(pairs) == rows * count
    assert table["row"].to_pylist()[:rows] == rank.tolist()


def test_each_version_of_a_row_stands_where_mixing_looks_for_it(tasks):
    task, rank = tasks["rte"], np.array([2, 0, 1, 3])

    table = dealt(task, frame_of(task, 4), rank, 10, 3, "\n")

    assert table.schema == RENDERED_SCHEMA
    for row in range(4):
        for version in range(3):
            position = int(rendered_position(rank[[row]], np.array([version]), 4)[0])
            assert table["row"][position].as_py() == row
            assert table["template"][position].as_py() == (rank[row] + version) % 10


def test_a_prefix_uses_all_templates_evenly(tasks):
    table = dealt(tasks["rte"], frame_of(tasks["rte"], 25), np.arange(25), 10, 1, "\n")

    assert np.bincount(table["template"].to_numpy()[:20]).tolist() == [2] * 10


def test_fields_fill_the_template_and_the_separator_ends_the_prompt(tasks):
    task = tasks["rte"]
    table = dealt(task, frame_of(task, 3), np.arange(3), 1, 1, " => ")
    template = task.templates[0]

    for row in table.to_pylist():
        fields = {name: f"{name} {row['row']}" for name in [*task.fields, "answer", "options_"]}
        assert row["prompt"] == template.inputs.format(**fields) + " => "
        assert row["completion"] == template.targets.format(**fields)


def test_evaluation_rows_stand_template_after_template_in_the_order_of_the_frame(tasks):
    task = tasks["rte"]
    frame = frame_of(task, 4)[[2, 0, 3, 1]]

    table = evaluation_table(task, frame, "\n")

    assert table.schema == EVALUATION_SCHEMA
    assert table["row"].to_pylist() == [2, 0, 3, 1] * len(task.forward)
    assert table["template"].to_pylist() == [index for index in task.forward for _ in range(4)]
    assert set(table["task"].to_pylist()) == {"rte"}


def test_the_references_are_the_rows_own_where_the_target_is_the_answer(tasks):
    task = tasks["rte"]
    frame = frame_of(task, 2).with_columns(_answers=pl.Series([["a", "b"], ["c"]]))

    table = evaluation_table(task, frame, "\n")

    assert table["answers"].to_pylist() == [["a", "b"], ["c"]] * len(task.forward)


@pytest.mark.parametrize("name", ["rte", "squad/v1"])
def test_only_tasks_with_options_have_them(tasks, name):
    task = tasks[name]

    table = evaluation_table(task, frame_of(task, 2), "\n")

    expected = ["yes", "no"] if task.options is not None else []
    assert table["options"].to_pylist() == [expected] * table.num_rows
