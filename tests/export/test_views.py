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


def test_help_names_every_layout():
    shown = flanbuild("export", "--help").stdout
    assert [name for name in VIEWS if name not in shown] == []


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
