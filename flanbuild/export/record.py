"""`export.json`: what an exported folder was made from and what it holds. `export` writes it."""

from typing import ClassVar

from flanbuild.artifacts.records import Digest, Part, Record
from flanbuild.model.record import MixtureRef

EXPORT = "export.json"


class ExportedTask(Part):
    """One task of an export."""

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
    tasks: dict[str, ExportedTask]
    left_out: dict[str, str]
    """task -> why it is not exported"""
    notes: dict[str, str]
    """task -> in what the numbers of the other program differ"""
    files: dict[str, Digest]
    """path in the folder -> sha256"""
    versions: dict[str, str]
    """of the packages that wrote the files"""
