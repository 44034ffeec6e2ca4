"""Each artifact has one place, and two mixture files of one name are refused."""

import pytest

from flanbuild.artifacts.addresses import Addresses, mixture_folder, task_folder
from flanbuild.errors import DeclarationError


@pytest.fixture
def files(tmp_path):
    """Two mixture files of one name in two folders."""
    paths = [tmp_path / folder / "small.yaml" for folder in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        path.write_text("seed: 1\n")
    return paths


def test_two_mixture_files_of_one_name_are_a_fault_that_names_both(files, tmp_path):
    addresses = Addresses(tmp_path / "data")
    addresses.claim("small", files[0])

    with pytest.raises(DeclarationError) as caught:
        addresses.claim("small", files[1])

    sentence = str(caught.value)
    assert sentence.startswith(f"{files[1]}: {files[0]} is a mixture named 'small' too")
    assert str(tmp_path / "data" / "rendered" / "small") in sentence


def test_the_same_file_may_claim_its_name_again_however_it_is_spelled(files, tmp_path, monkeypatch):
    addresses = Addresses(tmp_path / "data")
    addresses.claim("small", files[0])
    monkeypatch.chdir(files[0].parent)

    addresses.claim("small", files[0])
    addresses.claim("small", files[0].relative_to(files[0].parent))
    addresses.claim("small", tmp_path / "two" / ".." / "one" / "small.yaml")


def test_a_file_that_was_moved_keeps_its_name(files, tmp_path):
    addresses = Addresses(tmp_path / "data")
    addresses.claim("small", files[0])
    files[0].unlink()

    addresses.claim("small", files[1])


def test_another_data_folder_is_another_matter(files, tmp_path):
    Addresses(tmp_path / "data").claim("small", files[0])

    Addresses(tmp_path / "elsewhere").claim("small", files[1])


def test_a_mixture_without_a_file_claims_nothing(tmp_path):
    Addresses(tmp_path / "data").claim("few", tmp_path / "few.yaml")

    assert not (tmp_path / "data").exists()


def test_the_folder_of_a_mixture_names_what_is_held_out_in_order_without_slashes():
    assert mixture_folder("flan2021", []) == "flan2021"
    assert mixture_folder("flan2021", ["sentiment", "anli/r1"]) == "flan2021-without-anli.r1-sentiment"


def test_tasks_lie_below_their_cluster(tmp_path):
    addresses = Addresses(tmp_path)

    assert task_folder(addresses.raw, "nli", "anli/r1") == tmp_path / "raw" / "nli" / "anli" / "r1"
    assert addresses.rendered("small") == tmp_path / "rendered" / "small"
    assert addresses.mixture("small", ["nli"]) == tmp_path / "mixtures" / "small-without-nli"


@pytest.mark.parametrize("place", [".mixture-files/small", ".mixture-files"])
def test_what_is_in_the_way_of_the_note_of_a_name_is_one_sentence(place, files, tmp_path):
    addresses = Addresses(tmp_path / "data")
    if place.endswith("small"):
        (addresses.data / place).mkdir(parents=True)
    else:
        addresses.data.mkdir()
        (addresses.data / place).write_text("")

    with pytest.raises(DeclarationError, match=rf"{place}: in the way of the note .*; move it away"):
        addresses.claim("small", files[0])


def test_a_damaged_note_of_a_name_is_written_again(files, tmp_path):
    addresses = Addresses(tmp_path / "data")
    note = addresses.data / ".mixture-files" / "small"
    note.parent.mkdir(parents=True)
    note.write_bytes(b"\xff\x00")

    addresses.claim("small", files[0])

    assert note.read_text() == str(files[0])


def test_a_link_to_nowhere_for_a_data_folder_is_one_sentence(tmp_path):
    (tmp_path / "data").symlink_to("nowhere")

    with pytest.raises(DeclarationError, match=r"--data .*data: not a folder"):
        Addresses(tmp_path / "data")


def test_a_file_for_a_data_folder_is_one_sentence(tmp_path):
    (tmp_path / "data").touch()

    with pytest.raises(DeclarationError, match=r"--data .*/data: not a folder.$"):
        Addresses(tmp_path / "data")
