"""The command that writes the layouts of other programs."""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.cli.console import local_path, progress


def export(
    mixture: Annotated[Path, typer.Argument(metavar="DIR", help="Mixture folder.")],
    to: Annotated[str, typer.Option(help="Layout to write: lm-eval.")],
    out: Annotated[Path, typer.Option(help="Folder to write.", callback=local_path("--out"))],
    evaluation: Annotated[
        Path, typer.Option(help="Folder of the evaluation sets, which `flanbuild evalset` makes.")
    ] = Path("data/evaluation"),
    examples: Annotated[
        int | None, typer.Option(min=1, help="Rows per task, each under every template.", show_default="all")
    ] = None,
    templates: Annotated[
        int | None, typer.Option(min=1, help="Templates per task, the first ones.", show_default="all")
    ] = None,
) -> None:
    """Write a mixture, or what it holds out, in the layout of another program.

    `lm_eval --include_path OUT --tasks flanbuild` then runs an export for lm-evaluation-harness.
    """
    from flanbuild.export.view import ExportRequest
    from flanbuild.export.views import export as run

    request = ExportRequest(mixture=mixture, evaluation=evaluation, examples=examples, templates=templates)
    record = run(request, to, out, progress)
    rows = sum(task.rows * len(task.templates) for task in record.tasks.values())
    typer.echo(f"{out}: {rows:,} rows of {len(record.tasks)} tasks; {len(record.left_out)} left out.")
