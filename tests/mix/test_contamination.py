"""What is trained on and stands in what is held out is found, told, and dropped if asked."""

from collections import Counter

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flanbuild.artifacts.arrow import read_table
from flanbuild.errors import DeclarationError
from flanbuild.render.fingerprints import row_fingerprints
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
        return build(tasks=known, mixture={"tasks": tuple(known), **mixture}, evaluation_examples=30)

    return make


def train_rows(folder, task):
    table = pa.concat_tables(read_table(path) for path in sorted(folder.glob("train-*.arrow")))
    return Counter(row["row"] for row in table.to_pylist() if row["task"] == task)


def test_a_row_of_the_same_place_upstream_is_found_with_examples(leaky):
    made = leaky()
    _, record, _ = made.mix(["sentiment"])

    by_id = [leak for leak in record["leaks"]["found"] if leak["kind"] == "id"]
    assert [(leak["task"], leak["held_out"]) for leak in by_id] == [("twin", "sst2")]
    train, test = (
        read_table(made.rendered / name)["row"].to_pylist()
        for name in ("misc/twin/train.arrow", "sentiment/sst2/test.arrow")
    )
    for place, other in by_id[0]["examples"]:
        assert train[place] == test[other]
    assert by_id[0]["rows"] == len(set(train) & set(test))


def test_leaks_are_reported_and_kept_by_default(leaky):
    _, record, _ = leaky().mix(["sentiment"])

    assert record["leaks"]["rule"] == "report"
    assert record["tasks"]["twin"]["leaked"] == 0


def test_dropped_leaks_are_in_no_shard_and_are_counted(leaky):
    made = leaky(leaks="drop")
    folder, record, _ = made.mix(["sentiment"])
    test = read_table(made.rendered / "sentiment" / "sst2" / "test.arrow")

    assert not set(train_rows(folder, "twin")) & set(test["row"].to_pylist())
    said = record["tasks"]["twin"]
    assert said["leaked"] > 0
    assert sum(train_rows(folder, "twin").values()) == said["given"]


def test_leaks_can_stop_the_build(leaky):
    made = leaky(leaks="error")

    with pytest.raises(
        DeclarationError, match=r"leaks: [\d,]+ train rows of twin stand in the evaluation of"
    ):
        made.mix(["sentiment"])
    assert not (made.data / "mixtures").exists() or not any((made.data / "mixtures").iterdir())


def test_a_plan_counts_dropped_leaks_as_the_mixture_does(leaky):
    shares, _ = leaky(leaks="drop").plan(["sentiment"])
    _, record, _ = leaky(leaks="drop").mix(["sentiment"])

    assert {share.task: share.count for share in shares} == {
        name: t["given"] for name, t in record["tasks"].items()
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


def test_real_rows_leak_across_clusters(build, tasks, mirror):
    # SuperGLUE's RTE is GLUE's: a page of GLUE's in another cluster would train on what is held out.
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
    made = build(
        tasks={"rte": rte, "glue_rte": glue, "sst2": tasks["sst2"]},
        mixture={"tasks": names},
        source=MirrorSource(mirror),
        missing="skip",
        evaluation_examples=277,
    )

    _, record, _ = made.mix(["nli"])

    found = {leak["kind"]: leak["rows"] for leak in record["leaks"]["found"] if leak["task"] == "glue_rte"}
    one, other = (
        ["".join(f"{row[a]}\0{row[b]}".lower().split()) for row in pq.read_table(mirror / path).to_pylist()]
        for path, a, b in (
            ("nyu-mll/glue/rte/validation-00000-of-00001.parquet", "sentence1", "sentence2"),
            ("aps/super_glue/rte/validation-00000-of-00001.parquet", "premise", "hypothesis"),
        )
    )
    assert found["input"] == sum(text in other for text in one) > 200
