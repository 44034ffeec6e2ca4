"""Local files, and every command of docs/adding-a-dataset.md in a folder outside the project."""

import gzip
import json
import re
import shlex
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import PAGE, ROOT
from raw_rows import build_raw
from typer.testing import CliRunner

from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.columns import arrow_schema
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import read_json
from flanbuild.artifacts.records import RECORD, RawRecord, read_record
from flanbuild.cli.app import app
from flanbuild.declare.task_files import load_tasks
from flanbuild.errors import DeclarationError, SourceError
from flanbuild.sources import source_of
from flanbuild.sources.local import LocalFiles, check_local_files
from flanbuild.sources.raw import download_all, is_current
from flanbuild.sources.sample import SampleSource

GUIDE = (ROOT / "docs" / "adding-a-dataset.md").read_text(encoding="utf-8")
SOURCE = re.search("^source: .*$", PAGE, re.MULTILINE)[0]
ROWS = [
    {"premise": "It rains, and rains.", "hypothesis": "It is dry.", "label": "not_entailment"},
    {"premise": "Ana sings.", "hypothesis": "Ana sings\nloudly.", "label": ""},
    {"premise": "Ben ran home.", "hypothesis": 'Ben "ran".', "label": "entailment"},
]
IDS = [1, None, 0]


@pytest.fixture
def local_task(pages, tmp_path):
    """The task of a task file that names these files; they are in tmp_path."""

    def make(files: dict, *, rename: dict | None = None, splits: str = "{train: train}"):
        source = {"files": files, "license": "cc0-1.0", "rename": rename or {}}
        text = PAGE.replace(SOURCE, f"source: {json.dumps(source)}")
        text = re.sub("^splits: .*$", f"splits: {splits}", text, flags=re.MULTILINE)
        return load_tasks([pages(text, name="own")])["own"]

    return make


def rows_of(task, split="train"):
    upstream = source_of(task, SampleSource(10)).split(task, split)
    return [row for table in upstream.tables for row in table.to_pylist()]


def as_csv(rows):
    def cell(text):
        return '"' + text.replace('"', '""') + '"'

    return "\n".join(",".join(map(cell, row)) for row in [rows[0].keys(), *(row.values() for row in rows)])


def as_jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_every_format_gives_the_same_rows(local_task, tmp_path):
    (tmp_path / "a.csv").write_text(as_csv(ROWS))
    (tmp_path / "a.jsonl").write_text(as_jsonl(ROWS))
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(as_jsonl(ROWS).encode()))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("inside/a.csv", as_csv(ROWS))
    table = pa.Table.from_pylist([row | {"label": i} for row, i in zip(ROWS, IDS, strict=True)])
    pq.write_table(table, tmp_path / "a.parquet")

    for name in ("a.csv", "a.jsonl", "a.json", "a.jsonl.gz", "all.zip!inside/*.csv", "a.parquet"):
        task = local_task({"train": f"../../{name}"})
        expected = [row | {"label": i} for row, i in zip(ROWS, IDS, strict=True)]

        assert rows_of(task) == expected, name


def test_several_files_are_read_in_name_order(local_task, tmp_path):
    for number, row in reversed(list(enumerate(ROWS))):
        (tmp_path / f"part-{number}.jsonl").write_text(as_jsonl([row]))

    assert [row["label"] for row in rows_of(local_task({"train": "../../part-*.jsonl"}))] == IDS


def test_columns_with_other_names_are_renamed(local_task, tmp_path):
    (tmp_path / "a.csv").write_text(
        as_csv([{"Text": r["premise"], **r} for r in ROWS]).replace("premise", "other")
    )

    task = local_task({"train": "../../a.csv"}, rename={"other": "unused", "Text": "premise"})

    assert [row["premise"] for row in rows_of(task)] == [row["premise"] for row in ROWS]


def test_an_undeclared_class_is_an_error_with_the_nearest_name(local_task, tmp_path):
    (tmp_path / "a.csv").write_text(as_csv([ROWS[0] | {"label": "entailmnt"}]))

    with pytest.raises(
        SourceError, match=r"a.csv:2: column label: no class 'entailmnt'. Did you mean 'entailment'\?$"
    ):
        rows_of(local_task({"train": "../../a.csv"}))


def test_a_missing_file_is_an_error_with_the_nearest_name(local_task, tmp_path):
    (tmp_path / "train.csv").write_text(as_csv(ROWS))

    with pytest.raises(
        SourceError, match=r"own.yaml: source.files.train: no file ../../trian.csv .*'train.csv'"
    ):
        rows_of(local_task({"train": "../../trian.csv"}))


def test_a_split_without_files_is_an_error_of_the_task_file(local_task):
    with pytest.raises(DeclarationError, match=r"own.yaml:4: splits.test: no 'tests' in source.files"):
        local_task({"train": "a.csv", "test": "b.csv"}, splits="{train: train, test: tests}")


def test_a_source_has_a_repository_or_files(pages):
    with pytest.raises(DeclarationError, match=r"source: 'repo' is missing"):
        load_tasks([pages(PAGE.replace(SOURCE, "source: {license: cc0-1.0}"))])


def test_a_changed_file_makes_the_raw_folder_stale(local_task, tmp_path):
    (tmp_path / "a.csv").write_text(as_csv(ROWS))
    task, source, root = local_task({"train": "../../a.csv"}), SampleSource(10), tmp_path / "raw"
    folder = task_folder(root, task.cluster, task.name)
    download_all([task], source, root, "error", Workers())

    assert read_record(folder / RECORD, RawRecord).source.kind == "files"
    assert is_current(task, source, root, "error")

    (tmp_path / "a.csv").write_text(as_csv(ROWS[:2]))

    assert not is_current(task, source, root, "error")
    download_all([task], source, root, "error", Workers())
    assert read_record(folder / RECORD, RawRecord).splits["train"].rows == 2


def test_the_raw_files_have_the_declared_types(local_task, tmp_path):
    (tmp_path / "a.csv").write_text(as_csv(ROWS))
    task = local_task({"train": "../../a.csv"})
    build_raw(task, SampleSource(10), tmp_path / "raw")

    assert pq.read_schema(tmp_path / "raw" / "train.parquet").equals(arrow_schema(task))


def test_every_command_of_the_guide_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in re.findall(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    outputs = [_run(command) for command in re.findall(r"^\$ flanbuild (.*)$", GUIDE, re.MULTILINE)]

    assert "63 task files" in outputs[0]
    assert (
        "Rain, snow, wind or sunshine? On Monday Ana took her umbrella to the bus stop.\n→\nrain"
        in outputs[1]
    )
    assert "Dee put cream on her nose before she left." in outputs[2]
    assert re.search(r"forecasts\s+weather\s", outputs[3])
    tasks = read_json(tmp_path / "data" / "mixtures" / "mine-without-nli" / "manifest.json")["tasks"]
    assert tasks["weather"]["given"] == 80  # eight rows, ten passes
    assert tasks["weather"]["source"]["license"] == "cc0-1.0"


def test_a_task_file_of_the_user_replaces_the_built_in_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "mixtures" / "tasks" / "nli" / "rte.yaml").read_text(encoding="utf-8")
    copy = tmp_path / "my-tasks" / "nli" / "rte.yaml"
    copy.parent.mkdir(parents=True)
    copy.write_text(page.replace("Answer yes or no. We have been told this:", "Yes or no? Somebody says:"))

    assert "task file my-tasks/nli/rte.yaml" in _run("show rte --tasks my-tasks")
    assert "Yes or no? Somebody says:" in _run("preview rte --tasks my-tasks")
    assert "62 task files" in _run("check --tasks my-tasks")


def _run(command: str) -> str:
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 0, f"{command}: {result.output} {result.exception}"
    return result.output


# --- faults of local files -------------------------------------------------------------------------------------------


def raw_rows(task, tmp_path):
    download_all([task], SampleSource(10), tmp_path / "raw", "error", Workers())
    folder = task_folder(tmp_path / "raw", task.cluster, task.name)
    return pq.read_table(folder / "train.parquet").to_pylist()


@pytest.mark.parametrize(
    "pattern", ["b-?.csv", "b-[12].csv", "**/b-*.csv", ".././../b-*.csv", "..//b-*.csv", "[!a]-?.csv"]
)
def test_all_files_that_a_pattern_finds_are_read(pattern, local_task, tmp_path):
    (tmp_path / "b-1.csv").write_text(as_csv(ROWS))
    (tmp_path / "b-2.csv").write_text(as_csv(ROWS[:1]))
    place = pattern if pattern.startswith(".././") else "../../" + pattern.removeprefix("..//")

    assert len(raw_rows(local_task({"train": place}), tmp_path)) == 4


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", r"own.yaml: split 'train': ../../a.csv: the file is empty"),
        ("premise,hypothesis,label\n", r"own.yaml: splits: .* split 'train' has no row: ../../a.csv"),
        ("premise,text,label\n", r"../../a.csv: no column 'hypothesis'"),
    ],
)
def test_a_split_without_rows_is_a_fault_with_its_reason(body, message, local_task, tmp_path):
    (tmp_path / "a.csv").write_text(body)

    with pytest.raises(SourceError, match=message):
        raw_rows(local_task({"train": "../../a.csv"}), tmp_path)


def test_a_file_without_rows_beside_others_is_mentioned(local_task, tmp_path, caplog):
    caplog.set_level("INFO", "flanbuild")
    (tmp_path / "a-1.jsonl").write_text("")
    (tmp_path / "a-2.jsonl").write_text(as_jsonl(ROWS))

    assert len(raw_rows(local_task({"train": "../../a-*.jsonl"}), tmp_path)) == 3
    assert "../../a-1.jsonl has no row" in caplog.text


def test_each_pattern_of_a_list_matches_a_file(local_task, tmp_path):
    (tmp_path / "a.csv").write_text(as_csv(ROWS))

    with pytest.raises(SourceError, match=r"own.yaml: source.files.train: no file ../../b-\*.csv there"):
        rows_of(local_task({"train": ["../../a.csv", "../../b-*.csv"]}))


def test_a_file_outside_the_project_needs_permission_also_behind_a_link(local_task, tmp_path, pages):
    outside = tmp_path.parent / f"{tmp_path.name}-outside.csv"
    outside.write_text(as_csv(ROWS))
    (tmp_path / "link.csv").symlink_to(outside)
    (tmp_path / "here.csv").write_text(as_csv(ROWS))
    (tmp_path / "inside.csv").symlink_to(tmp_path / "here.csv")

    for name in (f"../../../{outside.name}", "../../link.csv", "../../link*.csv"):
        task = local_task({"train": name})
        with pytest.raises(SourceError, match=r"outside the project folder .*; --allow-outside reads it"):
            rows_of(task)
        assert check_local_files(task)
        assert LocalFiles(allow_outside=True).split(task, "train")
        assert not check_local_files(task, allow_outside=True)
    assert len(rows_of(local_task({"train": "../../inside.csv"}))) == 3


def test_check_reads_the_headers_of_local_files(local_task, tmp_path):
    (tmp_path / "a.csv").write_text(as_csv(ROWS).replace("hypothesis", "hypotheses"))
    pq.write_table(pa.table({"premise": ["a"], "hypothesis": [1], "label": [0]}), tmp_path / "a.parquet")
    (tmp_path / "good.csv").write_text(as_csv(ROWS))

    assert check_local_files(local_task({"train": "../../good.csv"})) == []
    [fault] = check_local_files(local_task({"train": "../../a.csv"}))
    assert fault.endswith("../../a.csv: no column 'hypothesis'. Did you mean 'hypotheses'?")
    [fault] = check_local_files(local_task({"train": "../../a.parquet"}))
    assert fault.endswith("expected string, but split 'train' file ../../a.parquet has int64.")
    [fault] = check_local_files(local_task({"train": "../../b.csv"}))
    assert "no file ../../b.csv there" in fault


def test_the_command_check_and_preview_report_a_missing_column(local_task, tmp_path, pages):
    (tmp_path / "a.csv").write_text(as_csv(ROWS).replace("hypothesis", "hypotheses"))
    local_task({"train": "../../a.csv"})

    for command in ("check", "preview own"):
        result = CliRunner().invoke(app, [*command.split(), "--tasks", str(tmp_path / "pages")])
        assert result.exit_code != 0
        assert "no column 'hypothesis'. Did you mean 'hypotheses'?" in result.output


@pytest.mark.parametrize("name", ["a.pq", "a.PARQUET", "a.parquet.gz", "a.zip!deep/a.parquet"])
def test_parquet_may_have_any_of_its_names(name, local_task, tmp_path):
    labels = [1, None, 0]
    table = pa.Table.from_pylist([row | {"label": i} for row, i in zip(ROWS, labels, strict=True)])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    body = sink.getvalue().to_pybytes()
    if name.endswith(".gz"):
        body = gzip.compress(body)
    if "!" in name:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("deep/a.parquet", body)
    else:
        (tmp_path / name).write_bytes(body)

    assert [row["label"] for row in rows_of(local_task({"train": f"../../{name}"}))] == labels


def test_a_damaged_page_of_parquet_is_one_sentence(local_task, tmp_path):
    table = pa.table({"premise": ["a" * 50] * 999, "hypothesis": ["b"] * 999, "label": [0] * 999})
    pq.write_table(table, tmp_path / "a.parquet", use_dictionary=False, compression="snappy")
    body = bytearray((tmp_path / "a.parquet").read_bytes())
    body[60:90] = b"\xff" * 30
    (tmp_path / "a.parquet").write_bytes(body)

    with pytest.raises(
        SourceError, match=r"own.yaml: split 'train': ../../a.parquet: row group 0 is damaged"
    ):
        rows_of(local_task({"train": "../../a.parquet"}))


def test_a_file_without_read_permission_is_one_sentence(local_task, tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text(as_csv(ROWS))
    task = local_task({"train": "../../a.csv"})

    def refuse(path, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(tmp_path), "open", refuse)  # the tests may run as root, who may read everything

    with pytest.raises(SourceError, match=r"own.yaml: source.files: ../../a.csv: Permission denied"):
        rows_of(task)


def test_a_missing_local_file_is_skipped_where_missing_splits_are(local_task, tmp_path):
    (tmp_path / "train.csv").write_text(as_csv(ROWS))
    files = {"train": "../../train.csv", "test": "../../test.csv"}
    task = local_task(files, splits="{train: train, test: test}")
    folder = task_folder(tmp_path / "raw", task.cluster, task.name)

    with pytest.raises(SourceError, match=r"source.files.test: no file ../../test.csv there"):
        download_all([task], SampleSource(10), tmp_path / "raw", "error", Workers())
    download_all([task], SampleSource(10), tmp_path / "raw", "skip", Workers())

    assert read_record(folder / RECORD, RawRecord).missing == ("test",)
    assert is_current(task, SampleSource(10), tmp_path / "raw", "skip")
    (tmp_path / "test.csv").write_text(as_csv(ROWS))
    assert not is_current(task, SampleSource(10), tmp_path / "raw", "skip")


def test_fewer_rows_than_declared_are_a_fault_for_local_files_too(local_task, tmp_path):
    (tmp_path / "a.csv").write_text(as_csv(ROWS))
    task = local_task({"train": "../../a.csv"})
    short = task.model_copy(update={"source": task.source.model_copy(update={"rows": {"train": 4}})})

    with pytest.raises(SourceError, match=r"own.yaml: source.rows.train: expected 4 rows, but .* has 3\.$"):
        download_all([short], SampleSource(10), tmp_path / "raw", "error", Workers(1))
