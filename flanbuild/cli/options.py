"""Options that several commands share, and the sources and builds that they open."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flanbuild.artifacts.executor import JOBS, Workers, cluster
from flanbuild.cli.completion import mixture_names, task_names
from flanbuild.cli.console import local_path, progress
from flanbuild.declare import project
from flanbuild.errors import DeclarationError

if TYPE_CHECKING:
    from flanbuild.builder import Build
    from flanbuild.declare.mixture import Mixture
    from flanbuild.declare.task import Task
    from flanbuild.sources import Source


class Kind(StrEnum):
    """Kinds of source."""

    sample = "sample"
    mirror = "mirror"
    hub = "hub"


class Missing(StrEnum):
    """Behavior for a missing upstream split."""

    error = "error"
    skip = "skip"


class Executor(StrEnum):
    """Where work items run."""

    process = "process"
    dask = "dask"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of a table.")]
Holdout = Annotated[
    list[str] | None,
    typer.Option(
        "--holdout",
        help="Cluster, dataset or task to hold out; may be repeated.",
        show_default="nothing",
        autocompletion=task_names,
    ),
]
MixtureName = Annotated[
    str,
    typer.Argument(
        metavar="MIXTURE",
        help="Name of a file here or in mixtures/, or path of a file that ends in .yaml.",
        autocompletion=mixture_names,
    ),
]
TaskName = Annotated[
    str,
    typer.Argument(
        metavar="TASK", help="Task, dataset (all its tasks) or cluster.", autocompletion=task_names
    ),
]
TaskNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TASK", help="Tasks, datasets or clusters.", show_default="all", autocompletion=task_names
    ),
]


TASKS_HELP = (
    "Folder of own task files, <cluster>/<dataset>.yaml, in addition to the built-in ones; may be repeated."
)


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Which task files there are, and where their rows come from."""

    tasks: Annotated[list[Path] | None, TASKS_HELP] = None
    source: Annotated[Kind, "Source of the rows: the embedded sample, a mirror folder, or the hub."] = (
        Kind.sample
    )
    mirror: Annotated[str, "Folder or fsspec URL of --source mirror."] = "mirror"
    sample_rows: Annotated[int, "Rows of a train split of --source sample."] = 200
    lock: Annotated[Path | None, "Lock file of --source hub.  [default: mixtures/lock.json]"] = None
    unlocked: Annotated[bool, "Read the hub's newest files instead of the locked ones."] = False
    imported: Annotated[Path, "Folder of files that `flanbuild import` copied."] = Path("data/imported")
    allow_outside: Annotated[bool, "Permission for task files to read local files outside their project."] = (
        False
    )

    def task_files(self) -> "dict[str, Task]":
        """All tasks."""
        return project.task_files(self.tasks or ())

    def open(self) -> "Source":
        """The source."""
        from flanbuild.sources import open_source

        if self.sample_rows < 1:
            raise DeclarationError(f"--sample-rows: found {self.sample_rows}, at least 1 is needed.")
        return open_source(
            self.source.value,
            mirror=self.mirror,
            sample_rows=self.sample_rows,
            lock=None if self.unlocked else self.lock or project.lock_file(),
            imported=self.imported,
            allow_outside=self.allow_outside,
        )


@dataclass(frozen=True, kw_only=True)
class DataOptions(SourceOptions):
    """Where data lies, and how much is done at once."""

    missing: Annotated[
        Missing, "Behavior for a split that the source lacks: `error` stops, `skip` builds without it."
    ] = Missing.error
    data: Annotated[Path, "Data folder: raw rows, evaluation sets, rendered rows, mixtures."] = Path("data")
    jobs: Annotated[
        int, "Number of tasks or shards to work on at once; output does not depend on it.", "FLANBUILD_JOBS"
    ] = JOBS

    @property
    def workers(self) -> Workers:
        """Who does the work."""
        return Workers(self.jobs)

    def build(self, mixture: str) -> "Build":
        """A mixture's build over all tasks."""
        local_path("MIXTURE")(Path(mixture))
        return self.build_of(project.find_mixture(mixture))

    def checked_build(self, mixture: str) -> "Build":
        """The build of a mixture whose names exist and whose requirements are met, over all tasks."""
        from flanbuild.declare.requirements import check_mixture

        build = self.build(mixture)
        check_mixture(build.mixture, build.tasks.values())
        return build

    def build_of(self, mixture: "Mixture") -> "Build":
        """The build of a mixture that has no file."""
        from flanbuild.builder import Build

        if self.jobs < 1:
            raise DeclarationError(f"--jobs: found {self.jobs}, at least 1 is needed.")
        tasks = self.task_files()
        return Build(
            tasks=tasks,
            mixture=mixture,
            source=self.open(),
            data=self.data,
            missing=self.missing.value,
            workers=self.workers,
            progress=progress,
        )


@dataclass(frozen=True, kw_only=True)
class BuildOptions(DataOptions):
    """The same, and on which machines it is built."""

    executor: Annotated[
        Executor,
        "Executor of rendering and mixing: `process` (this machine) or `dask`.",
        "FLANBUILD_EXECUTOR",
    ] = Executor.process
    scheduler: Annotated[
        str, "Address of the Dask scheduler, such as tcp://127.0.0.1:8786.", "FLANBUILD_SCHEDULER"
    ] = ""

    @property
    def workers(self) -> Workers:
        """Who does the work, here or elsewhere."""
        return Workers(self.jobs, cluster(self.executor.value, self.scheduler))
