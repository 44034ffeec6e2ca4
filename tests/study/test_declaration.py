"""A file of studies is checked whole, before any work, and studies share the runs that are equal."""

import re

import pytest
from conftest import ROOT

from flanbuild.errors import DeclarationError
from flanbuild.study.declaration import StudyDeclaration, StudyFile, load_studies, select
from flanbuild.study.run import runs_of

FILE = """\
holdout: [nli]
set: {train.steps: 5}
studies:
  templates:
    desc: Templates per task
    axis: templates per task
    grid: {"mixtures/toy.yaml:templates": [1, 10]}
  steps:
    desc: Steps
    axis: steps
    points:
      - {at: few, set: {train.steps: 2}}
      - {at: many}
"""
MIXTURE = "tasks: [rte, sst2]\nsize: {passes: 1}\n"
PARAMS = "mixture: toy\ntrain: {steps: 100}\nanother_tool: {seed: 1}\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "mixtures").mkdir()
    (tmp_path / "mixtures" / "toy.yaml").write_text(MIXTURE)
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load(project, tasks):
    def load_text(text=FILE, **changed):
        (project / "studies.yaml").write_text(text)
        return load_studies(project / "studies.yaml", tasks, changed.get("changed"))

    return load_text


def names(studies):
    return [run.name for run in runs_of(studies)]


def test_studies_share_a_run_whose_settings_are_equal(load):
    # "many" has the steps of the file and the mixture's ten templates, as the second point of the first study.
    assert names(load()) == ["templates-1", "templates-10", "steps-few"]


def test_a_default_that_is_written_out_is_the_same_run(load):
    studies = load(FILE.replace("{at: many}", "{at: many, set: {train.hidden_size: 128}}"))

    assert names(studies) == ["templates-1", "templates-10", "steps-few"]


def test_a_run_keeps_its_name_when_its_study_runs_alone(load):
    assert names(select(load(), ["steps"])) == ["steps-few", "templates-10"]


def test_each_seed_is_a_run(load):
    studies = load(FILE.replace("holdout: [nli]", "holdout: [nli]\nseeds: [0, 1]"))

    assert names(studies)[:2] == ["templates-1-seed0", "templates-1-seed1"]
    assert {run.overrides["train.seed"] for run in runs_of(studies)} == {0, 1}


def test_a_grid_has_a_point_for_each_combination(load):
    grid = 'grid: {"mixtures/toy.yaml:templates": [1, 10], train.layers: [1, 2]}'
    first, _ = load(FILE.replace('grid: {"mixtures/toy.yaml:templates": [1, 10]}', grid))

    assert [point.label for point in first.points] == ["1, 1", "1, 2", "10, 1", "10, 2"]


def test_parameters_of_the_command_line_stand_above_the_file_and_below_a_point(load):
    runs = {run.name: run for run in runs_of(load(changed={"train.steps": 9, "source": "mirror"}))}

    assert runs["templates-1"].overrides["train.steps"] == 9
    assert runs["steps-few"].overrides["train.steps"] == 2
    assert {run.overrides["source"] for run in runs.values()} == {"mirror"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "    axis: steps",
            "    axis: steps\n    axs: 1",
            r"yaml:11: studies.steps.axs: no key 'axs' .* 'axis'\?",
        ),
        (
            "{train.steps: 5}",
            "{train.stepz: 5}",
            r"yaml:2: set: train: no setting 'stepz' .* Did you mean 'steps'\?",
        ),
        (
            "{train.steps: 5}",
            "{trian.steps: 5}",
            r"yaml:2: set: no key 'trian.steps' of params.yaml .* 'train'\?",
        ),
        (
            "{train.steps: 2}",
            "{train.steps: two}",
            r"yaml:12: studies.steps.points\[0\]: train.steps: found 'two'",
        ),
        (
            "yaml:templates",
            "yaml:tempaltes",
            r"yaml:7: studies.templates.grid: tempaltes: no key .* 'templates'\?",
        ),
        ("toy.yaml", "toi.yaml", r"yaml:7: studies.templates.grid: 'mixtures/toi.yaml' is not the mixture"),
        ("holdout: [nli]", "holdout: [nly]", r"no cluster, dataset or task 'nly'"),
        (
            "holdout: [nli]",
            "holdout: [nli, sentiment]",
            r"nothing is left to train on when nli, sentiment is held out",
        ),
        ("{train.steps: 2}", "{evaluate.examples: 3}", r"evaluate differs from the first point's"),
        ("at: many", "at: few", r"there are two points 'few'"),
        ("points:\n", "grid: {train.steps: [1]}\n    points:\n", r"a study has either points or a grid"),
    ],
)
def test_a_fault_is_one_sentence_with_its_line(load, old, new, message):
    with pytest.raises(DeclarationError, match=message) as error:
        load(FILE.replace(old, new))

    assert len(error.value.faults) == 1


def test_a_fault_of_the_command_line_says_so(load):
    with pytest.raises(DeclarationError, match=r"^-S: train: no setting 'stepz'") as error:
        load(changed={"train.stepz": 1})

    assert len(error.value.faults) == 1


def test_a_study_that_does_not_exist_is_named_with_the_nearest(load):
    with pytest.raises(DeclarationError, match=r"no study 'templats'. Did you mean 'templates'\?"):
        select(load(), ["templats"])


def test_the_studies_of_the_project_are_those_of_the_paper(tasks, monkeypatch):
    monkeypatch.chdir(ROOT)
    studies = load_studies(ROOT / "studies.yaml", tasks)

    assert [study.name for study in studies] == [
        "clusters",
        "datasets",
        "templates",
        "style",
        "size",
        "steps",
    ]


@pytest.mark.parametrize(("heading", "model"), [("file", StudyFile), ("study", StudyDeclaration)])
def test_every_key_has_a_row_in_the_docs(heading, model):
    text = (ROOT / "docs" / "ablations.md").read_text(encoding="utf-8")
    rows = re.search(rf"^\| key of (?:the|a) {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)[1]

    assert re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE) == list(model.model_fields)
