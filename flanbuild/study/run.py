"""Runs the points of studies as DVC experiments, each in a temporary copy, and keeps what they scored.

A run is done when its folder has a record with today's settings and code. So a study that was stopped goes on where it
was, and an edit of a document runs nothing again. What DVC has computed before, such as a mixture that two runs share,
comes from its cache.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
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
    code = _code()
    with locked(out):
        waiting = [run for run in runs_of(studies) if not _is_done(run, out, code)]
        total = len(runs_of(studies))
        if len(waiting) < total:
            log(f"study: {total - len(waiting)} of {total} runs are done already.")
        spent: list[float] = []
        for number, run in enumerate(waiting, start=1):
            left = f", about {_minutes(_mean(spent) * (len(waiting) - number + 1))} left" if spent else ""
            log(f"study: run {number} of {len(waiting)}, {run.name}{left}")
            start = monotonic()
            _run(run, out / RUNS / run.name, code)
            spent.append(monotonic() - start)
            log(f"study: {run.name} took {spent[-1]:.0f} s")


def finished(studies: Iterable[Study], out: Path) -> list[Study]:
    """The studies of which every run is done."""
    code = _code()
    return [study for study in studies if all(_is_done(run, out, code) for run in runs_of([study]))]


def _is_done(run: Run, out: Path, code: str) -> bool:
    """Whether the results of the run are there, of today's settings and code."""
    record = find_record(out / RUNS / run.name / RECORD, RunRecord)
    return record is not None and (record.settings, record.code) == (run.settings, code)


def _run(run: Run, folder: Path, code: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    output = folder.parent / f"{run.name}.log"
    if _revision(run.name):  # of other settings, or its results were not kept
        _dvc(["exp", "remove", "--quiet", run.name], output)
    _dvc(["exp", "run", "--temp", "--name", run.name, *run.arguments], output)
    revision = _revision(run.name)
    assert revision, "DVC names an experiment as asked"
    with locked(folder), staged(folder, (RECORD, *_KEPT, LOG)) as staging:
        _fetch(revision, Path("reports") / "holdouts" / run.holdout, staging)
        with disk_errors(folder):
            shutil.move(output, staging / LOG)
        record = RunRecord.of(
            revision=revision,
            overrides=dict(run.overrides),
            settings=run.settings,
            code=code,
        )
        write_record(staging / RECORD, record)


def _dvc(given: Sequence[str], output: Path) -> None:
    """Runs DVC with its output in a file. Raises ExecutionError with the sentence of the stage that failed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with output.open("w", encoding="utf-8") as file:
        done = subprocess.run(  # noqa: S603  a list of arguments, no shell
            [sys.executable, "-m", "dvc", *given],
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


def _fetch(revision: str, source: Path, target: Path) -> None:
    """Copies the kept files of an experiment out of DVC's cache."""
    from dvc.api import DVCFileSystem

    files = DVCFileSystem(str(Path.cwd()), rev=revision)
    for name in _KEPT:
        files.get_file((source / name).as_posix(), str(target / name))


def _revision(name: str) -> str:
    """The commit of the experiment of today's HEAD, or nothing."""
    head = _git("rev-parse", "HEAD")
    return _git("rev-parse", "--verify", "--quiet", f"refs/exps/{head[:2]}/{head[2:]}/{name}", missing="")


def _code() -> str:
    """The digest of the tracked files that stages read, with the changes of the workspace that are not committed.

    `dvc exp run` takes the same files along: it leaves untracked ones behind.
    """
    faults = Faults(_PIPELINE)
    declared = read(_PIPELINE, faults)
    if faults:
        raise DeclarationError(*faults)
    stages = declared["stages"]
    deps = {dep for stage in stages.values() for dep in stage.get("do", stage).get("deps", ())}
    kept = sorted(dep for dep in deps if "$" not in dep and dep.partition("/")[0] not in _MADE)
    kept += [Path(folder).parent.as_posix() for folder in load_params().own.tasks]  # with the rows beside it
    with TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        shutil.copyfile(Path(_git("rev-parse", "--git-path", "index")), index)
        _git("add", "--update", index=index)
        tree = _git("write-tree", index=index)
    return digest_of(_git("ls-tree", "-r", tree, "--", str(_PIPELINE), *kept))


def _git(*given: str, missing: str | None = None, index: Path | None = None) -> str:
    """What git prints, or `missing` if it fails."""
    environment = os.environ | ({"GIT_INDEX_FILE": str(index)} if index else {})
    done = subprocess.run(  # noqa: S603  a list of arguments, no shell
        ["git", *given],  # noqa: S607  the user's git
        capture_output=True,
        text=True,
        env=environment,
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
