"""A record that is not as it was written is one sentence, and one that can be built again is built again."""

import json
import logging
import os

import pytest

from flanbuild.artifacts.records import (
    RECORD,
    RawRecord,
    RawSplit,
    SourceRecord,
    TaskRecord,
    find_record,
    read_record,
    write_record,
)
from flanbuild.errors import ArtifactError

SOURCE = SourceRecord(kind="sample", repo="org/rows", config="small", commit="1", license="mit", digest="d")
RAW = RawRecord.of(
    task="rte",
    source=SOURCE,
    columns={"premise": "string"},
    splits={"train": RawSplit(rows=3, rows_digest="r", file_digest="f")},
    missing=(),
    fingerprint="inputs",
    versions={"pyarrow": "1"},
)


@pytest.fixture
def path(tmp_path):
    write_record(tmp_path / RECORD, RAW)
    return tmp_path / RECORD


def fault(path) -> str:
    """The sentence of the error that reading gives."""
    with pytest.raises(ArtifactError) as caught:
        read_record(path, RawRecord)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    return sentence.removeprefix(f"{path}: ")


def edit(path, **changed):
    value = json.loads(path.read_text())
    path.write_text(json.dumps(value | changed))


def test_a_record_reads_back_as_it_was_written(path):
    assert read_record(path, RawRecord) == RAW
    assert RAW.files() == {"train.parquet": "f"}


def test_equal_records_are_equal_bytes(path, tmp_path):
    write_record(tmp_path / "other.json", read_record(path, RawRecord))

    assert (tmp_path / "other.json").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("number", [1, 3, "2", None, [2]])
def test_another_format_is_named_beside_the_one_that_is_read(path, number):
    edit(path, format=number)

    assert fault(path) == (
        f"format {json.dumps(number)} instead of 2; this version of flanbuild cannot read it."
    )


@pytest.mark.parametrize("changed", [{"task": "copa"}, {"missing": ["test"]}, {"fingerprint": "other"}])
def test_an_edited_record_is_found_by_its_checksum(path, changed):
    edit(path, **changed)

    assert fault(path) == "its own checksum does not match; it was edited or damaged."


def test_a_flipped_digit_inside_is_found_by_its_checksum(path):
    path.write_text(path.read_text().replace('"rows": 3', '"rows": 4'))

    assert "checksum" in fault(path)


def test_a_missing_key_is_named_with_its_place(path):
    value = json.loads(path.read_text())
    del value["splits"]["train"]["rows"]
    path.write_text(json.dumps(value))

    assert fault(path) == "splits.train: 'rows' is missing. The record is damaged."


def test_an_unknown_key_is_refused(path):
    edit(path, note="x")

    assert fault(path).startswith("note: no key 'note' is known here.")


@pytest.mark.parametrize(
    ("text", "kind"), [("[]", "list"), ("null", "NoneType"), ('"x"', "str"), ("7", "int")]
)
def test_json_that_is_no_object_is_told_by_its_type(path, text, kind):
    path.write_text(text)

    assert fault(path) == f"expected a JSON object, found {kind}."


@pytest.mark.parametrize(
    "content",
    [b"", b"{ half", b'{"a": \xff}', b"[" * 100_000, b'{"a":' * 100_000],
    ids=["empty", "cut", "not UTF-8", "deep list", "deep object"],
)
def test_damaged_json_is_one_sentence(path, content):
    path.write_bytes(content)

    assert fault(path).startswith("not valid JSON")


def test_splits_of_another_type_are_one_sentence(path):
    edit(path, splits=[1])

    assert fault(path).startswith("splits: ")


def test_a_missing_file_a_folder_and_a_named_pipe_are_told_apart(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")

    assert fault(tmp_path / "nothing") == "no such file."
    assert fault(tmp_path / "folder") == "not a file."
    assert fault(tmp_path / "pipe") == "not a file."


def test_the_record_of_another_kind_of_artifact_is_refused(path):
    with pytest.raises(ArtifactError, match=rf"format {RawRecord.FORMAT} instead of {TaskRecord.FORMAT}"):
        read_record(path, TaskRecord)


def test_a_damaged_record_of_something_that_can_be_built_again_is_none_and_is_logged(path, caplog):
    caplog.set_level(logging.INFO, "flanbuild")
    assert find_record(path.with_name("nothing"), RawRecord) is None
    assert caplog.messages == []

    path.write_text("{ half")

    assert find_record(path, RawRecord) is None
    assert caplog.messages[0].startswith(f"{path}: not valid JSON")
    assert caplog.messages[0].endswith("It will be built again.")
