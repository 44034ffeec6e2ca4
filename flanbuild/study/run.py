"""Runs the points of studies as DVC experiments in a clone of the project, and keeps what they scored.

DVC writes the overrides of an experiment into the workspace for a moment, also with `--temp`. In a clone, a study that is
killed in that moment changes nothing of the user's. The clone has the changes of the workspace that are not committed, and
the project's cache.

A run is done when its folder has a record with today's settings and code. So a study that was stopped goes on where it
was, and an edit of a document runs nothing again. What DVC has computed before, such as a mixture that two runs share,
comes from its cache.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import ClassVar

from pydantic import JsonValue

from flanbuild.artifacts.files import digest_of, disk_errors, locked, staged
from flanbuild.artifacts.records import RECORD, SCORES, Digest, Record, find_record, write_record
from flanbuild.declare.document import Faults, read
from flanbuild.declare.params import load_params
from flanbuild.errors import DeclarationError, ExecutionError, require
from flanbuild.progress import log
from flanbuild.study.declaration import Run, Study

RUNS = "runs"
"""Folder of the results of the runs, below that of the studies."""
LOG = "dvc.log"
_PIPELINE = Path("dvc.yaml")
PREDICTIONS = "predictions.arrow"
_KEPT = (SCORES, PREDICTIONS)
_MADE = ("data", "models", "reports")
"""Folders of what stages make."""


class RunRecord(Record):
    """`record.json` beside the scores of a run."""

    FORMAT: ClassVar[int] = 1

    revision: str
    """commit of the DVC experiment"""
    overrides: dict[str, JsonValue]
    settings: Digest
    """of all settings, defaults included"""
    code: Digest
    """of the tracked files that the stages read, as they were in the workspace"""


def runs_of(studies: Iterable[Study]) -> list[Run]:
    """The runs of studies, each once, in their order."""
    runs = (run for study in studies for point in study.points for run in point.runs)
    return list({run.name: run for run in runs}.values())


def run_studies(studies: Sequence[Study], out: Path) -> None:
    """Runs what is not done of the studies, one run after another, in the DVC project of this folder.

    `out` gets the folder `runs/NAME` of each run: its scores, its predictions, a record and DVC's output. Raises
    ExecutionError for a run that fails; those before it stay, and the next call goes on with it.
    """
    require("`flanbuild study`", "dvc", ("dvc",))
    if not _PIPELINE.is_file() or not Path(".dvc").is_dir():
        raise DeclarationError(
            "flanbuild study: this folder is no DVC project; `git init && dvc init` makes one."
        )
    with locked(out):
        tree = _tree()
        code = _code(tree)
        waiting = [run for run in runs_of(studies) if not _is_done(run, out, code)]
        total = len(runs_of(studies))
        if len(waiting) < total:
            log(f"study: {total - len(waiting)} of {total} runs are done already.")
        if not waiting:
            return
        clone = _clone(tree)
        spent: list[float] = []
        for number, run in enumerate(waiting, start=1):
            left = f", about {_minutes(_mean(spent) * (len(waiting) - number + 1))} left" if spent else ""
            log(f"study: run {number} of {len(waiting)}, {run.name}{left}")
            start = monotonic()
            _run(run, out / RUNS / run.name, code, clone)
            spent.append(monotonic() - start)
            log(f"study: {run.name} took {spent[-1]:.0f} s")
        shutil.rmtree(clone)


def finished(studies: Iterable[Study], out: Path) -> list[Study]:
    """The studies of which every run is done."""
    code = _code(_tree())
    return [study for study in studies if all(_is_done(run, out, code) for run in runs_of([study]))]


def _is_done(run: Run, out: Path, code: str) -> bool:
    """Whether the results of the run are there, of today's settings and code."""
    record = find_record(out / RUNS / run.name / RECORD, RunRecord)
    return record is not None and (record.settings, record.code) == (run.settings, code)


def _run(run: Run, folder: Path, code: str, clone: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    output = folder.parent / f"{run.name}.log"
    _dvc(["exp", "run", "--temp", "--name", run.name, *run.arguments], clone, output)
    baseline = _git("rev-parse", "HEAD", folder=clone)
    ref = f"refs/exps/{baseline[:2]}/{baseline[2:]}/{run.name}"
    _git("fetch", "--quiet", str(clone), f"+{ref}:{ref}")
    revision = _git("rev-parse", ref)
    with locked(folder), staged(folder, (RECORD, *_KEPT, LOG)) as staging:
        _fetch(clone, revision, Path("reports") / "holdouts" / run.holdout, staging)
        with disk_errors(folder):
            shutil.move(output, staging / LOG)
        record = RunRecord.of(
            revision=revision,
            overrides=dict(run.overrides),
            settings=run.settings,
            code=code,
        )
        write_record(staging / RECORD, record)


def _clone(tree: str) -> Path:
    """A clone with the files of `tree`, which takes the place of one that a killed study left."""
    clone = Path(".dvc", "tmp", "studies").absolute()
    shutil.rmtree(clone, ignore_errors=True)
    _git("clone", "--quiet", "--shared", "--no-checkout", ".", str(clone))
    _git("checkout", "--quiet", "--detach", _commit(tree), folder=clone)
    for name in ("user.name", "user.email"):
        _git("config", name, _git("config", name, missing="flanbuild"), folder=clone)
    if (local := Path(".dvc", "config.local")).is_file():
        shutil.copyfile(local, clone / local)
    with TemporaryDirectory() as folder:
        output = Path(folder) / LOG
        _dvc(["cache", "dir"], Path.cwd(), output)
        cache = output.read_text(encoding="utf-8").splitlines()[-1]
        _dvc(["cache", "dir", "--local", cache], clone, output)
    return clone


def _commit(tree: str) -> str:
    """HEAD, or if the workspace has changes a commit of them, the same one for the same changes."""
    if tree == _git("rev-parse", "HEAD^{tree}"):
        return _git("rev-parse", "HEAD")
    date = _git("show", "--no-patch", "--format=%cI", "HEAD")
    names = {
        f"GIT_{role}_{part}": "flanbuild" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
    }
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    message = "Workspace of a study"
    return _git("commit-tree", tree, "-p", "HEAD", "-m", message, environment=names | dates)


def _dvc(given: Sequence[str], folder: Path, output: Path) -> None:
    """Runs DVC in a folder, with its output in a file. Raises ExecutionError with the sentence of the stage that failed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with output.open("w", encoding="utf-8") as file:
        done = subprocess.run(  # noqa: S603  a list of arguments, no shell
            [sys.executable, "-m", "dvc", *given],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PATH": path},  # stages run `python`
            check=False,
        )
    if done.returncode:
        raise ExecutionError(f"study: dvc {' '.join(given[:2])} failed: {_reason(output)} See {output}.")


def _reason(output: Path) -> str:
    lines = [line.strip() for line in output.read_text(encoding="utf-8", errors="replace").splitlines()]
    told = [line for line in lines if line.startswith(("flanbuild: ", "ERROR: "))]
    return next(iter(told or lines[-1:]), "no output.")


def _fetch(clone: Path, revision: str, source: Path, target: Path) -> None:
    """Copies the kept files of an experiment out of DVC's cache."""
    from dvc.api import DVCFileSystem

    files = DVCFileSystem(str(clone), rev=revision)
    for name in _KEPT:
        files.get_file((source / name).as_posix(), str(target / name))


def _tree() -> str:
    """The tree of the tracked files as they are in the workspace. Neither index nor workspace changes."""
    with TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        shutil.copyfile(_git("rev-parse", "--git-path", "index"), index)
        _git("add", "--update", environment={"GIT_INDEX_FILE": str(index)})
        return _git("write-tree", environment={"GIT_INDEX_FILE": str(index)})


def _code(tree: str) -> str:
    """The digest of the files of a tree that stages read."""
    faults = Faults(_PIPELINE)
    declared = read(_PIPELINE, faults)
    if faults:
        raise DeclarationError(*faults)
    stages = declared["stages"]
    deps = {dep for stage in stages.values() for dep in stage.get("do", stage).get("deps", ())}
    kept = sorted(dep for dep in deps if "$" not in dep and dep.partition("/")[0] not in _MADE)
    kept += [Path(folder).parent.as_posix() for folder in load_params().own.tasks]  # with the rows beside it
    return digest_of(_git("ls-tree", "-r", tree, "--", str(_PIPELINE), *kept))


def _git(
    *given: str,
    folder: Path | None = None,
    missing: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """What git prints, or `missing` if it fails."""
    done = subprocess.run(  # noqa: S603  a list of arguments, no shell
        ["git", *given],  # noqa: S607  the user's git
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | dict(environment or {}),
        check=False,
    )
    if done.returncode:
        if missing is not None:
            return missing
        raise ExecutionError(f"study: git {given[0]} failed: {done.stderr.strip() or 'no output.'}")
    return done.stdout.strip()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _minutes(seconds: float) -> str:
    return f"{max(round(seconds / 60), 1)} min"
