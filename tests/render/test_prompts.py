"""What rendering does to rows: nothing is lost uncounted, and every choice depends on names alone."""

import json
from collections import Counter

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from conftest import PAGE
from flanbuild.render.prompts import _carve, _dealt, render
from hypothesis import given, settings
from hypothesis import strategies as st

from flanbuild.artifacts.arrow import read_table
from flanbuild.declare.mixture import Size
from flanbuild.declare.task_files import load_tasks
from flanbuild.sources.raw import download
from flanbuild.sources.sample import SampleSource


@pytest.fixture
def rendered(tasks, flan2021, tmp_path):
    """Renders a task of the project from sample rows; gives its record and its tables by split."""

    def run(name, rows=100, examples=7, **changed):
        task, mixture = tasks[name], flan2021.model_copy(update=changed)
        download(task, SampleSource(rows), tmp_path / "raw", "error")
        record = render(task, tmp_path / "raw", tmp_path / "out", mixture, examples)
        tables = {split: read_table(tmp_path / "out" / f"{split}.arrow") for split in record["splits"]}
        return record, tables

    return run


def rows_of(table):
    return table.column("row").to_pylist()


def test_no_row_is_lost_uncounted(rendered):
    record, _ = rendered("snli")

    for said in record["splits"].values():
        kept = said["upstream"] - sum(said["dropped"].values())
        assert kept == said["to_other_splits"] + said["capped"] + said["rows"]


def test_carved_rows_are_not_trained_on(rendered):
    _, tables = rendered("rte")

    assert not set(rows_of(tables["train"])) & set(rows_of(tables["validation"]))


def test_each_template_gets_the_same_share_to_within_one_row(rendered):
    _, tables = rendered("rte", rows=100, size=Size(passes=1))
    used = Counter(tables["train"].column("template").to_pylist())

    assert len(used) == 10
    assert max(used.values()) - min(used.values()) <= 1


@given(st.integers(0, 60), st.integers(1, 10), st.integers(1, 10))
@settings(max_examples=40, deadline=None)
def test_a_repeat_of_a_row_comes_under_another_template(tasks, rows, templates, versions):
    task = tasks["rte"]
    names = [*task.fields, "answer", "options_"]
    frame = pl.DataFrame({"_row": range(rows), **{name: ["x"] * rows for name in names}}).with_columns(
        pl.lit(["yes", "no"]).alias("_options"), pl.col("_row").cast(pl.Int64)
    )

    rank = np.arange(rows)[::-1]
    table = _dealt(task, frame, rank, templates, min(versions, templates), "\n")

    pairs = list(zip(rows_of(table), table.column("template").to_pylist(), strict=True))
    assert len(set(pairs)) == len(pairs) == rows * min(versions, templates)
    assert rows_of(table)[:rows] == rank.tolist()


@given(st.sets(st.integers(0, 500)), st.integers(1, 300))
@settings(max_examples=50, deadline=None)
def test_carving_parts_the_rows_and_takes_at_most_half(tasks, rows, asked):
    task = tasks["rte"].model_copy(
        update={
            "splits": tasks["rte"].splits
            | {"validation": tasks["rte"].splits["validation"].model_copy(update={"rows": asked})}
        }
    )
    kept = np.array(sorted(rows), np.int64)

    parts = _carve(task, kept, kept, ["train", "validation"], seed=0)

    assert sorted([*parts["train"], *parts["validation"]]) == sorted(rows)
    assert len(parts["validation"]) == min(asked, len(rows) // 2)


@given(st.lists(st.integers(1, 12), max_size=40), st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_carving_parts_no_dialogue(tasks, turns, asked):
    task = tasks["rte"].model_copy(
        update={
            "splits": tasks["rte"].splits
            | {"validation": tasks["rte"].splits["validation"].model_copy(update={"rows": asked})}
        }
    )
    source = np.repeat(np.arange(len(turns)), turns)
    kept = np.arange(len(source))

    parts = _carve(task, kept, source, ["train", "validation"], seed=0)

    assert sorted([*parts["train"], *parts["validation"]]) == kept.tolist()
    assert not set(source[parts["train"]]) & set(source[parts["validation"]])
    assert len(parts["validation"]) <= len(kept) // 2


def test_a_split_of_its_own_may_take_all_its_rows(rendered):
    record, _ = rendered("snli", rows=100)

    said = record["splits"]["validation"]
    assert said["rows"] == said["upstream"] - sum(said["dropped"].values()) <= 200


def test_the_cap_keeps_the_same_rows_when_it_grows(rendered):
    few, many = (rows_of(rendered("rte", cap=cap, size=Size(passes=1))[1]["train"]) for cap in (20, 40))

    assert many[:20] == few


def test_another_task_name_orders_rows_otherwise(rendered):
    assert rows_of(rendered("anli/r1")[1]["train"]) != rows_of(rendered("anli/r2")[1]["train"])


def test_evaluation_rows_stand_under_every_forward_template(rendered, tasks):
    record, tables = rendered("rte", examples=7)
    test = tables["test"]

    assert record["splits"]["test"]["examples"] == test.num_rows == 7 * len(tasks["rte"].forward)
    pairs = Counter(zip(rows_of(test), test.column("template").to_pylist(), strict=True))
    assert set(pairs.values()) == {1}
    for row in test.to_pylist():
        assert row["answer"] == row["completion"]
        assert row["answer"] in row["options"]
        assert row["answers"] == [row["answer"]]


def test_a_prompt_ends_with_the_joiner(rendered):
    _, tables = rendered("rte", separator=" => ")

    assert all(prompt.endswith(" => ") for prompt in tables["train"].column("prompt").to_pylist())


def test_an_inverted_prompt_has_no_options(rendered, tasks):
    _, tables = rendered("rte")
    inverted = {i for i in range(10) if tasks["rte"].templates[i].kind == "inverted"}

    rows = [row for row in tables["train"].to_pylist() if row["template"] in inverted]

    assert rows
    assert all(row["options"] == [] and "OPTIONS:" not in row["prompt"] for row in rows)


def test_translation_goes_both_ways_and_each_way_is_its_own_reference(rendered):
    _, tables = rendered("wmt16_ende")
    first = [
        row for row in tables["test"].to_pylist() if row["row"] == tables["test"].column("row")[0].as_py()
    ]

    assert len({row["completion"] for row in first}) >= 2
    assert all(row["answers"] == [row["completion"]] for row in first)


def test_a_rendered_file_is_one_record_batch(rendered, tmp_path):
    rendered("rte")

    with pa.memory_map(str(tmp_path / "out" / "train.arrow")) as source:
        assert pa.ipc.open_file(source).num_record_batches == 1


def test_a_comment_on_a_page_changes_no_byte(pages, flan2021, tmp_path):
    outs = []
    for text in (PAGE, "# a comment\n" + PAGE):
        task = load_tasks([pages(text)])["rte"]
        out = tmp_path / f"out{len(outs)}"
        download(task, SampleSource(50), tmp_path / "raw", "error")
        render(task, tmp_path / "raw", out, flan2021, 5)
        outs.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})

    assert outs[0] == outs[1]


def test_rows_with_braces_quotes_and_newlines_come_through_as_they_are(pages, flan2021, tmp_path):
    odd = ['{premise} "a" \\n', "two\nlines", "{{x}}", "żółć 日本", ""]
    schema = pa.schema([("premise", pa.string()), ("hypothesis", pa.string()), ("label", pa.int64())])
    table = pa.table({"premise": odd, "hypothesis": odd, "label": [0, 1, 0, 1, -1]}, schema=schema)
    raw = tmp_path / "raw"
    raw.mkdir()
    for split in ("train", "validation"):
        pl.from_arrow(table).write_parquet(raw / f"{split}.parquet")
    source = dict.fromkeys(("kind", "repo", "config", "commit", "digest", "license"), "x") | {"missing": []}
    (raw / "source.json").write_text(json.dumps(source))

    record = render(load_tasks([pages()])["rte"], raw, tmp_path / "out", flan2021, 10)

    test = read_table(tmp_path / "out" / "test.arrow").to_pylist()
    prompts = {row["row"]: row["prompt"] for row in test if row["template"] == 0}
    assert prompts == {i: f"Wording one: {odd[i]}\n{odd[i]}\nOPTIONS:\n- yes\n- no\n" for i in range(4)}
    assert record["splits"]["test"]["dropped"] == {"not labelled": 1}
