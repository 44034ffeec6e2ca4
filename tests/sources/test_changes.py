"""What `lock --update` shows before it writes: commits, rows and licenses of the datasets that moved."""

import os
import subprocess
import sys

import pyarrow as pa
import pytest
from conftest import ROOT
from hub_server import Hub, Repo
from hub_world import parquet

from flanbuild.sources.lock import read_lock

pytestmark = pytest.mark.needs("hub")

PAGE = """\
source: {repo: org/rows, config: default, license: mit, homepage: "https://example.org"}
columns: {text: string, label: class_label}
labels: [no, yes]
splits: {train: train}
fields: {text: text}
options: {no: no, yes: yes}
metrics: [accuracy]
templates:
  - inputs: "{text} {options_}"
    targets: "{answer}"
"""


def files(rows: int, license_name: str) -> dict[str, bytes]:
    table = pa.table({"text": ["x"] * rows, "label": pa.array([0] * rows, pa.int64())})
    card = f"---\nlicense: {license_name}\n---\n"
    return {"README.md": card.encode(), "data/train-00000-of-00001.parquet": parquet(table)}


@pytest.fixture
def hub():
    with Hub({"org/rows": Repo({"main": files(30, "mit")})}).serving() as serving:
        yield serving


@pytest.fixture
def project(hub, tmp_path):
    """A project of one task, locked; runs a command in it."""
    page = tmp_path / "mixtures/tasks/mine/rows.yaml"
    page.parent.mkdir(parents=True)
    page.write_text(PAGE)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-m", "flanbuild", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | settings,
        )

    locked = run("lock")
    assert locked.returncode == 0, locked.stderr
    return run


def move(hub: Hub, *, keep: bool) -> tuple[str, str]:
    """Other rows and another license upstream; returns both commits, of which the first may be gone."""
    repo = hub.repos["org/rows"]
    before = repo.commit("main")
    if keep:
        repo.history[before] = repo.branches["main"]
    repo.branches["main"] = files(20, "cc-by-nc-4.0")
    return before, repo.commit("main")


def locked_commit(folder) -> str:
    return read_lock(folder / "mixtures/lock.json").tasks["rows"].commit


def test_commits_rows_and_licenses_are_shown_and_nothing_is_written(hub, project, tmp_path):
    before, after = move(hub, keep=True)
    run = project("lock", "--update")
    assert run.returncode == 1
    assert run.stdout.splitlines()[-3:] == [
        "# 1 tasks change",
        "task\trepository\tcommit\trows\tlicense",
        f"rows\torg/rows\t{before[:12]} → {after[:12]}\t30 → 20\tmit → cc-by-nc-4.0",
    ]
    assert run.stderr.splitlines()[-1] == (
        "flanbuild: mixtures/lock.json: nothing was written; `--yes` writes these 1 changes."
    )
    assert locked_commit(tmp_path) == before


def test_what_can_no_longer_be_read_of_the_old_commit_is_unknown(hub, project):
    move(hub, keep=False)
    assert project("lock", "--update").stdout.splitlines()[-1].split("\t")[3:] == [
        "unknown → 20",
        "unknown → cc-by-nc-4.0",
    ]


def test_yes_shows_the_same_and_writes(hub, project, tmp_path):
    _, after = move(hub, keep=True)
    run = project("lock", "--update", "--yes")
    assert run.returncode == 0
    assert "\t30 → 20\tmit → cc-by-nc-4.0\n" in run.stdout
    assert locked_commit(tmp_path) == after


@pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False)])
def test_a_terminal_is_asked(answer, written, hub, project, tmp_path):
    before, after = move(hub, keep=True)
    code = (
        "import pty, sys; sys.exit(pty.spawn([sys.executable, '-m', 'flanbuild', 'lock', '--update']) >> 8)"
    )
    settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", code],
        input=f"{answer}\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | settings,
    )
    assert "Write these 1 changes to mixtures/lock.json? [y/N]" in run.stdout
    assert run.returncode == (0 if written else 1)
    assert locked_commit(tmp_path) == (after if written else before)


def test_an_update_without_news_asks_nothing(project):
    run = project("lock", "--update")
    assert (run.returncode, run.stdout) == (0, "mixtures/lock.json: 1 tasks locked, nothing moved.\n")
