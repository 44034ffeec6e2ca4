"""Typed records: what each artifact says of itself, and the one function that reads and checks them.

    record = read_record(folder / RECORD, TaskRecord)

Every record holds the number of its format and a checksum of its own content. `read_record` raises ArtifactError when
the file is missing, is not JSON, has another format, was edited or damaged, or lacks a key. For an artifact that can
be built again, `find_record` returns None instead, and the caller builds it.
"""

import json
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flanbuild.artifacts.files import digest_of, read_json, write_json
from flanbuild.errors import ArtifactError
from flanbuild.progress import log

RECORD = "record.json"
"""The file name of a record inside its artifact's folder; mixtures, models and scores have names of their own."""
MANIFEST = "manifest.json"
TRAINING = "training.json"
SCORES = "scores.json"

Digest = str
Model = TypeVar("Model", bound="Record")


class Part(BaseModel):
    """A part of a record: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Record(Part):
    """The root of all records. Subclasses set FORMAT and raise it when their keys change."""

    FORMAT: ClassVar[int] = 1

    format: int
    checksum: Digest = ""
    """sha256 of all other keys"""

    @classmethod
    def of(cls, **values: Any) -> Self:
        """A record with its format and checksum filled in."""
        plain = cls(format=cls.FORMAT, **values)
        return plain.with_changes()

    def with_changes(self, **values: Any) -> Self:
        """The record with other values, and the checksum that belongs to them."""
        changed = self.model_copy(update=values)
        return changed.model_copy(update={"checksum": changed.expected_checksum()})

    def expected_checksum(self) -> Digest:
        """The checksum of what the record says now."""
        return digest_of(self.model_dump(mode="json", exclude={"checksum"}))


def write_record(path: Path, record: Record) -> None:
    """Writes a record as JSON with sorted keys."""
    write_json(path, record.model_dump(mode="json"))


def read_record(path: Path, kind: type[Model]) -> Model:
    """Reads and checks a record. Raises ArtifactError, one sentence, for whatever is wrong with it."""
    return check_record(path, read_json(path), kind)


def check_record(path: Path, value: Any, kind: type[Model]) -> Model:
    """`value` as a record of `kind`; `path` names it in the error."""
    if not isinstance(value, dict):
        raise ArtifactError(f"{path}: expected a JSON object, found {type(value).__name__}.")
    if value.get("format") != kind.FORMAT:
        found = json.dumps(value.get("format"))
        raise ArtifactError(
            f"{path}: format {found} instead of {kind.FORMAT}; this version of flanbuild cannot read it."
        )
    try:
        record = kind.model_validate(value)
    except ValidationError as error:
        from flanbuild.declare.document import first_fault  # with its YAML reader

        raise ArtifactError(f"{path}: {first_fault(error, kind, value)} The record is damaged.") from None
    if record.checksum != record.expected_checksum():
        raise ArtifactError(f"{path}: its own checksum does not match; it was edited or damaged.")
    return record


def find_record(path: Path, kind: type[Model]) -> Model | None:
    """The record, or None if it is missing; a damaged one is None too, and is logged, since it will be replaced."""
    if not path.exists():
        return None
    try:
        return read_record(path, kind)
    except ArtifactError as error:
        log(f"{error} It will be built again.")
        return None


ROWS_FILE = "train.rows.arrow"
"""The file of a rendered task that lists the training rows that can be drawn."""


@cache
def writer_versions() -> dict[str, str]:
    """The versions of the packages that decide the bytes of files. No digest of rows depends on them."""
    found = {}
    for name in ("flanbuild", "numpy", "polars", "pyarrow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


class FolderRecord(Record):
    """The record of a folder that is built again when its inputs change."""

    fingerprint: Digest
    """of all inputs that decide the rows"""
    versions: dict[str, str]
    """of the packages that wrote the files"""

    def files(self) -> dict[str, Digest]:
        """File name -> xxh3_128, for each file beside the record."""
        raise NotImplementedError


class SourceFile(Part):
    """An upstream file that rows were read from."""

    path: str
    bytes: int | None = None
    sha256: Digest | None = None


class RawSplit(Part):
    """One upstream split as Parquet."""

    rows: int
    sample_of: int | None = None
    """rows of the whole split, where only some row groups were taken"""
    rows_digest: Digest
    """of the rows, whatever wrote them (artifacts/digests.py)"""
    file_digest: Digest
    """xxh3_128 of the file"""
    files: tuple[SourceFile, ...] = ()


class SourceRecord(Part):
    """Where rows come from; records of later stages repeat it."""

    kind: Literal["sample", "mirror", "hub", "files"]
    repo: str
    config: str
    commit: str
    license: str
    digest: Digest
    """of the rows of all splits"""


class RawRecord(FolderRecord):
    """`data/raw/<cluster>/<task>/record.json`."""

    FORMAT: ClassVar[int] = 2

    task: str
    source: SourceRecord
    columns: dict[str, str]
    """name -> Arrow type"""
    splits: dict[str, RawSplit]
    missing: tuple[str, ...]
    """upstream splits that the source does not have"""

    def files(self) -> dict[str, Digest]:
        """One Parquet file for each split."""
        return {f"{name}.parquet": split.file_digest for name, split in self.splits.items()}


class SplitCounts(Part):
    """What became of the rows of the upstream splits that one of our splits reads."""

    of: tuple[str, ...]
    """upstream splits"""
    upstream: int = 0
    dropped: dict[str, int] = {}
    """reason -> rows"""
    to_other_splits: int = 0
    capped: int = 0
    rows: int = 0
    missing: tuple[str, ...] = ()
    """upstream splits that are not there; then no row was read"""


class RenderedSplit(SplitCounts):
    """One split of one task."""

    duplicates: int = 0
    """rows whose texts equal those of an earlier row of the split (render/items.py)"""
    in_train: int = 0
    """rows whose texts equal those of a training row of the task that can be drawn"""
    templates_per_row: int = 1
    templates: int = 0
    examples: int = 0
    file_digest: Digest = ""
    """xxh3_128 of the file of prompts; empty where none were written"""
    rows_digest: Digest = ""
    """xxh3_128 of the file of rows that can be drawn; only train has one"""


class TaskRecord(FolderRecord):
    """`data/rendered/<mixture>/<cluster>/<task>/record.json`: train and validation rows of one task.

    Of test rows it holds only counts.
    """

    FORMAT: ClassVar[int] = 4

    task: str
    dataset: str
    cluster: str
    type: Literal["classification", "multiple_choice", "generation"]
    declaration: Digest
    """of what the task file says of the task"""
    source: SourceRecord
    metrics: tuple[str, ...]
    splits: dict[Literal["train", "validation", "test"], RenderedSplit]

    def files(self) -> dict[str, Digest]:
        """Prompts of each split and the list of training rows, as far as they were written."""
        prompts = {f"{name}.arrow": split.file_digest for name, split in self.splits.items()}
        train = self.splits.get("train")
        rows = {ROWS_FILE: train.rows_digest} if train else {}
        return {name: digest for name, digest in (prompts | rows).items() if digest}


class EvaluationSplit(SplitCounts):
    """Rows of one evaluation split, each under every forward template."""

    examples: int = 0
    rows_digest: Digest = ""
    file_digest: Digest = ""
    """xxh3_128 of the file"""


class EvaluationRecord(FolderRecord):
    """`data/evaluation/<cluster>/<task>/record.json`: `test.arrow` and `dev.arrow`, independent of any mixture."""

    FORMAT: ClassVar[int] = 2

    task: str
    dataset: str
    cluster: str
    type: Literal["classification", "multiple_choice", "generation"]
    metrics: tuple[str, ...]
    declaration: Digest
    source: SourceRecord
    splits: dict[Literal["test", "dev"], EvaluationSplit]
    """a task without that split lacks the key"""

    def files(self) -> dict[str, Digest]:
        """One Arrow file for each split that has rows upstream."""
        found = {f"{name}.arrow": split.file_digest for name, split in self.splits.items()}
        return {name: digest for name, digest in found.items() if digest}


class Shard(Part):
    """One file of a mixture."""

    path: str
    """relative to the mixture folder, such as `train/00000-of-00016.arrow`"""
    rows: int = Field(ge=0)
    bytes: int
    sha256: Digest
    rows_digest: Digest
    """of the rows, whatever wrote them"""
    edges: tuple[int, ...]
    """byte positions at which the record batches begin, the first with the file's header, and where the last ends"""
    digests: tuple[Digest, ...]
    """xxh3_64 of the bytes from each edge to the next, and from the last to the end: batches, then the footer"""


class HeldOutTask(Part):
    """A task that is not trained on."""

    dataset: str
    cluster: str
    type: Literal["classification", "multiple_choice", "generation"]
    metrics: tuple[str, ...]
    source_digest: Digest
    """of the raw rows that its evaluation set is made of"""
    missing: tuple[str, ...] = ()
    """upstream splits of its test rows that the source does not have"""
    has_test: bool = True


class HeldOutGroup(Part):
    """A cluster, dataset or task that was held out, and the tasks that go with it."""

    asked: bool
    """named by --holdout; otherwise related to one that is"""
    rule: str
    tasks: dict[str, HeldOutTask]


class MixtureTask(Part):
    """What one task gives to a mixture, or why it gives nothing."""

    cluster: str
    dataset: str
    declaration: Digest
    source: SourceRecord
    available: int
    """training rows upstream"""
    dropped: dict[str, int]
    to_other_splits: int
    capped: int
    contaminated: int
    """training rows that carry an evaluation item or its question"""
    removed: int
    """those of them that are left out"""
    rows: int
    """training rows that can be drawn"""
    duplicates: int
    """those whose texts equal the texts of another one"""
    in_train: dict[Literal["validation", "test"], int]
    """of its own other splits, the rows whose texts equal those of a training row"""
    rate: int
    given: int
    """training examples"""
    repeats: int
    missing: tuple[str, ...]
    out: str
    """why it gives nothing; empty when it gives something"""


class LicenseCount(Part):
    """The tasks under one license, and how many examples they give."""

    tasks: tuple[str, ...]
    given: int


class ContaminationMatch(Part):
    """Training rows of `task` that carry evaluation rows of `reference`. A row counts once, by its best match."""

    task: str
    reference: str
    item: int
    """training rows with a whole item"""
    question: int
    """training rows with the question of an item, but not its passage"""
    passage: int
    """training rows with a passage only"""
    exact: int
    """training rows with an item or question whose parts are whole texts of the row"""
    test_items: int
    """distinct test rows that are found, as item or question"""
    dev_items: int
    """distinct rows of the validation split that are found"""
    examples: tuple[tuple[int, int], ...]
    """the first few as (training row, evaluation row)"""

    @property
    def rows(self) -> int:
        """Training rows with an item or a question, on which the rule acts."""
        return self.item + self.question


class ReferenceCount(Part):
    """Evaluation rows that were looked for."""

    rows: int
    digest: Digest
    """of their texts"""
    missing: tuple[str, ...] = ()
    """upstream splits that the source does not have"""


class ContaminationRecord(Part):
    """What the check for contamination looked for, and what it found."""

    rule: str
    ngram: int
    threshold: float
    normalization: int
    """version of the normal form of texts (render/normalization.py)"""
    matching: int
    """version of the rules of matching (mix/matching.py)"""
    references: dict[str, ReferenceCount]
    found: tuple[ContaminationMatch, ...]


class ReferenceRecord(Record):
    """`data/contamination/references/<fingerprint>.json`: what one reference counts."""

    FORMAT: ClassVar[int] = 1

    reference: str
    count: ReferenceCount


class Manifest(Record):
    """`manifest.json` of a mixture folder. Nothing in it depends on clock, host or path."""

    FORMAT: ClassVar[int] = 4

    mixture: dict[str, Any]
    """the mixture as declared"""
    holdout: tuple[str, ...]
    held_out: dict[str, HeldOutGroup]
    related_in_training: dict[str, tuple[str, ...]] = {}
    """held-out name -> tasks trained on that the paper would have held out with it (section 2.2)"""
    tasks: dict[str, MixtureTask]
    licenses: dict[str, LicenseCount]
    contamination: ContaminationRecord
    shards: dict[Literal["train", "validation"], tuple[Shard, ...]]
    rows: dict[Literal["train", "validation"], int]
    fingerprint: Digest
    """of all inputs that decide the examples"""
    versions: dict[str, str]
    digest: Digest = ""
    """identifies the mixture: its declarations, sources and rows, but not who wrote the files"""

    def identity(self) -> Digest:
        """What `digest` must be."""
        value = self.model_dump(mode="json", exclude={"checksum", "digest", "versions", "shards"})
        value["shards"] = {
            split: [[shard.rows, shard.rows_digest] for shard in shards]
            for split, shards in self.shards.items()
        }
        return digest_of(value)

    @property
    def name(self) -> str:
        """The mixture's name."""
        return str(self.mixture["name"])
