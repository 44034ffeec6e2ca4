"""What params.yaml says: the defaults of the command line, and the values that DVC puts on the stages' ones."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from flanbuild.declare.document import Faults, StrictModel, read, validate
from flanbuild.errors import DeclarationError

FILE = Path("params.yaml")


class Sample(StrictModel):
    """The embedded sample world."""

    rows: Annotated[int, Field(gt=0)] = 200


class HoldoutParams(StrictModel):
    """What one mixture of the pipeline holds out."""

    holdout: tuple[str, ...]


class EvalsetParams(StrictModel):
    """The size of evaluation sets."""

    max_rows: Annotated[int, Field(gt=0)] = 1000


class Params(StrictModel):
    """Every key has the default of the embedded example."""

    source: Literal["sample", "mirror", "hub"] = "sample"
    mirror: str = "mirror"
    """A folder or an fsspec URL."""
    sample: Sample = Sample()
    missing: Literal["error", "skip"] = "error"
    executor: Literal["process", "dask"] = "process"
    scheduler: str = ""
    """Of Dask workers, such as tcp://host:8786."""
    mixture: str = "flan2021"
    holdouts: dict[str, HoldoutParams] = {}
    """Folder name -> what is held out."""
    evalset: EvalsetParams = EvalsetParams()
    train: dict[str, Any] = {}
    """Settings of TrainConfig."""
    evaluate: dict[str, Any] = {}
    """Settings of EvaluateConfig."""

    @model_validator(mode="after")
    def _names_of_holdouts(self) -> Self:
        for name, entry in self.holdouts.items():
            expected = "-".join(sorted({held.replace("/", ".") for held in entry.holdout}))
            if name != expected:
                raise ValueError(
                    f"holdouts: '{name}' has to be called '{expected}', as its mixture folder is"
                )
        return self

    def defaults(self) -> dict[str, dict[str, Any]]:
        """Option values by command, as click's default_map takes them."""
        rows = {"source": self.source, "mirror": self.mirror, "sample_rows": self.sample.rows}
        where = rows | {"missing": self.missing, "mixture": self.mixture}
        where |= {"executor": self.executor, "scheduler": self.scheduler}
        building = dict.fromkeys(("plan", "download", "render", "mixture", "verify"), where)
        evalset = where | {"max_rows": self.evalset.max_rows}
        return building | {
            "evalset": evalset,
            "preview": rows,
            "train": self.train,
            "evaluate": self.evaluate,
        }


def load_params(path: Path = FILE) -> Params:
    """The file's values, or the defaults where there is no file. Raises DeclarationError with all faults."""
    if not path.is_file():
        return Params()
    faults = Faults(path)
    data = read(path, faults)
    params = None if faults else validate(Params, data or {}, faults)
    if params is None:
        raise DeclarationError(*faults)
    return params
