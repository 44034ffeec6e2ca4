"""Training rows that also occur in held-out test rows are found, reported, and dropped on request."""

from collections import Counter
from dataclasses import replace

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flanbuild.render.fingerprints import row_fingerprints

from flanbuild.artifacts.arrow import read_table
from flanbuild.errors import DeclarationError
from flanbuild.sources.mirror import MirrorSource


@pytest.fixture
def leaky(build, tasks):
    """SST-2 held out, while a twin of it in another cluster trains on what SST-2 is tested on."""
    sst2 = tasks["sst2"]
    twin = sst2.model_copy(
        update={
            "name": "twin",
            "dataset": "twin",
            "cluster": "misc",
            "splits": {"train": sst2.splits["test"], "validation": sst2.splits["validation"]},
        }
    )

    def make(**mixture):
        known = {"sst2": sst2, "twin": twin, "rte": tasks["rte"]}
        return build(tasks=known, mixture={"tasks": tuple(known), **mixture})

    return make


def train_rows(folder, task):
    """How many examples of a task each of its rows gives."""
    table = pa.concat_tables(read_table(path) for path in sorted(folder.glob("train/*.arrow")))
    return Counter(row["row"] for row in table.to_pylist() if row["task"] == task)


def test_a_row_of_the_same_place_upstream_is_found_with_examples(leaky):
    build = leaky()
    built = build.mix(["sentiment"])

    matches = [match for match in built.manifest.leaks.found if match.kind == "id"]
    assert [(match.task, match.held_out) for match in matches] == [("twin", "sst2")]
    train, test = (
        read_table(build.rendered / name)["id"].to_pylist()
        for name in ("misc/twin/train.fingerprints.arrow", "sentiment/sst2/test.fingerprints.arrow")
    )
    for row, other in matches[0].examples:
        assert train[row] == test[other]
    assert matches[0].rows == len(set(train) & set(test))


def test_all_test_rows_are_compared_however_many_are_evaluated(leaky):
    few = leaky()
    few = replace(few, evaluation_rows=1)
    evaluated = few.evaluation_sets(["sst2"])["sst2"].splits["test"].rows

    matches = [match for match in few.mix(["sentiment"]).manifest.leaks.found if match.kind == "id"]

    assert evaluated == 1
    assert matches[0].rows > 40


def test_matches_are_reported_and_kept_by_default(leaky):
    manifest = leaky().mix(["sentiment"]).manifest

    assert manifest.leaks.rule == "report"
    assert manifest.tasks["twin"].leaked == 0


def test_dropped_rows_are_in_no_shard_and_are_counted(leaky):
    build = leaky(leaks="drop")
    built = build.mix(["sentiment"])
    build.evaluation_sets(["sst2"])
    test = read_table(build.addresses.evaluation / "sentiment" / "sst2" / "test.arrow")

    counts = train_rows(built.folder, "twin")
    task = built.manifest.tasks["twin"]
    assert not counts.keys() & set(test["row"].to_pylist())
    assert task.leaked > 0
    assert sum(counts.values()) == task.given


def test_a_match_can_stop_the_build(leaky):
    build = leaky(leaks="error")

    with pytest.raises(
        DeclarationError,
        match=r"leaks: [\d,]+ training rows of twin also occur in the test rows of sst2 by id",
    ):
        build.mix(["sentiment"])
    assert list((build.data / "mixtures").glob("[!.]*")) == []


def test_a_plan_counts_dropped_rows_as_the_mixture_does(leaky):
    allocations, _ = leaky(leaks="drop").plan(["sentiment"])
    manifest = leaky(leaks="drop").mix(["sentiment"]).manifest

    assert {entry.task: entry.count for entry in allocations} == {
        name: task.given for name, task in manifest.tasks.items()
    }


def test_case_and_white_space_do_not_hide_a_text(tasks):
    texts = {"premise": ["The  Cat\nsat.", "the cat sat.", "A dog."], "hypothesis": ["Yes.", "yes.", "Yes."]}
    frame = pl.DataFrame({**texts, "_source_row": [0, 1, 2]})

    keys = row_fingerprints(tasks["rte"], ["train"], frame)["input"].to_pylist()

    assert keys[0] == keys[1] != keys[2]


def test_only_a_long_field_counts_on_its_own(tasks):
    frame = pl.DataFrame(
        {"premise": ["x" * 40, "x" * 39], "hypothesis": ["Yes.", "No."], "_source_row": [0, 1]}
    )

    assert [len(keys) for keys in row_fingerprints(tasks["rte"], ["train"], frame)["field"].to_pylist()] == [
        1,
        0,
    ]


def test_equal_rows_of_two_repositories_are_found_by_their_input(build, tasks, mirror):
    # SuperGLUE's RTE is GLUE's: a task file of GLUE's in another cluster would train on held-out rows.
    rte = tasks["rte"]
    glue = rte.model_copy(
        update={
            "name": "glue_rte",
            "dataset": "glue_rte",
            "cluster": "misc",
            "source": rte.source.model_copy(update={"repo": "nyu-mll/glue"}),
            "columns": {"sentence1": "string", "sentence2": "string", "label": "class_label"},
            "fields": {"premise": "sentence1", "hypothesis": "sentence2"},
            "splits": {"train": rte.splits["test"], "validation": rte.splits["validation"]},
        }
    )
    names = ("rte", "glue_rte", "sst2")
    glued = build(
        tasks={"rte": rte, "glue_rte": glue, "sst2": tasks["sst2"]},
        mixture={"tasks": names},
        source=MirrorSource(mirror),
        missing="skip",
    )

    matches = glued.mix(["nli"]).manifest.leaks.found

    found = {match.kind: match.rows for match in matches if match.task == "glue_rte"}
    one, other = (
        ["".join(f"{row[a]}\0{row[b]}".lower().split()) for row in pq.read_table(mirror / path).to_pylist()]
        for path, a, b in (
            ("nyu-mll/glue/rte/validation-00000-of-00001.parquet", "sentence1", "sentence2"),
            ("aps/super_glue/rte/validation-00000-of-00001.parquet", "premise", "hypothesis"),
        )
    )
    assert found["input"] == sum(text in other for text in one) > 200
