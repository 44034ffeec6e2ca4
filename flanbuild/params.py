"""What params.yaml says: the defaults of the command line, and the values that DVC puts on the stages' ones."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from flanbuild.declarations import Declared, Faults, read, validate
from flanbuild.errors import DeclarationError
from flanbuild.tasks import Cluster

FILE = Path("params.yaml")


class Sample(Declared):
    """The embedded sample world."""

    rows: Annotated[int, Field(gt=0)] = 200


class Evaluate(Declared):
    """How much is scored, and how."""

    examples: Annotated[int, Field(gt=0)] = 20
    batch: Annotated[int, Field(gt=0)] = 32
    max_new_tokens: Annotated[int, Field(gt=0)] = 32


class Params(Declared):
    """Every key has the default of the embedded example."""

    source: Literal["sample", "mirror", "hub"] = "sample"
    mirror: Path = Path("mirror")
    sample: Sample = Sample()
    missing: Literal["error", "skip"] = "error"
    mixture: str = "flan2021"
    holdouts: tuple[Cluster, ...] = ("nli",)
    train: dict[str, Any] = {}
    evaluate: Evaluate = Evaluate()


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
