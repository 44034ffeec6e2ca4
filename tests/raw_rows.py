"""Builds the raw folder of one task, for tests that need rows and no mixture."""

from functools import partial
from pathlib import Path

from flanbuild.artifacts import artifact
from flanbuild.artifacts.records import RawRecord
from flanbuild.declare.task import Task
from flanbuild.sources import Source
from flanbuild.sources.raw import Missing, download


def build_raw(task: Task, source: Source, folder: Path, missing: Missing = "error") -> RawRecord:
    """Writes Parquet files and record into `folder`, whole or not at all."""
    return artifact.build(folder, partial(download, task, source, missing))
