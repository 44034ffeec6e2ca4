"""What a layout is: a function that writes what is asked for into a new folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flanbuild.export.record import ExportedTask
from flanbuild.progress import Progress


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What is exported."""

    mixture: Path
    evaluation: Path
    """evaluation sets, for views of what a mixture holds out"""
    examples: int | None = None
    """rows per task; None is all"""
    templates: int | None = None
    """templates per task, the first ones; None is all"""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a view has written."""

    tasks: Mapping[str, ExportedTask]
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """A layout: its name, the program that reads it, and the function that writes it into a new folder."""

    name: str
    description: str
    write: Callable[[ExportRequest, Path, Progress], Written]
