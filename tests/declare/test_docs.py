"""The tables of the docs have the entries of the registries and the keys of the models, in their order."""

import re

import pytest
from conftest import ROOT

from flanbuild.declare.metrics import METRICS
from flanbuild.declare.mixture import Mixture, Requirements
from flanbuild.declare.rate import SCHEMES
from flanbuild.declare.task import SourceDeclaration, Task


def table(page: str, first: str) -> list[list[str]]:
    """The cells of the table whose first heading is `first`, without its two heading lines."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    lines = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines.splitlines()]


def test_the_table_of_metrics_is_the_registry():
    declared = [
        [
            f"`{metric.name}`",
            metric.description,
            "higher" if metric.higher_is_better else "lower",
            "percent" if metric.percentage else "as stated",
            ", ".join(f"`{package}`" for package in metric.packages) or "none",
        ]
        for metric in METRICS.values()
    ]

    assert table("task-files.md", "metric") == declared


def test_the_table_of_rate_schemes_is_the_registry():
    declared = [
        [f"`{scheme.name}`", ", ".join(f"`{key}`" for key in scheme.keys) or "none", scheme.description]
        for scheme in SCHEMES.values()
    ]

    assert table("mixtures.md", "scheme") == declared


@pytest.mark.parametrize(("number", "model"), [(0, Mixture), (1, Requirements)])
def test_every_key_of_a_mixture_has_a_row(number, model):
    text = (ROOT / "docs" / "mixtures.md").read_text(encoding="utf-8")
    keys = re.findall(r"^\| key \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)[number]

    declared = [key for key in model.model_fields if key not in ("name", "path")]
    assert re.findall(r"^\| `(\w+)` \|", keys, re.MULTILINE) == declared


def test_every_key_of_a_task_file_is_explained():
    text = (ROOT / "docs" / "task-files.md").read_text(encoding="utf-8")
    top = set(Task.model_fields) - {"name", "dataset", "cluster", "path"} | {"subsets"}

    assert {key for key in top if not re.search(rf"^{key}:", text, re.MULTILINE)} == set()
    assert {
        key for key in SourceDeclaration.model_fields if not re.search(rf"^  {key}:", text, re.MULTILINE)
    } == set()
