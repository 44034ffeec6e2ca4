"""`why` says where an example comes from, and what can no longer be found out."""

import json
import subprocess
import sys

import numpy as np
import pytest
from few import few

from flanbuild import keys
from flanbuild.artifacts.arrow import read_table
from flanbuild.errors import DeclarationError
from flanbuild.inspect.origin import Share, UsedTemplate, origin
from flanbuild.read import load
from flanbuild.sources.sample import SampleSource


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    build = few(tmp_path_factory.mktemp("origin"))
    return build, build.mix([]).folder


def of(built, index, split="train", **changed):
    build, folder = built
    return origin(
        folder, index, split, changed.get("tasks", build.tasks), changed.get("raw", build.data / "raw")
    )


def first(built, task):
    """The first example of a task."""
    return next(i for i, row in enumerate(load(built[1])) if row["task"] == task)


def test_the_position_in_the_shard_holds_the_example(built):
    for index in (0, 700, 1500, len(load(built[1])) - 1):
        found = of(built, index)
        table = read_table(built[1] / found.shard)
        assert table.slice(found.position, 1).to_pylist() == [found.example] == [load(built[1])[index]]


@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_source_row_under_the_template_is_the_prompt(built, split):
    for index in range(20):
        found = of(built, index, split)
        if found.example["task"] != "rte" or found.template.kind == "inverted":
            continue
        columns, options = found.source.columns, "\n- ".join(["OPTIONS:", *found.example["options"]])
        words = found.template.inputs.format(**columns, options_=options)
        assert found.example["prompt"] == words + "\n"
        assert found.source.split == "train"


def test_a_row_that_preprocessing_made_leads_back_to_the_row_it_was_made_of(built):
    found = of(built, first(built, "coqa"))

    assert found.source.row < found.example["row"]
    assert found.source.columns["story"] in found.example["prompt"]


def test_keys_are_those_that_order_the_mixture(built):
    found = [of(built, index) for index in range(50)]

    assert [f.keys.place_row for f in found] == sorted(f.keys.place_row for f in found)
    rte = found[next(i for i, f in enumerate(found) if f.example["task"] == "rte")]
    expected = keys.row_keys(keys.task_key(1, "order train", "rte"), np.array([rte.example["row"]]))[0]
    assert int(rte.keys.order_row, 16) == int(expected)


def test_the_share_is_the_plan(built):
    found = of(built, first(built, "rte"))

    assert found.share == Share(rows=30, rate=30, count=300, total=2000)


def test_what_is_missing_or_has_changed_is_named(built, tmp_path):
    build, _ = built
    index = first(built, "coqa")
    changed = build.tasks["coqa"].model_copy(update={"where": {"long": "length(story) > 3"}})

    gone = of(built, index, raw=tmp_path)
    assert gone.source.row is None
    assert gone.unknown == (f"The row's columns and file: there are no raw rows of coqa in {tmp_path}.",)
    undeclared = of(built, index, tasks={})
    assert undeclared.template == UsedTemplate(undeclared.example["template"])
    assert undeclared.unknown == (
        "The template's text and the source's split: no task file declares coqa here.",
    )
    assert (
        "coqa.yaml has changed since this was built" in of(built, index, tasks={"coqa": changed}).unknown[0]
    )


def test_raw_rows_of_another_source_are_not_taken_for_the_origin(built, tmp_path):
    other = few(tmp_path, source=SampleSource(50))
    other.download()

    found = of(built, first(built, "copa"), raw=other.addresses.raw)

    assert found.source.columns is None
    assert found.unknown == (
        f"The row's columns and file: {other.addresses.raw} has other rows of copa than this was built from.",
    )


def test_an_index_beyond_the_end_is_one_sentence(built):
    with pytest.raises(DeclarationError, match="train has the examples 0 to 1,999, not 2000"):
        of(built, 2000)


def test_the_command_prints_it_and_gives_json(built):
    _, folder = built
    index = str(first(built, "rte"))

    def why(*arguments):
        command = [sys.executable, "-m", "flanbuild", "why", str(folder), index, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    shown, document = why(), json.loads(why("--json"))

    assert "task: rte of dataset rte, cluster nli" in shown
    assert "source: sample: aps/super_glue (rte) at sample of 60 rows, split train" in shown
    assert "rate: 30 a pass of 30 rows; 300 of 2,000 examples (15.00%)" in shown
    assert document["example"]["task"] == "rte"
    assert document["source"]["split"] == "train"
