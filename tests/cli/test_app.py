"""The command line teaches, is quick, and is plain in a pipe."""

import json
import subprocess
import sys

import pytest
from conftest import PAGE, ROOT

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
        ["evalset", "rte", "--data", "DATA"],
        ["gc", "--data", "DATA"],
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


def test_evalset_prints_how_many_rows_each_set_has(tmp_path):
    arguments = ["--data", tmp_path, "--source", "sample", "--sample-rows", "20", "--max-rows", "3"]
    lines = flanbuild("evalset", "rte", "wsc273/wsc273", *arguments).stdout.splitlines()

    assert lines[0] == "# 2 evaluation sets"
    assert lines[1].split("\t") == [
        "cluster",
        "task",
        "test rows",
        "test examples",
        "dev rows",
        "dev examples",
    ]
    assert lines[2].split("\t")[:3] == ["coreference", "wsc273/wsc273", "3"]
    assert lines[2].split("\t")[4:] == ["", ""]
    assert lines[3].split("\t") == ["nli", "rte", "3", "27", "3", "27"]


def test_gc_frees_what_plan_has_counted_and_says_so(tmp_path):
    options = ["--source", "sample", "--sample-rows", "20"]
    (tmp_path / "one.yaml").write_text("tasks: [rte, copa]\n")
    flanbuild("plan", tmp_path / "one.yaml", "--data", tmp_path / "data", *options)

    would, freed, again = (
        flanbuild("gc", "--data", tmp_path / "data", *arguments).stdout.splitlines()
        for arguments in (["--dry-run"], [], [])
    )

    assert len(would) == len(freed) == 3
    assert would[:2] == freed[:2]
    assert "would be freed" in would[2]
    assert again == [f"0.0 MB freed in {tmp_path / 'data'}."]


def test_two_mixture_files_of_one_name_in_one_data_folder_are_one_sentence(tmp_path):
    runs = []
    for folder in ("one", "two"):
        path = tmp_path / folder / "small.yaml"
        path.parent.mkdir()
        path.write_text("tasks: [copa]\n")
        options = ["--data", tmp_path / "data", "--source", "sample", "--sample-rows", "20"]
        runs.append(flanbuild("mixture", path, *options))

    assert runs[0].returncode == 0
    assert runs[1].returncode == 2
    assert f"{tmp_path}/one/small.yaml is a mixture named 'small' too" in runs[1].stderr


def test_verify_compares_the_evaluation_sets_it_is_given(tmp_path):
    options = ["--data", tmp_path, "--source", "sample", "--sample-rows"]
    mixture = tmp_path / "small.yaml"
    mixture.write_text("tasks: [rte, copa]\n")
    flanbuild("mixture", mixture, "--holdout", "copa", *options, 20)
    folder = tmp_path / "mixtures" / "small-without-copa"
    verify = ["verify", folder, "--evaluation", tmp_path / "evaluation"]

    flanbuild("evalset", "copa", *options, 20)
    same = flanbuild(*verify)
    flanbuild("evalset", "copa", *options, 30)
    other = flanbuild(*verify)

    assert same.returncode == 0, same.stderr
    assert other.returncode == 1
    assert "copa/record.json: made of other rows than those that the mixture holds out." in other.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["show", "rtee"], 2, "No task, dataset or cluster 'rtee'. Did you mean 'rte'?"),
        (["plan", "--holdout", "nly"], 2, "--holdout: no cluster, dataset or task 'nly'. Did you mean 'nli'?"),
        (["mixture", "flan2012"], 2, "mixtures/flan2012.yaml: no such mixture. Did you mean 'flan2021'?"),
        (["mixture", "--source", "mirror", "--mirror", "nowhere"], 2, "mirror: nowhere is not a folder"),
        (["preview", "rte", "--split", "dev", "--source", "sample"], 2, "--split: rte has no split 'dev'. Allowed: train, validation, test."),
        (["verify", "nowhere"], 1, "nowhere/manifest.json: no such file."),
        (["check", "--tasks", "nowhere"], 2, "nowhere: no such folder of task files."),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_an_exit_code(arguments, code, sentence):
    run = flanbuild(*arguments)

    assert run.returncode == code
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr


def test_params_yaml_gives_the_defaults(tmp_path):
    (tmp_path / "params.yaml").write_text("source: mirror\nmirror: elsewhere\n")

    assert "mirror: elsewhere is not a folder" in flanbuild("preview", "rte", cwd=tmp_path).stderr


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


def test_a_build_of_a_mixture_checks_its_requirements(pages, tmp_path):
    one_template = PAGE[: PAGE.index("  - inputs", PAGE.index("Wording one"))]
    folder = pages(one_template, name="mine")

    ran = flanbuild("mixture", "--tasks", folder, "--data", tmp_path / "data")

    assert ran.returncode == 2
    assert "mine.yaml:9: templates: found 1 template;" in ran.stderr
    assert "flan2021.yaml" in ran.stderr
    assert "(require.templates) needs at least 10." in ran.stderr
    assert not (tmp_path / "data").exists()
