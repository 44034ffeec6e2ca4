"""In: the pages of one cluster, their raw rows, a mixture. Out: the prompts of each task, for training and for evaluation."""

import os
from pathlib import Path
from typing import Annotated

import typer

from flanbuild.artifacts.executor import Kind, cluster
from flanbuild.cli.console import exit_on_error, progress
from flanbuild.declare.mixture import load_mixture
from flanbuild.declare.task import load_tasks
from flanbuild.render.prompts import render_all

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
@exit_on_error()
def main(
    tasks: Annotated[Path, typer.Option(help="The cluster's folder of pages.")],
    raw: Annotated[Path, typer.Option(help="data/raw/<cluster>")],
    mixture: Annotated[Path, typer.Option(help="The mixture file: its cap, seed, templates, size.")],
    out: Annotated[Path, typer.Option(help="data/rendered/<cluster>")],
    evaluation_examples: Annotated[int, typer.Option(min=1, help="Test rows a task.")] = 200,
    jobs: Annotated[int, typer.Option(envvar="FLANBUILD_JOBS", min=1)] = os.cpu_count() or 1,
    executor: Annotated[Kind, typer.Option(envvar="FLANBUILD_EXECUTOR")] = "process",
    scheduler: Annotated[str, typer.Option(envvar="FLANBUILD_SCHEDULER")] = "",
) -> None:
    """Fill in the templates."""
    address = cluster(executor, scheduler)
    members = load_tasks([tasks]).values()
    out.mkdir(parents=True, exist_ok=True)
    with progress(len(members), f"render {out.name}") as done:
        render_all(
            members,
            raw.parent,
            out.parent,
            load_mixture(mixture),
            evaluation_examples,
            jobs=jobs,
            scheduler=address,
            done=done,
        )


if __name__ == "__main__":
    app()
