"""The JSON Schemas that editors use: current, true of every file of the project, and strict about the rest."""

import json

import pytest
from conftest import PAGE, ROOT
from ruamel.yaml import YAML
from typer.testing import CliRunner

from flanbuild.cli.app import app
from flanbuild.declare.metrics import METRICS
from flanbuild.declare.rate import SCHEMES
from flanbuild.declare.schema import SCHEMAS, mixture_schema, schema_text, task_file_schema

TASK_FILES = sorted((ROOT / "mixtures" / "tasks").rglob("*.yaml"))
MIXTURES = sorted((ROOT / "mixtures").glob("*.yaml"))


def faults(name: str, text: str) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema", reason="the dev dependencies are not installed")
    data = YAML(typ="safe").load(text)
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMAS[name]()).iter_errors(data)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_committed_schema_is_current(name):
    committed = (ROOT / "mixtures" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")

    assert committed == schema_text(name), f"flanbuild schema {name} > mixtures/schemas/{name}.schema.json"


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_itself(name):
    jsonschema = pytest.importorskip("jsonschema", reason="the dev dependencies are not installed")

    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name]())


def test_the_command_prints_the_schema():
    result = CliRunner().invoke(app, ["schema", "mixture"])

    assert json.loads(result.stdout) == mixture_schema()


@pytest.mark.parametrize("path", TASK_FILES, ids=lambda path: path.stem)
def test_every_task_file_fits_its_schema(path):
    assert faults("task", path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", MIXTURES, ids=lambda path: path.stem)
def test_every_mixture_fits_its_schema(path):
    assert faults("mixture", path.read_text(encoding="utf-8")) == []


SHORT_FORMS = {
    "local files without a repository": ("repo: aps/super_glue, config: rte", "files: {train: x.csv, test: [a.csv, b.csv]}"),
    "the file of each column": ("repo: aps/super_glue, config: rte", "files: {train: {premise: a.txt, label: b.txt}}"),
    "a list of upstream splits": ("test: validation", "test: [validation, dev]"),
    "a struct and a list": ("premise: string", "premise: {text: [string], at: [int32]}"),
    "options by expression": ("{entailment: yes, not_entailment: no}", "[a, b]"),
    "subsets with a key that the file lacks": ("metrics: [accuracy]", "subsets: {a: {metrics: [f1]}}"),
}  # fmt: skip


@pytest.mark.parametrize("name", SHORT_FORMS)
def test_a_short_form_fits(name):
    before, after = SHORT_FORMS[name]
    assert before in PAGE

    assert faults("task", PAGE.replace(before, after)) == []


WRONG = {
    "an unknown key": ("metrics:", "metric: [f1]\nmetrics:"),
    "a key that the file's name gives": ("metrics:", "name: rte\nmetrics:"),
    "a missing key": ("fields: {premise: premise, hypothesis: hypothesis}", ""),
    "an unknown metric": ("[accuracy]", "[accurasy]"),
    "an unknown column type": ("premise: string", "premise: sting"),
    "a list of two types": ("premise: string", "premise: [string, int64]"),
    "another split": ("test: validation", "dev: validation"),
    "a split name that leaves its folder": ("test: validation", "test: ../x"),
    "a template without targets": ('    targets: "{answer}"\n', ""),
    "no source of rows": ("repo: aps/super_glue, config: rte", "config: rte"),
    "a subset's unknown key": ("metrics:", "subsets: {a: {metric: [f1]}}\nmetrics:"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_task_file_does_not_fit(name):
    before, after = WRONG[name]
    assert before in PAGE

    assert faults("task", PAGE.replace(before, after, 1))


@pytest.mark.parametrize(
    "text", ["cap: 0", "rates: {}", "rate: {scheme: unifrom}", "related: [[a]]", "clusters: [a/b]", "name: x"]
)
def test_a_wrong_mixture_does_not_fit(text):
    assert faults("mixture", text)


def test_names_of_registries_are_offered_for_completion():
    metric = task_file_schema()["properties"]["metrics"]["items"]
    scheme = mixture_schema()["$defs"]["Rate"]["properties"]["scheme"]

    assert metric["enum"] == list(METRICS)
    assert scheme["enum"] == list(SCHEMES)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_has_a_description_for_the_editor(name):
    schema = SCHEMAS[name]()
    objects = [schema, *schema["$defs"].values()]

    undescribed = [
        key
        for node in objects
        for key, value in node.get("properties", {}).items()
        if "description" not in value
    ]
    assert undescribed == []
