"""A project's declarations are found by name."""

import shutil

import pytest
from conftest import ROOT

from flanbuild.declare.project import (
    find_mixture,
    mixture_names,
    mixtures_folder,
    packaged_mixtures,
    task_files,
)
from flanbuild.errors import DeclarationError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with one task file and one mixture, as the current folder."""
    (tmp_path / "mixtures/tasks/nli").mkdir(parents=True)
    shutil.copy(ROOT / "mixtures/tasks/nli/rte.yaml", tmp_path / "mixtures/tasks/nli")
    (tmp_path / "mixtures/mine.yaml").write_text("tasks: [rte]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_without_task_files_uses_those_that_come_with_flanbuild(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mixtures").mkdir()

    assert mixtures_folder() == packaged_mixtures()
    assert len(task_files()) == 70


def test_a_project_has_its_own_task_files_and_mixtures(project):
    assert list(task_files()) == ["rte"]
    assert mixture_names() == ["mine"]


@pytest.mark.parametrize("name", ["mine", "mixtures/mine.yaml"])
def test_a_mixture_is_found_in_the_folder_of_mixtures(project, name):
    assert find_mixture(name).tasks == ("rte",)


def test_a_mixture_is_found_in_the_current_folder(project):
    (project / "other.v2.yaml").write_text("tasks: [rte]\n")

    assert find_mixture("other.v2").name == "other.v2"


def test_two_mixtures_of_one_name_are_one_sentence_with_both_paths(project):
    (project / "mine.yaml").write_text("tasks: [rte]\n")

    with pytest.raises(
        DeclarationError, match=r"Two mixtures are named 'mine': mine.yaml and mixtures/mine.yaml; name one"
    ):
        find_mixture("mine")


def test_an_unknown_mixture_names_the_nearest(project):
    with pytest.raises(
        DeclarationError, match=r"mixtures/mined.yaml: no such mixture. Did you mean 'mine'\?"
    ):
        find_mixture("mined")
