"""The command line teaches, is quick, and is plain in a pipe."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

from flanbuild.artifacts.records import MANIFEST, Manifest, read_record
from flanbuild.cli.app import app

COMMANDS = [command.name for command in app.registered_commands]


def flanbuild(*arguments, cwd=ROOT):
    command = [sys.executable, "-m", "flanbuild", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command):
    run = flanbuild(command, "--help")

    assert run.returncode == 0
    assert "Usage:" in run.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "rte"],
        ["check"],
        ["preview", "rte"],
        ["plan", "--data", "DATA"],
        ["mixture", "--data", "DATA"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_looking_and_building_load_no_model_library(arguments, tmp_path):
    (tmp_path / "params.yaml").write_text("source: sample\nsample: {rows: 20}\n")
    arguments = [str(tmp_path) if word == "DATA" else word for word in arguments]
    code = (
        "import sys\nfrom flanbuild.cli.app import app\n"
        f"try: app({arguments!r})\nexcept SystemExit as stop: assert not stop.code, stop.code\n"
        "print(sorted({'torch', 'transformers', 'datasets', 'accelerate'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert run.stdout.splitlines()[-1:] == ["[]"], run.stderr


def test_list_is_tab_separated_in_a_pipe_and_json_for_machines():
    lines = flanbuild("list").stdout.splitlines()
    tasks = json.loads(flanbuild("list", "--json").stdout)

    assert lines[1].split("\t")[:3] == ["cluster", "task", "type"]
    assert len(lines) - 2 == len(tasks)
    assert {"cluster": "nli", "task": "rte", "type": "classification"}.items() <= next(
        t for t in tasks if t["task"] == "rte"
    ).items()


def test_show_prints_a_page_with_its_templates():
    shown = flanbuild("show", "rte").stdout

    assert "aps/super_glue (rte)" in shown
    assert "→ {answer}" in shown


def test_preview_prints_the_raw_row_and_its_ten_prompts():
    shown = flanbuild("preview", "rte", "--source", "sample").stdout

    assert shown.startswith("# rte, row 0\npremise: ")
    assert all(f"\n[{index}]" in shown for index in range(10))
    assert "{premise}" not in shown


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["show", "rtee"], 2, "No task, dataset or cluster 'rtee'. Did you mean 'rte'?"),
        (["plan", "--holdout", "nly"], 2, "--holdout: no cluster, dataset or task 'nly'. Did you mean 'nli'?"),
        (["mixture", "flan2012"], 2, "mixtures/flan2012.yaml: no such mixture. Did you mean 'flan2021'?"),
        (["mixture", "--source", "mirror", "--mirror", "nowhere"], 2, "mirror: nowhere is no folder"),
        (["preview", "rte", "--split", "dev", "--source", "sample"], 2, "--split: rte has no split 'dev'. Allowed: train, validation, test."),
        (["verify", "nowhere"], 1, "nowhere/manifest.json: no such file."),
        (["check", "--tasks", "nowhere"], 2, "nowhere: no such folder of pages."),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_an_exit_code(arguments, code, sentence):
    run = flanbuild(*arguments)

    assert run.returncode == code
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr


def test_params_yaml_gives_the_defaults(tmp_path):
    (tmp_path / "params.yaml").write_text("source: mirror\nmirror: elsewhere\n")

    assert "mirror: elsewhere is no folder" in flanbuild("preview", "rte", cwd=tmp_path).stderr


def test_a_fault_in_params_yaml_is_placed(tmp_path):
    (tmp_path / "params.yaml").write_text("sauce: sample\n")

    run = flanbuild("list", cwd=tmp_path)

    assert run.returncode == 2
    assert "params.yaml:1: sauce: no key 'sauce' is known here. Did you mean 'source'?" in run.stderr


def test_the_plan_is_the_mixture(tmp_path):
    arguments = ["--holdout", "nli", "--data", tmp_path, "--source", "sample", "--sample-rows", "20"]
    planned = json.loads(flanbuild("plan", "--json", *arguments).stdout)

    flanbuild("mixture", *arguments)
    manifest = read_record(tmp_path / "mixtures" / "flan2021-without-nli" / MANIFEST, Manifest)

    assert {entry["task"]: entry["given"] for entry in planned} == {
        name: task.given for name, task in manifest.tasks.items()
    }
