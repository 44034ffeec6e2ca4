"""`verify --rebuild` finds what no manifest shows: task files or a source that no longer give these bytes."""

import subprocess
import sys

import pytest
from conftest import ROOT
from few import few

from flanbuild.artifacts.records import MANIFEST, Manifest, read_record, write_record, writer_versions
from flanbuild.builder import rebuild, rebuild_manifest
from flanbuild.declare.project import task_files
from flanbuild.errors import DeclarationError
from flanbuild.export.view import ExportRequest
from flanbuild.export.views import export
from flanbuild.inspect.rebuild import mixture_of, stale
from flanbuild.read import load
from flanbuild.sources.sample import SampleSource


@pytest.fixture
def folder(tmp_path):
    mixture = {"rate": {"scheme": "temperature", "temperature": 2}}
    return few(tmp_path / "data", mixture=mixture).mix(["nli"]).folder


def manifest_of(folder):
    return read_record(folder / MANIFEST, Manifest)


def again(folder, tmp_path, **changed):
    return few(tmp_path / "again", mixture=mixture_of(manifest_of(folder)).model_dump(), **changed)


def test_the_mixture_of_a_manifest_is_the_one_that_was_built(folder, tmp_path):
    declared = few(tmp_path, mixture={"rate": {"scheme": "temperature", "temperature": 2}}).mixture

    assert mixture_of(manifest_of(folder)) == declared


def test_built_again_every_byte_is_equal(folder, tmp_path):
    build = again(folder, tmp_path)

    assert stale(manifest_of(folder), build.tasks, build.mixture) == []
    assert rebuild(folder, build) == []


def test_a_changed_task_file_is_named_with_the_rows_that_it_changes(folder, tmp_path):
    tasks = dict(few(tmp_path).tasks)
    tasks["copa"] = tasks["copa"].model_copy(update={"where": {"even": "length(premise) % 2 = 0"}})
    build = again(folder, tmp_path, tasks=tasks)

    (first,) = stale(manifest_of(folder), build.tasks, None)
    found = rebuild(folder, build)

    assert first.endswith("copa.yaml: the declaration of copa is not the one that this was built from.")
    assert any(
        f.startswith("copa: train examples ") and f.endswith(": declaration of copa differs.") for f in found
    )
    assert any("train/00000-of-00003.arrow: other bytes when built again" in fault for fault in found)


def test_a_changed_mixture_file_is_named_by_its_key(folder, tmp_path):
    build = again(folder, tmp_path)
    current = build.mixture.model_copy(update={"cap": 100})

    assert stale(manifest_of(folder), build.tasks, current) == [
        "few.yaml: cap 30000 → 100 since this was built."
    ]


def test_another_source_is_named_by_its_digest(folder, tmp_path):
    found = rebuild(folder, again(folder, tmp_path, source=SampleSource(50)))

    assert any(f.startswith("copa: available 60 → 50; source.commit sample of 60 rows → ") for f in found)


def test_another_number_of_evaluation_rows_changes_no_mixture(folder, tmp_path):
    assert rebuild(folder, again(folder, tmp_path, evaluation_rows=4)) == []


def test_a_task_without_a_task_file_cannot_be_built_again(folder, tmp_path):
    tasks = {name: task for name, task in few(tmp_path).tasks.items() if name != "coqa"}
    build = again(folder, tmp_path, tasks=tasks)

    assert stale(manifest_of(folder), build.tasks, None) == ["coqa: no task file declares it here."]
    assert rebuild(folder, build) == [
        f"{folder / MANIFEST}: cannot be built again without the task files of coqa."
    ]


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


@pytest.fixture
def manifest(folder, tmp_path):
    """The manifest alone, as somebody else has it."""
    path = tmp_path / "elsewhere" / MANIFEST
    path.parent.mkdir()
    path.write_bytes((folder / MANIFEST).read_bytes())
    return path


def from_manifest(path, tmp_path, **changed):
    build = few(tmp_path / "again", mixture=mixture_of(read_record(path, Manifest)).model_dump(), **changed)
    return rebuild_manifest(path, build)


def test_a_manifest_alone_gives_the_same_shards(manifest, folder, tmp_path):
    again, differences = from_manifest(manifest, tmp_path)

    assert differences == []
    for shard in folder.rglob("*.arrow"):
        assert (again / shard.relative_to(folder)).read_bytes() == shard.read_bytes()


def test_from_a_manifest_alone_the_record_batch_of_the_first_other_row_is_named(manifest, tmp_path):
    record = read_record(manifest, Manifest)
    first = record.shards["train"][0]
    other = first.model_copy(update={"rows_digest": "0", "digests": (first.digests[0], "0", "0")})
    write_record(
        manifest, record.with_changes(shards=record.shards | {"train": (other, *record.shards["train"][1:])})
    )

    assert from_manifest(manifest, tmp_path)[1] == [
        f"{first.path}: the first row that differs is one of 2,048 to {first.rows - 1:,}."
    ]


@pytest.mark.parametrize("layout", ["arrow", "parquet"])
def test_with_the_shards_beside_it_the_first_other_row_is_named(manifest, folder, layout, tasks, tmp_path):
    export(ExportRequest(mixture=folder), "parquet", tmp_path / "parquet")
    source = folder if layout == "arrow" else tmp_path / "parquet"
    for path in source.rglob(f"*.{layout}"):
        target = manifest.parent / path.relative_to(source)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    known = dict(few(tmp_path).tasks)
    templates = known["copa"].templates
    changed = templates[0].model_copy(update={"inputs": f"Now: {templates[0].inputs}"})
    known["copa"] = known["copa"].model_copy(update={"templates": (changed, *templates[1:])})

    differences = from_manifest(manifest, tmp_path, tasks=known)[1]

    rows = list(load(folder))[: read_record(manifest, Manifest).shards["train"][0].rows]
    number, row = next((n, r) for n, r in enumerate(rows) if (r["task"], r["template"]) == ("copa", 0))
    named = f"copa row {row['row']}"
    assert differences[0].startswith("copa: declaration ")
    assert differences[1] == (
        f"train/00000-of-00003.arrow: row {number} is the first that differs ({named}, {named} when built again)."
    )


def test_another_source_is_told_by_its_commit(manifest, tmp_path):
    differences = from_manifest(manifest, tmp_path, source=SampleSource(50))[1]

    assert any("source.commit sample of 60 rows → sample of 50 rows" in fault for fault in differences)
    assert any(
        "it has " in fault and fault.startswith("train/00000-of-00003.arrow: ") for fault in differences
    )


def test_versions_are_named_where_bytes_differ_and_only_there(manifest, tmp_path):
    record = read_record(manifest, Manifest).with_changes(versions={**writer_versions(), "pyarrow": "1.0"})
    write_record(manifest, record)
    assert from_manifest(manifest, tmp_path)[1] == []

    [shard, *others] = record.shards["train"]
    other_bytes = (shard.model_copy(update={"sha256": "0"}), *others)
    write_record(manifest, record.with_changes(shards=record.shards | {"train": other_bytes}))
    assert from_manifest(manifest, tmp_path)[1] == [
        f"{shard.path}: the same rows in other bytes.",
        f"pyarrow: built with version 1.0, and again with {writer_versions()['pyarrow']}.",
    ]


def test_a_mixture_is_never_built_again_in_its_own_folder(folder, tmp_path):
    build = few(tmp_path / "data", mixture=mixture_of(manifest_of(folder)).model_dump())
    with pytest.raises(DeclarationError, match="it would be built in its own folder; give another --data"):
        rebuild_manifest(folder / MANIFEST, build)


def test_the_command_builds_from_a_manifest_in_an_empty_folder(tmp_path):
    mixture = {"tasks": ("rte", "copa", "coqa")}
    folder = few(tmp_path / "data", tasks=task_files(), mixture=mixture).mix(["nli"]).folder
    (tmp_path / "empty").mkdir()

    def run(rows):
        command = [sys.executable, "-m", "flanbuild", "rebuild", folder / MANIFEST, "--sample-rows", rows]
        return subprocess.run(
            list(map(str, command)), capture_output=True, text=True, check=False, cwd=tmp_path / "empty"
        )

    same, other = run(60), run(50)

    assert (same.returncode, same.stdout) == (
        0,
        f"data/mixtures/few-without-nli: the same 4 shards as {folder / MANIFEST} names.\n",
    )
    assert other.returncode == 1
    assert "source.commit sample of 60 rows → sample of 50 rows" in other.stderr
