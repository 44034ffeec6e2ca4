"""In: the task files of one cluster and their raw rows. Out: the evaluation set of each task, for every mixture."""

import os
from pathlib import Path
from typing import Annotated

import typer

from flanbuild.artifacts import artifact
from flanbuild.artifacts.addresses import Addresses, task_folder
from flanbuild.artifacts.executor import Kind, Workers, cluster
from flanbuild.artifacts.files import locked
from flanbuild.artifacts.records import EvaluationRecord
from flanbuild.cli.console import exit_on_error, progress
from flanbuild.declare.task_files import load_tasks
from flanbuild.render.evaluation_set import MAX_ROWS, build_all, is_current

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
@exit_on_error()
def main(
    tasks: Annotated[list[Path], typer.Option(help="A folder of task files; may be repeated.")],
    cluster_name: Annotated[
        str, typer.Option("--cluster", help="The cluster whose evaluation sets to build.")
    ],
    data: Annotated[Path, typer.Option(help="The data folder.")] = Path("data"),
    max_rows: Annotated[int, typer.Option(min=1, help="Rows of a split at most.")] = MAX_ROWS,
    jobs: Annotated[int, typer.Option(envvar="FLANBUILD_JOBS", min=1)] = os.cpu_count() or 1,
    executor: Annotated[Kind, typer.Option(envvar="FLANBUILD_EXECUTOR")] = "process",
    scheduler: Annotated[str, typer.Option(envvar="FLANBUILD_SCHEDULER")] = "",
) -> None:
    """Build what is missing or stale; the rest stays."""
    workers = Workers(jobs, cluster(executor, scheduler))
    members = {name: task for name, task in load_tasks(tasks).items() if task.cluster == cluster_name}
    addresses = Addresses(data)
    raw, root = addresses.raw, addresses.evaluation
    with locked(root):
        artifact.prune(
            root / cluster_name, [task_folder(root, cluster_name, name) for name in members], EvaluationRecord
        )
        stale = [task for task in members.values() if not is_current(task, raw, root, max_rows)]
        with progress(len(stale), f"evaluation sets {cluster_name}") as done:
            build_all(stale, raw, root, max_rows, workers, done=done)


if __name__ == "__main__":
    app()
