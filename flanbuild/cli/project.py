"""The command that lays out a project."""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.cli.console import local_path

NEXT = """\

Next, in {folder}:
  flanbuild preview tickets                  # the example task, from mixtures/tasks/support/tickets.yaml
  flanbuild plan --holdout nli               # what each task of mixtures/mine.yaml would give
  flanbuild mixture --holdout nli            # builds data/mixtures/mine-without-nli
  git init && dvc init && dvc repro          # the same as stages: pip install 'flanbuild[dvc]'"""


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to write.", callback=local_path("DIR"))
    ] = Path(),
) -> None:
    """Lay out a project: params.yaml, dvc.yaml, all mixtures and task files, and a task file with rows to edit.

    Nothing is overwritten.
    """
    from flanbuild.declare.project import lay_out

    for path in lay_out(folder):
        typer.echo(path)
    typer.echo(NEXT.format(folder="this folder" if folder == Path() else folder))
