"""What a mixture declares, which tasks it has, and which tasks a hold-out takes out of it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby, islice
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from flanbuild.declare.document import SEGMENT, Faults, StrictModel, read, validate
from flanbuild.declare.rate import SCHEMES, Rate
from flanbuild.declare.views import DeclaredView, checked_views
from flanbuild.errors import DeclarationError, nearest
from flanbuild.keys import task_key


def _in_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class TaskLike(Protocol):
    """The names by which a mixture refers to a task."""

    @property
    def name(self) -> str:
        """Unique among tasks."""

    @property
    def dataset(self) -> str:
        """The name of the task file, which its subsets share."""

    @property
    def cluster(self) -> str:
        """The name of the folder that the task file lies in."""


MAX_EXAMPLES = 1_000_000_000
"""Training examples of a mixture; putting n in order takes about 60 n bytes of memory."""
MAX_TEMPLATES = 10_000
MAX_SHARDS = 10_000
WITHOUT = "-without-"
"""Between the name of a mixture and what is held out in the name of its folder."""

ClusterName = Annotated[str, Field(pattern=SEGMENT)]
Style = Literal["instruction", "none", "dataset_name"]
PAPER_RELATED: tuple[tuple[ClusterName, ClusterName], ...] = (
    ("nli", "paraphrase"),
    ("reading_comprehension", "reading_comprehension_commonsense"),
    ("commonsense", "reading_comprehension_commonsense"),
)
"""Pairs of clusters that leave training together (paper, section 2.2; FLAN's split code)."""


class Size(StrictModel):
    """Number of training examples: `passes` times the rate of each task, or `examples` in all."""

    passes: Annotated[int, Field(gt=0, le=MAX_EXAMPLES)] | None = None
    """Each task gives its rate this many times."""
    examples: Annotated[int, Field(gt=0, le=MAX_EXAMPLES)] | None = None
    """Exact number of training examples of the mixture."""
    templates_per_row: Annotated[int, Field(gt=0, le=MAX_TEMPLATES)] | None = None
    """With `examples`: maximum number of templates under which a row is rendered; by default as many as could be needed."""

    @model_validator(mode="after")
    def _has_one_of_two(self) -> Self:
        if (self.passes is None) == (self.examples is None):
            raise ValueError("size is either {passes: n} or {examples: n}")
        return self


class LicenseTerms(StrictModel):
    """Licenses that a mixture takes: patterns (`cc-by*`, `*-nc-*`) over the license that a task file states."""

    allow: tuple[str, ...] = ()
    """If not empty, a license must match one of these patterns."""
    deny: tuple[str, ...] = ()
    """A license that matches is left out, even if `allow` has it."""


class Requirements(StrictModel):
    """Rules for the task files that a mixture trains on, beyond the rules of the format. By default none."""

    clusters: tuple[ClusterName, ...] | None = None
    """The clusters that a task file may be in."""
    templates: Annotated[int, Field(gt=0)] | None = None
    """Minimum number of templates per task."""
    inverted: Annotated[int, Field(ge=0)] | None = None
    """Maximum number of inverted templates per task."""
    inverted_options: bool = True
    """Whether inverted templates may show {options_}."""
    options_shown: bool = False
    """Whether at least one template of a task with options must show {options_}."""
    distinct_templates: bool = False
    """Whether two templates must differ in more than punctuation."""


class ContaminationRule(StrictModel):
    """How training rows that carry held-out evaluation rows are found, and what happens to them."""

    rule: Literal["report", "drop", "error"] = "report"
    """`report` matches, `drop` the training rows with an item or a question, or stop with an `error`."""
    ngram: Annotated[int, Field(ge=3, le=50)] = 8
    """Words of an n-gram; fewer for texts of less than five times as many words."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Weighted share of a text's n-grams that one training row must have; up to twice as much for short texts."""
    against: Annotated[
        tuple[str, ...], BeforeValidator(_in_tuple, json_schema_input_type=str | tuple[str, ...])
    ] = ()
    """Further evaluation rows: tasks, datasets or clusters, and Parquet or JSONL files relative to the mixture file."""


class Mixture(StrictModel):
    """One mixture file. docs/mixtures.md describes every key."""

    name: str
    path: Path
    clusters: tuple[ClusterName, ...] | None = None
    """Clusters to train on; by default all."""
    tasks: tuple[str, ...] | None = None
    """Tasks or datasets to train on; by default all of the clusters."""
    datasets_per_cluster: Annotated[int, Field(gt=0)] | None = None
    """Maximum number of datasets per cluster, the first in keyed order (paper, section 4.1)."""
    cap: Annotated[int, Field(gt=0, le=MAX_EXAMPLES)] = 30_000
    """Maximum number of training rows per task."""
    rate: Rate = Rate()
    """How tasks are weighed."""
    size: Size = Size(passes=10)
    """How many examples there are."""
    templates: Annotated[int, Field(gt=0, le=MAX_TEMPLATES)] = 10
    """Number of templates to use of each task file, the first ones."""
    templates_per_example: Annotated[int, Field(gt=0)] | Literal["all"] = 1
    """Number of templates under which a row comes each time it is drawn."""
    style: Style = "instruction"
    """`instruction`: the templates; `none` and `dataset_name`: the ablations of the paper's section 4.3."""
    separator: Annotated[str, Field(max_length=1000)] = "\n"
    """The end of each prompt."""
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 0
    """Seed of every keyed choice."""
    shards: Annotated[int, Field(gt=0, le=MAX_SHARDS)] = 16
    """Number of files of the train split; at most one per example."""
    shard_megabytes: Annotated[int, Field(gt=0)] | None = None
    """Maximum size of a train file in megabytes before compression; replaces `shards`."""
    compression: Literal["none", "lz4", "zstd"] = "none"
    """Compression of the shards."""
    related: tuple[tuple[ClusterName, ClusterName], ...] = PAPER_RELATED
    """Pairs of clusters that leave training together; by default those of the paper (section 2.2), [] for none."""
    licenses: LicenseTerms = LicenseTerms()
    """Licenses that the mixture takes."""
    contamination: ContaminationRule = ContaminationRule()
    """What to do with training rows that carry held-out evaluation rows."""
    require: Requirements = Field(default=Requirements(), exclude=True)
    """Rules for the task files of the mixture. They change no row, so they are no part of a fingerprint."""
    views: Annotated[tuple[DeclaredView, ...], AfterValidator(checked_views)] = Field(
        default=(), exclude=True
    )
    """Layouts that `flanbuild export` writes of the mixture. They are no part of a fingerprint either."""

    @model_validator(mode="after")
    def _has_keys_that_agree(self) -> Self:
        if SCHEMES[self.rate.scheme].divides_size and self.size.examples is None:
            raise ValueError(f"rate.scheme {self.rate.scheme} divides a size: write size: {{examples: n}}")
        if self.templates_each > self.templates:
            raise ValueError(f"templates_per_example is at most templates, which is {self.templates}")
        if self.style != "instruction" and self.templates_each > 1:
            raise ValueError(f"style {self.style} has one template, so templates_per_example is 1")
        return self

    @property
    def templates_each(self) -> int:
        """Number of templates under which a row comes each time it is drawn."""
        return self.templates if self.templates_per_example == "all" else self.templates_per_example

    def refused(self, stated: str) -> str:
        """The reason why a dataset with this `source.license` is left out, or an empty string."""
        terms = stated.casefold()
        for pattern in self.licenses.deny:
            if fnmatchcase(terms, pattern.casefold()):
                return f"license {stated}: denied by '{pattern}' in {self.path.name}"
        if self.licenses.allow and not any(fnmatchcase(terms, p.casefold()) for p in self.licenses.allow):
            return f"license {stated}: not among those that {self.path.name} allows"
        return ""

    def members(self, known: Iterable[TaskLike]) -> list[str]:
        """The names of the mixture's tasks, sorted, before anything is held out.

        Raises DeclarationError for a name under `tasks` or `rate.weights` that no task has. `known` may lack
        clusters of the mixture; `declare.requirements.check_mixture` checks those against all tasks.
        """
        known = list(known)
        if faults := list(self.unknown_tasks(known)):
            raise DeclarationError(*faults)
        tasks = [task for task in known if self.clusters is None or task.cluster in self.clusters]
        if self.tasks is not None:
            tasks = [task for task in tasks if {task.name, task.dataset} & set(self.tasks)]
        if self.datasets_per_cluster is not None:
            datasets = self._first_datasets(
                {(task.cluster, task.dataset) for task in tasks}, self.datasets_per_cluster
            )
            tasks = [task for task in tasks if task.dataset in datasets]
        return sorted(task.name for task in tasks)

    def unknown_tasks(self, known: Iterable[TaskLike]) -> Iterator[str]:
        """A fault for each name under `tasks` and `rate.weights` that no known task of the clusters has."""
        known = list(known)
        tasks = [task for task in known if self.clusters is None or task.cluster in self.clusters]
        names = {name for task in tasks for name in (task.name, task.dataset)}
        clusters = {task.cluster for task in tasks} | set(self.clusters or ())
        faults = Faults(self.path)
        for number, name in enumerate(self.tasks or ()):
            if name not in names:
                hint = nearest(name, names)
                own = "" if "Did you mean" in hint else " Task files of your own need --tasks FOLDER."
                faults.add(("tasks", number), f"no task or dataset '{name}'.{hint}{own}")
        for name in self.rate.weights or {}:
            if name not in names | clusters:
                hint = nearest(name, names | clusters)
                faults.add(("rate", "weights", name), f"no task, dataset or cluster '{name}'.{hint}")
        yield from faults

    def unknown_clusters(self, known: Iterable[TaskLike]) -> Iterator[str]:
        """A fault for each name under `clusters` and `related` that is the cluster of no known task.

        The paper's pairs are the default, so that task files of other clusters need not have theirs.
        """
        clusters = {task.cluster for task in known}
        faults = Faults(self.path)
        for number, name in enumerate(self.clusters or ()):
            if name not in clusters:
                faults.add(("clusters", number), f"no cluster '{name}'.{nearest(name, clusters)}")
        for number, pair in enumerate(self.related):
            for name in pair:
                if name not in clusters and pair not in PAPER_RELATED:
                    faults.add(("related", number), f"no cluster '{name}'.{nearest(name, clusters)}")
        yield from faults

    def _first_datasets(self, datasets: set[tuple[str, str]], count: int) -> set[str]:
        by_key = sorted((cluster, task_key(self.seed, "dataset", name), name) for cluster, name in datasets)
        clusters = groupby(by_key, key=lambda entry: entry[0])
        return {name for _, entries in clusters for _, _, name in islice(entries, count)}

    def folder(self, holdout: Iterable[str]) -> str:
        """The name of the mixture's folder: `flan2021-without-nli`."""
        names = sorted({name.replace("/", ".") for name in holdout})
        return self.name + (WITHOUT + "-".join(names) if names else "")


@dataclass(frozen=True)
class HeldOut:
    """A cluster, dataset or task that leaves training, the rule behind it, and its tasks."""

    name: str
    asked: bool
    rule: str
    tasks: tuple[str, ...]
    paper: tuple[str, ...] = ()
    """clusters that the paper leaves out with a name that is asked for: those of its tasks, and the related ones"""


def load_mixture(path: Path) -> Mixture:
    """The mixture that a file declares. Raises DeclarationError with all faults of the file."""
    faults = Faults(path)
    if path.exists() and not path.is_file():
        raise DeclarationError(f"{path}: not a file.")
    if not path.is_file():
        hint = nearest(path.stem, (other.stem for other in path.parent.glob("*.yaml")))
        raise DeclarationError(f"{path}: no such mixture.{hint}")
    if not re.fullmatch(SEGMENT, path.stem) or WITHOUT in path.stem:
        raise DeclarationError(
            f"{str(path)!r}: a mixture is named after its file, which has letters, digits, '_', '.' and '-', begins with "
            f"a letter or a digit, and is without '{WITHOUT}', which stands before what is held out."
        )
    data = read(path, faults) or {}
    if not faults and not isinstance(data, dict):
        faults.add((), "a mixture is a mapping of keys such as cap, rate, size, related.")
    if isinstance(data, dict) and "leaks" in data:
        faults.add(
            ("leaks",),
            "`leaks` is now `contamination`: write `contamination: {rule: report}`, drop or error.",
        )
    mixture = None if faults else validate(Mixture, data | {"name": path.stem, "path": path}, faults)
    if mixture is None:
        raise DeclarationError(*faults)
    return mixture


def hold_out(mixture: Mixture, names: Iterable[str], all_tasks: Iterable[TaskLike]) -> dict[str, HeldOut]:
    """What leaves training when clusters, datasets or tasks are held out, with the clusters related to them.

    Names are looked up among `all_tasks`, whether or not the mixture trains on them: `clusters`, `tasks` and
    `datasets_per_cluster` never change what a held-out name means. A cluster stands for all its tasks. The relation
    is symmetric and goes one step: holding out reading comprehension drops reading comprehension with commonsense,
    but not commonsense (paper, section 2.2; FLAN's split code). A dataset leaves alone, as in FLAN's intra-cluster
    splits. A task takes along the others of its task file, whose rows are often made from the same texts, unless
    `related` is empty. Raises DeclarationError for a name that no task has.
    """
    tasks = sorted(all_tasks, key=lambda task: task.name)
    asked = sorted(set(names))
    if faults := list(_unknown_holdouts(asked, tasks)):
        raise DeclarationError(*faults)
    held_out = {name: _asked(name, tasks) for name in asked}
    for name in asked:
        for other in _related(name, mixture.related):
            members = tuple(task.name for task in tasks if task.cluster == other)
            in_paper = other in _related(name, PAPER_RELATED)
            rule = f"related to {name} {'(paper, section 2.2)' if in_paper else f'in {mixture.path.name}'}"
            if members:
                held_out.setdefault(other, HeldOut(other, False, rule, members))
    if mixture.related:
        held_out |= _siblings(held_out, tasks)
    return dict(sorted(held_out.items()))


def _asked(name: str, tasks: Iterable[TaskLike]) -> HeldOut:
    found = [task for task in tasks if name in (task.name, task.dataset, task.cluster)]
    clusters = {task.cluster for task in found}
    paper = clusters.union(*(_related(cluster, PAPER_RELATED) for cluster in clusters))
    members = tuple(task.name for task in found)
    return HeldOut(name, True, f"held out: --holdout {name}", members, tuple(sorted(paper)))


def _siblings(held_out: Mapping[str, HeldOut], tasks: Iterable[TaskLike]) -> dict[str, HeldOut]:
    """By dataset, the tasks of its task file that are not held out although one of them is, asked by its own name."""
    out = {task for group in held_out.values() for task in group.tasks}
    siblings: dict[str, HeldOut] = {}
    for name, group in held_out.items():
        datasets = {
            task.dataset for task in tasks if group.asked and group.tasks == (name,) and task.name == name
        }
        for dataset in datasets - held_out.keys():
            members = tuple(task.name for task in tasks if task.dataset == dataset and task.name not in out)
            if members:
                siblings.setdefault(dataset, HeldOut(dataset, False, f"same task file as {name}", members))
    return siblings


def _related(cluster: str, pairs: Iterable[tuple[str, str]]) -> list[str]:
    """The clusters that the pairs put beside this one."""
    return [second if first == cluster else first for first, second in pairs if cluster in (first, second)]


def _unknown_holdouts(names: Iterable[str], tasks: list[TaskLike]) -> Iterator[str]:
    known = {name for task in tasks for name in (task.name, task.dataset, task.cluster)}
    for name in names:
        if name in known:
            continue
        if "," in name:
            parts = " ".join(f"--holdout {part.strip()}" for part in name.split(",") if part.strip())
            yield f"--holdout: '{name}' is several names; repeat the option: {parts}."
        else:
            yield f"--holdout: no cluster, dataset or task '{name}'.{nearest(name, known)}"
