"""In: the rendered tasks of a mixture, and raw rows of what is held out. Out: its shards without what --holdout names, and the manifest."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

import typer

from flanbuild.artifacts.addresses import Addresses
from flanbuild.artifacts.executor import Kind, Workers, cluster
from flanbuild.artifacts.files import locked
from flanbuild.cli.console import exit_on_error, progress
from flanbuild.declare.mixture import Mixture, hold_out, load_mixture
from flanbuild.declare.task import Task
from flanbuild.declare.task_files import load_tasks
from flanbuild.errors import DeclarationError
from flanbuild.mix.contamination import Search
from flanbuild.mix.mixture import current_manifest, fingerprint, mix, read_rendered
from flanbuild.mix.plan import task_refs

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
@exit_on_error()
def main(
    tasks: Annotated[list[Path], typer.Option(help="A folder of task files; may be repeated.")],
    mixture: Annotated[Path, typer.Option(help="The mixture file.")],
    holdout: Annotated[
        list[str] | None, typer.Option(help="A cluster, dataset or task to hold out; may be repeated.")
    ] = None,
    data: Annotated[Path, typer.Option(help="The data folder.")] = Path("data"),
    jobs: Annotated[int, typer.Option(envvar="FLANBUILD_JOBS", min=1)] = os.cpu_count() or 1,
    executor: Annotated[Kind, typer.Option(envvar="FLANBUILD_EXECUTOR")] = "process",
    scheduler: Annotated[str, typer.Option(envvar="FLANBUILD_SCHEDULER")] = "",
) -> None:
    """Allocate, order, write shards; nothing is done if the mixture is current."""
    workers = Workers(jobs, cluster(executor, scheduler))
    declared, names, addresses = load_mixture(mixture), holdout or [], Addresses(data)
    root, out = addresses.rendered(declared.name), addresses.mixture(declared.name, names)
    known = load_tasks(tasks)
    search = Search(known, addresses.raw, addresses.contamination, workers, progress)
    with locked(root), locked(out):
        rendered = read_rendered(root)
        _check_all_rendered(declared, known, rendered.records)
        held = hold_out(declared, names, task_refs(rendered.records).values())
        rendered = rendered.needed(declared, held)
        if current_manifest(out, fingerprint(declared, rendered.records, held, search)) is None:
            mix(declared, rendered, held, out, search, progress=progress)


def _check_all_rendered(mixture: Mixture, known: Mapping[str, Task], rendered: Collection[str]) -> None:
    """Raises DeclarationError for a task of a cluster that dvc.yaml does not render: it would be left out in silence."""
    if missing := [name for name in mixture.members(known.values()) if name not in rendered]:
        task = known[missing[0]]
        raise DeclarationError(
            f"{task.path}: {task.name} is not rendered; name the cluster '{task.cluster}' under `foreach` in dvc.yaml."
        )


if __name__ == "__main__":
    app()
