"""What the shell completes: names of tasks, datasets, clusters and mixtures. `flanbuild --install-completion` sets it up."""

from collections.abc import Iterable
from pathlib import Path

import typer

from flanbuild.errors import FlanbuildError


def task_names(context: typer.Context, incomplete: str) -> list[str]:
    """Tasks, datasets and clusters that begin with `incomplete`, of the folders of --tasks too."""
    from flanbuild.declare.project import task_files

    try:
        tasks = task_files(context.params.get("tasks") or ()).values()
    except FlanbuildError:  # `flanbuild check` reports it; a shell has no place for it
        return []
    return _beginning(
        {name for task in tasks for name in (task.name, task.dataset, task.cluster)}, incomplete
    )


def mixture_names(incomplete: str) -> list[str]:
    """Mixtures that begin with `incomplete`: of the project by name, those of the current folder by file too."""
    from flanbuild.declare.project import mixture_names as of_project

    return _beginning({*of_project(), *(path.name for path in Path().glob("*.yaml"))}, incomplete)


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
