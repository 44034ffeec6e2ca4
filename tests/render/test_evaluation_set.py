"""Evaluation sets belong to a task and to no mixture: all mixtures are scored on the same rows."""

from collections import Counter
from dataclasses import replace

import pytest
from raw_rows import build_raw

from flanbuild.artifacts.arrow import read_table
from flanbuild.artifacts.digests import rows_digest
from flanbuild.artifacts.files import xxh3_of
from flanbuild.artifacts.records import RECORD, RawRecord, read_record
from flanbuild.render.evaluation_set import build_evaluation_set, fingerprint
from flanbuild.sources.sample import SampleSource


@pytest.fixture
def evaluation_set(tasks, tmp_path):
    """The evaluation set of a task of the project from sample rows: its record, and its tables by split."""

    def run(name, max_rows=7, rows=100):
        build_raw(tasks[name], SampleSource(rows), tmp_path / "raw")
        out = tmp_path / "out"
        record = build_evaluation_set(tasks[name], tmp_path / "raw", max_rows, out)
        return record, {split: read_table(out / f"{split}.arrow") for split in record.splits}

    return run


def content(build):
    """The files of all evaluation sets, without locks."""
    root = build.addresses.evaluation
    paths = (path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(root): path.read_bytes() for path in paths}


@pytest.mark.parametrize("split", ["test", "dev"])
def test_rows_stand_under_every_forward_template(evaluation_set, tasks, split):
    record, tables = evaluation_set("rte", max_rows=7)
    table = tables[split]

    assert record.splits[split].rows == 7
    assert record.splits[split].examples == table.num_rows == 7 * len(tasks["rte"].forward)
    pairs = Counter(zip(table["row"].to_pylist(), table["template"].to_pylist(), strict=True))
    assert set(pairs.values()) == {1}
    assert {template for _, template in pairs} == set(tasks["rte"].forward)
    for row in table.to_pylist():
        assert row["answer"] == row["completion"]
        assert row["answer"] in row["options"]
        assert row["answers"] == [row["answer"]]


def test_the_first_rows_of_a_larger_set_are_those_of_a_smaller_one(evaluation_set, tasks):
    forward = len(tasks["rte"].forward)
    few, many = (evaluation_set("rte", max_rows=rows)[1] for rows in (5, 20))

    for split in ("test", "dev"):
        for index in range(forward):
            small = few[split].slice(5 * index, 5)
            assert small.equals(many[split].slice(20 * index, 20).slice(0, 5))


def test_no_row_is_lost_uncounted(evaluation_set):
    record, _ = evaluation_set("snli")

    for counts in record.splits.values():
        kept = counts.upstream - sum(counts.dropped.values())
        assert kept == counts.to_other_splits + counts.capped + counts.rows


def test_the_record_names_every_file_with_its_digests(evaluation_set, tmp_path):
    record, tables = evaluation_set("rte")

    assert record.files() == {name: xxh3_of(tmp_path / "out" / name) for name in ("test.arrow", "dev.arrow")}
    assert {name: split.rows_digest for name, split in record.splits.items()} == {
        name: rows_digest(table) for name, table in tables.items()
    }


def test_a_task_without_a_validation_split_has_no_dev_rows(evaluation_set, tasks):
    assert "validation" not in tasks["wsc273/wsc273"].splits

    record, _ = evaluation_set("wsc273/wsc273")

    assert list(record.splits) == ["test"]


def test_translation_goes_both_ways_and_each_way_is_its_own_reference(evaluation_set):
    _, tables = evaluation_set("wmt16_ende")
    first = [row for row in tables["test"].to_pylist() if row["row"] == tables["test"]["row"][0].as_py()]

    assert len({row["completion"] for row in first}) >= 2
    assert all(row["answers"] == [row["completion"]] for row in first)


def test_dev_rows_are_validation_rows_and_never_trained_on(build):
    whole = build()
    folder = whole.mix([]).folder
    whole.evaluation_sets()

    trained = {
        (row["task"], row["row"])
        for path in folder.glob("train/*.arrow")
        for row in read_table(path).select(["task", "row"]).to_pylist()
    }
    validation = {
        (row["task"], row["row"])
        for path in folder.glob("validation/*.arrow")
        for row in read_table(path).select(["task", "row"]).to_pylist()
    }
    for name in ("rte", "squad/v2", "sst2"):  # validation rows carved from the train split
        task = whole.tasks[name]
        dev = read_table(whole.addresses.evaluation / task.cluster / name / "dev.arrow")
        rows = {(name, row) for row in dev["row"].to_pylist()}
        assert task.splits["validation"].of == task.splits["train"].of
        assert rows
        assert not rows & trained
        assert rows <= validation


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 9},
        {"cap": 10},
        {"style": "none"},
        {"separator": " "},
        {"templates": 2},
        {"name": "other"},
        {"tasks": ("copa",)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_no_key_of_a_mixture_changes_an_evaluation_set(build, tmp_path, changed):
    one = build()
    other = build(mixture=changed, data=tmp_path / "other")
    one.evaluation_sets(["rte", "copa"])

    other.mix([])
    other.evaluation_sets(["rte", "copa"])

    assert content(other) == content(one) != {}


def test_building_a_mixture_neither_needs_nor_changes_evaluation_sets(build):
    build().mix(["nli"])
    assert content(build()) == {}

    build().evaluation_sets(["rte"])
    before = content(build())
    assert not build().mix(["nli"]).new
    assert not replace(build(), evaluation_rows=3).mix(["nli"]).new
    assert content(build()) == before


def test_another_number_of_rows_another_declaration_and_other_raw_rows_build_again(build, tasks):
    def stamp(**changed):
        build(**changed).evaluation_sets(["rte"])
        return (build().addresses.evaluation / "nli" / "rte" / "record.json").stat().st_mtime_ns

    rte = tasks["rte"].model_copy(update={"where": {"short": "length(premise) < 90"}})
    stamps = [
        stamp(),
        stamp(evaluation_rows=6),
        stamp(tasks={"rte": rte}, evaluation_rows=6),
        stamp(source=SampleSource(70)),
    ]

    assert len(set(stamps)) == 4
    assert stamp(source=SampleSource(70)) == stamps[-1]


def test_the_fingerprint_counts_task_rows_and_size(evaluation_set, tasks, tmp_path):
    evaluation_set("rte")
    raw = read_record(tmp_path / "raw" / RECORD, RawRecord)
    base = fingerprint(tasks["rte"], raw, 7)

    assert fingerprint(tasks["rte"], raw, 8) != base
    assert fingerprint(tasks["cb"], raw, 7) != base
    assert fingerprint(tasks["rte"], raw.with_changes(missing=("test",)), 7) != base


def test_a_damaged_raw_file_is_downloaded_again_and_the_set_is_as_before(build):
    build().evaluation_sets(["rte"])
    before = content(build())
    path = build().addresses.raw / "nli" / "rte" / "validation.parquet"
    content_of_raw = path.read_bytes()
    path.write_bytes(content_of_raw[:-1] + b"?")
    (build().addresses.evaluation / "nli" / "rte" / "record.json").unlink()

    build().evaluation_sets(["rte"])

    assert path.read_bytes() == content_of_raw
    assert content(build()) == before
