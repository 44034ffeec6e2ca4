"""Reading task files: from folders of YAML to checked tasks.

>>> tasks = load_tasks([Path("mixtures/tasks")])
>>> tasks["rte"].cluster, tasks["anli/r1"].path
('nli', PosixPath('mixtures/tasks/nli/anli.yaml'))
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from flanbuild.declare.document import MAX_BYTES, SEGMENT, Faults, read, validate
from flanbuild.declare.task import LOCAL, Task
from flanbuild.declare.task_checks import check
from flanbuild.errors import DeclarationError
from flanbuild.progress import log

_CHARACTERS = "letters, digits, '_', '.' and '-', beginning with a letter or a digit"
_KEYS = re.compile(
    rb"^[ \t{]*['\"]?(source|columns|templates|subsets|fields|metrics)['\"]?\s*:", re.MULTILINE
)


def load_tasks(folders: Iterable[Path]) -> dict[str, Task]:
    """All tasks by name, in name order. A task file replaces one of the same dataset in an earlier folder.

    The folder that a task file lies in is its cluster. Raises DeclarationError with all faults of all task files.
    """
    paths: dict[str, Path] = {}
    faults: list[str] = []
    for folder in folders:
        paths |= _task_files(folder, faults)
    tasks: dict[str, Task] = {}
    for path in paths.values():
        loaded, file_faults = load_task_file(path)
        faults += file_faults
        tasks |= {task.name: task for task in loaded}
    if faults:
        raise DeclarationError(*faults)
    return dict(sorted(tasks.items()))


def load_task_file(path: Path) -> tuple[list[Task], list[str]]:
    """The tasks of one task file and its faults. A task that does not fit the models is left out."""
    faults = Faults(path)
    data = read(path, faults)
    if faults:
        return [], faults
    if not isinstance(data, dict):
        faults.add((), "a task file is a mapping of keys such as source, fields, templates.")
        return [], faults
    tasks = []
    found: dict[str, None] = {}  # subsets of one file share their faults
    for subset, declared in _subsets(data, faults):
        here = Faults(path, subset)
        task = _task(path, subset, declared, here)
        if task is not None:
            for keys, sentence in check(task):
                here.add(keys, sentence)
            tasks.append(task)
        found |= dict.fromkeys(here)
    faults.extend(found)
    return tasks, faults


def _task_files(folder: Path, faults: list[str]) -> dict[str, Path]:
    """The task files of one folder by dataset, in path order."""
    if not folder.is_dir():
        raise DeclarationError(f"{folder}: no such folder of task files.")
    paths: dict[str, Path] = {}
    for path in _yaml_files(folder):
        cluster = path.parent.name
        if path.parent == folder:
            faults.append(
                f"{path}: a task file lies in the folder of its cluster, {folder / '<cluster>' / path.name}; --tasks "
                "names the folder above the clusters."
            )
        elif not re.fullmatch(SEGMENT, cluster):
            faults.append(
                f"{path}: a task file lies in the folder of its cluster, whose name has {_CHARACTERS}; "
                f"found '{cluster}'."
            )
        elif path.suffix != ".yaml" or not re.fullmatch(SEGMENT, path.stem):
            faults.append(f"{path}: a task file is named <dataset>.yaml, where <dataset> has {_CHARACTERS}.")
        elif path.stem in paths:
            faults.append(f"{path}: dataset '{path.stem}' already has a task file, {paths[path.stem]}.")
        else:
            paths[path.stem] = path
    if not paths and not faults:
        raise DeclarationError(f"{folder}: no task file; one is {folder / '<cluster>' / '<dataset>.yaml'}.")
    return paths


def _yaml_files(folder: Path) -> Iterator[Path]:
    """The YAML files of clusters, in path order.

    Hidden folders such as .ipynb_checkpoints are left out, and so are folders of data: those with files of other kinds
    in which no YAML file has a key of a task file.
    """
    visible = [
        path
        for path in sorted(folder.rglob("*.y*ml"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    for parent, group in groupby(visible, key=lambda path: path.parent):
        paths = list(group)
        if any(map(_resembles_task_file, paths)) or not _holds_data(parent):
            yield from paths
        else:
            log(f"{parent}: skipped {len(paths)} YAML file(s) without keys of a task file.")


def _holds_data(folder: Path) -> bool:
    return any(path.is_file() and path.suffix not in (".yaml", ".yml") for path in folder.iterdir())


def _resembles_task_file(path: Path) -> bool:
    """Whether a line of the file begins with a key that only task files have; true for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            return _KEYS.search(file.read(MAX_BYTES)) is not None
    except OSError:
        return True


def _subsets(data: dict[str, Any], faults: Faults) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """(name of the subset, the file's keys with those of the subset in their place)."""
    if "subsets" not in data:
        yield None, data
        return
    subsets = data["subsets"]
    shared = {key: value for key, value in data.items() if key != "subsets"}
    if not isinstance(subsets, dict) or not subsets or not all(isinstance(v, dict) for v in subsets.values()):
        faults.add(("subsets",), "expected a mapping of subset names to the keys that each replaces.")
        return
    for name, own in subsets.items():
        if not isinstance(name, str) or not re.fullmatch(SEGMENT, name):
            faults.add(("subsets", name), f"a subset's name has {_CHARACTERS}; found {name!r}.")
            continue
        yield name, shared | own


def _task(path: Path, subset: str | None, declared: dict[str, Any], faults: Faults) -> Task | None:
    """The task of these keys, or None with faults."""
    names = {
        "name": f"{path.stem}/{subset}" if subset else path.stem,
        "dataset": path.stem,
        "cluster": path.parent.name,
        "path": path,
    }
    taken = sorted(names.keys() & declared.keys())
    for key in taken:
        faults.add((key,), f"'{key}' follows from the file's name and folder and is not declared.")
    if taken:
        return None
    return validate(Task, _with_repo(declared, path.stem) | names, faults)


def _with_repo(declared: dict[str, Any], dataset: str) -> dict[str, Any]:
    """Adds the repository name of local files to a source that has files and no repository."""
    source = declared.get("source")
    if not isinstance(source, dict) or "repo" in source or "files" not in source:
        return declared
    return declared | {"source": source | {"repo": f"{LOCAL}{dataset}"}}
