"""Carving and order: each row has one split, and its place depends on the task's own name alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_rows import build_raw

from flanbuild.artifacts.records import RECORD, RawRecord, SplitCounts, read_record
from flanbuild.errors import DamagedError
from flanbuild.render import splits
from flanbuild.render.splits import (
    OWN_SEED,
    Selection,
    by_upstream,
    carve,
    declaration,
    open_examples,
    select,
)
from flanbuild.sources.sample import SampleSource


def with_validation(task, rows):
    """The task with so many rows of its train split carved for validation."""
    carved = task.splits["validation"].model_copy(update={"rows": rows})
    return task.model_copy(update={"splits": task.splits | {"validation": carved}})


@given(st.sets(st.integers(0, 500)), st.integers(1, 300))
@settings(max_examples=50, deadline=None)
def test_carving_parts_the_rows_and_takes_at_most_half(tasks, rows, asked):
    kept = np.array(sorted(rows), np.int64)

    parts = carve(with_validation(tasks["rte"], asked), kept, kept, kept, ["train", "validation"])

    assert sorted([*parts["train"], *parts["validation"]]) == sorted(rows)
    assert len(parts["validation"]) == min(asked, len(rows) // 2)


@given(st.lists(st.integers(1, 12), max_size=40), st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_carving_parts_no_dialogue(tasks, turns, asked):
    source = np.repeat(np.arange(len(turns)), turns)
    kept = np.arange(len(source))

    parts = carve(with_validation(tasks["rte"], asked), kept, source, source, ["train", "validation"])

    assert sorted([*parts["train"], *parts["validation"]]) == kept.tolist()
    assert not set(source[parts["train"]]) & set(source[parts["validation"]])
    assert len(parts["validation"]) <= len(kept) // 2


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_carving_puts_no_item_on_both_sides(tasks, items, asked):
    kept, items = np.arange(len(items)), np.array(items, np.uint64)

    parts = carve(with_validation(tasks["rte"], asked), kept, kept, items, ["train", "validation"])

    assert sorted([*parts["train"], *parts["validation"]]) == kept.tolist()
    assert not set(items[parts["train"]]) & set(items[parts["validation"]])
    assert len(parts["validation"]) <= len(kept) // 2


def test_equal_rows_move_no_other_item_out_of_its_place(tasks):
    # Row 200 repeats the item of each row in turn; the order of the others is that of the rows without it.
    task, rows = with_validation(tasks["rte"], 20), np.arange(200)
    alone = carve(task, rows, rows, rows, ["train", "validation"])["validation"].tolist()
    more = np.arange(201)

    for twin in range(0, 200, 10):
        items = np.append(rows, twin)
        carved = carve(task, more, more, items, ["train", "validation"])["validation"].tolist()
        assert (twin in carved) == (200 in carved)
        assert len(set(carved) - {200} - set(alone)) <= 1  # row 200 may come early, and its twin with it


def test_tasks_of_one_dataset_carve_the_same_rows(tasks):
    rows = np.arange(200)
    one = with_validation(tasks["rte"], 20)
    twin = one.model_copy(update={"name": "rte/twin"})
    other = one.model_copy(update={"dataset": "other"})

    first, second, third = (
        carve(task, rows, rows, rows, ["train", "validation"])["validation"].tolist()
        for task in (one, twin, other)
    )

    assert first == second != third


def test_a_larger_carve_contains_the_smaller_one(tasks):
    rows = np.arange(200)

    few, many = (
        set(
            carve(with_validation(tasks["rte"], count), rows, rows, rows, ["train", "validation"])[
                "validation"
            ]
        )
        for count in (10, 30)
    )

    assert few < many


def selection(rows):
    return Selection(np.array(rows, np.int64), SplitCounts(of=("train",), upstream=100, rows=len(rows)))


def test_a_limit_cuts_the_end_of_the_keyed_order_and_is_counted(tasks):
    whole = selection(range(50)).ordered(0, "train", tasks["rte"])
    cut = selection(range(50)).ordered(0, "train", tasks["rte"], 20)

    assert sorted(whole.rows) == list(range(50))
    assert cut.rows.tolist() == whole.rows[:20].tolist()
    assert (cut.counts.rows, cut.counts.capped) == (20, 30)
    assert whole.counts.capped == 0


def test_the_order_of_two_rows_stays_whatever_other_rows_there_are(tasks):
    whole = selection(range(50)).ordered(0, "train", tasks["rte"]).rows
    even = selection(range(0, 50, 2)).ordered(0, "train", tasks["rte"]).rows

    assert [row for row in whole if row % 2 == 0] == even.tolist()


@pytest.mark.parametrize("change", ["seed", "split", "task"])
def test_seed_split_and_task_each_give_another_order(tasks, change):
    rows = selection(range(50))
    base = rows.ordered(0, "train", tasks["rte"]).rows.tolist()

    other = rows.ordered(
        1 if change == "seed" else 0,
        "test" if change == "split" else "train",
        tasks["cb"] if change == "task" else tasks["rte"],
    )

    assert other.rows.tolist() != base


def test_splits_are_grouped_by_the_upstream_splits_they_share(tasks):
    groups = by_upstream(tasks["rte"])

    assert groups == {("train",): ["train", "validation"], ("validation",): ["test"]}
    assert by_upstream(tasks["rte"], ["test"]) == {("validation",): ["test"]}
    assert by_upstream(tasks["rte"], ["validation"]) == {("train",): ["train", "validation"]}


def test_the_declaration_does_not_depend_on_where_the_task_file_lies(tasks):
    task = tasks["rte"]

    assert declaration(task.model_copy(update={"page": Path("elsewhere.yaml")})) == declaration(task)
    assert declaration(task.model_copy(update={"where": {}})) != declaration(task)


@pytest.fixture
def raw(tasks, tmp_path):
    build_raw(tasks["coqa"], SampleSource(60), tmp_path)
    return tmp_path, read_record(tmp_path / RECORD, RawRecord)


@pytest.mark.parametrize("kept_bytes", [0, splits.KEPT_BYTES])
def test_large_and_small_splits_are_read_to_the_same_rows(raw, tasks, monkeypatch, kept_bytes):
    task, (folder, record) = tasks["coqa"], raw
    small = open_examples(task, folder, record, ["train"])
    expected = select(task, small, ("train",), ["train", "validation"])
    monkeypatch.setattr(splits, "KEPT_BYTES", kept_bytes)

    opened = open_examples(task, folder, record, ["train"])
    selected = select(task, opened, ("train",), ["train", "validation"])

    for name, each in expected.items():
        assert selected[name].rows.tolist() == each.rows.tolist()
        assert selected[name].counts == each.counts
    assert opened(None).collect().equals(small(None).collect())


def test_a_raw_file_of_other_bytes_is_not_opened(raw, tasks):
    folder, record = raw
    (folder / "train.parquet").write_bytes(b"PAR1")

    with pytest.raises(DamagedError, match=r"train.parquet: damaged"):
        open_examples(tasks["coqa"], folder, record, ["train"])


def test_the_seed_of_carving_belongs_to_no_mixture():
    # Another number would change which rows are trained on, for every user.
    assert OWN_SEED == 2021
