"""studies.yaml: what each study varies, checked whole before any work.

    studies:
      templates:
        desc: Templates per task
        axis: templates per task
        grid: {"mixtures/flan2021.yaml:templates": [1, 4, 10]}

A point is a set of overrides of params.yaml and of the mixture file. docs/ablations.md describes every key.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, TypeVar

from pydantic import Field, JsonValue, model_validator

from flanbuild.artifacts.files import digest_of
from flanbuild.declare.document import SEGMENT, Faults, Keys, StrictModel, dotted, read, validate
from flanbuild.declare.mixture import Mixture, hold_out
from flanbuild.declare.params import FILE, Params, check_params, holdout_name, load_params
from flanbuild.declare.project import MIXTURES
from flanbuild.declare.requirements import check_mixture
from flanbuild.declare.task import Task
from flanbuild.errors import DeclarationError, nearest
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.study.overrides import Overrides, applied, arguments, by_file
from flanbuild.training.config import TrainConfig

SEED = "train.seed"
_FIXED = ("source", "mirror", "sample", "missing", "own", "evalset", "evaluate")
"""Keys of params.yaml that decide which rows are scored, and how: all points of a study have the same."""
Config = TypeVar("Config", TrainConfig, EvaluateConfig)


class PointDeclaration(StrictModel):
    """One point of a study."""

    at: str | int | float
    """Its label on the axis."""
    set: dict[str, JsonValue] = {}
    """Its overrides."""


class StudyDeclaration(StrictModel):
    """One study."""

    desc: str
    """What is varied, and where the paper does it."""
    axis: str
    """The title of the axis of points."""
    holdout: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """What is held out; by default that of the file."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] | None = None
    """Seeds of training, each a run of every point; by default those of the file."""
    set: dict[str, JsonValue] = {}
    """Overrides of every point."""
    points: tuple[PointDeclaration, ...] = ()
    grid: dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1)]] = {}
    """Key → values: a point for each combination."""

    @model_validator(mode="after")
    def _has_points(self) -> Self:
        if bool(self.points) == bool(self.grid):
            raise ValueError("a study has either points or a grid")
        return self

    def declared(self) -> list[tuple[Keys, str, Overrides]]:
        """Of each point its position below the study, its label and its overrides."""
        if self.points:
            return [(("points", i), str(point.at), point.set) for i, point in enumerate(self.points)]
        return [
            (("grid",), ", ".join(map(str, values)), dict(zip(self.grid, values, strict=True)))
            for values in product(*self.grid.values())
        ]


class StudyFile(StrictModel):
    """The whole file."""

    holdout: Annotated[tuple[str, ...], Field(min_length=1)]
    """Clusters, datasets or tasks that are held out, in every study that has no other."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    set: dict[str, JsonValue] = {}
    """Overrides of every point of every study."""
    studies: dict[Annotated[str, Field(pattern=SEGMENT)], StudyDeclaration]


@dataclass(frozen=True)
class Run:
    """One training and evaluation. Studies share the runs whose settings are equal."""

    name: str
    """of the DVC experiment: the first study that has it, and its point"""
    holdout: str
    """the entry of `holdouts`, which names the folders"""
    overrides: Overrides
    settings: str
    """digest of all settings, defaults included"""

    @property
    def arguments(self) -> list[str]:
        """Those of `dvc exp run`, without the name."""
        return [*arguments(self.overrides), f"report@{self.holdout}"]


@dataclass(frozen=True)
class Point:
    """A place on the axis of a study, with a run for each seed."""

    label: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Study:
    """What is run and compared."""

    name: str
    desc: str
    axis: str
    holdout: str
    source: str
    """where the rows come from, as in params.yaml"""
    points: tuple[Point, ...]


class _Settings(NamedTuple):
    """What a set of overrides comes to."""

    params: Params
    mixture: Mixture
    train: TrainConfig
    evaluate: EvaluateConfig

    @property
    def fixed(self) -> dict[str, JsonValue]:
        """The settings that all points of a study share."""
        values = self.params.model_dump(mode="json", include={*_FIXED})
        return values | {"evaluate": asdict(self.evaluate)}

    def digest(self, holdout: str) -> str:
        mixture = self.mixture.model_dump(mode="json", exclude={"path"})
        return digest_of([self.fixed, mixture, asdict(self.train), holdout])


def load_studies(path: Path, tasks: Mapping[str, Task], changed: Overrides | None = None) -> list[Study]:
    """The studies that a file declares, for the params.yaml and the mixtures of this folder.

    `changed` are overrides of every point that its own do not set. Raises DeclarationError with all faults: unknown keys
    and names, values that no run accepts, points of one study that would be scored on other rows.
    """
    if not path.is_file():
        raise DeclarationError(f"{path}: no such file.")
    faults = Faults(path)
    data = read(path, faults)
    file = None if faults else validate(StudyFile, data or {}, faults)
    if file is None:
        raise DeclarationError(*faults)
    load_params()  # faults of the file itself are not those of the studies
    common = {**file.set, **(changed or {})}
    _settings(file.set, tasks, file.holdout, _At(faults, faults.position(("set",)), "set"))
    if not faults:
        _settings(common, tasks, file.holdout, _At(faults, "-S"))
    names: dict[str, str] = {}
    studies = []
    for name, study in file.studies.items() if not faults else ():
        place = ("studies", name, "set")
        here = _At(faults, faults.position(place), dotted(place))
        if _settings({**common, **study.set}, tasks, study.holdout or file.holdout, here) is not None:
            overrides = {**file.set, **study.set, **(changed or {})}
            studies.append(_study(name, study, file, overrides, tasks, faults, names))
    if faults:
        raise DeclarationError(*faults)
    return studies


def select(studies: Sequence[Study], names: Iterable[str]) -> list[Study]:
    """The studies of these names, or all. Raises DeclarationError for a name that no study has."""
    known = {study.name: study for study in studies}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DeclarationError(*(f"no study '{name}'.{nearest(name, known)}" for name in unknown))
    return [known[name] for name in dict.fromkeys(names)] or list(studies)


def _study(
    name: str,
    study: StudyDeclaration,
    file: StudyFile,
    common: Overrides,
    tasks: Mapping[str, Task],
    faults: Faults,
    names: dict[str, str],
) -> Study:
    """`names` has the name of the run of each digest of settings, and gets those of this study."""
    held = study.holdout or file.holdout
    holdout = holdout_name(held)
    seeds = study.seeds or file.seeds
    points: list[Point] = []
    fixed: dict[str, JsonValue] = {}
    for keys, label, own in study.declared():
        place = ("studies", name, *keys)
        here = _At(faults, faults.position(place), dotted(place))
        if _slug(label) in {_slug(point.label) for point in points}:
            here.add((), f"there are two points '{label}'.")
        runs = []
        for seed in seeds:
            overrides: dict[str, JsonValue] = {
                "holdouts": {holdout: {"holdout": list(held)}},
                **common,
                SEED: seed,
                **own,
            }
            if (settings := _settings(overrides, tasks, held, here)) is None:
                break
            fixed = fixed or settings.fixed
            if differing := [key for key in _FIXED if settings.fixed[key] != fixed[key]]:
                here.add((), f"{differing[0]} differs from the first point's, so other rows would be scored.")
            digest = settings.digest(holdout)
            suffix = f"-seed{seed}" if len(seeds) > 1 else ""
            run = names.setdefault(digest, f"{name}-{_slug(label)}{suffix}")
            runs.append(Run(run, holdout, overrides, digest))
        points.append(Point(label, tuple(runs)))
    return Study(name, study.desc, study.axis, holdout, str(fixed.get("source", "")), tuple(points))


class _At(Faults):
    """Faults of what overrides come to, all of them at the position of the overrides."""

    def __init__(self, faults: Faults, *position: str) -> None:
        super().__init__(faults.path)
        self._faults, self._position = faults, ": ".join(position)

    def position(self, keys: Keys) -> str:  # noqa: ARG002  the file that `keys` are of is not this one
        return self._position

    def append(self, fault: str) -> None:
        super().append(fault)
        if fault not in self._faults:
            self._faults.append(fault)


def _settings(
    overrides: Overrides, tasks: Mapping[str, Task], held: Iterable[str], faults: Faults
) -> _Settings | None:
    """What the overrides come to, or None with their faults."""
    files = by_file(overrides)
    known = list(Params.model_fields)
    for key in files.get(str(FILE), {}):
        if key.partition(".")[0] not in known:
            faults.add((), f"no key '{key}' of {FILE} is known here.{nearest(key.partition('.')[0], known)}")
    values = applied(_data(FILE), files.pop(str(FILE), {}))
    params = None if faults else check_params(values, faults)
    if params is None:
        return None
    path = MIXTURES / f"{params.mixture}.yaml"
    for file in files.keys() - {path.as_posix()}:
        faults.add(
            (), f"'{file}' is not the mixture of the study.{nearest(file, [str(FILE), path.as_posix()])}"
        )
    data = applied(_data(path), files.get(path.as_posix(), {}))
    mixture = validate(Mixture, {**data, "name": path.stem, "path": path}, faults)
    train = _config(TrainConfig, "train", params.train, faults)
    evaluate = _config(EvaluateConfig, "evaluate", params.evaluate, faults)
    if mixture is None or train is None or evaluate is None or faults:
        return None
    for fault in _unfit(mixture, tasks, held):
        faults.add((), fault)
    return None if faults else _Settings(params, mixture, train, evaluate)


def _config(kind: type[Config], section: str, values: dict[str, Any], faults: Faults) -> Config | None:
    """The settings of a command, whose class checks the values."""
    known = [field.name for field in fields(kind)]
    unknown = [name for name in values if name not in known]
    for name in unknown:
        faults.add((section,), f"no setting '{name}' is known here.{nearest(name, known)}")
    if unknown:
        return None
    try:
        return kind(**values)
    except DeclarationError as error:
        for fault in error.faults:
            faults.add((), fault)
        return None


def _unfit(mixture: Mixture, tasks: Mapping[str, Task], held: Iterable[str]) -> Iterator[str]:
    """Names that do not exist, task files that the mixture does not accept, and a mixture of nothing."""
    try:
        check_mixture(mixture, tasks.values())
        out = {task for group in hold_out(mixture, held, tasks.values()).values() for task in group.tasks}
    except DeclarationError as error:
        yield from error.faults
        return
    if not set(mixture.members(tasks.values())) - out:
        yield f"nothing is left to train on when {', '.join(held)} is held out."


def _data(path: Path) -> dict[str, JsonValue]:
    """The data of a declaration. Raises DeclarationError if the file cannot be read."""
    faults = Faults(path)
    data = read(path, faults)
    if faults:
        raise DeclarationError(*faults)
    return data if isinstance(data, dict) else {}


def _slug(label: str) -> str:
    """The label as a part of the name of an experiment, which is a Git ref."""
    return re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-") or "point"
