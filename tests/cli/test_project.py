"""`flanbuild init` lays out a project that builds."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

from flanbuild.declare.project import lay_out
from flanbuild.declare.task_files import load_tasks
from flanbuild.errors import DeclarationError

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def flanbuild(*arguments, cwd):
    command = [sys.executable, "-m", "flanbuild", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=ENVIRONMENT)


@pytest.fixture
def project(tmp_path):
    lay_out(tmp_path / "new")
    return tmp_path / "new"


def test_a_project_has_all_task_files_and_one_to_edit(project, tasks):
    assert load_tasks([project / "mixtures/tasks"]).keys() == tasks.keys() | {"tickets"}


def test_check_finds_no_fault_in_a_new_project(project):
    run = flanbuild("check", cwd=project)

    assert "no fault" in run.stdout, run.stderr


def test_a_mixture_of_a_new_project_builds_with_its_own_rows(project):
    run = flanbuild("mixture", "--holdout", "nli", cwd=project)

    assert run.returncode == 0, run.stderr
    assert (project / "data/mixtures/mine-without-nli/train").is_dir()
    assert (project / "data/raw/support/tickets").is_dir()


def test_init_prints_what_to_edit_and_the_next_commands(tmp_path):
    printed = flanbuild("init", "new", cwd=tmp_path).stdout

    assert "new/mixtures/tasks/support/tickets.yaml\n" in printed
    assert "flanbuild mixture --holdout nli" in printed


def test_a_folder_with_other_files_is_taken(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")

    lay_out(tmp_path)

    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_nothing_is_overwritten_and_nothing_is_written_beside(tmp_path):
    (tmp_path / "params.yaml").write_text("source: hub\n")

    with pytest.raises(DeclarationError, match=r"params.yaml: already there, and nothing is overwritten"):
        lay_out(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.slow
def test_dvc_runs_the_stages_of_a_new_project_and_finds_them_done(project, tmp_path):
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/flanbuild"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m flanbuild "$@"\n')
    command.chmod(0o755)
    environment = ENVIRONMENT | {"PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}

    def dvc(*arguments):
        run = [sys.executable, "-m", "dvc", *arguments]
        return subprocess.run(
            run, cwd=project, env=environment, capture_output=True, text=True, check=True
        ).stdout

    dvc("init", "--no-scm", "--quiet")
    dvc("repro")

    assert "Data and pipelines are up to date." in dvc("status")
    assert flanbuild("verify", "data/mixtures/mine-without-support", cwd=project).returncode == 0
