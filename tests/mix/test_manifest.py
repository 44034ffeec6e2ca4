"""`verify` finds what differs and names it."""

import random
import subprocess
import sys

import pytest

from flanbuild.artifacts.arrow import TRAIN_SCHEMA, read_table, write_table
from flanbuild.artifacts.records import RECORD, Manifest, read_record, write_record
from flanbuild.errors import ArtifactError
from flanbuild.mix.verification import verify
from flanbuild.sources.sample import SampleSource


@pytest.fixture
def folder(build):
    return build().mix(["nli"]).folder


def test_a_fresh_mixture_is_as_its_manifest_says(build):
    fresh = build()
    built = fresh.mix(["nli"])
    fresh.evaluation_sets(["rte", "mrpc"])  # paraphrase is related to nli

    assert verify(built.folder) == []
    assert verify(built.folder, fresh.addresses.evaluation) == []


def test_one_flipped_byte_anywhere_in_a_shard_is_found_and_named(folder):
    path = folder / "train/00001-of-00003.arrow"
    whole = path.read_bytes()
    positions = random.Random(0).sample(range(len(whole)), 12)

    for position in positions:
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        faults = verify(folder)
        assert len(faults) == 1
        assert str(path) in faults[0]


def test_a_change_to_the_card_is_found(folder):
    path = folder / "README.md"
    path.write_text(path.read_text().replace("2021", "2022"))

    assert verify(folder) == [f"{path}: not the card that the manifest gives."]


def test_what_a_hub_adds_is_no_fault_and_is_said_in_one_line(folder, caplog):
    (folder / ".gitattributes").write_text("*.arrow filter=lfs\n")
    (folder / ".cache/huggingface/download").mkdir(parents=True)
    (folder / ".cache/huggingface/download/README.md.metadata").write_text("")
    card = folder / "README.md"
    card.write_text(card.read_text().replace("---\n", "---\nlicense: other\ntags: [nli]\n", 1))

    with caplog.at_level("INFO", logger="flanbuild"):
        assert verify(folder) == []

    assert caplog.messages == [
        f"{folder}: not compared, since a hub adds it: .cache/huggingface/download/README.md.metadata, "
        ".gitattributes, key 'license' of README.md, key 'tags' of README.md."
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("path: train/*.arrow", "path: other/*.arrow", id="other files"),
        pytest.param("  - name: prompt\n", "  - name: text\n", id="other column"),
        pytest.param("validation examples.", "validation examples, all right.", id="body"),
        pytest.param("configs:\n", "configs: [\n", id="no YAML"),
        pytest.param("---\n", "", id="no header"),
    ],
)
def test_any_other_change_to_the_card_is_a_fault(folder, old, new):
    path = folder / "README.md"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new).replace("---\n", "---\nlicense: mit\n", 1))

    assert verify(folder) == [f"{path}: not the card that the manifest gives."]


@pytest.mark.parametrize("name", [".DS_Store", "train/.cache/a", "train/more.arrow", "cache/a"])
def test_a_file_that_no_hub_adds_is_a_fault(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("")

    assert verify(folder) == [f"{folder / name}: not named by the manifest."]


def test_a_change_to_the_manifest_is_found(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace("2021", "2022"))

    with pytest.raises(ArtifactError, match=r"manifest.json: its own checksum does not match"):
        verify(folder)


def test_a_manifest_whose_checksum_was_edited_too_is_found_by_its_digest(folder):
    path = folder / "manifest.json"
    manifest = read_record(path, Manifest)
    write_record(path, manifest.with_changes(rows={"train": 1, "validation": 0}))

    assert f"{path}: its digest is not that of its content." in verify(folder)


def test_a_missing_shard_and_a_file_too_many_are_named(folder):
    (folder / "train/00000-of-00003.arrow").unlink()
    (folder / "notes.txt").write_text("x")

    assert verify(folder) == [
        f"{folder / 'train/00000-of-00003.arrow'}: missing.",
        f"{folder / 'notes.txt'}: not named by the manifest.",
    ]


def test_an_evaluation_set_of_other_rows_is_found(build):
    fresh = build()
    folder = fresh.mix(["commonsense"]).folder
    other = build(source=SampleSource(70), data=fresh.data.with_name("other"))
    other.evaluation_sets(["copa"])

    assert verify(folder, other.addresses.evaluation) == [
        f"{other.addresses.evaluation / 'commonsense' / 'copa' / RECORD}: "
        "made of other rows than those that the mixture holds out."
    ]


def test_a_missing_evaluation_set_is_named(build):
    fresh = build()

    faults = verify(fresh.mix(["commonsense"]).folder, fresh.addresses.evaluation)

    assert faults == [f"{fresh.addresses.evaluation / 'commonsense' / 'copa' / RECORD}: no such file."]


def test_other_bytes_with_the_same_rows_are_told_apart(folder):
    path = folder / "train/00000-of-00003.arrow"
    write_table(path, read_table(path), rows_per_batch=7)

    assert verify(folder) == [
        f"{path}: its bytes are not those that the manifest names, although its rows are equal."
    ]


def test_a_folder_without_manifest_is_one_sentence(tmp_path):
    with pytest.raises(ArtifactError, match=r"manifest.json: no such file"):
        verify(tmp_path)


def test_the_command_exits_with_1_and_names_the_file(folder):
    path = folder / "train/00002-of-00003.arrow"
    path.write_bytes(path.read_bytes()[:-9])

    run = subprocess.run(
        [sys.executable, "-m", "flanbuild", "verify", folder], capture_output=True, text=True, check=False
    )

    assert run.returncode == 1
    assert str(path) in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.needs("hub")
def test_the_card_tells_datasets_the_features_and_the_number_of_rows(build, monkeypatch, tmp_path):
    datasets = pytest.importorskip("datasets", reason="flanbuild[hub] is not installed")
    built = build().mix(["nli"])

    info = datasets.load_dataset_builder(str(built.folder), cache_dir=str(tmp_path / "cache")).info

    assert info.features.arrow_schema.remove_metadata().equals(TRAIN_SCHEMA)
    assert {name: split.num_examples for name, split in info.splits.items()} == built.manifest.rows
