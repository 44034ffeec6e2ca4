"""The declarations of a project: its mixtures, task files and lock, or those that come with flanbuild.

A project is the current folder if it has `mixtures/tasks`. `flanbuild init` lays one out.
"""

from collections.abc import Iterable
from pathlib import Path
from shutil import copyfile

from flanbuild.declare.mixture import Mixture, load_mixture
from flanbuild.declare.task import Task
from flanbuild.declare.task_files import load_tasks
from flanbuild.errors import DeclarationError

MIXTURES = Path("mixtures")
SUFFIXES = (".yaml", ".yml")


def mixtures_folder() -> Path:
    """`mixtures` of the project, else the folder that comes with flanbuild."""
    return MIXTURES if (MIXTURES / "tasks").is_dir() else packaged_mixtures()


def packaged_mixtures() -> Path:
    """The folder that comes with flanbuild: in its wheel, or beside the package in a clone."""
    package = Path(__file__).parents[1]
    wheel = package / "_mixtures"
    return wheel if wheel.is_dir() else package.parent / "mixtures"


def lock_file() -> Path:
    """The lock beside the mixtures."""
    return mixtures_folder() / "lock.json"


def task_files(own: Iterable[Path] = ()) -> dict[str, Task]:
    """All tasks, of the project's task files and of `own` folders, which replace files of the same dataset."""
    return load_tasks([mixtures_folder() / "tasks", *own])


def find_mixture(name: str | Path) -> Mixture:
    """The mixture that `name` stands for: a path that ends in .yaml, else `name.yaml` here or in `mixtures`.

    Raises DeclarationError if there is none, if both places have one, or with all faults of the file.
    """
    if Path(name).suffix in SUFFIXES:
        return load_mixture(Path(name))
    here, there = Path(f"{name}.yaml"), mixtures_folder() / f"{name}.yaml"
    if here.is_file() and there.is_file():
        raise DeclarationError(
            f"Two mixtures are named '{name}': {here} and {there}; name one with its suffix."
        )
    return load_mixture(here if here.is_file() else there)


def mixture_names() -> list[str]:
    """The names of the mixtures of the project, sorted."""
    return sorted(path.stem for path in mixtures_folder().glob("*.yaml"))


def lay_out(folder: Path) -> list[Path]:
    """Writes a new project: parameters, stages, all mixtures and task files, and a task file with rows to edit.

    Returns the files that a user edits first. Raises DeclarationError, and writes nothing, if a file of the project is
    there already.
    """
    package = Path(__file__).parents[1]
    sources = {folder / MIXTURES: packaged_mixtures(), folder: package / "starter"}
    copies = {
        target / path.relative_to(source): path
        for target, source in sources.items()
        for path in sorted(source.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    if there := [path for path in copies if path.exists()]:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise DeclarationError(
            f"{there[0]}{more}: already there, and nothing is overwritten; name an empty folder."
        )
    for target, path in copies.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(path, target)
    return sorted(target for target, path in copies.items() if path.is_relative_to(package / "starter"))
