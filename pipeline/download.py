"""In: the pages of one cluster and a source. Out: raw Parquet and source.json for each of their tasks."""

import os
from pathlib import Path
from typing import Annotated

import typer

from flanbuild.cli.console import exit_on_error, progress
from flanbuild.declare.task import load_tasks
from flanbuild.sources import open_source
from flanbuild.sources.raw import download_all

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
@exit_on_error()
def main(
    tasks: Annotated[Path, typer.Option(help="The cluster's folder of pages.")],
    out: Annotated[Path, typer.Option(help="data/raw/<cluster>")],
    source: Annotated[str, typer.Option(help="sample, mirror or hub")] = "sample",
    mirror: Annotated[str, typer.Option(help="The folder or URL of a mirror.")] = "mirror",
    lock: Annotated[Path, typer.Option(help="What pins --source hub.")] = Path("mixtures/lock.json"),
    sample_rows: Annotated[int, typer.Option(min=1, help="Train rows of the sample.")] = 200,
    missing: Annotated[str, typer.Option(help="error or skip")] = "error",
    jobs: Annotated[int, typer.Option(envvar="FLANBUILD_JOBS", min=1)] = os.cpu_count() or 1,
) -> None:
    """Fetch what the pages declare."""
    members = list(load_tasks([tasks]).values())
    opened = open_source(source, mirror=mirror, sample_rows=sample_rows, lock=lock)
    out.mkdir(parents=True, exist_ok=True)
    with progress(len(members), f"download {out.name}") as done:
        download_all(members, opened, out.parent, missing, jobs=jobs, done=done)  # type: ignore[arg-type]


if __name__ == "__main__":
    app()
