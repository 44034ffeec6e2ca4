"""`diff` counts what changed, task by task, and names what was declared otherwise."""

import json
import subprocess
import sys

import pytest
from few import few

from flanbuild.artifacts.arrow import TRAIN_SCHEMA, read_table, write_table
from flanbuild.declare.mixture import Size
from flanbuild.errors import ArtifactError
from flanbuild.inspect.difference import compare
from flanbuild.sources.sample import SampleSource


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """coqa trains on 140 rows, rte and copa on 30 each, ten times."""
    return few(tmp_path_factory.mktemp("base")).mix([]).folder


@pytest.fixture
def against(base, tmp_path):
    """The difference of `base` and a mixture with other keys: (declared, rows by (task, split))."""

    def make(holdout=(), **changed):
        found = compare(base, few(tmp_path / "other", **changed).mix(holdout).folder)
        rows = {(r.task, r.split): r for r in found.rows}
        return [f"{one.where}: {one}" for one in found.declared], rows

    return make


def counts(rows):
    return rows.added, rows.removed, rows.rerendered, rows.moved


def test_a_mixture_is_as_itself_and_as_its_rebuild(base, tmp_path):
    assert not compare(base, base)
    assert not compare(base, few(tmp_path / "again").mix([]).folder)


def test_a_cap_takes_rows_of_the_tasks_that_it_cuts_and_moves_none(against):
    declared, rows = against(mixture={"cap": 100})

    assert declared == ["mixture: cap 30000 → 100"]
    assert set(rows) == {("coqa", "train")}
    assert counts(rows["coqa", "train"]) == (0, 400, 0, 0)
    assert rows["coqa", "train"].causes == ["cap 30000 → 100"]


def test_a_rule_for_contamination_is_no_cause_for_a_task_without_a_match(against):
    _, rows = against(mixture={"cap": 100, "contamination": {"rule": "drop"}})

    assert rows["coqa", "train"].causes == ["cap 30000 → 100"]


def test_a_hold_out_takes_whole_tasks_with_its_rule(against):
    declared, rows = against(["nli"])

    assert "holdout: holdout nothing → nli" in declared
    assert set(rows) == {("rte", "train"), ("rte", "validation")}
    assert counts(rows["rte", "train"]) == (0, 300, 0, 0)
    assert rows["rte", "train"].causes == ["in yes → held out: --holdout nli"]


def test_another_template_is_rerendered_rows_of_one_task(against, tmp_path):
    tasks = dict(few(tmp_path).tasks)
    first = tasks["rte"].templates[0].model_copy(update={"inputs": "Other words: {premise} {hypothesis}"})
    tasks["rte"] = tasks["rte"].model_copy(update={"templates": (first, *tasks["rte"].templates[1:])})

    declared, rows = against(tasks=tasks)

    assert [one.split(" ")[:2] for one in declared] == [["rte:", "declaration"]]
    assert counts(rows["rte", "train"]) == (0, 0, 30, 0)  # one of ten templates
    assert counts(rows["rte", "validation"]) == (0, 0, 3, 0)
    assert rows["rte", "train"].causes == ["declaration of rte differs, seen in templates[0]"]
    assert {task for task, _ in rows} == {"rte"}


def test_another_field_is_seen_in_no_template_more_than_in_others(against, tmp_path):
    tasks = dict(few(tmp_path).tasks)
    fields = {**tasks["rte"].fields, "premise": "UPPER(premise)"}
    tasks["rte"] = tasks["rte"].model_copy(update={"fields": fields})

    _, rows = against(tasks=tasks)

    assert rows["rte", "train"].templates == []
    assert rows["rte", "train"].causes == ["declaration of rte differs"]


def test_another_seed_moves_rows(against):
    _, rows = against(mixture={"seed": 2})

    assert rows["coqa", "train"].moved > 100
    assert rows["coqa", "train"].causes == ["seed 1 → 2"]


def test_another_source_is_named_by_its_revision_and_digest(against):
    _, rows = against(source=SampleSource(50))

    assert rows["copa", "train"].causes[0] == "source.commit sample of 60 rows → sample of 50 rows"
    assert rows["copa", "train"].causes[1].startswith("source.digest ")


def test_a_separator_rerenders_everything_and_a_number_of_shards_nothing(against):
    _, separated = against(mixture={"separator": " "})
    declared, sharded = against(mixture={"shards": 2})

    assert counts(separated["rte", "train"]) == (0, 0, 300, 0)
    assert declared == ["mixture: shards 3 → 2"]
    assert sharded == {}


def test_a_size_that_tasks_share_is_the_cause_of_what_others_lose(tmp_path):
    size = {"size": Size(examples=60)}
    folders = [few(tmp_path, mixture=size).mix(holdout).folder for holdout in ([], ["misc"])]
    rows = {(r.task, r.split): r for r in compare(*folders).rows}

    assert counts(rows["rte", "train"])[1:] == (0, 0, 0)
    assert rows["rte", "train"].causes == ["other tasks take another part of size.examples"]


def test_an_edited_shard_is_refused(base, tmp_path):
    folder = few(tmp_path).mix([]).folder
    path = folder / "train/00001-of-00003.arrow"
    table = read_table(path)
    prompts = ["Edited.\n", *table.column("prompt").to_pylist()[1:]]
    write_table(path, table.set_column(0, TRAIN_SCHEMA.field(0), [prompts]), rows_per_batch=2048)

    with pytest.raises(
        ArtifactError, match=r"00001-of-00003.arrow: found [\d,]+ bytes, the manifest records"
    ):
        compare(base, folder)


def test_the_command_says_it_in_a_table_in_json_and_by_its_exit_code(base, tmp_path):
    other = few(tmp_path, mixture={"cap": 100}).mix([]).folder

    def diff(*arguments):
        command = [sys.executable, "-m", "flanbuild", "diff", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    same, table, machine = diff(base, base), diff(base, other), diff(base, other, "--json")

    assert (same.returncode, same.stdout) == (0, "The same.\n")
    assert table.returncode == machine.returncode == 1
    assert "coqa\ttrain\t0\t400\t0\t0\tcap 30000 → 100" in table.stdout
    assert json.loads(machine.stdout)["rows"][0]["removed"] == 400
