"""A published folder can be signed, and a signature that is missing, foreign or of another statement is found."""

import json

import pytest
import shards

from flanbuild.artifacts.files import sha256_of, write_json
from flanbuild.artifacts.records import read_record, write_record
from flanbuild.errors import DeclarationError
from flanbuild.export.provenance import STATEMENT
from flanbuild.export.record import EXPORT, ExportRecord
from flanbuild.export.signing import ENVELOPE
from flanbuild.export.verification import verify_export
from flanbuild.export.view import ExportRequest
from flanbuild.export.views import export

pytest.importorskip("securesystemslib", reason="flanbuild[sign] is not installed")
from signing_keys import write_keys

DATE = "2026-11-26"


@pytest.fixture
def mixture(tmp_path):
    return shards.write_shards(tmp_path / "mixture", [shards.row(i) for i in range(20)], [shards.row(0)])


@pytest.fixture
def keys(tmp_path):
    return write_keys(tmp_path, "mine")


def published(mixture, folder, key=None):
    export(ExportRequest(mixture=mixture, date=DATE, sign=key), "hub", folder)
    return folder


def forge(folder, name: str, content: bytes) -> None:
    """Changes a file, and the digests of it in the record and the statement, as whoever has the folder can."""
    (folder / name).write_bytes(content)
    statement = json.loads((folder / STATEMENT).read_text())
    for subject in statement["subject"]:
        if subject["name"] == name:
            subject["digest"]["sha256"] = sha256_of(folder / name)
    write_json(folder / STATEMENT, statement)
    record = read_record(folder / EXPORT, ExportRecord)
    digests = {file: sha256_of(folder / file) for file in record.files}
    write_record(folder / EXPORT, record.with_changes(files=digests))


def test_a_signed_folder_is_right_by_its_key(mixture, keys, tmp_path):
    assert verify_export(published(mixture, tmp_path / "out", keys[0]), keys[1]) == []


def test_the_same_key_gives_the_same_bytes(mixture, keys, tmp_path):
    one, two = (published(mixture, tmp_path / name, keys[0]) for name in ("one", "two"))
    assert (one / EXPORT).read_bytes() == (two / EXPORT).read_bytes()


def test_a_folder_without_a_signature_is_one_sentence(mixture, keys, tmp_path):
    folder = published(mixture, tmp_path / "out")
    assert verify_export(folder) == []
    assert verify_export(folder, keys[1]) == [f"{folder / ENVELOPE}: missing, so the folder is not signed."]


def test_a_foreign_signature_is_one_sentence(mixture, keys, tmp_path):
    foreign, _ = write_keys(tmp_path, "foreign")
    folder = published(mixture, tmp_path / "out", foreign)
    assert verify_export(folder, keys[1]) == [
        f"{folder / ENVELOPE}: no signature in it is of the key {keys[1]}."
    ]


def test_a_license_that_was_changed_with_all_digests_is_found_by_the_signature_alone(mixture, keys, tmp_path):
    folder = published(mixture, tmp_path / "out", keys[0])
    forge(folder, "README.md", (folder / "README.md").read_bytes().replace(b"unknown", b"mit"))
    assert verify_export(folder) == []
    assert verify_export(folder, keys[1]) == [f"{folder / STATEMENT}: not the statement that was signed."]


def test_a_file_that_is_no_envelope_is_one_sentence(mixture, keys, tmp_path):
    folder = published(mixture, tmp_path / "out", keys[0])
    forge(folder, ENVELOPE, b'{"payload": 1}')
    assert verify_export(folder, keys[1]) == [f"{folder / ENVELOPE}: not a DSSE envelope."]


@pytest.mark.parametrize("content", [b"", b"no key", b"\xff"])
def test_a_file_that_is_no_key_is_one_sentence(mixture, content, tmp_path):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(DeclarationError, match=r"--sign .*: expected a private Ed25519 key in PEM"):
        published(mixture, tmp_path / "out", tmp_path / "key")
    with pytest.raises(DeclarationError, match=r"--public-key .*: expected a public Ed25519 key in PEM"):
        verify_export(published(mixture, tmp_path / "unsigned"), tmp_path / "key")


def test_the_two_keys_are_not_taken_for_each_other(mixture, keys, tmp_path):
    private, public = keys
    with pytest.raises(DeclarationError, match="expected a private"):
        published(mixture, tmp_path / "out", public)
    with pytest.raises(DeclarationError, match="expected a public"):
        verify_export(published(mixture, tmp_path / "unsigned"), private)


def test_a_key_that_is_not_there_is_one_sentence(mixture, tmp_path):
    with pytest.raises(DeclarationError, match=r"--sign .*none.pem: No such file or directory"):
        published(mixture, tmp_path / "out", tmp_path / "none.pem")
