"""Layouts, formats, hand-brought files, licenses: what needs no hub."""

import gzip
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from hub_world import BY_HAND, as_json_lines, fewer_rows, given_files, parquet
from raw_rows import build_raw

from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import sha256_of
from flanbuild.declare.mixture import LicenseTerms
from flanbuild.declare.task import SourceDeclaration
from flanbuild.errors import DeclarationError, SourceError
from flanbuild.sample import sample_table
from flanbuild.sources import MissingFile, raw
from flanbuild.sources.formats import tables_of
from flanbuild.sources.imports import WithImports, import_files
from flanbuild.sources.layout import locate, locate_converted, paths_of
from flanbuild.sources.lock import Lock
from flanbuild.sources.mirror import MirrorSource
from flanbuild.sources.sample import SampleSource
from flanbuild.sources.text import Declared

SOURCE = SourceDeclaration(repo="org/rows", config="small", license="mit", homepage="https://example.org")

# --- layouts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "paths", "expected"),
    [
        ("small", ["small/train-00001-of-00002.parquet", "small/train-00000-of-00002.parquet"], None),
        ("small", ["small/train/0001.parquet", "small/train/0000.parquet"], None),
        ("small", ["small/rows-train-00000-of-00001.parquet"], None),
        ("default", ["data/train-00000-of-00001.parquet"], None),
        ("default", ["train-00000-of-00001.parquet"], None),
        (
            "small",
            ["default/train/0000.parquet", "default/test/0000.parquet"],
            ["default/train/0000.parquet"],
        ),
        ("small", ["large/train/0000.parquet", "other/train/0000.parquet"], []),
        ("small", ["small/partial-train/0000.parquet"], []),
        ("small", ["small/train_r1-00000-of-00001.parquet"], []),
        ("small", ["small/train-x/0000.parquet", "rows.py"], []),
    ],
)
def test_a_split_is_found_in_the_hubs_layouts_and_in_no_other_configs(config, paths, expected):
    found = locate(SOURCE.model_copy(update={"config": config}), "train", paths)

    assert found == (sorted(paths) if expected is None else expected)


def test_declared_files_come_before_layouts_and_a_star_stays_in_its_folder():
    source = SOURCE.model_copy(update={"files": {"train": ("raw/*.jsonl",)}})
    paths = ["raw/b.jsonl", "raw/a.jsonl", "raw/deep/c.jsonl", "small/train-00000-of-00001.parquet"]

    assert locate(source, "train", paths) == ["raw/a.jsonl", "raw/b.jsonl"]
    assert locate(source, "train", paths[3:]) == []
    assert locate_converted(source, "train", paths) == paths[3:]


@pytest.fixture
def in_a_mirror(tasks, tmp_path):
    """The rows of a split of a mirror with one file, by the patterns that the task file declares for it."""

    def read(path, **declared):
        task = fewer_rows(tasks["rte"])
        source = task.source.model_copy(update={"files": declared})
        file = tmp_path / "mirror" / task.source.repo / path
        file.parent.mkdir(parents=True)
        file.write_bytes(parquet(sample_table(task, "train", rows=5)))
        return MirrorSource(tmp_path / "mirror").split(task.model_copy(update={"source": source}), "train")

    return read


def test_a_pattern_of_parquet_files_that_matches_nothing_is_a_fault_and_no_other_file_is_read(in_a_mirror):
    with pytest.raises(MissingFile) as found:
        in_a_mirror("rte/train-00000-of-00001.parquet", train=("rte/trian-*.parquet",))

    assert str(found.value).endswith(
        "rte.yaml: source.files.train: no file of aps/super_glue matches 'rte/trian-*.parquet'. "
        "Did you mean 'rte/train-00000-of-00001.parquet'?"
    )


def test_a_mirror_may_have_text_files_as_parquet(in_a_mirror):
    found = in_a_mirror("rte/train-00000-of-00001.parquet", train=("rte.tsv",))

    assert [file.path for file in found.files] == ["rte/train-00000-of-00001.parquet"]


def test_text_by_column_needs_each_file_once_and_an_archive_counts_once():
    files = {"train": {"document": "data.zip!*src.txt", "summary": "data.zip!*tgt.txt"}}
    source = SOURCE.model_copy(update={"files": files})

    [place] = locate(source, "train", ["data.zip", "README.md"])

    assert place == {"document": "data.zip!*src.txt", "summary": "data.zip!*tgt.txt"}
    assert paths_of([place]) == ["data.zip"]
    assert locate(source, "train", ["README.md"]) == []


# --- formats ---------------------------------------------------------------------------------------------------------

COLUMNS = pa.schema([("text", pa.string()), ("label", pa.int64()), ("tags", pa.list_(pa.string()))])
ROWS = [{"text": 'a, "b"\nc', "label": 1, "tags": ["x"]}, {"text": "é\u2028", "label": None, "tags": []}]


def opened(name: str):
    return Path(name).open("rb")


def read(path: Path, columns: pa.Schema = COLUMNS, member: str = "", **rename: str) -> list[dict]:
    declared = Declared(columns, {"label": ("no", "yes")}, rename)
    return [row for table in tables_of(str(path) + member, opened, declared) for row in table.to_pylist()]


def test_json_lines_and_json_are_read_also_in_gz_and_zip(tmp_path):
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
    (tmp_path / "rows.jsonl").write_bytes(lines)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        archive.writestr("deep/rows.jsonl", lines)

    for name in ("rows.jsonl", "rows.jsonl.gz", "rows.json"):
        assert read(tmp_path / name) == ROWS
    assert read(tmp_path / "rows.zip", member="!*rows.jsonl") == ROWS


def test_csv_is_read_in_declared_types_under_our_names(tmp_path):
    (tmp_path / "rows.csv").write_text('Text,Label\n"a, ""b""\nc",1\né,\n', encoding="utf-8-sig")

    columns = pa.schema([("text", pa.string()), ("label", pa.int64())])
    rows = read(tmp_path / "rows.csv", columns, Text="text", Label="label")

    assert rows == [{"text": 'a, "b"\nc', "label": 1}, {"text": "é", "label": None}]


def test_a_label_may_be_written_as_the_name_of_its_class(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"label": "yes"}\n{"label": "no"}\n')

    assert read(tmp_path / "rows.jsonl", pa.schema([("label", pa.int64())])) == [{"label": 1}, {"label": 0}]


def test_lines_are_rows_and_a_name_with_a_dot_is_a_member_of_a_struct(tmp_path):
    (tmp_path / "x.en").write_text("one\u2028still one\ntwo\n")
    (tmp_path / "x.es").write_text("uno\ndos\n")
    columns = pa.schema([("translation", pa.struct([("en", pa.string()), ("es", pa.string())]))])
    place = {"translation.en": str(tmp_path / "x.en"), "translation.es": str(tmp_path / "x.es")}

    rows = pa.concat_tables(tables_of(place, opened, Declared(columns))).to_pylist()

    assert [row["translation"] for row in rows] == [
        {"en": "one\u2028still one", "es": "uno"},
        {"en": "two", "es": "dos"},
    ]


def test_files_that_are_not_line_for_line_the_same_rows_are_refused(tmp_path):
    (tmp_path / "a").write_text("1\n2\n")
    (tmp_path / "b").write_text("1\n")
    place = {"a": str(tmp_path / "a"), "b": str(tmp_path / "b")}

    with pytest.raises(SourceError, match="not line for line the same rows"):
        list(tables_of(place, opened, Declared(pa.schema([("a", pa.string()), ("b", pa.string())]))))


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("rows.jsonl", b'{"text": "a"}\n{"text"', "rows.jsonl:2: not JSON"),
        (
            "rows.jsonl",
            b'{"text": "a", "label": "many", "tags": []}\n',
            "rows.jsonl:1: column label: no class 'many'",
        ),
        (
            "rows.jsonl",
            b"[1, 2]\n",
            r"rows.jsonl:1: expected an object with text, label, tags, found \[1, 2\]",
        ),
        (
            "rows.jsonl.gz",
            gzip.compress(b'{"text": "a"}\n' * 99, mtime=0)[:-9],
            "rows.jsonl.gz: not a whole archive",
        ),
        ("rows.parquet", b"PAR1 and no more", "not a whole Parquet file"),
        (
            "rows.xlsx",
            b"?",
            "no reader for this kind of file. Allowed: csv, json, jsonl, ndjson, tsv, parquet, pq",
        ),
    ],
    ids=["cut line", "other type", "no object", "cut gzip", "no footer", "unknown ending"],
)
def test_a_damaged_file_is_one_sentence(name, body, message, tmp_path):
    (tmp_path / name).write_bytes(body)

    with pytest.raises(SourceError, match=message):
        read(tmp_path / name)


# --- hand-brought files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_what_the_authors_send_is_imported_and_found(name, tasks, tmp_path):
    task = fewer_rows(tasks[name])
    given = given_files(task, tmp_path / "given")
    lock = Lock(tmp_path / "lock.json")

    lock.tasks[name] = import_files(task, given, tmp_path / "imported")
    record = build_raw(task, WithImports(SampleSource(1), tmp_path / "imported", lock), tmp_path / "raw")

    assert record.source.commit.startswith("imported ")
    wanted = {split: sample_table(task, split, rows=20) for split in record.splits}
    for split, table in wanted.items():
        found = pa.parquet.read_table(tmp_path / "raw" / f"{split}.parquet")
        assert found.to_pylist() == table.select(found.schema.names).to_pylist()


def test_a_page_without_patterns_takes_any_format_and_the_split_by_name(tasks, tmp_path):
    task = fewer_rows(tasks["quac"])
    given = [
        as_json_lines(
            task,
            sample_table(task, split, rows=5),
            tmp_path / f"quac_{split}.jsonl.gz",
        )
        for split in task.upstream_splits()
    ]

    entry = import_files(task, given, tmp_path / "imported")

    assert sorted(entry.splits) == ["train", "validation"]
    assert entry.absent == ()
    assert MirrorSource(tmp_path / "imported", imported=True).split(task, "train")


def test_parallel_text_is_imported_as_pairs(tasks, tmp_path):
    task = fewer_rows(tasks["para_crawl_enes"])
    for ending, text in {"en": "one\ntwo\n", "es": "uno\ndos\n"}.items():
        (tmp_path / f"pairs.{ending}").write_text(text)

    import_files(task, [f"train={tmp_path}/pairs.en", f"train={tmp_path}/pairs.es"], tmp_path / "imported")

    upstream = MirrorSource(tmp_path / "imported", imported=True).split(task, "train")
    assert pa.concat_tables(upstream.tables).to_pylist()[1] == {"translation": {"en": "two", "es": "dos"}}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("train={}", "story_cloze has no upstream split 'train'"),
        ("{}", "its name does not contain the split; write SPLIT="),
        ("{}.not", "no such file"),
    ],
)
def test_a_file_of_no_known_split_is_refused(word, message, tasks, tmp_path):
    (tmp_path / "file.csv").write_text("a\n")

    with pytest.raises(DeclarationError, match=message):
        import_files(tasks["story_cloze"], [word.format(tmp_path / "file.csv")], tmp_path / "imported")


def test_a_file_with_other_columns_is_refused_and_nothing_is_written(tasks, tmp_path):
    (tmp_path / "x_val.csv").write_text("InputSentence1,InputSentence2\na,b\n")

    with pytest.raises(
        SourceError, match=r"split 'validation': .*x_val.csv: source.rename: no column 'InputSentence3'"
    ):
        import_files(tasks["story_cloze"], [str(tmp_path / "x_val.csv")], tmp_path / "imported")
    written = [path for path in (tmp_path / "imported").rglob("*") if path.is_file()]
    assert [path.suffix for path in written] == [".lock"]


def test_a_lock_to_imported_files_asks_for_the_same_ones(tasks, tmp_path):
    task = fewer_rows(tasks["story_cloze"])
    given = given_files(task, tmp_path / "given")
    lock = Lock(tmp_path / "lock.json", {task.name: import_files(task, given, tmp_path / "mine")})

    with pytest.raises(SourceError, match="no files were imported here; run `flanbuild import story_cloze"):
        WithImports(SampleSource(1), tmp_path / "none", lock).split(task, "test")

    import_files(task, given_files(task, tmp_path / "other", rows=21), tmp_path / "theirs")
    with pytest.raises(SourceError, match="other files were imported here"):
        WithImports(SampleSource(1), tmp_path / "theirs", lock).split(task, "test")


# --- missing splits, licenses ----------------------------------------------------------------------------------------


def test_a_missing_split_is_told_with_the_pages_manual_or_skipped(tasks, tmp_path):
    task = fewer_rows(tasks["story_cloze"])
    (tmp_path / "mirror").mkdir()
    source = MirrorSource(tmp_path / "mirror")

    with pytest.raises(
        SourceError, match=r"no split 'validation', 'test' of LSDSem.*Fill in the form .*flanbuild import"
    ):
        build_raw(task, source, tmp_path / "raw")
    assert build_raw(task, source, tmp_path / "raw", "skip").missing == ("validation", "test")


def test_a_changed_mirror_file_makes_the_raw_folder_stale(tasks, tmp_path):
    task = fewer_rows(tasks["copa"])
    folder = tmp_path / "mirror" / "aps" / "super_glue" / "copa"
    folder.mkdir(parents=True)
    for split in task.upstream_splits():
        table = sample_table(task, split, rows=5)
        (folder / f"{split}-00000-of-00001.parquet").write_bytes(parquet(table))
    raw.download_all([task], MirrorSource(tmp_path / "mirror"), tmp_path / "raw", "error", Workers())
    assert raw.is_current(task, MirrorSource(tmp_path / "mirror"), tmp_path / "raw", "error")

    (folder / "train-00000-of-00001.parquet").write_bytes(parquet(table.slice(0, 2)))

    assert not raw.is_current(task, MirrorSource(tmp_path / "mirror"), tmp_path / "raw", "error")


def test_licenses_leave_datasets_out_and_plan_manifest_and_card_say_so(build):
    terms = LicenseTerms(allow=("cc-*", "other", "MIT"), deny=("*-sa-*",))
    chosen = build(mixture={"licenses": terms})

    allocations = {entry.task: entry for entry in chosen.plan([])[0]}
    built = chosen.mix([])
    licenses = built.manifest.licenses

    assert allocations["arc/easy"].out == "license cc-by-sa-4.0: denied by '*-sa-*' in flan2021.yaml"
    assert allocations["copa"].out == "license unknown: not among those that flan2021.yaml allows"
    assert allocations["squad/v2"].count == 0
    assert {"sst2", "mrpc"} == {task for terms in licenses.values() for task in terms.tasks}
    assert sum(terms.given for terms in licenses.values()) == built.manifest.rows["train"]
    assert "| other | mrpc, sst2 |" in (built.folder / "README.md").read_text()
    assert {entry.out for entry in build().plan([])[0]} == {""}


def test_a_raw_record_names_upstream_files_with_digests(tasks, mirror, tmp_path):
    record = build_raw(fewer_rows(tasks["copa"]), MirrorSource(mirror), tmp_path / "raw")

    [file] = record.splits["train"].files
    assert file.path == "copa/train-00000-of-00001.parquet"
    assert file.sha256 == sha256_of(mirror / "aps" / "super_glue" / file.path)


def test_a_mirror_may_have_a_copy_of_the_repository(tasks, tmp_path):
    task = tasks["wsc273/wsc273"]
    table = sample_table(task, "test", rows=5)
    for repo in task.source.copies:
        folder = tmp_path / repo / task.source.config
        folder.mkdir(parents=True)
        (folder / "test-00000-of-00001.parquet").write_bytes(parquet(table))

    record = build_raw(task, MirrorSource(tmp_path), tmp_path / "raw")

    assert task.source.repo not in task.source.copies
    assert record.splits["test"].rows == table.num_rows
