"""`export.json`: what an exported folder was made from and what it holds. `export` writes it."""

from typing import ClassVar

from flanbuild.artifacts.records import Digest, Part, Record
from flanbuild.model.record import MixtureRef

EXPORT = "export.json"


class ExportedSplit(Part):
    """One split of a mixture in an export."""

    rows: int
    """examples of the mixture that the export has"""
    left_out: int = 0
    """examples whose completion does not fit into a sequence"""
    sequences: int | None = None
    """packed sequences, which hold several examples"""
    tokens: int | None = None
    completion_tokens: int | None = None
    truncated_prompts: int | None = None
    truncated_prompt_tokens: int | None = None


class ExportedTask(Part):
    """One held-out task of an export."""

    cluster: str
    rows: int
    templates: tuple[int, ...]
    source: Digest
    """xxh3_128 of the file that the rows come from"""


class ExportRecord(Record):
    """`export.json` of an exported folder. Equal inputs give equal bytes."""

    FORMAT: ClassVar[int] = 1

    view: str
    mixture: MixtureRef
    holdout: tuple[str, ...]
    splits: dict[str, ExportedSplit]
    """split -> what of it is exported; empty for views of what a mixture holds out"""
    settings: dict[str, str | int]
    """what else decides the files: renamed columns, tokenizer, sequence length"""
    tasks: dict[str, ExportedTask]
    left_out: dict[str, str]
    """task -> why it is not exported"""
    notes: dict[str, str]
    """task -> in what the numbers of the other program differ"""
    files: dict[str, Digest]
    """path in the folder -> sha256"""
    versions: dict[str, str]
    """of the packages that wrote the files"""
