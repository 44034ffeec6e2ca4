"""What is checked before DVC runs is what DVC makes of the overrides."""

import shutil

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from flanbuild.errors import DeclarationError
from flanbuild.study.overrides import applied, arguments, by_file, parse


@pytest.mark.needs("dvc")
@pytest.mark.parametrize(
    "overrides",
    [
        {"train.steps": 5},
        {"train.hidden_size": 64},  # a key that the file does not have
        {"source": "mirror", "mirror": "/data/a mirror's rows"},
        {"train.model": "org/name-1.5", "train.lora_merge": True, "train.revision": None},
        {"holdouts": {"anli.r1-sentiment": {"holdout": ["anli/r1", "sentiment"]}}},
        {"train.learning_rate": 3e-05, "train.template": "true"},
        {"evaluate": {"examples": 7}, "plotted": "nli"},
    ],
)
def test_dvc_applies_overrides_as_they_are_checked(overrides, tmp_path):
    from dvc.utils.cli_parse import to_path_overrides
    from dvc.utils.hydra import apply_overrides

    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    before = YAML(typ="safe").load(path.read_text())
    texts = [text.removeprefix("--set-param=") for text in arguments(overrides)]
    apply_overrides(path, to_path_overrides(texts)["params.yaml"])

    assert YAML(typ="safe").load(path.read_text()) == applied(before, overrides)


def test_overrides_are_of_params_yaml_unless_they_name_a_file():
    assert by_file({"train.steps": 5, "mixtures/a.yaml:size.passes": 1}) == {
        "params.yaml": {"train.steps": 5},
        "mixtures/a.yaml": {"size.passes": 1},
    }


def test_a_command_line_gives_values_in_yaml():
    given = ["mixtures/a.yaml:clusters=[nli, misc]", "train.learning_rate=0.1", "mirror=/data=1"]

    assert parse(given) == {
        "mixtures/a.yaml:clusters": ["nli", "misc"],
        "train.learning_rate": 0.1,
        "mirror": "/data=1",
    }


@pytest.mark.parametrize("text", ["train.steps", "=5", "a=[1"])
def test_an_override_without_a_key_or_a_value_is_refused(text):
    with pytest.raises(DeclarationError, match=r"expected \[FILE:\]KEY=VALUE"):
        parse([text])
