"""In: the task files of one cluster, their raw rows, a mixture. Out: the training prompts of each task."""

import os
from pathlib import Path
from typing import Annotated

import typer

from flanbuild.artifacts import artifact
from flanbuild.artifacts.addresses import Addresses, task_folder
from flanbuild.artifacts.executor import Kind, Workers, cluster
from flanbuild.artifacts.files import locked
from flanbuild.artifacts.records import TaskRecord
from flanbuild.cli.console import exit_on_error, progress
from flanbuild.declare.mixture import load_mixture
from flanbuild.declare.task_files import load_tasks
from flanbuild.render.training_rows import current_record, render_all

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
@exit_on_error()
def main(
    tasks: Annotated[list[Path], typer.Option(help="A folder of task files; may be repeated.")],
    cluster_name: Annotated[str, typer.Option("--cluster", help="The cluster to render.")],
    mixture: Annotated[Path, typer.Option(help="The mixture file.")],
    data: Annotated[Path, typer.Option(help="The data folder.")] = Path("data"),
    jobs: Annotated[int, typer.Option(envvar="FLANBUILD_JOBS", min=1)] = os.cpu_count() or 1,
    executor: Annotated[Kind, typer.Option(envvar="FLANBUILD_EXECUTOR")] = "process",
    scheduler: Annotated[str, typer.Option(envvar="FLANBUILD_SCHEDULER")] = "",
) -> None:
    """Render what is missing or stale; the rest stays."""
    workers = Workers(jobs, cluster(executor, scheduler))
    known, declared, addresses = load_tasks(tasks), load_mixture(mixture), Addresses(data)
    addresses.claim(declared.name, mixture)
    trained = set(declared.members(known.values()))
    members = [task for task in known.values() if task.cluster == cluster_name]
    raw, root = addresses.raw, addresses.rendered(declared.name)
    with locked(root):
        artifact.prune(
            root / cluster_name, [task_folder(root, cluster_name, task.name) for task in members], TaskRecord
        )
        stale = [
            task
            for task in members
            if current_record(task, raw, root, declared, trained=task.name in trained) is None
        ]
        with progress(len(stale), f"render {cluster_name}") as done:
            render_all(stale, raw, root, declared, trained, workers, done=done)


if __name__ == "__main__":
    app()
