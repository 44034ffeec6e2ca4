"""In: rendered tasks and a mixture. Out: its shards with the clusters of --holdout left out, and the manifest."""

import os
from pathlib import Path
from typing import Annotated

import typer

from flanbuild.artifacts.executor import Kind, cluster
from flanbuild.cli.console import exit_on_error, progress
from flanbuild.declare.mixture import hold_out, load_mixture
from flanbuild.mix.mixture import mix, read_records, task_refs

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
@exit_on_error()
def main(
    mixture: Annotated[Path, typer.Option(help="The mixture file.")],
    rendered: Annotated[Path, typer.Option(help="data/rendered")],
    out: Annotated[Path, typer.Option(help="data/mixtures/<name>")],
    holdout: Annotated[list[str] | None, typer.Option(help="A cluster to hold out; may be repeated.")] = None,
    jobs: Annotated[int, typer.Option(envvar="FLANBUILD_JOBS", min=1)] = os.cpu_count() or 1,
    executor: Annotated[Kind, typer.Option(envvar="FLANBUILD_EXECUTOR")] = "process",
    scheduler: Annotated[str, typer.Option(envvar="FLANBUILD_SCHEDULER")] = "",
) -> None:
    """Allocate, order, gather."""
    address = cluster(executor, scheduler)
    declared = load_mixture(mixture)
    records = read_records(rendered, declared)
    held = hold_out(declared, holdout or [], task_refs(records).values())
    mix(declared, rendered, records, held, out, jobs=jobs, scheduler=address, progress=progress)


if __name__ == "__main__":
    app()
