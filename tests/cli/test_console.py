import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from flanbuild.cli.console import COMMAND, exit_on_error, options, print_table, progress
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


def test_our_own_bugs_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), exit_on_error():
        raise ZeroDivisionError


def test_progress_away_from_a_terminal_is_about_ten_lines(capsys):
    with progress(1000, "work") as advance:
        for _ in range(1000):
            advance(1, "well")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[-1] == "work: 1000/1000 well"


def test_a_table_in_a_pipe_is_tab_separated(capsys):
    print_table("Two", ("a", "b"), [("1", "2")])
    assert capsys.readouterr().out == "# Two\na\tb\n1\t2\n"


def test_the_fields_of_a_config_are_options():
    result = CliRunner().invoke(app, ["x", "--model-size", "5", "--kind", "very_flat", "--no-filled"])
    assert "Shape(model_size=5, kind='very_flat', filled=False)" in result.output


def test_options_may_be_spelled_as_parameters_are():
    assert "model_size=5" in CliRunner().invoke(app, ["x", "--model_size", "5"]).output


def test_importing_console_loads_no_rich():
    code = "import sys, flanbuild.cli.console; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
