import csv
import json
import os
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

from flanbuild.cli.console import COMMAND, exit_on_error, local_path, options, progress
from flanbuild.errors import DeclarationError


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the command below is told."""

    model_size: Annotated[int, "How large."] = 3
    kind: Annotated[Literal["round", "very_flat"], "Which."] = "round"
    filled: Annotated[bool, "Whether."] = True


app = typer.Typer()


@app.command(**COMMAND)
@exit_on_error()
@options(Shape)
def draw(name: str, *, config: Shape) -> None:
    print(name, config)


def test_an_error_of_ours_is_one_line_and_its_exit_code(capsys):
    with pytest.raises(SystemExit) as caught, exit_on_error():
        raise DeclarationError("page.yaml: no cluster 'nil'.")
    assert caught.value.code == DeclarationError.exit_code
    assert capsys.readouterr().err == "flanbuild: page.yaml: no cluster 'nil'.\n"


def line_of(error, capsys):
    """(exit code, what stderr shows) for an exception inside a command."""
    with pytest.raises(SystemExit) as caught, exit_on_error():
        raise error
    return caught.value.code, capsys.readouterr().err


def test_a_bug_is_one_line_that_says_how_to_see_the_traceback(capsys, monkeypatch):
    code, line = line_of(KeyError("premise"), capsys)

    assert code == 70
    assert line == (
        "flanbuild: a bug in flanbuild: KeyError: 'premise'. Please report it. "
        "FLANBUILD_TRACEBACK=1 shows the traceback.\n"
    )

    monkeypatch.setenv("FLANBUILD_TRACEBACK", "1")
    assert "Traceback (most recent call last)" in line_of(KeyError("premise"), capsys)[1]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (pl.exceptions.ComputeError("invalid utf8"), "polars cannot read or write a file: invalid utf8."),
        (pa.ArrowInvalid("Corrupt page\nmore"), "pyarrow cannot read or write a file: Corrupt page."),
        (zlib.error("Error -3"), "zlib cannot read or write a file: Error -3."),
        (zipfile.BadZipFile("File is not a zip file"), "zipfile cannot read or write a file: File is not a zip file."),
        (csv.Error("field larger than field limit"), "csv cannot read or write a file: field larger"),
        (json.JSONDecodeError("Extra data", "x", 0), "json cannot read or write a file: Extra data"),
        (PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied."),
        (MemoryError(), "out of memory;"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)  # fmt: skip
def test_an_error_of_a_library_or_of_the_system_is_a_sentence(error, sentence, capsys):
    code, line = line_of(error, capsys)

    assert code == 1
    assert line.startswith(f"flanbuild: {sentence}")
    assert line.count("\n") == 1


def test_of_many_faults_the_first_are_shown_and_the_rest_counted(capsys):
    code, shown = line_of(DeclarationError(*(f"m.yaml:{i}: fault." for i in range(10_030))), capsys)

    assert code == 2
    assert len(shown.splitlines()) == 51
    assert shown.endswith("… and 9,980 more faults.\n")


def test_control_characters_do_not_reach_the_terminal(capsys):
    assert "\x1b" not in line_of(DeclarationError("no column '\x1b[31mred'."), capsys)[1]


def test_a_panic_of_polars_is_a_sentence_although_it_is_no_exception_of_python(capsys):
    code, line = line_of(pl.exceptions.PanicException("assertion failed"), capsys)

    assert code == 1
    assert line.startswith("flanbuild: polars cannot read or write a file: assertion failed.")


def test_ctrl_c_is_one_line_and_130(capsys):
    assert line_of(KeyboardInterrupt(), capsys) == (130, "flanbuild: stopped.\n")


@pytest.mark.parametrize(
    "url", ["s3://bucket/mix", "memory://mix", "file:///tmp/mix", "gs://b", "hf://datasets/x"]
)
def test_a_url_in_place_of_a_folder_is_refused(url):
    with pytest.raises(DeclarationError, match=r"--data .*: a URL is not supported; name a local folder"):
        local_path("--data")(Path(url))


@pytest.mark.parametrize("path", ["data", "./s3", "a:b", "C:/data", "/mnt/s3://x"])
def test_a_path_that_is_no_url_is_taken(path):
    assert local_path("--data")(Path(path)) == Path(path)


def test_progress_away_from_a_terminal_is_about_ten_lines(capsys):
    with progress(1000, "work") as advance:
        for _ in range(1000):
            advance(1, "well")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[-1] == "work: 1000/1000 well"


def test_the_fields_of_a_config_are_options():
    result = CliRunner().invoke(app, ["x", "--model-size", "5", "--kind", "very_flat", "--no-filled"])
    assert "Shape(model_size=5, kind='very_flat', filled=False)" in result.output


def test_options_may_be_spelled_as_parameters_are():
    assert "model_size=5" in CliRunner().invoke(app, ["x", "--model_size", "5"]).output


def test_importing_console_loads_no_rich():
    code = "import sys, flanbuild.cli.console; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


WORKERS = """\
import os, signal, time
from flanbuild.artifacts.executor import Workers, run
from flanbuild.cli.console import exit_on_error

if __name__ == "__main__":
    with exit_on_error():
        run([(time.sleep, (600,))] * 3, Workers(3))
elif not os.path.exists("interrupted"):  # the first worker that starts imports this file
    open("interrupted", "w").close()
    os.killpg(0, signal.SIGINT)
    time.sleep(0.1)
"""


def test_ctrl_c_while_workers_start_is_one_line(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(WORKERS)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    run = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=60,
        start_new_session=True, env=environment, cwd=tmp_path,
    )  # fmt: skip

    assert (run.returncode, run.stderr) == (130, "flanbuild: stopped.\n")
