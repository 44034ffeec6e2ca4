"""An artifact is current, whole, stale or damaged, and building replaces it as a whole."""

import logging
from functools import partial

import pytest

from flanbuild.artifacts import artifact
from flanbuild.artifacts.files import xxh3_of
from flanbuild.artifacts.records import RECORD, RawRecord, RawSplit, SourceRecord, find_record
from flanbuild.errors import DamagedError, ExecutionError

SOURCE = SourceRecord(kind="sample", repo="org/rows", config="small", commit="1", license="mit", digest="d")
SPLITS = ("train", "test")


def make(fingerprint, folder):
    """Fills a folder with two files; returns their record."""
    splits = {}
    for name in SPLITS:
        path = folder / f"{name}.parquet"
        path.write_bytes(f"{name} of {fingerprint}".encode())
        splits[name] = RawSplit(rows=1, rows_digest="r", file_digest=xxh3_of(path))
    return RawRecord.of(
        task="rte",
        source=SOURCE,
        columns={},
        splits=splits,
        missing=(),
        fingerprint=fingerprint,
        versions={},
    )


@pytest.fixture
def build(tmp_path):
    def run(fingerprint="inputs", name="nli/rte"):
        artifact.build(tmp_path / name, partial(make, fingerprint))
        return tmp_path / name

    return run


def current(folder, fingerprint="inputs"):
    return artifact.current(folder, RawRecord, lambda _: fingerprint)


def test_what_was_built_of_todays_inputs_is_current(build):
    folder = build()

    assert current(folder) == find_record(folder / RECORD, RawRecord)
    assert current(folder, "other inputs") is None


def test_nothing_is_not_current(tmp_path):
    assert current(tmp_path / "nothing") is None


def test_the_expected_fingerprint_may_depend_on_the_record(build):
    folder = build("train 1")

    found = artifact.current(folder, RawRecord, lambda record: f"train {record.splits['train'].rows}")

    assert found is not None


def test_an_artifact_that_lost_a_file_is_not_current_and_the_file_is_named(build, caplog):
    caplog.set_level(logging.INFO, "flanbuild")
    folder = build()
    (folder / "test.parquet").unlink()

    assert current(folder) is None
    assert caplog.messages == [f"{folder / 'test.parquet'}: missing. It will be built again."]


def test_an_artifact_with_a_damaged_record_is_not_current(build):
    folder = build()
    (folder / RECORD).write_text((folder / RECORD).read_text().replace("rte", "cb"))

    assert current(folder) is None


def test_a_file_of_other_bytes_is_damaged_though_the_artifact_looks_current(build):
    folder = build()
    (folder / "test.parquet").write_bytes(b"other")
    record = current(folder)

    with pytest.raises(DamagedError, match=r"test.parquet: damaged, its bytes are not those"):
        artifact.check_files(folder, record)
    assert not artifact.is_whole(folder, record)


def test_a_missing_file_is_damage_to_whoever_reads(build):
    folder = build()
    record = current(folder)
    (folder / "test.parquet").unlink()

    with pytest.raises(DamagedError, match=r"test.parquet: missing, although its record names it"):
        artifact.check_files(folder, record)


def test_only_the_files_that_are_asked_for_are_read(build):
    folder = build()
    record = current(folder)
    (folder / "test.parquet").write_bytes(b"other")

    artifact.check_files(folder, record, {"train.parquet"})
    with pytest.raises(DamagedError):
        artifact.check_files(folder, record, {"test.parquet"})


def test_building_again_replaces_what_the_record_names_and_keeps_the_rest(build, caplog):
    caplog.set_level(logging.INFO, "flanbuild")
    folder = build("old")
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("mine")

    build("new")

    assert sorted(path.name for path in folder.iterdir()) == [
        "notes",
        RECORD,
        "test.parquet",
        "train.parquet",
    ]
    assert (folder / "notes" / "mine.txt").read_text() == "mine"
    assert artifact.is_whole(folder, current(folder, "new"))
    assert caplog.messages == [f"{folder / 'notes' / 'mine.txt'}: kept, although flanbuild did not write it."]


def test_a_file_that_only_the_old_record_names_goes(build, monkeypatch):
    folder = build("old")
    monkeypatch.setitem(globals(), "SPLITS", ("train",))

    build("new")

    assert sorted(path.name for path in folder.iterdir()) == [RECORD, "train.parquet"]


def test_a_file_of_a_persons_own_under_the_name_of_a_new_one_is_refused(build, tmp_path):
    (tmp_path / "nli" / "rte").mkdir(parents=True)
    own = tmp_path / "nli" / "rte" / "test.parquet"
    own.write_bytes(b"mine")

    with pytest.raises(ExecutionError, match=r"test.parquet: the record of this folder does not name it"):
        build()
    assert own.read_bytes() == b"mine"
    assert [path.name for path in (tmp_path / "nli").iterdir()] == ["rte"]


def test_a_folder_with_a_damaged_record_is_built_again(build):
    folder = build("old")
    (folder / RECORD).write_text("{}")

    build("new")

    assert artifact.is_whole(folder, current(folder, "new"))


def test_pruning_keeps_files_that_the_record_does_not_name(build, tmp_path):
    gone = build(name="nli/anli/r1")
    (gone / "notes.txt").touch()

    artifact.prune(tmp_path, [], RawRecord)

    assert [path.name for path in gone.iterdir()] == ["notes.txt"]


def test_a_build_that_fails_changes_nothing(build, tmp_path):
    folder = build()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(staging):
        make("new", staging)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  the test's own
        artifact.build(folder, fail)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["rte"]


def test_pruning_removes_what_nothing_declares_and_keeps_the_rest(build, tmp_path, caplog):
    caplog.set_level(logging.INFO, "flanbuild")
    kept, gone = build(name="nli/rte"), build(name="nli/anli/r1")
    hidden = build(name="nli/.rte.staging-1-abc")
    (tmp_path / "notes.txt").touch()

    artifact.prune(tmp_path, [kept], RawRecord)

    assert kept.is_dir()
    assert not gone.exists()
    assert hidden.is_dir()
    assert (tmp_path / "notes.txt").is_file()
    assert caplog.messages == [f"{gone}: removed, no task file declares it."]
