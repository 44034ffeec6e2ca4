"""`verify --rebuild` finds what no manifest shows: task files or a source that no longer give these bytes."""

import subprocess
import sys

import pytest
from conftest import ROOT
from few import few

from flanbuild.artifacts.records import MANIFEST, Manifest, read_record, write_record
from flanbuild.builder import rebuild
from flanbuild.inspect.rebuild import mixture_of, stale
from flanbuild.sources.sample import SampleSource


@pytest.fixture
def folder(tmp_path):
    mixture = {"rate": {"scheme": "temperature", "temperature": 2}}
    return few(tmp_path / "data", mixture=mixture).mix(["nli"]).folder


def again(folder, tmp_path, **changed):
    return few(tmp_path / "again", mixture=mixture_of(folder).model_dump(), **changed)


def test_the_mixture_of_a_manifest_is_the_one_that_was_built(folder, tmp_path):
    declared = few(tmp_path, mixture={"rate": {"scheme": "temperature", "temperature": 2}}).mixture

    assert mixture_of(folder) == declared


def test_built_again_every_byte_is_equal(folder, tmp_path):
    build = again(folder, tmp_path)

    assert stale(folder, build.tasks, build.mixture) == []
    assert rebuild(folder, build) == []


def test_a_changed_task_file_is_named_with_the_rows_that_it_changes(folder, tmp_path):
    tasks = dict(few(tmp_path).tasks)
    tasks["copa"] = tasks["copa"].model_copy(update={"where": {"even": "length(premise) % 2 = 0"}})
    build = again(folder, tmp_path, tasks=tasks)

    (first,) = stale(folder, build.tasks, None)
    found = rebuild(folder, build)

    assert first.endswith("copa.yaml: the declaration of copa is not the one that this was built from.")
    assert any(
        f.startswith("copa: train examples ") and f.endswith(": declaration of copa differs.") for f in found
    )
    assert any("train/00000-of-00003.arrow: other bytes when built again" in fault for fault in found)


def test_a_changed_mixture_file_is_named_by_its_key(folder, tmp_path):
    build = again(folder, tmp_path)
    current = build.mixture.model_copy(update={"cap": 100})

    assert stale(folder, build.tasks, current) == ["few.yaml: cap 30000 → 100 since this was built."]


def test_another_source_is_named_by_its_digest(folder, tmp_path):
    found = rebuild(folder, again(folder, tmp_path, source=SampleSource(50)))

    assert any(f.startswith("copa: available 60 → 50; source.commit sample of 60 rows → ") for f in found)


def test_another_number_of_evaluation_rows_changes_no_mixture(folder, tmp_path):
    assert rebuild(folder, again(folder, tmp_path, evaluation_rows=4)) == []


def test_a_task_without_a_task_file_cannot_be_built_again(folder, tmp_path):
    tasks = {name: task for name, task in few(tmp_path).tasks.items() if name != "coqa"}
    build = again(folder, tmp_path, tasks=tasks)

    assert stale(folder, build.tasks, None) == ["coqa: no task file declares it here."]
    assert rebuild(folder, build) == [f"{folder}: cannot be built again without the task files of coqa."]


def test_the_command_rebuilds_below_data_and_leaves_nothing_there(tasks, tmp_path):
    mixture = {"tasks": ("rte", "copa", "coqa")}
    folder = few(tmp_path / "data", tasks=tasks, mixture=mixture).mix(["nli"]).folder

    def verify(rows):
        options = ["--data", tmp_path / "work", "--sample-rows", rows, "--source", "sample"]
        command = [sys.executable, "-m", "flanbuild", "verify", folder, "--rebuild", *options]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=ROOT)

    same, other = verify(60), verify(50)

    assert (same.returncode, same.stdout) == (
        0,
        f"{folder}: all as its manifest says, and the same when built again.\n",
    )
    assert other.returncode == 1
    assert "source.commit sample of 60 rows → sample of 50 rows" in other.stderr
    assert list((tmp_path / "work").iterdir()) == []


def test_another_task_file_in_the_held_out_cluster_is_told_by_what_is_held_out(folder, tasks, tmp_path):
    known = dict(few(tmp_path).tasks) | {"cb": tasks["cb"]}

    found = rebuild(folder, again(folder, tmp_path, tasks=known))

    assert (
        f"{folder / 'manifest.json'}: other bytes when built again: contamination, fingerprint, held_out."
        in found
    )


def test_a_forged_folder_with_a_manifest_to_match_is_found(folder, tmp_path):
    manifest = read_record(folder / MANIFEST, Manifest)
    coqa = manifest.tasks["coqa"]
    source = coqa.source.model_copy(update={"license": "public domain"})
    tasks = manifest.tasks | {"coqa": coqa.model_copy(update={"source": source})}
    write_record(folder / MANIFEST, manifest.with_changes(tasks=tasks))

    found = rebuild(folder, again(folder, tmp_path))

    assert any(fault.startswith("coqa: source.license public domain → ") for fault in found)
