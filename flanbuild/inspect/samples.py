"""Rows of a mixture to read: the first ones of each task, and one with its origin and under every template."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from flanbuild.artifacts.records import Manifest
from flanbuild.declare.task import Task
from flanbuild.inspect.contents import Contents, by_cluster, short_commit
from flanbuild.inspect.origin import Origin, UpstreamRow, origin_in, scan_raw
from flanbuild.page.frame import ELLIPSIS, Percent
from flanbuild.progress import Progress
from flanbuild.read import Examples
from flanbuild.render.examples import examples
from flanbuild.render.templates import in_style, text


@dataclass(frozen=True)
class Limits:
    """Most characters that the page shows of a text."""

    prompt: int = 1500
    text: int = 800
    completion: int = 300
    beginning: int = 90


LIMITS = Limits()


@dataclass(frozen=True)
class SampledRow:
    """An example to read."""

    index: int
    task: str
    template: int
    row: int
    repeat: int
    beginning: str
    prompt: str
    completion: str
    options: Sequence[str]


@dataclass(frozen=True)
class Sampled:
    """Rows to search, and what they can be filtered by."""

    each: int
    tasks: Sequence[tuple[str, Sequence[str]]]
    templates: Sequence[int]
    rows: Sequence[SampledRow]


@dataclass(frozen=True)
class Prompt:
    """A row under one template."""

    number: int
    remark: str
    prompt: str
    completion: str


@dataclass(frozen=True)
class OriginView:
    """Why an example is in the mixture, its raw row, and that row under every template."""

    task: str
    index: int
    facts: Sequence[tuple[str, str]]
    columns: Sequence[tuple[str, str]]
    unknown: str
    prompts: Sequence[Prompt]


def sampled(loaded: Examples, counted: Contents, each: int) -> Sampled:
    """The first `each` examples of each task, in the order of the mixture."""
    clusters = by_cluster(loaded.manifest)
    rows = [
        _sampled_row(index, loaded[index])
        for tasks in clusters.values()
        for task in tasks
        for index in counted.first.get(task, ())[:each]
    ]
    return Sampled(
        each=each,
        tasks=[(cluster, list(tasks)) for cluster, tasks in clusters.items()],
        templates=sorted({row.template for row in rows}),
        rows=rows,
    )


def _sampled_row(index: int, example: Mapping[str, Any]) -> SampledRow:
    beginning = " ".join(example["prompt"][: 4 * LIMITS.beginning].split())
    if len(beginning) > LIMITS.beginning:
        beginning = f"{beginning[: LIMITS.beginning - 1]}{ELLIPSIS}"
    return SampledRow(
        index=index,
        beginning=beginning,
        **{
            name: example[name]
            for name in ("task", "template", "row", "repeat", "prompt", "completion", "options")
        },
    )


def origins(
    loaded: Examples, counted: Contents, tasks: Mapping[str, Task], raw: Path, progress: Progress
) -> list[tuple[str, list[OriginView]]]:
    """Cluster -> the origin of the first example of each of its tasks."""
    clusters = by_cluster(loaded.manifest)
    found = []
    with progress(sum(map(len, clusters.values())), "origins") as advance:
        for cluster, members in clusters.items():
            views = []
            for task in members:
                views.append(_origin_view(loaded, counted.first[task][0], tasks, raw))
                advance(1, task)
            found.append((cluster, views))
    return found


def _origin_view(loaded: Examples, index: int, tasks: Mapping[str, Task], raw: Path) -> OriginView:
    origin = origin_in(loaded, index, tasks, raw)
    example, task = origin.example, tasks.get(origin.example["task"])
    prompts: list[Prompt] = []
    if task is not None and origin.source.columns is not None:
        prompts = _prompts(task, raw, origin, loaded.manifest)
    unknown = ""
    if origin.unknown:  # its sentences name folders of this machine
        unknown = (
            "The raw row is not shown: its task file or its raw rows are missing here, or have changed since."
        )
    return OriginView(
        task=example["task"],
        index=index,
        facts=list(_origin_facts(origin)),
        columns=[(name, _as_text(value)) for name, value in (origin.source.columns or {}).items()],
        unknown=unknown,
        prompts=prompts,
    )


def _as_text(value: object) -> str:
    """A text as it is, any other value as JSON; `str` for types that JSON has not, such as dates."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _origin_facts(origin: Origin) -> Iterator[tuple[str, str]]:
    source, share, keys, example = origin.source, origin.share, origin.keys, origin.example
    yield "Source", f"{source.kind}: {source.repo} ({source.config}) at {short_commit(source.commit)}"
    yield "License", origin.license
    yield "Row", _row_fact(source, example["row"])
    yield "Template", f"{example['template']}, repeat {example['repeat']}"
    yield "Shard", f"{origin.shard}, row {origin.position:,}"
    yield "Rate", f"{share.rate:,} a pass of {share.rows:,} rows"
    yield "Share", f"{share.count:,} of {share.total:,} examples ({Percent(share.count / share.total)})"
    yield "Order key", keys.order_row
    yield "Place key", keys.place_row


def _row_fact(source: UpstreamRow, row: int) -> str:
    """`12 of split train`, and the index after preprocessing where that is another one."""
    if source.row is None:
        return f"{row:,} after preprocessing"
    split = f" of split {source.split}" if source.split else ""
    return f"{source.row:,}{split}" + ("" if source.row == row else f", {row:,} in the task")


def _prompts(task: Task, raw: Path, origin: Origin, manifest: Manifest) -> list[Prompt]:
    """The row of an example under every template that the mixture uses."""
    styled = in_style(task, manifest.mixture["style"])
    row = origin.example["row"]
    scanned = scan_raw(task, origin.split, raw)
    if task.preprocess is None:
        frame = examples(styled, scanned.slice(row, 1)).collect()
    else:
        frame = examples(styled, scanned, pl.Series([row])).collect()
    prompts = []
    for number, template in enumerate(styled.templates[: manifest.mixture["templates"]]):
        filled = frame.select(
            prompt=text(template.inputs, manifest.mixture["separator"]), completion=text(template.targets)
        )
        remarks: list[str] = [template.kind] if template.kind != "forward" else []
        remarks += ["in this example"] if number == origin.example["template"] else []
        remark = f" ({', '.join(remarks)})" if remarks else ""
        prompts.append(Prompt(number, remark, *filled.row(0)))
    return prompts
