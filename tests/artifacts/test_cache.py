"""`flanbuild gc` frees caches and leftovers, and no artifact."""

import subprocess
import sys

import pytest

from flanbuild.artifacts.cache import free

BUILD = """
import sys, time
from pathlib import Path
from flanbuild.artifacts.files import locked, staged
root, folder = map(Path, sys.argv[1:])
with locked(root), staged(folder) as staging:
    (staging / "rows").touch()
    print("building", flush=True)
    time.sleep(1)
"""


def content(data):
    """What lies below a data folder, without locks."""
    paths = (path for path in data.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    return {path.relative_to(data).as_posix(): path.read_bytes() for path in paths}


def test_counts_and_leftovers_are_freed_and_artifacts_stay(build):
    planned = build()
    planned.plan(["nli"])
    planned.mix([])
    planned.evaluation_sets(["rte"])
    data = planned.data
    artifacts = {
        name: body
        for name, body in content(data).items()
        if not name.startswith(("cache/", "contamination/"))
    }
    (data / "rendered" / "flan2021" / "nli" / ".rte.staging-1-abc").mkdir()
    (data / "mixtures" / ".flan2021.old-1-abc").mkdir()
    (data / "mixtures" / ".flan2021.old-1-abc" / "shard").write_bytes(b"x" * 1000)

    freed = free(data)

    sizes = {path.name: size for path, size in freed}
    assert sizes[".flan2021.old-1-abc"] == 1000
    assert sizes[".rte.staging-1-abc"] == 0
    assert sum(path.parent == data / "cache" / "counts" for path, _ in freed) == 6
    assert content(data) == artifacts
    assert free(data) == []


def test_a_dry_run_names_the_same_and_frees_nothing(build):
    planned = build()
    planned.plan([])
    (planned.data / "raw" / "nli" / ".rte.staging-1-abc").mkdir()
    before = content(planned.data)

    would = free(planned.data, dry_run=True)

    assert content(planned.data) == before
    assert free(planned.data) == would != []


def test_a_plan_after_freeing_counts_again_and_gives_the_same(build):
    planned = build()
    first, _ = planned.plan(["nli"])
    free(planned.data)

    assert planned.plan(["nli"])[0] == first


@pytest.mark.parametrize(
    ("root", "folder"),
    [
        ("raw/nli", "raw/nli/anli/r1"),
        ("evaluation", "evaluation/nli/rte"),
        ("rendered/small", "rendered/small/nli/rte"),
        ("mixtures/small", "mixtures/small"),
        ("cache/counts", "cache/counts/0123"),
    ],
)
def test_an_artifact_that_another_process_is_building_is_waited_for(tmp_path, root, folder):
    command = [sys.executable, "-c", BUILD, str(tmp_path / root), str(tmp_path / folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "building\n"

    free(tmp_path)

    assert process.wait() == 0
    assert (tmp_path / folder / "rows").is_file() or root == "cache/counts"


def test_files_of_a_person_stay(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / ".my.notes-of-mine").touch()

    assert free(tmp_path) == []
    assert (tmp_path / "raw" / ".my.notes-of-mine").exists()


def test_a_folder_that_is_not_there_has_nothing_to_free(tmp_path):
    assert free(tmp_path / "nothing") == []
