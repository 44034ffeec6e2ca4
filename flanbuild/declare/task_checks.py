"""Checks of a task that its types cannot express: names that must agree with each other.

These are the rules of the format. The rules of the paper, such as ten templates, are requirements of a mixture
(`declare.requirements`).
"""

import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flanbuild.declare.document import Keys
from flanbuild.declare.expression import is_text
from flanbuild.declare.task import (
    ANSWER,
    CLASS_LABEL,
    FLAN_NAMES,
    OPTIONS,
    SCALARS,
    Task,
    Template,
    placeholders,
)
from flanbuild.errors import nearest

Fault = tuple[Keys, str]

RESERVED = ("_row", "_source_row", "_dropped", "_options", "_answers", "_label_id")
"""Columns that rendering adds to a task's own."""


def check(task: Task) -> Iterator[Fault]:
    """All faults of the task, each with the keys that it is about."""
    if task.local:
        yield from _check_files(task)
    yield from _check_splits(task)
    yield from _check_columns(task)
    yield from _check_fields(task)
    yield from _check_roles(task)
    yield from _check_options(task)
    yield from _check_templates(task)


def same_text(template: Template) -> str:
    """The template's text with field names, without case and the width of white space."""
    return re.sub(r"\s+", " ", f"{template.inputs}\0{template.targets}").casefold()


def _check_files(task: Task) -> Iterator[Fault]:
    for name, split in task.splits.items():
        for upstream in split.of:
            if upstream not in task.source.files:
                hint = nearest(upstream, task.source.files)
                yield ("splits", name), f"no '{upstream}' in source.files.{hint}"


def _check_splits(task: Task) -> Iterator[Fault]:
    if not task.splits:
        yield ("splits",), "a task needs at least one of train, validation and test."
    whole: dict[str, str] = {}
    for name, split in task.splits.items():
        for upstream in split.of:
            if split.of.count(upstream) > 1:
                yield (
                    ("splits", name),
                    f"'{upstream}' is named {split.of.count(upstream)} times, which repeats its rows.",
                )
            elif split.rows is None and whole.setdefault(upstream, name) != name:
                yield (
                    ("splits", name),
                    f"'{whole[upstream]}' takes all rows of '{upstream}' too; set rows aside with "
                    f"{{of: {upstream}, rows: N}}.",
                )
    if task.subset is None:  # subsets may share a source and read a part of it each
        known = task.upstream_splits()
        for key in ("files", "rows"):
            for upstream in sorted(set(getattr(task.source, key)) - set(known)):
                yield ("source", key, upstream), f"no split reads '{upstream}'.{nearest(upstream, known)}"


def _check_columns(task: Task) -> Iterator[Fault]:
    for name, kind in task.columns.items():
        if name in RESERVED:
            yield ("columns", name), f"'{name}' is the name of a column that rendering adds."
        for sentence in _type_faults(kind):
            yield ("columns", name), sentence
    labelled = [name for name, kind in task.columns.items() if kind == CLASS_LABEL]
    if len(labelled) > 1:
        yield (
            ("columns", labelled[1]),
            f"only one column may be a class_label, and '{labelled[0]}' is; write int64.",
        )
    if labelled and not task.labels:
        yield ("columns", labelled[0]), "a class_label needs 'labels': the class names in id order."
    if task.labels and not labelled:
        yield ("labels",), "labels name the classes of a class_label column, and no column is one."
    for name in sorted({name for name in task.labels if task.labels.count(name) > 1}):
        yield ("labels",), f"class '{name}' occurs twice."
    if any(not name.strip() for name in task.labels):
        yield ("labels",), "a class name needs text; an empty cell means unlabelled."


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


def _check_fields(task: Task) -> Iterator[Fault]:
    for name in task.fields:
        if name in (OPTIONS, ANSWER, "answers", *FLAN_NAMES):
            yield ("fields", name), f"a field cannot be called '{name}', which flanbuild fills in itself."
        elif name in RESERVED or keyword.iskeyword(name) or not name.isidentifier():
            yield ("fields", name), f"a field's name is an identifier that is not reserved; found '{name}'."


def _check_roles(task: Task) -> Iterator[Fault]:
    texts = [*task.fields, *(name for name, kind in task.columns.items() if kind == "string")]
    first: dict[str, str] = {}
    for role, names in task.roles:
        for name in names:
            if name in (ANSWER, OPTIONS) and name not in texts:
                yield ("roles", role), f"{{{name}}} always has the role answer and is not listed."
            elif name not in texts:
                yield ("roles", role), f"no field or string column '{name}'.{nearest(name, texts)}"
            if name in first:
                yield ("roles", role), f"'{name}' already has the role {first[name]}."
            first.setdefault(name, role)


def _check_options(task: Task) -> Iterator[Fault]:
    if not task.metrics:
        yield ("metrics",), "no metric; evaluation needs at least one."
    options = task.options
    if options is None:
        return
    if isinstance(options, Mapping):
        if not task.labels:
            yield ("options",), "options by class need 'labels' and a class_label column."
            return
        yield from _check_options_by_class(task, options)
    elif (
        isinstance(options, tuple)
        and task.labels
        and task.answer is None
        and len(options) != len(task.labels)
    ):
        yield (
            ("options",),
            f"{len(task.labels)} labels need as many options in the same order, found {len(options)}.",
        )
    if task.answer is None and not task.labels:
        yield (
            (ANSWER,),
            "'answer' is missing: options need the text or the index (from 0) of the right one.",
        )


def _check_options_by_class(task: Task, options: Mapping[str, str]) -> Iterator[Fault]:
    for name in sorted(options.keys() - set(task.labels)):
        yield ("options", name), f"no class '{name}'.{nearest(name, task.labels)}"
    for name in sorted(set(task.labels) - options.keys()):
        yield (
            ("options",),
            f"class '{name}' has no option: {len(task.labels)} labels, {len(options)} options.",
        )
    words = [word.strip() for word in options.values()]
    for word in sorted({word for word in words if words.count(word) > 1}):
        yield ("options",), f"two classes share the option '{word}'."
    for name, word in options.items():
        if not word.strip():
            yield ("options", name), "an option needs text."


def _check_templates(task: Task) -> Iterator[Fault]:
    if not task.templates:
        yield ("templates",), "a task needs at least one template."
    elif not task.forward:
        yield ("templates",), "all templates are inverted; evaluation needs at least one forward template."
    first: dict[str, int] = {}
    for i, template in enumerate(task.templates):
        for side in ("inputs", "targets"):
            yield from _check_text(task, ("templates", i, side), getattr(template, side))
        if template.kind == "forward":
            yield from _check_forward(task, i, template)
        text = same_text(template)
        if text in first:
            yield (
                ("templates", i),
                f"the same inputs and targets as templates[{first[text]}], apart from white space and case.",
            )
        first.setdefault(text, i)


def _check_forward(task: Task, i: int, template: Template) -> Iterator[Fault]:
    if task.options is not None and template.targets != f"{{{ANSWER}}}":
        yield (
            ("templates", i, "targets"),
            "with options, a forward target is {answer} alone, so that it can be ranked.",
        )
    fields = _fields_of(template.inputs)
    sql = task.answer.strip() if task.answer is not None else task.label_column
    for name in sorted(name for name in fields & set(task.fields) if task.fields[name].strip() == sql):
        if task.options is not None:
            yield (
                ("templates", i, "inputs"),
                f"a forward template must not show {{{name}}}, which is the answer.",
            )
    shown = fields & task.answer_fields
    if shown and _fields_of(template.targets) & task.answer_fields:
        name = min(shown)
        yield ("templates", i, "inputs"), f"a forward template must not show the {{{name}}} that it asks for."


def _check_text(task: Task, keys: Keys, text: str) -> Iterator[Fault]:
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
    for name in re.findall(r"(?<!\{)\{\{[-~]?\s*(\w+)\b[^{}]*\}\}(?!\})", text):
        if name in known:
            yield keys, f"doubled braces are literal text; write {{{name}}} for the field."
    side = "a target" if keys[-1] == "targets" else "a prompt"
    if not names:
        yield keys, f"{side} without a field is the same for every row."
    elif set(names) <= set(known) and not set(names) - _constants(task):
        shown = " and ".join(f"{{{name}}}" for name in dict.fromkeys(names))
        yield keys, f"{side} with {shown} alone is the same for every row."
    if "\t" in text:
        yield keys, "a tab; use spaces."


def _fields_of(text: str) -> set[str]:
    """The placeholders of a template's side; none where they cannot be read, which is a fault of its own."""
    try:
        return set(placeholders(text))
    except ValueError:
        return set()


def _constants(task: Task) -> set[str]:
    """The placeholders that are the same text for every row: fields that are a text, and options that are."""
    constants = {name for name, sql in task.fields.items() if is_text(sql)}
    if isinstance(task.options, Mapping) or (
        isinstance(task.options, tuple) and all(map(is_text, task.options))
    ):
        constants.add(OPTIONS)
    return constants
