"""The options that commands share, and what they open."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from flanbuild.mixtures import Mixture
    from flanbuild.tasks import Task


class Kind(StrEnum):
    """Where rows come from."""

    sample = "sample"
    mirror = "mirror"
    hub = "hub"


class Missing(StrEnum):
    """What a missing upstream split does."""

    error = "error"
    skip = "skip"


Tasks = Annotated[
    list[Path] | None,
    typer.Option("--tasks", help="A folder of pages of your own, beside the built-in ones; may be repeated.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Plain JSON on stdout, for machines.")]
SourceKind = Annotated[Kind | None, typer.Option("--source", help="Where rows come from.", show_default="params.yaml, else sample")]
Mirror = Annotated[Path | None, typer.Option("--mirror", help="The folder of `--source mirror`.", show_default="params.yaml")]
SkipMissing = Annotated[
    Missing | None, typer.Option("--missing", help="Stop at a missing split, or build without it.", show_default="params.yaml, else error")
]
SampleRows = Annotated[int | None, typer.Option("--sample-rows", min=1, help="Size of a train split of the sample.", show_default="params.yaml, else 200")]
Data = Annotated[Path, typer.Option("--data", help="Where raw, rendered and mixed data lie.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, envvar="FLANBUILD_JOBS", help="Processes at once.", show_default="all cores")]
Holdout = Annotated[
    list[str] | None, typer.Option("--holdout", help="A cluster to hold out; may be repeated.", show_default="nothing")
]
MixtureName = Annotated[
    str | None, typer.Argument(metavar="[MIXTURE]", help="A name in mixtures/, or a file.", show_default="params.yaml, else flan2021")
]
TaskName = Annotated[str, typer.Argument(metavar="TASK", help="A task, a dataset (all its tasks) or a cluster.")]
TaskNames = Annotated[list[str] | None, typer.Argument(metavar="[TASK]...", help="Tasks, datasets or clusters; all if none is named.", show_default=False)]


def pages(own: list[Path] | None) -> "dict[str, Task]":
    """All tasks: the built-in pages and one's own."""
    from flanbuild.tasks import load_tasks

    return load_tasks([mixtures_folder() / "tasks", *(own or [])])


def mixtures_folder() -> Path:
    """This project's, else the one that comes with flanbuild."""
    here = Path("mixtures")
    return here if (here / "tasks").is_dir() else Path(__file__).parents[2] / "mixtures"


def mixture(name: str | None) -> "Mixture":
    """A mixture by its name in the mixtures folder, or by its file; params.yaml's by default."""
    from flanbuild.mixtures import load_mixture
    from flanbuild.params import load_params

    name = name or load_params().mixture
    return load_mixture(Path(name) if Path(name).suffix else mixtures_folder() / f"{name}.yaml")


def source(kind: Kind | None, mirror: Path | None, sample_rows: int | None) -> Any:
    """The source that the options ask for; params.yaml's by default."""
    from flanbuild.params import load_params
    from flanbuild.sources import open_source

    params = load_params()
    return open_source(
        kind.value if kind else params.source,
        mirror=mirror or params.mirror,
        sample_rows=sample_rows or params.sample.rows,
    )
