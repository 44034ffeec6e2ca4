"""What a mixture declares, and which tasks a hold-out takes out of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, model_validator

from flanbuild.declarations import Declared, Faults, read, validate
from flanbuild.errors import DeclarationError, nearest
from flanbuild.tasks import CLUSTERS, TEMPLATES, Cluster


class Named(Protocol):
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


class Rate(Declared):
    """Examples-proportional mixing with a maximum: a task gains nothing beyond `max` rows (paper, section 2.1)."""

    scheme: Literal["proportional"] = "proportional"
    max: Annotated[int, Field(gt=0)] = 3000


class Size(Declared):
    """`passes`: each task gives its rate that many times; or `examples`: that many in all."""

    passes: Annotated[int, Field(gt=0)] | None = None
    examples: Annotated[int, Field(gt=0)] | None = None
    versions: Annotated[int, Field(gt=0)] = 1
    """With `examples`: under how many templates each row is rendered, should a task be asked for more than it has."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.passes is None) == (self.examples is None):
            raise ValueError("size is either {passes: n} or {examples: n}")
        return self


class Mixture(Declared):
    """One file of `mixtures/`."""

    name: str
    path: Path
    clusters: tuple[Cluster, ...] = CLUSTERS
    tasks: tuple[str, ...] | None = None
    cap: Annotated[int, Field(gt=0)] = 30_000
    rate: Rate = Rate()
    size: Size = Size(passes=10)
    templates: Annotated[int, Field(gt=0, le=TEMPLATES)] = TEMPLATES
    joiner: str = "\n"
    seed: int = 0
    shards: Annotated[int, Field(gt=0)] = 16
    related: tuple[tuple[Cluster, Cluster], ...] = ()

    def members(self, known: Iterable[Named]) -> list[str]:
        """The names of the mixture's tasks, sorted, before anything is held out."""
        chosen = [task for task in known if task.cluster in self.clusters]
        if self.tasks is not None:
            names = {name for task in chosen for name in (task.name, task.dataset)}
            if unknown := [name for name in self.tasks if name not in names]:
                raise DeclarationError(
                    *(
                        f"{self.path}: tasks: no task or dataset '{name}'.{nearest(name, names)}"
                        for name in unknown
                    )
                )
            chosen = [task for task in chosen if {task.name, task.dataset} & set(self.tasks)]
        return sorted(task.name for task in chosen)

    def folder(self, holdout: Iterable[str]) -> str:
        """The name of the mixture's folder: `flan2021-without-nli`."""
        return "-".join([self.name, *(["without", *sorted(set(holdout))] if holdout else [])])


@dataclass(frozen=True)
class HeldOut:
    """A cluster that leaves training, and the rule that says so."""

    cluster: str
    asked: bool
    rule: str


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


def hold_out(mixture: Mixture, clusters: Iterable[str]) -> dict[str, HeldOut]:
    """The clusters that leave training when `clusters` are held out: themselves, and each one's related ones.

    The relation is symmetric and goes one step: holding out reading comprehension drops reading comprehension
    with commonsense, but not commonsense (paper, section 2.2; FLAN's split code).
    """
    out: dict[str, HeldOut] = {}
    asked = list(dict.fromkeys(clusters))
    for name in asked:
        if name not in CLUSTERS:
            raise DeclarationError(f"--holdout: no cluster '{name}'.{nearest(name, CLUSTERS)}")
        out[name] = HeldOut(name, asked=True, rule=f"held out: --holdout {name}")
    for name in asked:
        for pair in mixture.related:
            if name in pair:
                other = pair[1] if pair[0] == name else pair[0]
                rule = f"related to {name} in {mixture.path.name}"
                out.setdefault(other, HeldOut(other, asked=False, rule=rule))
    return dict(sorted(out.items()))
