"""A plan is the mixture's own allocation, and making it changes no artifact of a mixture."""

import pytest
from conftest import SMALL

from flanbuild.declare.mixture import ContaminationRule, Size


def content(data, folder):
    """The files below a folder of the data folder, locks included."""
    return {path: path.read_bytes() for path in (data / folder).rglob("*") if path.is_file()}


def test_a_plan_writes_only_raw_rows_and_what_it_keeps_to_answer_again(build):
    planned = build()

    planned.plan(["nli"])

    assert sorted(path.name for path in planned.data.iterdir()) == ["cache", "contamination", "raw"]


def test_a_plan_with_other_keys_leaves_the_artifacts_of_a_mixture_alone(build):
    built = build()
    built.mix(["nli"])
    built.evaluation_sets(["rte"])
    folders = ("rendered", "mixtures", "evaluation", "raw")
    before = {folder: content(built.data, folder) for folder in folders}

    build(mixture={"seed": 5, "cap": 10, "separator": " "}).plan(["sentiment"])

    assert {folder: content(built.data, folder) for folder in folders} == before
    assert not build().mix(["nli"]).new


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"cap": 10},
        {"size": Size(examples=121)},
        {"seed": 3},
        {"contamination": ContaminationRule(rule="drop")},
    ],
    ids=lambda changed: next(iter(changed), "as declared"),
)
def test_a_plan_is_the_mixture(build, changed):
    allocations, held = build(mixture=changed).plan(["nli"])
    manifest = build(mixture=changed).mix(["nli"]).manifest

    assert [entry.task for entry in allocations] == sorted(SMALL)
    for entry in allocations:
        task = manifest.tasks[entry.task]
        assert (entry.duplicates, entry.in_train) == (task.duplicates, task.in_train)
        assert (entry.count, entry.rows, entry.rate, entry.out, entry.repeats) == (
            task.given,
            task.rows,
            task.rate,
            task.out,
            task.repeats,
        )
    assert held.keys() == manifest.held_out.keys()
    assert sum(entry.share for entry in allocations) == 1


def test_training_on_what_the_paper_would_hold_out_is_said_once_and_recorded(build, caplog):
    with_paraphrase = build(mixture={"related": ()})

    with caplog.at_level("INFO", "flanbuild"):
        with_paraphrase.plan(["nli"])
    said = [line for line in caplog.messages if line.startswith("nli is held out")]

    assert said == [
        "nli is held out, and the mixture trains on 1 task(s) of paraphrase (mrpc), which the paper would have held "
        "out with it (section 2.2)."
    ]
    assert with_paraphrase.mix(["nli"]).manifest.related_in_training == {"nli": ("mrpc",)}


def test_a_hold_out_as_the_paper_makes_it_needs_no_notice(build):
    assert build().mix(["nli"]).manifest.related_in_training == {}


def test_a_dataset_alone_leaves_tasks_of_its_cluster_in_training(build):
    assert build().mix(["squad"]).manifest.related_in_training == {}  # the only task of its cluster here
    assert build().mix(["rte"]).manifest.related_in_training == {"rte": ("mrpc",)}


def test_a_plan_after_the_mixture_counts_nothing_anew(build):
    build().mix(["nli"])

    build().plan(["nli"])

    assert list((build().addresses.counts).glob("*")) == []


def test_a_second_plan_reads_the_counts_of_the_first(build):
    first, _ = build().plan(["nli"])
    stamps = {path: path.stat().st_mtime_ns for path in build().addresses.counts.rglob("*.json")}

    second, _ = build().plan(["sentiment"])

    assert {path: path.stat().st_mtime_ns for path in build().addresses.counts.rglob("*.json")} == stamps
    assert len(stamps) == len(SMALL)
    assert [entry.rows for entry in second] == [entry.rows for entry in first]
