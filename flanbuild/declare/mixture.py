"""What a mixture declares, and which tasks a hold-out takes out of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from itertools import groupby, islice
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, model_validator

from flanbuild.declare.document import Faults, StrictModel, read, validate
from flanbuild.declare.task import CLUSTERS, TEMPLATES, Cluster
from flanbuild.errors import DeclarationError, nearest
from flanbuild.keys import task_key


class TaskLike(Protocol):
    """What a mixture knows a task by."""

    @property
    def name(self) -> str:
        """Unique among tasks."""

    @property
    def dataset(self) -> str:
        """The page's name, which its subsets share."""

    @property
    def cluster(self) -> str:
        """One of the twelve."""


Scheme = Literal["proportional", "temperature", "uniform", "weights"]
Style = Literal["instruction", "none", "dataset_name"]


class Rate(StrictModel):
    """How many examples a task gives in one pass (`sampling.rate`).

    `proportional`: min(rows, max), so that a task gains nothing beyond `max` (paper, section 2.1). `temperature`:
    the same flattened, max · (min(rows, max) / max)^(1 / temperature), as T5 has it. `uniform`: `max` for each.
    `weights`: shares by task, dataset or cluster, within which tasks mix proportionally, as FLAN 2022's submixtures.
    """

    scheme: Scheme = "proportional"
    max: Annotated[int, Field(gt=0)] = 3000
    temperature: Annotated[float, Field(ge=1)] | None = None
    weights: dict[str, Annotated[Fraction, Field(ge=0)]] | None = None

    @model_validator(mode="after")
    def _what_the_scheme_needs(self) -> Self:
        for key in ("temperature", "weights"):
            if (getattr(self, key) is not None) != (self.scheme == key):
                raise ValueError(f"'{key}' goes with scheme: {key}, and scheme: {key} needs it")
        return self


class Size(StrictModel):
    """`passes`: each task gives its rate that many times; or `examples`: that many in all."""

    passes: Annotated[int, Field(gt=0)] | None = None
    examples: Annotated[int, Field(gt=0)] | None = None
    templates_per_row: Annotated[int, Field(gt=0)] = 1
    """With `examples`: under how many templates each row is rendered, should a task be asked for more than it has."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.passes is None) == (self.examples is None):
            raise ValueError("size is either {passes: n} or {examples: n}")
        return self


class LicenseTerms(StrictModel):
    """On what terms datasets may come: patterns (`cc-by*`, `*-nc-*`) over the license that a page states."""

    allow: tuple[str, ...] = ()
    """with any, a license must match one of them"""
    deny: tuple[str, ...] = ()
    """a license that matches is out, allowed or not"""


class Mixture(StrictModel):
    """One file of `mixtures/`. docs/mixtures.md tells every key."""

    name: str
    path: Path
    clusters: tuple[Cluster, ...] = CLUSTERS
    tasks: tuple[str, ...] | None = None
    datasets_per_cluster: Annotated[int, Field(gt=0)] | None = None
    cap: Annotated[int, Field(gt=0)] = 30_000
    rate: Rate = Rate()
    size: Size = Size(passes=10)
    templates: Annotated[int, Field(gt=0, le=TEMPLATES)] = TEMPLATES
    templates_per_example: Annotated[int, Field(gt=0)] | Literal["all"] = 1
    style: Style = "instruction"
    separator: str = "\n"
    seed: int = 0
    shards: Annotated[int, Field(gt=0)] = 16
    shard_megabytes: Annotated[int, Field(gt=0)] | None = None
    compression: Literal["none", "lz4", "zstd"] = "none"
    related: tuple[tuple[Cluster, Cluster], ...] = ()
    licenses: LicenseTerms = LicenseTerms()
    leaks: Literal["error", "drop", "report"] = "report"

    @model_validator(mode="after")
    def _what_goes_with_what(self) -> Self:
        if self.rate.scheme == "weights" and self.size.examples is None:
            raise ValueError("rate.scheme weights divides a size: write size: {examples: n}")
        if self.templates_each > self.templates:
            raise ValueError(f"templates_per_example is at most templates, which is {self.templates}")
        return self

    @property
    def templates_each(self) -> int:
        """Under how many templates a row comes each time that it is drawn."""
        return self.templates if self.templates_per_example == "all" else self.templates_per_example

    def refused(self, license: str) -> str:
        """Why a dataset under such a license is left out; empty when it is not."""
        terms = license.casefold()
        for pattern in self.licenses.deny:
            if fnmatchcase(terms, pattern.casefold()):
                return f"license {license}: denied by '{pattern}' in {self.path.name}"
        if self.licenses.allow and not any(fnmatchcase(terms, p.casefold()) for p in self.licenses.allow):
            return f"license {license}: not among those that {self.path.name} allows"
        return ""

    def members(self, known: Iterable[TaskLike]) -> list[str]:
        """The names of the mixture's tasks, sorted, before anything is held out.

        `datasets_per_cluster` keeps that many datasets of each cluster, in keyed order (paper, section 4.1).
        """
        chosen = [task for task in known if task.cluster in self.clusters]
        names = {name for task in chosen for name in (task.name, task.dataset)}
        if self.tasks is not None:
            self._check_names("tasks", self.tasks, names)
            chosen = [task for task in chosen if {task.name, task.dataset} & set(self.tasks)]
        if self.rate.weights is not None:
            self._check_names("rate.weights", self.rate.weights, {*names, *self.clusters})
        if self.datasets_per_cluster is not None:
            kept = self._first_datasets(
                {(task.cluster, task.dataset) for task in chosen}, self.datasets_per_cluster
            )
            chosen = [task for task in chosen if task.dataset in kept]
        return sorted(task.name for task in chosen)

    def _check_names(self, key: str, asked: Iterable[str], known: Iterable[str]) -> None:
        if unknown := sorted(set(asked) - set(known)):
            raise DeclarationError(
                *(
                    f"{self.path}: {key}: no task or dataset '{name}'.{nearest(name, known)}"
                    for name in unknown
                )
            )

    def _first_datasets(self, datasets: set[tuple[str, str]], count: int) -> set[str]:
        by_key = sorted((cluster, task_key(self.seed, "dataset", name), name) for cluster, name in datasets)
        clusters = groupby(by_key, key=lambda entry: entry[0])
        return {name for _, entries in clusters for _, _, name in islice(entries, count)}

    def folder(self, holdout: Iterable[str]) -> str:
        """The name of the mixture's folder: `flan2021-without-nli`."""
        names = sorted({name.replace("/", ".") for name in holdout})
        return "-".join([self.name, *(["without", *names] if names else [])])


@dataclass(frozen=True)
class HeldOut:
    """A cluster, dataset or task that leaves training, the rule that says so, and the tasks it takes along."""

    name: str
    asked: bool
    rule: str
    tasks: tuple[str, ...]


def load_mixture(path: Path) -> Mixture:
    """Raises DeclarationError with all faults of the file."""
    faults = Faults(path)
    if not path.is_file():
        raise DeclarationError(
            f"{path}: no such mixture.{nearest(path.stem, (p.stem for p in path.parent.glob('*.yaml')))}"
        )
    data = read(path, faults) or {}
    if not faults and not isinstance(data, dict):
        faults.add((), "a mixture is a mapping of keys such as cap, rate, size, related.")
    mixture = None if faults else validate(Mixture, data | {"name": path.stem, "path": path}, faults)
    if mixture is None:
        raise DeclarationError(*faults)
    return mixture


def hold_out(mixture: Mixture, names: Iterable[str], known: Iterable[TaskLike]) -> dict[str, HeldOut]:
    """What leaves training when clusters, datasets or tasks are held out: each of them, and clusters related to them.

    The relation is symmetric and goes one step: holding out reading comprehension drops reading comprehension
    with commonsense, but not commonsense (paper, section 2.2; FLAN's split code). A dataset or task leaves alone,
    as in FLAN's intra-cluster splits. Raises DeclarationError for a name that is none of `known`.
    """
    tasks = list(known)
    out: dict[str, HeldOut] = {}
    asked = sorted(set(names))
    for name in asked:
        members = tuple(
            sorted(task.name for task in tasks if name in (task.name, task.dataset, task.cluster))
        )
        if not members and name not in CLUSTERS:
            allowed = {n for task in tasks for n in (task.name, task.dataset)} | set(CLUSTERS)
            raise DeclarationError(
                f"--holdout: no cluster, dataset or task '{name}'.{nearest(name, allowed)}"
            )
        out[name] = HeldOut(name, asked=True, rule=f"held out: --holdout {name}", tasks=members)
    for name in asked:
        for pair in mixture.related:
            if name in pair:
                other = pair[1] if pair[0] == name else pair[0]
                members = tuple(sorted(task.name for task in tasks if task.cluster == other))
                rule = f"related to {name} in {mixture.path.name}"
                out.setdefault(other, HeldOut(other, asked=False, rule=rule, tasks=members))
    return dict(sorted(out.items()))
