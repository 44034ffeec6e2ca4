"""A queued experiment runs the files that it was queued with, whatever the workspace has by then."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

pytestmark = [pytest.mark.needs("dvc"), pytest.mark.slow]

TARGET = "render@coreference"
CODE = "flanbuild/artifacts/files.py"
TEMPLATE = "mixtures/tasks/coreference/winogrande.yaml"


def run(*command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(*given: str) -> str:
    return run(sys.executable, "-m", "dvc", *given)


def edit(name: str, old: str, new: str) -> None:
    path = Path(name)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def rendered(lock: str) -> str:
    """The hash of the rendered rows in a dvc.lock."""
    return YAML(typ="safe").load(lock)["stages"][TARGET]["outs"][0]["md5"]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """The committed and changed files of this clone, as a repository of their own."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    run("git", "init", "--quiet")
    run("git", "config", "user.name", "a")
    run("git", "config", "user.email", "a@example.org")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "a clone")


@pytest.mark.usefixtures("clone")
def test_an_edit_changes_the_output_of_the_experiment_that_was_queued_with_it_and_of_no_other():
    edit(CODE, "indent=2", "indent=7")
    dvc("exp", "run", "--queue", "--name", "code", TARGET)
    run("git", "checkout", CODE)
    edit(TEMPLATE, "  - inputs: |\n", "  - inputs: |\n      Read this first.\n")
    dvc("exp", "run", "--queue", "--name", "template", TARGET)
    run("git", "checkout", TEMPLATE)
    dvc("exp", "run", "--queue", "--name", "plain", TARGET)

    dvc("exp", "run", "--run-all")
    dvc("repro", TARGET)

    head = run("git", "rev-parse", "HEAD").strip()
    hashes = {
        name: rendered(run("git", "show", f"refs/exps/{head[:2]}/{head[2:]}/{name}:dvc.lock"))
        for name in ("plain", "code", "template")
    }
    assert hashes["plain"] == rendered(Path("dvc.lock").read_text())
    assert len(set(hashes.values())) == 3
