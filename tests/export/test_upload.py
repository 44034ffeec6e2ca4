"""A mixture goes to the hub as one commit, and what comes back from there verifies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import shards
from conftest import ROOT
from hub_server import Hub, Repo

from flanbuild.errors import DeclarationError
from flanbuild.export.record import EXPORT
from flanbuild.export.upload import repository
from flanbuild.export.verification import verify_export

pytestmark = pytest.mark.needs("hub")


@pytest.fixture
def hub():
    with Hub({}).serving() as serving:
        yield serving


@pytest.fixture
def mixture(tmp_path):
    return shards.write_shards(tmp_path / "mixture", [shards.row(i) for i in range(20)], [shards.row(0)])


@pytest.fixture
def publish(hub, mixture, tmp_path):
    """Runs `flanbuild publish` to a repository of the stand-in hub."""

    def run(repo: str, *options: str, **environment) -> subprocess.CompletedProcess[str]:
        command = ["publish", str(mixture), f"hf://datasets/{repo}", "--date", "2026-11-26", *options]
        settings = {"HF_ENDPOINT": hub.address, "HF_TOKEN": "hf_stand_in", "HF_HOME": str(tmp_path / "home")}
        return subprocess.run(
            [sys.executable, "-m", "flanbuild", *command],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=os.environ | settings | environment,
        )

    return run


def download(hub: Hub, repo: str, folder: Path) -> Path:
    """The files of a repository, with what the hub adds."""
    files = hub.repos[repo].branches["main"] | {".gitattributes": b"*.parquet filter=lfs\n"}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_what_was_published_and_downloaded_verifies(hub, publish, tmp_path):
    run = publish("me/counting")
    assert run.returncode == 0, run.stderr
    folder = download(hub, "me/counting", tmp_path / "downloaded")
    assert verify_export(folder) == []
    (folder / "train/00000-of-00002.parquet").write_bytes(b"other")
    assert verify_export(folder) == [
        f"{folder / 'train/00000-of-00002.parquet'}: its bytes are not those that export.json names."
    ]


@pytest.mark.needs("sign")
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ("nothing", ""),
        (
            "a byte",
            "{folder}/train/00000-of-00002.parquet: its bytes are not those that export.json names.",
        ),
        ("a license", "{folder}/README.md: its bytes are not those that export.json names."),
        ("the key", "{folder}/provenance.dsse.json: no signature in it is of the key {key}."),
    ],
)
def test_a_signed_upload_comes_back_right_or_with_one_sentence(changed, sentence, hub, publish, tmp_path):
    from signing_keys import write_keys

    (private, public), (_, foreign) = (write_keys(tmp_path, name) for name in ("mine", "foreign"))
    assert publish("me/counting", "--sign", str(private)).returncode == 0
    folder = download(hub, "me/counting", tmp_path / "downloaded")
    key = foreign if changed == "the key" else public
    shard, card = folder / "train/00000-of-00002.parquet", folder / "README.md"
    if changed == "a byte":
        shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    if changed == "a license":
        card.write_text(card.read_text().replace("- unknown\n", "- mit\n", 1))

    command = [sys.executable, "-m", "flanbuild", "verify", folder, "--public-key", key]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=ROOT)

    expected = f"flanbuild: {sentence.format(folder=folder, key=key)}\n" if sentence else ""
    assert (run.returncode, run.stderr) == (int(bool(sentence)), expected)
    assert bool(run.stdout) is not bool(sentence)


def test_all_files_are_one_commit(hub, publish):
    publish("me/counting")
    assert [request.path for request in hub.requests if "/commit/" in request.path] == [
        "/api/datasets/me/counting/commit/main"
    ]


def test_publishing_again_removes_what_is_gone(hub, publish):
    publish("me/counting")
    hub.repos["me/counting"].branches["main"]["train/old.parquet"] = b"old"
    run = publish("me/counting")
    assert run.returncode == 0, run.stderr
    assert "train/old.parquet" not in hub.repos["me/counting"].branches["main"]


def test_a_repository_of_something_else_is_never_replaced(hub, publish):
    hub.repos["me/model"] = Repo({"main": {"weights.bin": b"precious"}})
    run = publish("me/model")
    assert run.returncode == 2
    assert "it holds weights.bin, which no export has written" in run.stderr
    assert hub.repos["me/model"].branches["main"] == {"weights.bin": b"precious"}


def test_a_hub_that_refuses_is_one_sentence(hub, publish):
    def refuse(handler) -> bool:
        handler.say(403)
        return True

    hub.fault("/commit/", refuse, method="POST", times=9)
    run = publish("me/counting")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("flanbuild: hf://datasets/me/counting: the upload failed: ")
    assert EXPORT not in hub.repos["me/counting"].branches["main"]


def test_a_hub_that_is_not_there_is_one_sentence(publish):
    run = publish("me/counting", HF_ENDPOINT="http://127.0.0.1:9")
    assert run.returncode == 1
    assert run.stderr.startswith("flanbuild: hf://datasets/me/counting: the upload failed: ")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("url", ["hf://me/counting", "hf://datasets/me", "hf://datasets/me/a/b"])
def test_a_url_of_no_dataset_repository_is_one_sentence(url):
    with pytest.raises(DeclarationError, match="a dataset goes to hf://datasets/USER/NAME"):
        repository(url, "dataset")


@pytest.mark.parametrize("url", ["hf://datasets/me", "hf://datasets/me/counting", "hf://me", "hf://me/a/b"])
def test_a_url_of_no_model_repository_is_one_sentence(url):
    with pytest.raises(DeclarationError, match="a model goes to hf://USER/NAME"):
        repository(url, "model")
