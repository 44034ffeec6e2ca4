"""dvc.yaml says of each stage what its script reads."""

import ast
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from flanbuild.declare.mixture import load_mixture
from flanbuild.declare.params import load_params

STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]


def imported(path: Path) -> set[Path]:
    """The flanbuild modules that a file imports, at its top or inside a function."""
    names = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []  # read by mypy alone
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    found = set()
    for name in names:
        parts = name.split(".")
        if parts[0] == "flanbuild":
            for depth in range(1, len(parts) + 1):
                module = ROOT.joinpath(*parts[:depth])
                found |= {p for p in (module.with_suffix(".py"), module / "__init__.py") if p.is_file()}
    return found


def closure(path: Path) -> set[Path]:
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        new = imported(waiting.pop()) - seen
        seen |= new
        waiting += new
    return seen


def declared(stage: str) -> set[Path]:
    """The flanbuild files among a stage's deps; a folder stands for all below it."""
    body = STAGES[stage].get("do", STAGES[stage])
    paths = [ROOT / dep for dep in body["deps"] if dep.startswith("flanbuild")]
    return {file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])}


@pytest.mark.parametrize("stage", STAGES)
def test_the_deps_of_a_stage_are_the_imports_of_its_script(stage):
    assert declared(stage) == closure(ROOT / "pipeline" / f"{stage}.py")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_its_script(stage):
    body = STAGES[stage].get("do", STAGES[stage])

    assert f"pipeline/{stage}.py" in body["deps"]
    assert f"python pipeline/{stage}.py" in body["cmd"]


@pytest.mark.parametrize("stage", ["download", "render"])
def test_there_is_a_stage_for_every_cluster(stage):
    assert STAGES[stage]["foreach"] == list(load_mixture(ROOT / "mixtures" / "flan2021.yaml").clusters)


def test_params_yaml_is_what_the_command_line_expects():
    assert load_params(ROOT / "params.yaml").source == "sample"


def test_bytecode_is_no_part_of_what_a_stage_reads():
    # It holds times of its source, so a folder among the deps would be another one in every clone.
    bytecode = "flanbuild/sources/__pycache__/raw.cpython-311.pyc"
    done = subprocess.run(
        ["dvc", "check-ignore", bytecode], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines() == [bytecode]
