"""The command line: `flanbuild --help`.

Commands import what they need when they run, so that `--help` is there at once.
"""

from collections.abc import Callable
from typing import Annotated, get_type_hints

import typer

from flanbuild import __version__
from flanbuild.cli import build, export, inspect, model, source
from flanbuild.cli.console import COMMAND, exit_on_error, options
from flanbuild.declare.params import load_params

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Build instruction-tuning mixtures from declarations: FLAN 2021, reproducible to the byte.\n\n"
    "A first look: `flanbuild list`, `flanbuild preview rte`, `flanbuild mixture --holdout nli`.",
    epilog="Defaults come from params.yaml in this folder, if there is one. Exit codes: 0 success, 1 failure, "
    "2 usage or declaration error, 70 a bug in flanbuild, 130 interrupted.",
)

_PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Look": (inspect.list_tasks, inspect.show, inspect.preview, inspect.why, inspect.check, inspect.schema),
    "Build": (
        build.plan,
        build.download,
        build.render,
        build.evalset,
        build.mixture,
        build.verify,
        build.diff,
        build.gc,
    ),
    "Source": (source.lock, source.mirror, source.import_, source.licenses),
    "Model": (model.train, model.evaluate, model.report),
    "Export": (export.export, export.publish),
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        _name = _command.__name__.removesuffix("_tasks").rstrip("_")
        _config = get_type_hints(_command).get("config")
        _with_options = options(_config)(_command) if _config else _command
        app.command(_name, rich_help_panel=_panel, **COMMAND)(exit_on_error()(_with_options))


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    context.default_map = load_params().defaults()
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Runs the command line; errors are one line and an exit code."""
    with exit_on_error():
        app()
