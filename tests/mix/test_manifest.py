"""`verify` finds what differs and names it."""

import random
import shutil
import subprocess
import sys

import pyarrow as pa
import pytest

from flanbuild.artifacts.arrow import read_table, write_table
from flanbuild.artifacts.digests import rows_digest
from flanbuild.artifacts.files import read_json, write_json
from flanbuild.errors import ArtifactError
from flanbuild.mix.verification import verify


@pytest.fixture
def folder(build):
    return build().mix(["nli"])[0]


def test_a_fresh_mixture_is_as_its_manifest_says(build):
    made = build()
    folder, _, _ = made.mix(["nli"])

    assert verify(folder, made.rendered) == []


def test_one_flipped_byte_anywhere_in_a_shard_is_found_and_named(folder):
    path = folder / "train-00001-of-00003.arrow"
    whole = path.read_bytes()
    places = random.Random(0).sample(range(len(whole)), 12)

    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        faults = verify(folder)
        assert len(faults) == 1
        assert str(path) in faults[0]


@pytest.mark.parametrize("name", ["manifest.json", "README.md"])
def test_a_change_to_manifest_or_card_is_found(folder, name):
    path = folder / name
    path.write_text(path.read_text().replace("2021", "2022"))

    assert any(name in fault for fault in verify(folder))


def test_a_missing_shard_and_a_file_too_many_are_named(folder):
    (folder / "train-00000-of-00003.arrow").unlink()
    (folder / "notes.txt").write_text("x")

    assert [fault.split("/")[-1] for fault in verify(folder)] == [
        "train-00000-of-00003.arrow: missing.",
        "notes.txt: not named by the manifest.",
    ]


def test_another_evaluation_file_is_found(build):
    made = build()
    folder, _, _ = made.mix(["nli"])
    path = made.rendered / "nli" / "rte" / "test.arrow"
    shutil.copy(made.rendered / "commonsense" / "copa" / "test.arrow", path)

    assert verify(folder, made.rendered) == [f"{path}: not the evaluation file that was held out."]


def test_rows_have_one_digest_whatever_wrote_them(folder):
    table = read_table(folder / "train-00000-of-00003.arrow")
    again = table.slice(0, 5), table.slice(5)

    assert rows_digest(table) == rows_digest(pa.concat_tables(again))
    assert rows_digest(table) != rows_digest(table.slice(1))


def test_other_bytes_with_the_same_rows_are_told_apart(folder):
    path = folder / "train-00000-of-00003.arrow"
    write_table(path, read_table(path), rows_per_batch=7)

    assert verify(folder) == [f"{path}: its bytes are not those of the manifest, though its rows are."]


def test_a_path_in_a_manifest_can_not_leave_the_folder(folder):
    said = read_json(folder / "manifest.json")
    said["shards"]["train"][0]["path"] = "../../rendered/nli/rte/train.arrow"
    write_json(folder / "manifest.json", said)

    assert any(str(folder / "train.arrow") in fault and "missing" in fault for fault in verify(folder))


def test_a_folder_without_manifest_is_one_sentence(tmp_path):
    with pytest.raises(ArtifactError, match=r"manifest.json: no such file"):
        verify(tmp_path)


def test_the_command_exits_with_1_and_names_the_file(folder):
    path = folder / "train-00002-of-00003.arrow"
    path.write_bytes(path.read_bytes()[:-9])

    run = subprocess.run(
        [sys.executable, "-m", "flanbuild", "verify", folder], capture_output=True, text=True, check=False
    )

    assert run.returncode == 1
    assert str(path) in run.stderr
    assert "Traceback" not in run.stderr
