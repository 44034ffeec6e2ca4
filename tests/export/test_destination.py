"""An export replaces an earlier export and nothing else, and a failed one leaves what was there."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
import shards
from conftest import ROOT

from flanbuild.artifacts.files import sha256_of
from flanbuild.artifacts.records import read_record
from flanbuild.errors import DeclarationError, ExecutionError
from flanbuild.export.destination import destination
from flanbuild.export.record import EXPORT, ExportRecord
from flanbuild.export.view import ExportRequest
from flanbuild.export.views import export

MEMORY = fsspec.filesystem("memory")


@pytest.fixture
def mixture(tmp_path):
    return shards.write_shards(tmp_path / "mixture", [shards.row(i) for i in range(50)], [shards.row(0)])


@pytest.fixture
def url():
    """A folder in the memory of this process, which no other test uses."""
    top = f"/{uuid4().hex}"
    yield f"memory:/{top}/export"
    MEMORY.rm(top, recursive=True) if MEMORY.exists(top) else None


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def remote_tree(url: str) -> dict[str, bytes]:
    top = url.removeprefix("memory:/")
    return {path.removeprefix(f"{top}/"): MEMORY.cat_file(path) for path in MEMORY.find(top)}


def test_the_record_names_the_mixture_and_every_file(mixture, tmp_path):
    export(ExportRequest(mixture=mixture), "jsonl", tmp_path / "out")
    record = read_record(tmp_path / "out" / EXPORT, ExportRecord)
    files = {name: sha256_of(tmp_path / "out" / name) for name in tree(tmp_path / "out") if name != EXPORT}
    assert record.files == files
    assert record.mixture.name == "counting"


def test_an_export_is_replaced_whole(mixture, tmp_path):
    export(ExportRequest(mixture=mixture), "jsonl", tmp_path / "out")
    export(ExportRequest(mixture=mixture), "parquet", tmp_path / "out")
    assert not [name for name in tree(tmp_path / "out") if name.endswith(".jsonl")]


@pytest.mark.parametrize("name", ["notes.txt", "manifest.json", "train/00000.arrow"])
def test_a_folder_that_is_no_export_is_never_replaced(mixture, name, tmp_path):
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    with pytest.raises(DeclarationError, match="holds something that no export has written"):
        export(ExportRequest(mixture=mixture), "jsonl", tmp_path / "out")
    assert tree(tmp_path / "out") == {name: b"precious"}


def test_a_file_is_never_replaced(mixture, tmp_path):
    (tmp_path / "out").write_text("precious")
    with pytest.raises(DeclarationError, match="holds something"):
        export(ExportRequest(mixture=mixture), "jsonl", tmp_path / "out")


def test_an_empty_folder_is_filled(mixture, tmp_path):
    (tmp_path / "out").mkdir()
    export(ExportRequest(mixture=mixture), "jsonl", tmp_path / "out")
    assert EXPORT in tree(tmp_path / "out")


def test_a_url_gets_the_bytes_of_a_folder(mixture, url, tmp_path):
    export(ExportRequest(mixture=mixture), "parquet", tmp_path / "out")
    export(ExportRequest(mixture=mixture), "parquet", url)
    assert remote_tree(url) == tree(tmp_path / "out")


def test_an_export_at_a_url_is_replaced_whole(mixture, url):
    export(ExportRequest(mixture=mixture), "jsonl", url)
    export(ExportRequest(mixture=mixture), "parquet", url)
    assert not [name for name in remote_tree(url) if name.endswith(".jsonl")]


def test_a_url_that_holds_something_else_is_refused(mixture, url):
    MEMORY.pipe_file(f"{url.removeprefix('memory:/')}/notes.txt", b"precious")
    with pytest.raises(DeclarationError, match=r"notes|holds something"):
        export(ExportRequest(mixture=mixture), "jsonl", url)
    assert remote_tree(url) == {"notes.txt": b"precious"}


@pytest.mark.parametrize("out", ["nowhere://bucket/x", "s4://bucket"])
def test_an_unknown_protocol_is_one_sentence(mixture, out):
    with pytest.raises(DeclarationError, match=f"--out {out}"):
        export(ExportRequest(mixture=mixture), "jsonl", out)


def fill_and_fail(out: str) -> None:
    with destination(out) as folder:
        (folder / "half").write_text("half")
        raise ZeroDivisionError


def test_a_failure_leaves_a_folder_as_it_was(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fill_and_fail(str(tmp_path / "out"))
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_failure_leaves_a_url_as_it_was(url):
    with pytest.raises(ZeroDivisionError):
        fill_and_fail(url)
    assert remote_tree(url) == {}


def test_an_upload_that_fails_is_removed_and_is_one_sentence(mixture, url, monkeypatch):
    put, seen = type(MEMORY).put_file, []

    def put_one(self, *arguments, **options):
        seen.append(arguments)
        if len(seen) == 2:
            raise OSError("quota exceeded")
        return put(self, *arguments, **options)

    monkeypatch.setattr(type(MEMORY), "put_file", put_one)
    with pytest.raises(ExecutionError, match="quota exceeded"):
        export(ExportRequest(mixture=mixture), "jsonl", url)
    assert remote_tree(url) == {}


def test_the_record_of_an_upload_comes_last(mixture, url, monkeypatch):
    put, order = type(MEMORY).put_file, []

    def noted(self, local, remote, **options):
        order.append(Path(remote).name)
        return put(self, local, remote, **options)

    monkeypatch.setattr(type(MEMORY), "put_file", noted)
    export(ExportRequest(mixture=mixture), "jsonl", url)
    assert order[-1] == EXPORT
    assert order.count(EXPORT) == 1


def test_a_killed_export_leaves_no_export_and_the_next_one_sweeps_its_rests(mixture, tmp_path):
    code = (
        "import sys, time\n"
        "from flanbuild.export.destination import destination\n"
        "with destination(sys.argv[1]) as folder:\n"
        "    (folder / 'half').write_text('half')\n"
        "    print('started', flush=True)\n"
        "    time.sleep(600)\n"
    )
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", code, out], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout.readline() == b"started\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not out.exists()
    export(ExportRequest(mixture=mixture), "jsonl", out)
    assert sorted(path.name for path in tmp_path.iterdir() if "staging" in path.name) == []
