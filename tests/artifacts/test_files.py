"""Files and folders appear whole or not at all, and what a died run left is swept by the next."""

import os
import subprocess
import sys
import time

import pytest

from flanbuild.artifacts.files import (
    atomic_path,
    disk_errors,
    locked,
    remove_files,
    staged,
    sweep,
    write_json,
)
from flanbuild.errors import ExecutionError

HOLD = """
import sys, time
from pathlib import Path
from flanbuild.artifacts.files import locked, staged
folder = Path(sys.argv[1])
with locked(folder), staged(folder) as staging:
    (staging / "half").write_text("half")
    print("holding", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(folder, seconds):
    """A process that holds the lock of a folder in the middle of building it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "holding\n"
    return process


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_staged_folder_takes_its_place_when_the_block_succeeds(tmp_path):
    with staged(tmp_path / "a") as staging:
        (staging / "one").touch()
        assert not (tmp_path / "a").exists()

    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["one"]


def test_a_staged_folder_that_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()

    def build():
        with staged(tmp_path / "a", ["old"]) as staging:
            (staging / "new").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()

    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["old"]


def replace(folder, written=("record",)):
    with staged(folder, written) as staging:
        (staging / "record").write_text("new")


def test_a_folder_without_the_record_is_not_replaced(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "thesis.txt").touch()

    with pytest.raises(
        ExecutionError, match=r"a: flanbuild did not write this folder, which has 'thesis.txt'"
    ):
        replace(folder)
    assert names(folder) == ["thesis.txt"]


def test_files_that_were_not_written_stay_links_pipes_and_hidden_ones_too(tmp_path):
    folder = tmp_path / "a"
    (folder / "own").mkdir(parents=True)
    for name in ("record", "extra.csv", "own/notes.txt", ".gitignore"):
        (folder / name).write_text("old")
    (folder / "link").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")

    replace(folder, ("record", "*.csv"))

    assert names(folder) == [".gitignore", "link", "own", "pipe", "record"]
    assert (folder / "own" / "notes.txt").read_text() == "old"
    assert (folder / "record").read_text() == "new"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("kind", ["file", "link", "pipe"])
def test_what_is_no_folder_is_refused_in_one_sentence(tmp_path, kind):
    folder, target = tmp_path / "a", tmp_path / "target"
    target.mkdir()
    {"file": folder.touch, "link": lambda: folder.symlink_to(target), "pipe": lambda: os.mkfifo(folder)}[
        kind
    ]()

    with pytest.raises(ExecutionError, match=r"a: (not a folder|a symbolic link)[^\n]*\.$"):
        replace(folder)
    assert names(tmp_path) == ["a", "target"]


def test_removing_written_files_keeps_the_others(tmp_path):
    for name in ("state.json", "weights/a", "weights/mine"):
        (tmp_path / "a" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "a" / name).touch()

    remove_files(tmp_path / "a", ["state.json", "weights/a"])

    assert names(tmp_path / "a") == ["weights"]
    assert names(tmp_path / "a" / "weights") == ["mine"]


def test_staging_names_of_two_builders_differ(tmp_path):
    with staged(tmp_path / "a") as one, staged(tmp_path / "a") as other:
        assert one != other


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})

    def write():
        with atomic_path(tmp_path / "a.json") as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()

    assert names(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_text() == '{\n  "a": 1\n}\n'


def test_another_process_waits_for_the_lock_and_then_finds_the_artifact(tmp_path):
    process = hold(tmp_path / "a", 1)

    with locked(tmp_path / "a"):
        assert (tmp_path / "a" / "half").is_file()
    assert process.wait() == 0


def test_a_lock_may_be_taken_again_after_its_process_was_killed_and_its_leftovers_are_swept(tmp_path):
    process = hold(tmp_path / "a", 60)
    assert [name for name in names(tmp_path) if name.startswith(".a.staging-")]
    process.kill()
    process.wait()

    start = time.monotonic()
    with locked(tmp_path / "a"):
        assert time.monotonic() - start < 10
        assert names(tmp_path) == []


def test_a_folder_that_was_moved_aside_and_never_replaced_is_moved_back(tmp_path):
    aside = tmp_path / ".a.old-1-abc"
    aside.mkdir()
    (aside / "kept").touch()

    with locked(tmp_path / "a"):
        assert names(tmp_path / "a") == ["kept"]
    assert names(tmp_path) == ["a"]


def test_a_folder_that_was_moved_aside_and_replaced_is_removed(tmp_path):
    for name, content in ((".a.old-1-abc", "old"), ("a", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / content).touch()

    sweep(tmp_path / "a")

    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["new"]


def test_leftovers_below_the_folder_are_swept_too(tmp_path):
    (tmp_path / "a" / "nli" / ".rte.staging-1-abc").mkdir(parents=True)
    (tmp_path / "a" / "nli" / ".train.arrow.part-1-abc").touch()
    (tmp_path / "a" / "nli" / "rte").mkdir()

    sweep(tmp_path / "a")

    assert names(tmp_path / "a" / "nli") == ["rte"]


@pytest.mark.parametrize("kind", ["file", "link", "pipe"])
def test_a_leftover_of_any_kind_is_swept(tmp_path, kind):
    leftover, target = tmp_path / ".a.staging-1-abc", tmp_path / "target"
    target.mkdir()
    {
        "file": leftover.touch,
        "link": lambda: leftover.symlink_to(target),
        "pipe": lambda: os.mkfifo(leftover),
    }[kind]()

    sweep(tmp_path / "a")

    assert names(tmp_path) == ["target"]


def test_sweeping_takes_nothing_of_a_neighbour_or_of_a_person(tmp_path):
    for name in (
        ".b.staging-1-abc",
        ".ab.old-1-abc",
        ".a.v2.staging-1-abc",
        ".a.notes-of-mine",
        ".a.old-notes",
        ".a.old-2024-draft",
        "a.staging-1-abc",
    ):
        (tmp_path / name).mkdir()
    before = names(tmp_path)

    sweep(tmp_path / "a")

    assert names(tmp_path) == before


def test_a_name_is_a_name_and_not_a_pattern(tmp_path):
    (tmp_path / ".x1.staging-1-abc").mkdir()
    (tmp_path / ".x[1].staging-1-abc").mkdir()

    sweep(tmp_path / "x[1]")

    assert names(tmp_path) == [".x1.staging-1-abc"]


def test_an_error_of_the_disk_is_one_sentence_with_the_path(tmp_path):
    with (
        pytest.raises(
            ExecutionError, match=r"^data: No space left on device; nothing was left half-written.$"
        ),
        disk_errors("data"),
    ):
        raise OSError(28, "No space left on device")
