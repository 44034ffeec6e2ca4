"""What a task file declares: its source, splits, fields and templates, as frozen models.

A task file is one YAML file per dataset, in the folder of its cluster. A task is a task file without subsets, or one
subset of a task file. Rates and caps apply per task, as in FLAN's code. docs/task-files.md describes the format;
`declare.task_files` reads it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from flanbuild.declare.document import SEGMENT, Faults, StrictModel
from flanbuild.declare.metrics import MetricName
from flanbuild.errors import DeclarationError, nearest

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
CLASS_LABEL = "class_label"
SCALARS = ("string", "int8", "int16", "int32", "int64", "float32", "float64", "bool", CLASS_LABEL)
OPTIONS = "options_"
ANSWER = "answer"
FLAN_NAMES = {"answer_str": ANSWER, "options_str": OPTIONS}
"""Placeholders of STS-B and ReCoRD in FLAN's code, which mean the same as ours."""
_FLAN_NAME = re.compile(r"(?<!\{)((?:\{\{)*)\{(" + "|".join(FLAN_NAMES) + r")\}")
"""One of these names in braces, behind an even number of other braces, which are literal."""
LOCAL = "./"
"""Prefix of `source.repo` for a task whose rows lie in local files."""
REPOSITORY = r"^(\./)?[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"
"""The name of a dataset repository, with LOCAL before it for local files."""

Type = Literal["classification", "multiple_choice", "generation"]
Segment = Annotated[str, Field(pattern=SEGMENT)]


def _in_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _normal(value: Any) -> Any:
    """The text without newlines at its end, and with our names for FLAN's."""
    if not isinstance(value, str):
        return value
    return _FLAN_NAME.sub(lambda match: f"{match[1]}{{{FLAN_NAMES[match[2]]}}}", value.rstrip("\n"))


def _as_split(value: Any) -> Any:
    return {"of": value} if isinstance(value, str | list) else value


Text = Annotated[str, BeforeValidator(_normal, json_schema_input_type=str), Field(min_length=1)]
RepoPath = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f\x7f][^\x00-\x1f\x7f]*$")]
Files = Annotated[
    tuple[RepoPath, ...] | dict[str, RepoPath],
    BeforeValidator(_in_tuple, json_schema_input_type=RepoPath | tuple[RepoPath, ...] | dict[str, RepoPath]),
]
"""Patterns of the files with a split's rows or, for text files, the file of each column."""


class CsvDialect(StrictModel):
    """How the CSV and TSV files of a source are written."""

    delimiter: Annotated[str, Field(pattern=r'^[^\r\n"]$')] | None = None
    """The character between cells; by default a comma in CSV and a tab in TSV."""
    quote: Annotated[str, Field(pattern=r"^[^\r\n]?$")] | None = None
    """The quotation mark, empty for no quoting; by default `"` in CSV and none in TSV."""
    header: bool | tuple[str, ...] = True
    """Whether the first row has the names; false: the file has the declared columns; or the names themselves."""

    @model_validator(mode="after")
    def _two_characters(self) -> "CsvDialect":
        if self.quote and self.quote in ((self.delimiter,) if self.delimiter else (",", "\t")):
            raise ValueError("delimiter and quote are the same character")
        return self


class SourceDeclaration(StrictModel):
    """Where the rows come from, and their license. Without `repo`, `files` are relative to the task file."""

    repo: Annotated[str, Field(pattern=REPOSITORY)]
    """The dataset repository on the hub."""
    copies: Annotated[
        tuple[Annotated[str, Field(pattern=REPOSITORY)], ...],
        BeforeValidator(_in_tuple, json_schema_input_type=str | tuple[str, ...]),
    ] = ()
    """Repositories with the same rows; a mirror may have one of them in place of `repo`."""
    config: Segment = "default"
    """The configuration of the dataset."""
    revision: str = "main"
    """Branch, tag or commit of the repository."""
    license: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$")]
    """The license of the dataset: the hub's identifier, or `unknown`."""
    homepage: str = ""
    """A page about the dataset."""
    files: dict[Segment, Files] = {}
    """Upstream split → its files, where they are not in the hub's Parquet layout (sources/layout.py)."""
    rename: dict[str, str] = {}
    """Names in files other than Parquet → columns."""
    csv: CsvDialect = CsvDialect()
    """Delimiter, quotation mark and header of CSV and TSV files."""
    rows: dict[Segment, Annotated[int, Field(gt=0)]] = {}
    """Upstream split → its number of rows; fewer on the hub are a fault."""
    max_rows: Annotated[int, Field(gt=0)] | None = None
    """Of a larger split, take whole Parquet row groups in keyed order until there are this many rows."""
    manual: str | None = None
    """What a person must do to get the files, where no program may download them."""


class Split(StrictModel):
    """Rows of one or several upstream splits; with `rows`, that many of them in keyed order."""

    of: Annotated[
        tuple[Segment, ...],
        BeforeValidator(_in_tuple, json_schema_input_type=Segment | tuple[Segment, ...]),
        Field(min_length=1),
    ]
    """One upstream split or several."""
    rows: Annotated[int, Field(gt=0)] | None = None
    """Number of rows to set aside; at most an even share of the upstream rows."""


Names = Annotated[tuple[str, ...], BeforeValidator(_in_tuple, json_schema_input_type=str | tuple[str, ...])]


class Roles(StrictModel):
    """What each text of a row is in its item, as names of fields or of string columns. A field goes before a column."""

    passage: Names = ()
    """Text that several items share: an article, a context, a premise."""
    question: Names = ()
    """Text that makes the item: a question, a hypothesis, the text to classify, summarise or translate."""
    answer: Names = ()
    """Text of the answer or of a candidate answer, beside {answer} and {options_}, which always have this role."""


class Template(StrictModel):
    """One prompt and its target. Inverted ones turn the task around and are not evaluated (paper, section 2.1)."""

    inputs: Text
    """The prompt, with {field} for each field."""
    targets: Text
    """The completion, with {field} for each field."""
    kind: Literal["forward", "inverted"] = "forward"
    """`inverted`: for training only."""


SplitDeclaration = Annotated[
    Split, BeforeValidator(_as_split, json_schema_input_type=Split | Segment | tuple[Segment, ...])
]


class Task(StrictModel):
    """A task file without subsets, or one subset, with the names that its position in the folders gives it."""

    name: str
    dataset: str
    cluster: str
    path: Path
    """The task file."""

    source: SourceDeclaration
    """Where the rows come from."""
    flan: Annotated[str, Field(pattern=r"^([a-z_]+/)?[a-z0-9_]+$")] | None = None
    """The task in FLAN's code: cluster/key, or the key alone where it has no cluster."""
    columns: dict[str, Any]
    """Upstream columns that the task reads, and their types."""
    labels: tuple[str, ...] = ()
    """Class names in id order."""
    splits: dict[SplitName, SplitDeclaration]
    """train, validation, test → upstream splits."""
    preprocess: str | None = None
    """A function of flanbuild/render/preprocessors.py."""
    where: dict[str, str] = {}
    """Name → SQL condition; a row must meet all of them."""
    fields: dict[str, str]
    """Template name → SQL expression over the columns."""
    roles: Roles = Roles()
    """Role → the fields or string columns with that text; contamination is searched for by role."""
    options: dict[str, str] | tuple[str, ...] | str | None = None
    """Answer options: class name → text, a list of SQL expressions, or one expression that is a list."""
    answer: str | None = None
    """SQL expression for the right answer: an option's index from 0, or text."""
    answers: str | tuple[str, ...] | None = None
    """SQL for the references to score against; by default the answer."""
    metrics: tuple[MetricName, ...]
    """Metrics to evaluate with; the first is the main one."""
    templates: tuple[Template, ...]
    """The templates."""

    @property
    def type(self) -> Type:
        """Options by class make a classification, options by row a multiple choice, no options a generation."""
        if self.options is None:
            return "generation"
        return "classification" if isinstance(self.options, Mapping) else "multiple_choice"

    @property
    def subset(self) -> str | None:
        """The key under `subsets`, or None for a task file without subsets."""
        return self.name.partition("/")[2] or None

    @property
    def local(self) -> bool:
        """Whether the rows lie in local files, named relative to the task file."""
        return self.source.repo.startswith(LOCAL)

    @property
    def label_column(self) -> str | None:
        """The column of type class_label, if there is one."""
        return next((name for name, kind in self.columns.items() if kind == CLASS_LABEL), None)

    @property
    def forward(self) -> tuple[int, ...]:
        """Indices of the templates that evaluation uses."""
        return tuple(i for i, template in enumerate(self.templates) if template.kind == "forward")

    @property
    def answer_fields(self) -> frozenset[str]:
        """The placeholders that stand for the answer: `answer`, and fields with the same SQL in a task without options."""
        if self.options is not None or self.answer is None:
            return frozenset({ANSWER})
        sql = self.answer.strip()
        return frozenset({ANSWER, *(name for name, field in self.fields.items() if field.strip() == sql)})

    def upstream_splits(self) -> tuple[str, ...]:
        """The upstream splits that the task reads, each once."""
        return tuple(dict.fromkeys(name for split in self.splits.values() for name in split.of))

    def faults(self) -> Faults:
        """An empty list for faults of this task, which finds their lines in the task file."""
        return Faults(self.path, self.subset)


def select(tasks: Mapping[str, Task], name: str) -> list[Task]:
    """The tasks that `name` refers to: a task, a dataset, a cluster, `cluster/dataset` or `cluster/task`.

    Raises DeclarationError if there is none.
    """
    selected = [
        task
        for task in tasks.values()
        if name
        in (
            task.name,
            task.dataset,
            task.cluster,
            f"{task.cluster}/{task.name}",
            f"{task.cluster}/{task.dataset}",
        )
    ]
    if not selected:
        known = {n for t in tasks.values() for n in (t.name, t.dataset, t.cluster)}
        hint = nearest(name, known)
        own = "" if "Did you mean" in hint else " Task files of your own need --tasks FOLDER."
        raise DeclarationError(f"No task, dataset or cluster '{name}'.{hint}{own}")
    return selected


def placeholders(text: str) -> list[str]:
    """The names in braces, in order. Raises ValueError for a placeholder other than a plain `{name}`."""
    names = []
    for _, name, spec, conversion in Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise ValueError(f"'{{{name}}}' is not a plain {{name}}; write {{{{ and }}}} for braces")
        names.append(name)
    return names
