"""The table of layouts, the docs and the command name the same."""

import json
import subprocess
import sys

import pytest
import shards
from conftest import ROOT

from flanbuild.export.view import View
from flanbuild.export.views import VIEWS


def table_row(view: View) -> str:
    options = ", ".join(f"`--{option.replace('_', '-')}`" for option in sorted(view.options)) or "none"
    return f"| `{view.name}` | {view.description} | {view.readers} | {options} |"


def flanbuild(*arguments) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flanbuild", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_table_of_the_docs_is_that_of_the_code():
    lines = (ROOT / "docs/exports.md").read_text(encoding="utf-8").splitlines()
    start = lines.index("| layout | what is written | readers | options |") + 2
    assert lines[start : lines.index("", start)] == [table_row(view) for view in VIEWS.values()]


def test_help_names_every_layout_in_order():
    shown = " ".join(flanbuild("export", "--help").stdout.replace("│", " ").split())
    listed = shown.partition("Layout to write: ")[2].partition(".")[0].replace("(what publish writes)", "")
    assert listed.replace(";", ",").replace(" ", "").split(",") == list(VIEWS)


def test_help_names_every_option_of_a_layout():
    shown = flanbuild("export", "--help").stdout
    options = {f"--{option.replace('_', '-')}" for view in VIEWS.values() for option in view.options}
    assert {option for option in options if option not in shown} == set()


def test_the_command_renames_columns_and_counts_rows(tmp_path):
    mixture = shards.write_shards(tmp_path / "mixture", [shards.row(i) for i in range(9)], [shards.row(0)])
    options = ["--to", "jsonl", "--rename", "prompt=input,completion=output", "--rename", "task=source"]
    run = flanbuild("export", mixture, *options, "--out", tmp_path / "out")
    assert run.stdout == f"{tmp_path}/out: train: 9 examples.\n{tmp_path}/out: validation: 1 examples.\n"
    assert {"input", "output", "source"} <= set(
        json.loads((tmp_path / "out/validation/00000-of-00001.jsonl").read_text())
    )


def test_progress_shows_rate_and_time_left(tmp_path):
    mixture = shards.write_shards(tmp_path / "mixture", [shards.row(i) for i in range(9)], [])
    run = flanbuild("export", mixture, "--to", "parquet", "--out", tmp_path / "out", "--jobs", "1")
    assert "export: 9/9" in run.stderr
    assert "rows/s, 0:00 left" in run.stderr


@pytest.mark.parametrize("rename", ["prompt", "=x", "prompt=", "prompt=a,,task=b"])
def test_a_rename_that_is_no_pair_is_one_sentence(rename, tmp_path):
    run = flanbuild("export", "mixture", "--to", "jsonl", "--rename", rename, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert "expected OLD=NEW, such as prompt=input." in run.stderr
    assert run.stderr.count("\n") == 1


def test_an_unknown_layout_names_the_nearest(tmp_path):
    mixture = shards.write_shards(tmp_path / "mixture", [shards.row(0)] * 2, [])
    run = flanbuild("export", mixture, "--to", "parkett", "--out", tmp_path / "out")
    assert run.stderr == "flanbuild: export: no layout 'parkett'. Did you mean 'parquet'?\n"


def test_verify_checks_an_export_and_rebuilds_none(tmp_path):
    mixture = shards.write_shards(tmp_path / "mixture", [shards.row(i) for i in range(9)], [])
    flanbuild("export", mixture, "--to", "jsonl", "--out", tmp_path / "out")
    assert flanbuild("verify", tmp_path / "out").returncode == 0
    assert (
        "is an export; name the folder of a mixture"
        in flanbuild("verify", tmp_path / "out", "--rebuild").stderr
    )
    path = tmp_path / "out/train/00000-of-00002.jsonl"
    path.write_text(path.read_text().replace("What", "That", 1))
    assert flanbuild("verify", tmp_path / "out").stderr == (
        f"flanbuild: {path}: its bytes are not those that export.json names.\n"
    )


@pytest.fixture
def declared(tmp_path, monkeypatch):
    """A mixture folder, and a function that writes the file of that mixture in the working directory."""
    monkeypatch.chdir(tmp_path)
    mixture = shards.write_shards(
        tmp_path / "data/mixtures/mine", [shards.row(i) for i in range(9)], [], name="mine"
    )

    def run(text: str, *arguments) -> subprocess.CompletedProcess[str]:
        (tmp_path / "mine.yaml").write_text(text)
        command = [sys.executable, "-m", "flanbuild", "export", str(mixture), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_without_a_layout_those_of_the_mixture_file_are_written_beside_the_mixtures(declared, tmp_path):
    run = declared("views: [parquet, {jsonl: {rename: {prompt: input}}}]")
    assert run.returncode == 0, run.stderr
    exports = tmp_path / "data/exports/mine"
    assert [path.name for path in sorted(exports.iterdir()) if path.is_dir()] == ["jsonl", "parquet"]
    assert "input" in json.loads((exports / "jsonl/train/00000-of-00002.jsonl").read_text().splitlines()[0])


def test_a_layout_that_is_named_has_the_same_default_place(declared, tmp_path):
    assert declared("", "--to", "alpaca").returncode == 0
    assert (tmp_path / "data/exports/mine/alpaca/export.json").is_file()


@pytest.mark.parametrize(
    ("text", "arguments", "sentence"),
    [
        ("", [], "mine.yaml: it declares no `views`; name a layout with --to."),
        (
            "views: [packed]",
            ["--seq-length", "8"],
            "--seq-length: without --to, options stand under `views` of the mixture file.",
        ),
    ],
)
def test_what_is_missing_for_declared_views_is_one_sentence(text, arguments, sentence, declared):
    run = declared(text, *arguments)
    assert (run.returncode, run.stderr) == (2, f"flanbuild: {sentence}\n")
