"""The command that writes the page of a mixture."""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.cli.console import local_path, progress
from flanbuild.cli.inspect import MixtureData, Tasks
from flanbuild.declare import project
from flanbuild.progress import log


def explore(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Mixture folder.", callback=local_path("DIR"))
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write.", show_default="DIR.html in this folder", callback=local_path("--out")
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Another mixture folder, to show the differences.",
            show_default="none",
            callback=local_path("--against"),
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="Sampled rows per task.")] = 8,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="Folder or hub name of a tokenizer, to show lengths in tokens.",
            show_default="characters only",
        ),
    ] = None,
    tasks: Tasks = None,
    data: MixtureData = None,
) -> None:
    """Write one HTML page of a mixture: shares, lengths, licenses, rows to search, origins.

    The page is one file that loads nothing else. It shows texts of rows, so their licenses apply to it.
    """
    from flanbuild.errors import require
    from flanbuild.page.frame import MODULES

    require("`flanbuild explore`", "report", MODULES)
    from flanbuild.inspect import explore as pages

    folder = folder.absolute()
    out = out or Path(f"{folder.name}.html")
    size = pages.explore(
        folder,
        out,
        tasks=project.task_files(tasks or ()),
        raw=(data or folder.parents[1]) / "raw",
        against=against,
        tokenizer=tokenizer,
        rows=rows,
        progress=progress,
    )
    log(f"{out}: {size / 1e6:,.2f} MB.")
