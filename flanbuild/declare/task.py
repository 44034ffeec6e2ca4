"""What a dataset page declares, and the tasks it stands for.

>>> tasks = load_tasks([Path("mixtures/tasks")])
>>> tasks["rte"].cluster, tasks["anli/r1"].path
('nli', PosixPath('mixtures/tasks/nli/anli.yaml'))

A page is one YAML file a dataset, in the folder of its cluster. A task is a page without subsets, or one
subset of a page. Rates and caps go by task, as in FLAN's code. The page format is told in docs/task-files.md.
"""

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from flanbuild.declare.document import Faults, Keys, StrictModel, read, validate
from flanbuild.errors import DeclarationError, nearest

Cluster = Literal[
    "nli",
    "commonsense",
    "sentiment",
    "paraphrase",
    "closed_book_qa",
    "struct_to_text",
    "reading_comprehension",
    "reading_comprehension_commonsense",
    "coreference",
    "translation",
    "misc",
    "summarization",
]
CLUSTERS: tuple[Cluster, ...] = get_args(Cluster)
TEMPLATES = 10
MAX_INVERTED = 3
SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
CLASS_LABEL = "class_label"
SCALARS = ("string", "int8", "int16", "int32", "int64", "float32", "float64", "bool", CLASS_LABEL)
OPTIONS = "options_"
ANSWER = "answer"
LOCAL = "./"
"""Begins the repository's name of a page that names files of its own instead."""

Metric = Literal[
    "accuracy",
    "f1",
    "macro_f1",
    "exact_match",
    "squad_f1",
    "squad_em",
    "bleu",
    "rouge1",
    "rouge2",
    "rougeLsum",
    "pearson",
    "spearman",
    "edit_distance",
]
METRICS: tuple[str, ...] = get_args(Metric)
Type = Literal["classification", "multiple_choice", "generation"]

# A path segment that comes from a page and ends up in a file name.
_SEGMENT = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Segment = Annotated[str, Field(pattern=_SEGMENT)]
Text = Annotated[
    str, BeforeValidator(lambda v: v.rstrip("\n") if isinstance(v, str) else v), Field(min_length=1)
]


RepoPath = Annotated[str, Field(pattern=r"^[^/\\].*$")]
Files = Annotated[
    tuple[RepoPath, ...] | dict[str, RepoPath],
    BeforeValidator(lambda v: (v,) if isinstance(v, str) else v),
]
"""Patterns of the files that hold a split's rows; or, for lines of text, the file of each column."""


class Source(StrictModel):
    """Where the rows lie upstream, and on what terms. Without `repo`, `files` lie where the page does."""

    repo: Annotated[str, Field(pattern=r"^(\./)?[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$")]
    config: Segment = "default"
    revision: str = "main"
    license: str
    homepage: str = ""
    files: dict[Segment, Files] = {}
    """Upstream split -> where its rows lie, for what is not in the hub's Parquet layout (sources/layout.py)."""
    rename: dict[str, str] = {}
    """Names in files that are not Parquet -> columns."""
    rows: dict[Segment, Annotated[int, Field(gt=0)]] = {}
    """Upstream split -> its rows; fewer on the hub are a fault."""
    max_rows: Annotated[int, Field(gt=0)] | None = None
    """Of a larger split, whole Parquet row groups in keyed order until there are so many rows."""
    manual: str | None = None
    """What a person must do to get the files, where no program may."""


class Split(StrictModel):
    """Rows of one or several upstream splits; with `rows`, that many of them in keyed order."""

    of: Annotated[tuple[Segment, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]
    rows: Annotated[int, Field(gt=0)] | None = None


def _as_split(value: Any) -> Any:
    return {"of": value} if isinstance(value, str | list) else value


class Template(StrictModel):
    """One wording. Inverted ones turn the task around and are left out of evaluation (paper, section 2.1)."""

    inputs: Text
    targets: Text
    kind: Literal["forward", "inverted"] = "forward"


Declaration = Annotated[Split, BeforeValidator(_as_split)]


class Task(StrictModel):
    """A page without subsets, or one subset of a page, with what its place in the folders adds."""

    name: str
    dataset: str
    cluster: str
    path: Path

    source: Source
    flan: Annotated[str, Field(pattern=r"^([a-z_]+/)?[a-z0-9_]+$")] | None = None
    """The task in FLAN's code: cluster/key, or the key alone where it is in no cluster."""
    columns: dict[str, Any]
    labels: tuple[str, ...] = ()
    splits: dict[SplitName, Declaration]
    preprocess: str | None = None
    where: dict[str, str] = {}
    fields: dict[str, str]
    options: dict[str, str] | tuple[str, ...] | str | None = None
    answer: str | None = None
    answers: str | tuple[str, ...] | None = None
    metrics: tuple[Metric, ...]
    templates: tuple[Template, ...]

    @property
    def type(self) -> Type:
        """Fixed options make a classification, options by row a multiple choice, none a generation."""
        if self.options is None:
            return "generation"
        return "classification" if isinstance(self.options, Mapping) else "multiple_choice"

    @property
    def local(self) -> bool:
        """Whether the rows lie in files that the page names by their place relative to its own."""
        return self.source.repo.startswith(LOCAL)

    @property
    def label_column(self) -> str | None:
        """The column of type class_label, if there is one."""
        return next((name for name, kind in self.columns.items() if kind == CLASS_LABEL), None)

    @property
    def forward(self) -> tuple[int, ...]:
        """Indices of the templates that evaluation uses."""
        return tuple(i for i, template in enumerate(self.templates) if template.kind == "forward")

    def upstream_splits(self) -> tuple[str, ...]:
        """The upstream splits that any of our splits reads, each once."""
        return tuple(dict.fromkeys(name for split in self.splits.values() for name in split.of))


def load_tasks(folders: Iterable[Path]) -> dict[str, Task]:
    """All tasks by name, in name order. A page of a later folder stands in for one of the same dataset.

    Raises DeclarationError with all faults of all pages; nothing is skipped.
    """
    pages: dict[str, Path] = {}
    faults: list[str] = []
    for folder in folders:
        here = _pages(folder, faults)
        pages |= here
    tasks: dict[str, Task] = {}
    for path in pages.values():
        page_tasks, page_faults = load_page(path)
        faults += page_faults
        tasks |= {task.name: task for task in page_tasks}
    if faults:
        raise DeclarationError(*faults)
    return dict(sorted(tasks.items()))


def load_page(path: Path) -> tuple[list[Task], Faults]:
    """The tasks of one page and its faults; tasks that are at fault are left out."""
    faults = Faults(path)
    data = read(path, faults)
    if faults:
        return [], faults
    if not isinstance(data, dict):
        faults.add((), "a page is a mapping of keys such as source, fields, templates.")
        return [], faults
    tasks = []
    for keys, name, merged in _subsets(path, data, faults):
        place = {"name": name, "dataset": path.stem, "cluster": path.parent.name, "path": path}
        if taken := sorted(place.keys() & merged.keys()):
            faults.add((*keys, taken[0]), f"'{taken[0]}' is the file's name or folder and is not declared.")
            continue
        task = validate(Task, _with_repo(merged, path.stem) | place, faults)
        if task is not None:
            for at, sentence in _check(task):
                faults.add(at, sentence)
            tasks.append(task)
    return tasks, faults


def select(tasks: Mapping[str, Task], name: str) -> list[Task]:
    """The tasks called `name`: a task, a dataset, a cluster, or `cluster/dataset`."""
    found = [
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
    if not found:
        known = {n for t in tasks.values() for n in (t.name, t.dataset, t.cluster)}
        raise DeclarationError(f"No task, dataset or cluster '{name}'.{nearest(name, known)}")
    return found


def placeholders(text: str) -> list[str]:
    """The names in braces, in order. Raises ValueError for what is not a plain `{name}`."""
    names = []
    for _, name, spec, conversion in Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise ValueError(f"'{{{name}}}' is not a plain {{name}}; write {{{{ and }}}} for braces")
        names.append(name)
    return names


def _pages(folder: Path, faults: list[str]) -> dict[str, Path]:
    """The pages of one folder by dataset name, in path order."""
    if not folder.is_dir():
        raise DeclarationError(f"{folder}: no such folder of pages.")
    pages: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.y*ml")):
        cluster = path.parent.name
        if cluster not in CLUSTERS:
            faults.append(f"{path}: no cluster '{cluster}'.{nearest(cluster, CLUSTERS)}")
        elif path.suffix != ".yaml" or not re.match(_SEGMENT, path.stem):
            faults.append(f"{path}: a page is called <dataset>.yaml, of letters, digits, '_', '.' and '-'.")
        elif path.stem in pages:
            faults.append(f"{path}: dataset '{path.stem}' has a page already, {pages[path.stem]}.")
        else:
            pages[path.stem] = path
    return pages


def _subsets(path: Path, data: dict[str, Any], faults: Faults) -> Iterator[tuple[Keys, str, dict[str, Any]]]:
    """(keys, task name, page with the subset's top-level keys in place of its own)."""
    subsets = data.get("subsets")
    if "subsets" not in data:
        yield (), path.stem, data
        return
    shared = {key: value for key, value in data.items() if key != "subsets"}
    if not isinstance(subsets, dict) or not subsets or not all(isinstance(v, dict) for v in subsets.values()):
        faults.add(("subsets",), "subsets is a mapping of name to the keys that the subset replaces.")
        return
    for name, own in subsets.items():
        if not isinstance(name, str) or not re.match(_SEGMENT, name):
            faults.add(("subsets", name), f"a subset's name is a word, not {name!r}.")
            continue
        yield ("subsets", name), f"{path.stem}/{name}", shared | own


def _with_repo(page: dict[str, Any], dataset: str) -> dict[str, Any]:
    """A page whose source has files and no repository gets the name that makes it local."""
    source = page.get("source")
    if not isinstance(source, dict) or "repo" in source or "files" not in source:
        return page
    return page | {"source": source | {"repo": f"{LOCAL}{dataset}"}}


def _check(task: Task) -> Iterator[tuple[Keys, str]]:
    """What the types can't say: names that must agree with each other."""
    if task.local:
        yield from _check_files(task)
    yield from _check_columns(task)
    yield from _check_fields(task)
    yield from _check_options(task)
    yield from _check_templates(task)


def _check_files(task: Task) -> Iterator[tuple[Keys, str]]:
    for name, split in task.splits.items():
        for upstream in split.of:
            if upstream not in task.source.files:
                hint = nearest(upstream, task.source.files)
                yield ("splits", name), f"no '{upstream}' in source.files.{hint}"


def _check_columns(task: Task) -> Iterator[tuple[Keys, str]]:
    for name, kind in task.columns.items():
        for sentence in _type_faults(kind):
            yield ("columns", name), sentence
    labelled = [name for name, kind in task.columns.items() if kind == CLASS_LABEL]
    if len(labelled) > 1:
        yield (
            ("columns", labelled[1]),
            f"one column may be a class_label, and '{labelled[0]}' is; write int64.",
        )
    if labelled and not task.labels:
        yield ("columns", labelled[0]), "a class_label needs 'labels': the class names in id order."
    if task.labels and not labelled:
        yield ("labels",), "labels name the classes of a class_label column, and no column is one."
    for name in sorted({name for name in task.labels if task.labels.count(name) > 1}):
        yield ("labels",), f"class '{name}' stands twice."


def _type_faults(kind: Any) -> Iterator[str]:
    if isinstance(kind, dict):
        for inner in kind.values():
            yield from _type_faults(inner)
    elif isinstance(kind, list):
        if len(kind) != 1:
            yield "a list type is written [type], with one type."
        else:
            yield from _type_faults(kind[0])
    elif kind not in SCALARS:
        yield f"no type {kind!r}.{nearest(str(kind), SCALARS)} A list is [type], a struct {{name: type}}."


def _check_fields(task: Task) -> Iterator[tuple[Keys, str]]:
    for name in task.fields:
        if name in (OPTIONS, ANSWER, "answers") or keyword.iskeyword(name) or not name.isidentifier():
            yield (
                ("fields", name),
                f"a field is not called '{name}'; {OPTIONS}, answer and answers are made for you.",
            )


def _check_options(task: Task) -> Iterator[tuple[Keys, str]]:
    if not task.metrics:
        yield ("metrics",), "no metric; evaluation needs one."
    options = task.options
    if options is None:
        return
    if isinstance(options, Mapping):
        if not task.labels:
            yield ("options",), "options by class need 'labels' and a class_label column."
            return
        for name in options.keys() - set(task.labels):
            yield ("options", name), f"no class '{name}'.{nearest(name, task.labels)}"
        for name in sorted(set(task.labels) - options.keys()):
            yield (
                ("options",),
                f"class '{name}' has no option: {len(task.labels)} labels, {len(options)} options.",
            )
        words = list(options.values())
        for word in sorted({word for word in words if words.count(word) > 1}):
            yield ("options",), f"two classes share the option '{word}'."
    elif (
        isinstance(options, tuple)
        and task.labels
        and task.answer is None
        and len(options) != len(task.labels)
    ):
        yield (
            ("options",),
            f"{len(task.labels)} labels need as many options in their order, found {len(options)}.",
        )
    if task.answer is None and not task.labels:
        yield (
            ("answer",),
            "'answer' is missing: options need the text or the index (from 0) of the right one.",
        )


def _check_templates(task: Task) -> Iterator[tuple[Keys, str]]:
    if len(task.templates) < TEMPLATES:
        yield ("templates",), f"{len(task.templates)} templates; a page has at least {TEMPLATES}."
    inverted = [i for i, template in enumerate(task.templates) if template.kind == "inverted"]
    if len(inverted) > MAX_INVERTED:
        yield (
            ("templates", inverted[MAX_INVERTED]),
            f"{len(inverted)} inverted templates; at most {MAX_INVERTED}.",
        )
    seen: dict[str, int] = {}
    shown = False
    for i, template in enumerate(task.templates):
        for side in ("inputs", "targets"):
            yield from _check_text(task, ("templates", i, side), getattr(template, side))
        shape = _shape(template)
        if shape in seen:
            yield ("templates", i), f"says the same as templates[{seen[shape]}]."
        seen.setdefault(shape, i)
        shown |= f"{{{OPTIONS}}}" in template.inputs
        if template.kind == "inverted" and f"{{{OPTIONS}}}" in template.inputs + template.targets:
            yield ("templates", i), f"an inverted template does not show {{{OPTIONS}}}."
        if template.kind == "forward" and task.options is not None and template.targets != "{answer}":
            yield (
                ("templates", i, "targets"),
                "with options, a forward target is {answer} alone, so that it can be ranked.",
            )
    if task.options is not None and not shown:
        yield ("templates",), f"options are declared, but no template shows {{{OPTIONS}}}."


def _check_text(task: Task, keys: Keys, text: str) -> Iterator[tuple[Keys, str]]:
    known = [*task.fields]
    if task.options is not None:
        known.append(OPTIONS)
    if task.options is not None or task.answer is not None:
        known.append(ANSWER)
    try:
        names = placeholders(text)
    except ValueError as error:
        yield keys, f"{error}."
        return
    for name in names:
        if name not in known:
            yield keys, f"no field '{name}'.{nearest(name, known)}"
    if keys[-1] == "targets" and not names:
        yield keys, "a target without a field says the same for every row."
    if "\t" in text:
        yield keys, "a tab; use blanks."


def _shape(template: Template) -> str:
    """The wording without what differs by field names, blanks and capitals."""
    words = re.sub(r"\{\w+\}", "{}", f"{template.inputs}\0{template.targets}")
    return re.sub(r"\s+", " ", words).casefold()
