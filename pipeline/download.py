"""In: the task files of one cluster and a source. Out: raw Parquet and a record for each of their tasks."""

import os
from pathlib import Path
from typing import Annotated

import typer

from flanbuild.artifacts import artifact
from flanbuild.artifacts.addresses import Addresses, task_folder
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import locked
from flanbuild.artifacts.records import RawRecord
from flanbuild.cli.console import exit_on_error, progress
from flanbuild.declare.task_files import load_tasks
from flanbuild.sources import open_source
from flanbuild.sources.raw import Missing, download_all

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
@exit_on_error()
def main(
    tasks: Annotated[list[Path], typer.Option(help="A folder of task files; may be repeated.")],
    cluster: Annotated[str, typer.Option(help="The cluster to download.")],
    data: Annotated[Path, typer.Option(help="The data folder.")] = Path("data"),
    source: Annotated[str, typer.Option(help="sample, mirror or hub")] = "sample",
    mirror: Annotated[str, typer.Option(help="The folder or URL of a mirror.")] = "mirror",
    lock: Annotated[Path, typer.Option(help="The file that pins --source hub.")] = Path("mixtures/lock.json"),
    sample_rows: Annotated[int, typer.Option(min=1, help="Rows of a train split of the sample.")] = 200,
    missing: Annotated[Missing, typer.Option(help="What a missing split does.")] = "error",
    jobs: Annotated[int, typer.Option(envvar="FLANBUILD_JOBS", min=1)] = os.cpu_count() or 1,
) -> None:
    """Download what is missing or stale; the rest stays."""
    members = {name: task for name, task in load_tasks(tasks).items() if task.cluster == cluster}
    root = Addresses(data).raw
    opened = open_source(source, mirror=mirror, sample_rows=sample_rows, lock=lock)
    with progress(len(members), f"download {cluster}") as done:
        download_all(list(members.values()), opened, root, missing, Workers(jobs), done=done)
    with locked(root / cluster):
        artifact.prune(root / cluster, [task_folder(root, cluster, name) for name in members], RawRecord)


if __name__ == "__main__":
    app()
