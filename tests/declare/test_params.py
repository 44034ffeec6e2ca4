import os

import pytest

from flanbuild.declare.params import Params, load_params
from flanbuild.errors import DeclarationError


@pytest.fixture
def params(tmp_path):
    def load(text: str) -> Params:
        path = tmp_path / "params.yaml"
        path.write_text(text)
        return load_params(path)

    return load


def test_without_a_file_the_defaults_hold(tmp_path):
    assert load_params(tmp_path / "params.yaml") == Params()


def test_an_empty_file_has_the_defaults(params):
    assert params("") == Params()


def test_the_keys_of_another_tool_are_ignored(params):
    assert params("prepare: {seed: 1}\nmirror: /data\n").mirror == "/data"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sources: hub", "params.yaml:1: sources: no key 'sources' is known here. Did you mean 'source'?"),
        ("sample: {row: 5}", "params.yaml:1: sample.row: no key 'row' is known here. Did you mean 'rows'?"),
        (
            "holdouts: {anli: {holdout: [anli/r1]}}",
            "holdouts: 'anli' has to be called 'anli.r1', as its mixture folder is.",
        ),
        (
            "holdouts: {nli: {holdout: [nli]}}\nplotted: nlo",
            "plotted: 'nlo' is none of the holdouts: nli.",
        ),
        ("source: hubb", "params.yaml:1: source: no 'hubb' is known here. Did you mean 'hub'?"),
    ],
)
def test_a_misspelt_key_or_value_is_a_fault_with_its_line(params, text, sentence):
    with pytest.raises(DeclarationError) as caught:
        params(text)

    assert str(caught.value).endswith(sentence)


def test_what_is_no_file_is_a_fault(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")

    for name in ("folder", "link", "pipe"):
        with pytest.raises(DeclarationError, match=f"{name}: not a file"):
            load_params(tmp_path / name)


def test_a_file_that_is_no_mapping_is_a_fault(params):
    with pytest.raises(DeclarationError, match="expected a mapping"):
        params("- a")
