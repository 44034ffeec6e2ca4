"""What is missing or stale for a mixture, and the run of it: the command line's way. DVC has its own.

Whether a piece is stale is decided by the digest of its inputs, which every piece keeps beside its output.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flanbuild.artifacts.files import read_json
from flanbuild.declare.mixture import HeldOut, Mixture, hold_out
from flanbuild.declare.task import Task
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.inspect.rebuild import rebuilt_differences
from flanbuild.mix import manifest, mixture
from flanbuild.mix.mixture import Allocation
from flanbuild.progress import Progress
from flanbuild.render import prompts
from flanbuild.render.examples import check_expressions
from flanbuild.sources import Source, raw


@dataclass(frozen=True)
class Build:
    """One mixture over some tasks, and where its pieces lie."""

    tasks: Mapping[str, Task]
    mixture: Mixture
    source: Source
    data: Path
    missing: raw.Missing
    evaluation_examples: int
    jobs: int
    progress: Progress
    scheduler: str = ""
    """of Dask workers that render and mix; none: this machine does"""

    def download(self) -> None:
        """Raw folders that are missing or stale."""
        stale = [task for task in self._members() if not self._raw_is_current(task)]
        self._run("download", stale, self._download)

    def render(self) -> None:
        """Rendered folders that are missing or stale, and what they need."""
        members = self._members()
        if faults := check_expressions(members):
            raise DeclarationError(*faults)
        self.download()
        stale = [task for task in members if not self._rendered_is_current(task)]
        self._run("render", stale, self._render)

    def records(self) -> dict[str, dict[str, Any]]:
        """What task.json says of each task, in name order."""
        return {t.name: read_json(self.rendered / t.cluster / t.name / "task.json") for t in self._members()}

    def mix(self, holdout: Iterable[str]) -> tuple[Path, dict[str, Any], bool]:
        """(folder, manifest, whether it was built now)."""
        held = self._hold_out(holdout)
        self.render()
        folder = self.data / "mixtures" / self.mixture.folder(holdout)
        records = self.records()
        current = _read(folder / manifest.NAME)
        if current.get("inputs") == mixture.inputs(self.mixture, records, held) and not _wrong_sizes(
            folder, current
        ):
            return folder, current, False
        record = mixture.mix(
            self.mixture,
            self.rendered,
            records,
            held,
            folder,
            jobs=self.jobs,
            scheduler=self.scheduler,
            progress=self.progress,
        )
        return folder, record, True

    def plan(self, holdout: Iterable[str]) -> tuple[list[Allocation], dict[str, HeldOut]]:
        """The allocation, with tasks rendered as far as needed to know their rows."""
        held = self._hold_out(holdout)
        self.render()
        records = self.records()
        leaked = mixture.look_for_leaks(self.mixture, self.rendered, records, held).dropped()
        return mixture.plan(self.mixture, records, held, leaked), held

    @property
    def rendered(self) -> Path:
        """Where rendered tasks lie."""
        return self.data / "rendered"

    def _hold_out(self, holdout: Iterable[str]) -> dict[str, HeldOut]:
        members = {task.name for task in self._members()}
        held_out = hold_out(self.mixture, holdout, self.tasks.values())
        return {
            name: replace(out, tasks=tuple(task for task in out.tasks if task in members))
            for name, out in held_out.items()
        }

    def _members(self) -> list[Task]:
        return [self.tasks[name] for name in self.mixture.members(self.tasks.values())]

    def _raw(self, cluster: str) -> Path:
        return self.data / "raw" / cluster

    def _run(
        self, verb: str, tasks: list[Task], by_cluster: Callable[[list[Task], Callable[[], None]], None]
    ) -> None:
        if not tasks:
            return
        with self.progress(len(tasks), verb) as done:
            by_cluster(tasks, done)

    def _download(self, tasks: list[Task], done: Callable[[], None]) -> None:
        raw.download_all(tasks, self.source, self.data / "raw", self.missing, jobs=self.jobs, done=done)

    def _render(self, tasks: list[Task], done: Callable[[], None]) -> None:
        prompts.render_all(
            tasks,
            self.data / "raw",
            self.rendered,
            self.mixture,
            self.evaluation_examples,
            jobs=self.jobs,
            scheduler=self.scheduler,
            done=done,
        )

    def _raw_is_current(self, task: Task) -> bool:
        return raw.is_current(task, self.source, self._raw(task.cluster) / task.name, self.missing)

    def _rendered_is_current(self, task: Task) -> bool:
        folder = self.rendered / task.cluster / task.name
        said = _read(folder / "task.json")
        written = [name for name, split in said.get("splits", {}).items() if "missing" not in split]
        if any(not (folder / f"{name}.arrow").is_file() for name in written):
            return False
        source = read_json(self._raw(task.cluster) / task.name / "source.json")
        return said.get("inputs") == prompts.inputs(
            task, source, self.mixture, self.evaluation_examples, said.get("splits", {})
        )


def rebuild(folder: Path, build: Build) -> list[str]:
    """Builds the mixture into `build.data` and says what differs, a sentence each; empty when every byte is equal.

    `build` is of `mixture_of(folder)` and an empty folder. The folder's own manifest has been verified.
    """
    record = read_json(folder / manifest.NAME)
    if missing := sorted(record["tasks"].keys() - build.tasks.keys()):
        return [f"{folder}: can't be built again without the pages of {', '.join(missing)}."]
    again, _, _ = build.mix(record["holdout"])
    return rebuilt_differences(folder, again)


def _read(path: Path) -> dict[str, Any]:
    """What the file says, or nothing if it is missing or damaged: then the piece is made again."""
    try:
        said = read_json(path)
    except ArtifactError:
        return {}
    return said if isinstance(said, dict) else {}


def _wrong_sizes(folder: Path, said: Mapping[str, Any]) -> bool:
    """A cheap look for shards that were deleted or cut; `verify` reads every byte."""
    files = [file for split in said["shards"].values() for file in split]
    return any(not (p := folder / f["path"]).is_file() or p.stat().st_size != f["bytes"] for f in files)
