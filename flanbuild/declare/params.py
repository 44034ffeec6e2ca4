"""The values of params.yaml: defaults of the command line, and values that DVC passes to the stages."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from flanbuild.declare.document import Faults, StrictModel, read, validate
from flanbuild.errors import DeclarationError

FILE = Path("params.yaml")
_WITH_TASKS = ("list", "show", "why", "explore", "check", "lock", "mirror", "import", "licenses")
"""Commands that take `--tasks` and no other value of params.yaml."""


class Sample(StrictModel):
    """Settings of the embedded sample."""

    rows: Annotated[int, Field(gt=0)] = 200


class HoldoutParams(StrictModel):
    """What one mixture of the pipeline holds out."""

    holdout: Annotated[tuple[str, ...], Field(min_length=1)]


class OwnParams(StrictModel):
    """Declarations of one's own, beside those in mixtures/."""

    tasks: tuple[str, ...] = ()
    """Folders of task files, as `--tasks` takes them."""


class EvalsetParams(StrictModel):
    """The size of evaluation sets."""

    max_rows: Annotated[int, Field(gt=0)] = 1000


class Params(StrictModel):
    """The keys of params.yaml. The defaults build the embedded example."""

    source: Literal["sample", "mirror", "hub"] = "sample"
    mirror: str = "mirror"
    """A folder or an fsspec URL, for source: mirror."""
    sample: Sample = Sample()
    missing: Literal["error", "skip"] = "error"
    executor: Literal["process", "dask"] = "process"
    scheduler: str = ""
    """Address of the Dask scheduler, such as tcp://host:8786."""
    mixture: str = "flan2021"
    own: OwnParams = OwnParams()
    holdouts: dict[str, HoldoutParams] = {}
    """Folder name -> what is held out."""
    plotted: str | None = None
    """The entry of `holdouts` that DVC plots."""
    evalset: EvalsetParams = EvalsetParams()
    train: dict[str, Any] = {}
    """Settings of TrainConfig."""
    evaluate: dict[str, Any] = {}
    """Settings of EvaluateConfig."""

    @model_validator(mode="after")
    def _names_of_holdouts(self) -> Self:
        for name, entry in self.holdouts.items():
            expected = holdout_name(entry.holdout)
            if name != expected:
                raise ValueError(
                    f"holdouts: '{name}' has to be called '{expected}', as its mixture folder is"
                )
        if self.plotted is not None and self.plotted not in self.holdouts:
            raise ValueError(f"plotted: '{self.plotted}' is none of the holdouts: {', '.join(self.holdouts)}")
        return self

    def defaults(self) -> dict[str, dict[str, Any]]:
        """Default option values by command, in the form of click's default_map."""
        tasks = {"tasks": list(self.own.tasks)} if self.own.tasks else {}
        rows = {"source": self.source, "mirror": self.mirror, "sample_rows": self.sample.rows} | tasks
        where = rows | {"missing": self.missing, "mixture": self.mixture}
        where |= {"executor": self.executor, "scheduler": self.scheduler}
        building = dict.fromkeys(("plan", "download", "render", "mixture", "verify"), where)
        return {
            **dict.fromkeys(_WITH_TASKS, tasks),
            **building,
            "evalset": where | {"max_rows": self.evalset.max_rows},
            "preview": rows,
            "train": self.train,
            "evaluate": self.evaluate,
        }


def load_params(path: Path = FILE) -> Params:
    """The values of the file, or the defaults if there is none.

    Keys of another tool's params.yaml are ignored; a key that resembles one of ours is a fault. Raises
    DeclarationError with all faults.
    """
    if not os.path.lexists(path):
        return Params()
    if not path.is_file():
        raise DeclarationError(f"{path}: not a file.")
    faults = Faults(path)
    data = read(path, faults) or {}
    params = None if faults else check_params(data, faults)
    if params is None:
        raise DeclarationError(*faults)
    return params


def check_params(data: Any, faults: Faults) -> Params | None:
    """The data of a params.yaml as a model, or None with its faults."""
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if not _foreign(str(key))}
    return validate(Params, data, faults)


def holdout_name(names: Iterable[str]) -> str:
    """The name of the folders of a hold-out: what is held out, sorted and joined by hyphens, with dots for slashes."""
    return "-".join(sorted({name.replace("/", ".") for name in names}))


def _foreign(key: str) -> bool:
    """Whether a key is neither one of ours nor a misspelling of one."""
    return not get_close_matches(key, Params.model_fields, n=1)
