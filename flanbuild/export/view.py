"""What a layout is: a function that writes what is asked for into a new folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from flanbuild.errors import DeclarationError
from flanbuild.export.record import ExportedSplit, ExportedTask
from flanbuild.progress import Progress

SPLITS = ("train", "validation")


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What is exported. `None` and empty values are those that were not asked for."""

    mixture: Path
    jobs: int = 1
    """files written at once; no byte depends on it"""
    evaluation: Path | None = None
    """evaluation sets, for views of what a mixture holds out"""
    examples: int | None = None
    """rows per task; None is all"""
    templates: int | None = None
    """templates per task, the first ones; None is all"""
    rename: Mapping[str, str] = field(default_factory=dict)
    """column of the mixture -> its name in the export"""
    tokenizer: str | None = None
    """folder or hub name of the tokenizer, for views of tokens"""
    seq_length: int | None = None
    """tokens per sequence, for views of tokens"""
    date: str | None = None
    """date of publication, YYYY-MM-DD"""
    sign: Path | None = None
    """file of the private key that signs the statement of provenance"""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a view has written."""

    splits: Mapping[str, ExportedSplit] = field(default_factory=dict)
    settings: Mapping[str, str | int] = field(default_factory=dict)
    tasks: Mapping[str, ExportedTask] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


Write = Callable[[ExportRequest, Path, Progress], Written]


@dataclass(frozen=True)
class View:
    """A layout: its name, what it is, its readers, the function that writes it, and the options it takes."""

    name: str
    description: str
    readers: str
    write: Write
    options: frozenset[str] = frozenset()
    """names of fields of ExportRequest"""

    def check(self, request: ExportRequest) -> None:
        """Raises DeclarationError for an option that this layout does not take."""
        for option in fields(request):
            if option.name in {"mixture", "jobs"} | self.options:
                continue
            if getattr(request, option.name) not in (None, {}):
                raise DeclarationError(
                    f"export: --{option.name.replace('_', '-')} does not apply to --to {self.name}."
                )
