"""dvc.yaml says of each stage what its script reads, and a stage runs the code that lies beside it."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from flanbuild.artifacts.records import Manifest, read_record
from flanbuild.declare.params import load_params
from flanbuild.declare.task_files import load_tasks

STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
NO_INFLUENCE = ("flanbuild/__init__.py", "flanbuild/errors.py", "flanbuild/progress.py", "flanbuild/cli/")
"""Messages and progress bars change no output."""


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


def closure(stage: str) -> set[str]:
    """The modules that a stage's script imports, directly or not, as paths below the root."""
    seen: set[Path] = set()
    waiting = [ROOT / "pipeline" / f"{stage}.py"]
    while waiting:
        new = imported(waiting.pop()) - seen
        seen |= new
        waiting += new
    paths = {path.relative_to(ROOT).as_posix() for path in seen}
    return {path for path in paths if not path.startswith(NO_INFLUENCE)}


def declared(stage: str) -> list[str]:
    """The folders and modules of flanbuild among a stage's deps."""
    body = STAGES[stage].get("do", STAGES[stage])
    return [dep for dep in body["deps"] if dep.startswith("flanbuild")]


def covers(dep: str, module: str) -> bool:
    return module == dep or module.startswith(f"{dep}/")


@pytest.mark.parametrize("stage", STAGES)
def test_every_module_that_a_stage_imports_is_among_its_deps(stage):
    missing = {module for module in closure(stage) if not any(covers(dep, module) for dep in declared(stage))}

    assert missing == set()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_no_folder_that_it_does_not_import(stage):
    idle = [dep for dep in declared(stage) if not any(covers(dep, module) for module in closure(stage))]

    assert idle == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_its_script_and_runs_it_as_a_module(stage):
    body = STAGES[stage].get("do", STAGES[stage])

    assert f"pipeline/{stage}.py" in body["deps"]
    assert body["cmd"].startswith(f"python -m pipeline.{stage} ")
    assert body["desc"]


@pytest.mark.parametrize("stage", ["download", "render", "evalset"])
def test_there_is_a_stage_for_every_cluster(stage):
    clusters = {task.cluster for task in load_tasks([ROOT / "mixtures" / "tasks"]).values()}

    assert set(STAGES[stage]["foreach"]) == clusters


def test_a_report_reads_its_own_hold_out_and_no_other():
    evaluations = [dep for dep in STAGES["report"]["do"]["deps"] if dep.startswith("reports/")]

    assert evaluations == ["reports/holdouts/${key}"]


def test_a_wrong_hold_out_stops_the_first_stage_before_it_writes_anything(tmp_path):
    (tmp_path / "params.yaml").write_text("holdouts: {sentimant: {holdout: [sentimant]}}\n")
    arguments = [
        "--tasks",
        "mixtures/tasks",
        "--mixture",
        "mixtures/smoke.yaml",
        "--out",
        str(tmp_path / "out"),
    ]
    command = [
        sys.executable,
        "-m",
        "pipeline.declare",
        *arguments,
        "--params",
        str(tmp_path / "params.yaml"),
    ]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no cluster, dataset or task 'sentimant'. Did you mean 'sentiment'?" in done.stderr
    assert not (tmp_path / "out").exists()


def test_params_yaml_is_what_the_command_line_expects():
    assert load_params(ROOT / "params.yaml").source == "sample"


def test_a_stage_in_a_copy_of_the_tree_runs_the_code_of_the_copy(tmp_path):
    # The environment has the workspace installed; a queued experiment and a second clone run elsewhere.
    for folder in ("flanbuild", "pipeline", "mixtures"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    mark = tmp_path / "flanbuild" / "artifacts" / "files.py"
    mark.write_text(mark.read_text().replace("indent=2", "indent=7"))
    command = [sys.executable, "-m", "pipeline.declare", "--tasks", "mixtures/tasks", "--out", "declared"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    subprocess.run([*command, "--mixture", "mixtures/smoke.yaml"], cwd=tmp_path, env=environment, check=True)

    assert '\n       "cap"' in (tmp_path / "declared" / "mixture.json").read_text()


def test_the_data_stages_give_what_the_command_line_gives(tmp_path):
    stages = {
        "download": ["--cluster", "coreference", "--sample-rows", "60"],
        "render": ["--cluster", "coreference", "--mixture", "mine.yaml"],
        "evalset": ["--cluster", "coreference", "--max-rows", "5"],
        "mix": ["--mixture", "mine.yaml", "--holdout", "wsc273"],
    }
    (tmp_path / "mine.yaml").write_text("clusters: [coreference]\nshards: 2\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for name, arguments in stages.items():
        tasks = ["--tasks", str(ROOT / "mixtures" / "tasks")]
        command = [sys.executable, "-m", f"pipeline.{name}", *tasks, *arguments, "--data", "stages"]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)

    command = ["mixture", "mine.yaml", "--holdout", "wsc273", "--sample-rows", "60", "--data", "commands"]
    done = subprocess.run(
        [sys.executable, "-m", "flanbuild", *command],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )

    manifests = list((tmp_path / "stages").glob("mixtures/*/manifest.json"))
    assert [read_record(path, Manifest).digest for path in manifests] == done.stdout.split()
    sets = {path.parent.name for path in (tmp_path / "stages" / "evaluation").rglob("test.arrow")}
    assert {"wsc273", "wsc", "dpr", "winogrande"} >= sets >= {"wsc273", "winogrande"}


OWN = """\
source: {files: {train: ../../rows.csv}, license: mit}
columns: {text: string, label: class_label}
labels: [a, b]
splits: {train: train}
fields: {text: text}
options: {a: a, b: b}
metrics: [accuracy]
templates:
  - {inputs: "{text}", targets: "{answer}"}
"""


def stage(folder, name, *arguments):
    command = [sys.executable, "-m", f"pipeline.{name}", "--tasks", str(folder / "tasks"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def own(tmp_path):
    """A folder with a task file of a new cluster and its rows."""
    (tmp_path / "tasks" / "letters").mkdir(parents=True)
    (tmp_path / "tasks" / "letters" / "ab.yaml").write_text(OWN)
    (tmp_path / "rows.csv").write_text("text,label\none,a\ntwo,b\n")
    (tmp_path / "mine.yaml").write_text("shards: 1\n")
    return tmp_path


def test_a_changed_row_of_a_local_file_changes_what_download_depends_on(own):
    arguments = ["--mixture", str(own / "mine.yaml"), "--out", str(own / "declared")]
    declared = []
    for label in "ab":
        (own / "rows.csv").write_text(f"text,label\none,{label}\ntwo,b\n")
        assert stage(own, "declare", *arguments).returncode == 0
        declared.append((own / "declared" / "sources" / "letters.json").read_text())

    assert declared[0] != declared[1]


def test_a_cluster_that_dvc_does_not_render_is_a_fault_that_names_it(own):
    data = ["--data", str(own / "data")]
    mixture = ["--mixture", str(own / "mine.yaml")]
    for name in ("download", "render"):
        done = stage(own, name, "--cluster", "letters", *data, *(mixture if name == "render" else []))
        assert done.returncode == 0, done.stderr
    (own / "tasks" / "words").mkdir()
    shutil.copy(own / "tasks" / "letters" / "ab.yaml", own / "tasks" / "words" / "cd.yaml")

    done = stage(own, "mix", *mixture, *data)

    assert done.returncode == 2
    assert "cd is not rendered; name the cluster 'words' under `foreach` in dvc.yaml" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.needs("dvc")
@pytest.mark.parametrize(
    "name",
    [
        "flanbuild/sources/__pycache__/raw.cpython-311.pyc",
        "data/raw/nli/.rte.lock",
        "data/raw/nli/.rte.staging-1-abc/train.parquet",
        "reports/holdouts/.nli.answers/0123.arrow",
    ],
)
def test_bytecode_locks_and_staging_folders_are_no_part_of_what_dvc_reads(name):
    # They differ between clones, so a folder among deps or outs would be another one in each.
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "check-ignore", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.splitlines() == [name]
