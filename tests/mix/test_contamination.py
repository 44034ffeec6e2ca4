"""Training rows that carry held-out evaluation rows are found by content, counted, shown, and dropped on request."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from flanbuild.artifacts.arrow import read_table
from flanbuild.declare.mixture import ContaminationRule, Mixture, load_mixture
from flanbuild.errors import DeclarationError
from flanbuild.inspect.contamination import find_matches, matches
from flanbuild.mix.contamination import reference_tasks
from flanbuild.sources.mirror import MirrorSource


@pytest.fixture
def planted(build, tasks):
    """SST-2 held out, while a twin of it in another cluster trains on what SST-2 is tested on."""
    sst2 = tasks["sst2"]
    twin = sst2.model_copy(
        update={
            "name": "twin",
            "dataset": "twin",
            "cluster": "misc",
            "source": sst2.source.model_copy(update={"repo": sst2.source.repo}),
            "splits": {"train": sst2.splits["test"], "validation": sst2.splits["validation"]},
        }
    )

    def make(rule="report", twin=twin, **changed):
        known = {"sst2": sst2, "twin": twin, "rte": tasks["rte"]}
        own = {
            "tasks": tuple(known),
            "contamination": ContaminationRule(rule=rule),
            **changed.pop("mixture", {}),
        }
        return build(tasks=known, mixture=own, **changed)

    return make


def train_rows(folder, task):
    """How many examples of a task each of its rows gives."""
    table = pa.concat_tables(read_table(path) for path in sorted(folder.glob("train/*.arrow")))
    return Counter(row["row"] for row in table.to_pylist() if row["task"] == task)


def only(manifest, task, reference):
    (match,) = (one for one in manifest.contamination.found if (one.task, one.reference) == (task, reference))
    return match


def test_matches_are_reported_and_kept_by_default(planted):
    manifest = planted().mix(["sentiment"]).manifest

    match = only(manifest, "twin", "sst2")
    assert match.item == manifest.tasks["twin"].contaminated == manifest.tasks["twin"].rows > 40
    assert match.exact == match.item
    assert manifest.tasks["twin"].removed == 0


def test_dropped_rows_are_in_no_shard_and_are_counted(planted):
    kept = planted(mixture={"size": {"passes": 1}})
    dropped = planted("drop", mixture={"clusters": None})
    built = dropped.mix(["sentiment"])

    task = built.manifest.tasks["twin"]
    assert task.removed == task.contaminated > 0
    assert sum(train_rows(built.folder, "twin").values()) == task.given
    assert kept is not None


def test_a_match_can_stop_the_build(planted):
    build = planted("error")

    with pytest.raises(DeclarationError, match=r"training rows of twin carry evaluation rows of sst2"):
        build.mix(["sentiment"])
    assert list((build.data / "mixtures").glob("[!.]*")) == []


def test_all_test_rows_are_compared_however_many_are_evaluated(planted):
    few = replace(planted(), evaluation_rows=1)
    few.evaluation_sets(["sst2"])

    assert few.mix(["sentiment"]).manifest == planted().mix(["sentiment"]).manifest
    assert only(few.mix(["sentiment"]).manifest, "twin", "sst2").test_items > 1


def test_names_and_order_of_fields_do_not_hide_a_row(planted, tasks):
    twin = tasks["sst2"].model_copy(
        update={
            "name": "twin",
            "dataset": "twin",
            "cluster": "misc",
            "fields": {"zebra": f"'Look: ' || ({tasks['sst2'].fields['sentence']})"},
            "templates": tuple(
                template.model_copy(
                    update={
                        side: getattr(template, side).replace("{sentence}", "{zebra}")
                        for side in ("inputs", "targets")
                    }
                )
                for template in tasks["sst2"].templates
            ),
            "splits": {"train": tasks["sst2"].splits["test"]},
        }
    )

    match = only(planted(twin=twin).mix(["sentiment"]).manifest, "twin", "sst2")

    assert match.item > 40


def test_workers_change_no_byte(planted, tmp_path):
    from flanbuild.artifacts.executor import Workers

    one = planted("drop", data=tmp_path / "one").mix(["sentiment"])
    two = planted("drop", data=tmp_path / "two", workers=Workers(3)).mix(["sentiment"])

    assert one.manifest == two.manifest
    report = [
        data / "contamination" / f"{one.folder.name}.parquet" for data in (tmp_path / "one", tmp_path / "two")
    ]
    assert pl.read_parquet(report[0]).equals(pl.read_parquet(report[1]))


def test_a_plan_counts_as_the_mixture_does(planted):
    allocations, _ = planted("drop").plan(["sentiment"])
    manifest = planted("drop").mix(["sentiment"]).manifest

    assert {entry.task: (entry.count, entry.contaminated, entry.removed) for entry in allocations} == {
        name: (task.given, task.contaminated, task.removed) for name, task in manifest.tasks.items()
    }


def test_a_second_hold_out_computes_only_new_pairs(planted):
    build = planted()
    build.mix(["sentiment"])
    before = {
        path: path.stat().st_mtime_ns for path in (build.data / "contamination" / "pairs").rglob("*.arrow")
    }

    build.mix(["sentiment", "rte"])

    after = {
        path: path.stat().st_mtime_ns for path in (build.data / "contamination" / "pairs").rglob("*.arrow")
    }
    assert before.items() <= after.items()
    assert {path.parent.name for path in after.keys() - before.keys()} == {"twin"}


def test_a_damaged_pair_is_computed_again(planted):
    build = planted()
    first = build.mix(["sentiment"])
    for path in (build.data / "contamination" / "pairs").rglob("*.arrow"):
        path.write_bytes(path.read_bytes()[:-40])
    (first.folder / "manifest.json").unlink()

    assert build.mix(["sentiment"]).manifest == first.manifest


def test_matches_are_shown_with_texts_and_what_they_share(planted):
    build = planted()
    folder = build.mix(["sentiment"]).folder

    found = find_matches(folder, task="twin", kind="item", min_score=1.0)
    shown = next(matches(found))

    assert found.height >= 40
    assert (shown.task, shown.reference, shown.kind, shown.exact) == ("twin", "sst2", "item", True)
    assert shown.span
    assert not list(folder.rglob("*.parquet"))  # texts of evaluation rows are outside the mixture folder
    with pytest.raises(DeclarationError, match=r"no kind 'itme'\. Did you mean 'item'"):
        find_matches(folder, kind="itme")


def test_the_card_has_a_table_without_texts(planted):
    card = (planted().mix(["sentiment"]).folder / "README.md").read_text()

    assert "## Contamination" in card
    assert "| twin | sst2 |" in card


def test_siblings_of_a_held_out_task_are_looked_for_too(tasks, flan2021):
    from flanbuild.declare.mixture import hold_out

    held = hold_out(flan2021, ["wsc273/wsc273"], tasks.values())

    assert reference_tasks(flan2021, held, tasks) == ["wsc273/wsc", "wsc273/wsc273"]


def with_file(build, name, rows):
    """The build of a mixture that names a file of outside rows."""
    mixture = build.mixture
    folder = build.data.parent / "own"
    folder.mkdir(exist_ok=True)
    if rows is not None:
        pl.DataFrame(rows).write_ndjson(folder / name)
    rule = ContaminationRule(against=(name,))
    return replace(
        build, mixture=mixture.model_copy(update={"path": folder / "mine.yaml", "contamination": rule})
    )


def test_an_outside_file_is_looked_for(planted):
    build = planted()
    table = pl.read_parquet(
        next((build.mix([]).folder.parents[1] / "raw" / "misc" / "twin").glob("*.parquet"))
    )
    sentences = [text for text in table["sentence"].head(30) if len(text.split()) > 6]

    manifest = (
        with_file(build, "own.jsonl", {"question": sentences, "answer": ["no"] * len(sentences)})
        .mix([])
        .manifest
    )

    assert manifest.contamination.references["own.jsonl"].rows == len(sentences)
    assert only(manifest, "twin", "own.jsonl").item > 0


def test_a_declared_file_that_is_missing_stops_the_build(planted):
    with pytest.raises(DeclarationError, match=r"contamination\.against: no file .*own\.jsonl"):
        with_file(planted(), "own.jsonl", None).mix([])


def test_an_unknown_name_is_a_fault(planted):
    build = planted(mixture={"contamination": ContaminationRule(against=("sst3",))})

    with pytest.raises(DeclarationError, match=r"'sst3' is no task.*Did you mean 'sst2'"):
        build.mix(["sentiment"])


def test_the_old_key_names_the_new_one(tmp_path):
    (tmp_path / "old.yaml").write_text("leaks: drop\n")

    with pytest.raises(DeclarationError, match=r"`leaks` is now `contamination`"):
        load_mixture(tmp_path / "old.yaml")


def test_one_name_is_a_list_of_one(tmp_path):
    (tmp_path / "one.yaml").write_text("contamination: {against: nli}\n")

    assert isinstance(mixture := load_mixture(tmp_path / "one.yaml"), Mixture)
    assert mixture.contamination.against == ("nli",)


def words(text):
    return "".join(text.lower().replace("*", "").split())


def exact_tests(folder: Path, task: str, reference: str) -> int:
    """How many distinct test rows of `reference` are whole texts of training rows of `task`."""
    found = find_matches(folder).filter(
        pl.col("task") == task, pl.col("reference") == reference, pl.col("split") == "test", "exact"
    )
    return found.filter(pl.col("kind") != "passage")["item"].n_unique()


def test_wnli_rows_that_are_wsc273_tests_are_found_and_dropped(build, tasks, mirror):
    names = ("wnli", "wsc273/wsc", "wsc273/wsc273", "sst2")
    dropping = build(
        tasks={name: tasks[name] for name in names},
        mixture={"tasks": names, "contamination": ContaminationRule(rule="drop")},
        source=MirrorSource(mirror),
        missing="skip",
    )

    built = dropping.mix(["coreference"])

    raw = dropping.addresses.raw
    train = pl.read_parquet(raw / "nli" / "wnli" / "train.parquet")["sentence1"].to_list()
    left = {words(train[row]) for row in train_rows(built.folder, "wnli")}
    for name, split, column, least in (
        ("wsc273/wsc273", "test", "text", 267),
        ("wsc273/wsc", "validation", "text", 71),
    ):
        tests = pl.read_parquet(raw / "coreference" / name / f"{split}.parquet")[column].to_list()
        equal = {words(text) for text in tests} & {words(text) for text in train}
        assert exact_tests(built.folder, "wnli", name) >= least
        assert not equal & left


def test_wnli_tests_that_are_wsc_training_rows_are_found(build, tasks, mirror):
    names = ("wnli", "wsc273/wsc", "sst2")
    mixture = {"tasks": names}
    built = build(
        tasks={name: tasks[name] for name in names},
        mixture=mixture,
        source=MirrorSource(mirror),
        missing="skip",
    ).mix(["nli"])

    assert exact_tests(built.folder, "wsc273/wsc", "wnli") >= 46
