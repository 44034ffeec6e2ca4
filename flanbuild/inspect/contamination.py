"""Matches of a mixture's training rows with evaluation rows, with texts and the span that both share."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from flanbuild.artifacts.records import MANIFEST, Manifest, read_record
from flanbuild.errors import ArtifactError, DeclarationError, nearest
from flanbuild.mix.contamination import report_file
from flanbuild.mix.contamination_report import sorted_matches
from flanbuild.mix.matching import KINDS
from flanbuild.render.normalization import normalize

_SPAN_WORDS = 5_000
"""Words of a text among which the longest shared run is looked for."""


@dataclass(frozen=True)
class Match:
    """A training row and an evaluation row that it carries."""

    task: str
    row: int
    """index among the rows of the training split after preprocessing"""
    reference: str
    split: str
    item: int
    """index among the rows of the evaluation split after preprocessing, or the row of a file"""
    kind: str
    exact: bool
    score: float
    span: str
    """the longest run of words that both texts have, in the normal form"""
    training_text: str
    evaluation_text: str

    def document(self) -> dict[str, Any]:
        """The match as plain values."""
        return asdict(self)


def find_matches(
    folder: Path, *, task: str | None = None, kind: str | None = None, min_score: float = 0.0
) -> pl.DataFrame:
    """All matches of a mixture folder that meet the conditions, the strongest first.

    `task` is a training task or a reference. Raises ArtifactError for a folder that is no mixture, or whose file of
    matches is missing; DeclarationError for a task or a kind that has no match and is no name.
    """
    manifest = read_record(folder / MANIFEST, Manifest)
    if kind is not None and kind not in KINDS.values():
        raise DeclarationError(f"--kind: no kind '{kind}'.{nearest(kind, KINDS.values())}")
    known = {*manifest.tasks, *manifest.contamination.references}
    if task is not None and task not in known:
        raise DeclarationError(f"--task: no task or reference '{task}' in {folder}.{nearest(task, known)}")
    path = report_file(folder.absolute().parents[1] / "contamination", folder.absolute().name)
    if not manifest.contamination.references:
        return pl.DataFrame(schema={"task": pl.String})
    if not path.is_file():
        raise ArtifactError(
            f"{path}: no such file; `flanbuild mixture` writes it again when the mixture is built."
        )
    try:
        found = pl.read_parquet(path, glob=False)
    except PolarsError as error:
        raise ArtifactError(f"{path}: cannot be read ({str(error).splitlines()[0]}).") from None
    if task is not None:
        found = found.filter((pl.col("task") == task) | (pl.col("reference") == task))
    if kind is not None:
        found = found.filter(pl.col("kind") == kind)
    order = {name: number for number, name in KINDS.items()}
    strength = pl.col("kind").replace_strict(order, return_dtype=pl.Int8)
    found = found.filter(pl.col("score") >= min_score).sort("task", "reference", maintain_order=True)
    return (
        sorted_matches(found.with_columns(label=pl.col("kind"), kind=strength))
        .with_columns(kind=pl.col("label"))
        .drop("label")
    )


def matches(found: pl.DataFrame) -> Iterator[Match]:
    """The rows of `find_matches` with the longest run of words that both texts share."""
    for values in found.iter_rows(named=True):
        training, evaluation = (values[key] or "" for key in ("training_text", "evaluation_text"))
        yield Match(
            **{**values, "training_text": training, "evaluation_text": evaluation},
            span=_span(training, evaluation),
        )


def _span(training: str, evaluation: str) -> str:
    one, other = (_words(text) for text in (training, evaluation))
    longest = SequenceMatcher(None, one, other, autojunk=False).find_longest_match()
    return " ".join(one[longest.a : longest.a + longest.size])


def _words(text: str) -> list[str]:
    normal = normalize(pl.Series([text])).str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ")
    return str(normal[0]).split()[:_SPAN_WORDS]
