"""dvc.lock follows the code, the declarations and the parameters beside it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.needs("dvc")

STAGE = """\
params: [params.yaml]
stages:
  copy:
    cmd: cp code/a.py out && echo 1 > figures.json
    deps: [code]
    params: [rows]
    outs: [out]
    metrics:
      - figures.json: {cache: false}
"""


def stale(root: Path) -> list[str]:
    """The files of a clone that dvc.lock does not know as they are: deps that no stage makes, and committed outs."""
    from dvc.repo import Repo

    found: set[str] = set()
    with Repo(str(root)) as repo:
        stages = repo.index.stages
        outs = [Path(out.fs_path) for stage in stages for out in stage.outs]
        for stage in stages:
            deps = [dep for dep in stage.deps if not overlaps(Path(dep.fs_path), outs)]
            committed = [out for out in stage.outs if not out.use_cache]
            for status in (edge.workspace_status() for edge in [*deps, *committed]):
                found |= status.keys()
            if stage.cmd_changed:
                found.add(f"dvc.yaml: the command of {stage.name}")
    return sorted(found)


def overlaps(path: Path, others: list[Path]) -> bool:
    return any(path.is_relative_to(other) or other.is_relative_to(path) for other in others)


def dvc(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def after_a_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "code").mkdir()
    (folder / "code" / "a.py").write_text("one = 1\n")
    (folder / "params.yaml").write_text("rows: 3\n")
    (folder / "dvc.yaml").write_text(STAGE)
    shutil.copy(ROOT / ".dvcignore", folder)
    dvc(folder, "init", "--no-scm", "--quiet", "--force")
    dvc(folder, "repro", "--quiet")
    return folder


@pytest.fixture
def project(after_a_run, tmp_path):
    """A project of one stage that was run."""
    return shutil.copytree(after_a_run, tmp_path / "project")


def test_the_lock_of_this_clone_follows_its_files():
    found = stale(ROOT)

    assert not found, (
        f"dvc.lock is older than {', '.join(found)}: run `make repro` and commit dvc.lock and metrics/"
    )


def test_a_lock_follows_after_a_run(project):
    assert stale(project) == []


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("code/a.py", "one = 2\n", "code"),
        ("code/b.py", "", "code"),
        ("params.yaml", "rows: 4\n", "params.yaml"),
        ("figures.json", "{}", "figures.json"),
    ],
)
def test_a_file_that_changed_since_the_run_is_named(project, file, text, found):
    (project / file).write_text(text)

    assert stale(project) == [found]


def test_a_changed_command_is_named(project):
    path = project / "dvc.yaml"
    path.write_text(path.read_text().replace("echo 1", "echo 2"))

    assert stale(project) == ["dvc.yaml: the command of copy"]


def test_a_commit_without_a_run_is_enough_where_a_change_changes_no_output(project):
    (project / "code" / "a.py").write_text("one = 1  # the first\n")
    dvc(project, "commit", "--force", "--quiet")

    assert stale(project) == []


def test_bytecode_makes_no_lock_stale(project):
    (project / "code" / "__pycache__").mkdir()
    (project / "code" / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"0")

    assert stale(project) == []
