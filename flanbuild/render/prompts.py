"""From raw rows to prompts: filter, carve, cap, deal the templates, write.

`render` turns the raw folder of one task into `train.arrow`, `validation.arrow`, `test.arrow` and a `task.json`
that counts every row which did not make it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from flanbuild.artifacts import executor
from flanbuild.artifacts.arrow import EVALUATION_SCHEMA, RENDERED_SCHEMA, write_table
from flanbuild.artifacts.files import digest_of, read_json, sha256_of, staged, write_json
from flanbuild.declare.mixture import Mixture
from flanbuild.declare.rate import templates_per_row
from flanbuild.declare.task import ANSWER, SPLITS, SplitName, Task
from flanbuild.errors import DeclarationError
from flanbuild.keys import keyed_order, row_keys, task_key
from flanbuild.render.examples import ANSWERS, CHOICES, DROPPED, ROW, check_expressions, examples
from flanbuild.render.fingerprints import FINGERPRINTED, fingerprint_file, row_fingerprints
from flanbuild.render.preprocessors import SOURCE_ROW
from flanbuild.render.templates import in_style, text

Rows = NDArray[np.int64]
FORMAT = 2
KEPT_BYTES = 32 << 20
"""Of a split's Parquet: three to five times as much once read."""
WORTH_PROCESSES = 300_000
"""Raw rows from which rendering them takes longer than starting processes, which bring more than threads then."""
SOURCE = ("kind", "repo", "config", "commit", "digest", "license")
"""What task.json and the manifest repeat of source.json."""


@dataclass(frozen=True)
class Selection:
    """The rows of one split in keyed order, and what became of the others."""

    rows: Rows
    counts: dict[str, Any]


def declaration(task: Task) -> str:
    """The digest of what the page says of the task; comments and layout don't count."""
    return digest_of(task.model_dump(mode="json", exclude={"path", "flan"}))


def inputs(
    task: Task,
    source: Mapping[str, Any],
    mixture: Mixture,
    evaluation_examples: int,
    splits: Mapping[str, Any],
) -> str:
    """The digest of all that decides the rendered folder's bytes. `source` is what source.json says.

    Of cap, rate and size only what they come to for the rows that `splits` (of task.json) counts: a cap that
    cuts nothing renders nothing again.
    """
    train = splits.get("train", {})
    rows = min(train.get("rows", 0) + train.get("capped", 0), mixture.cap)
    asked = mixture.model_dump(mode="json", include={"seed", "templates", "style", "separator"})
    asked |= {"rows": rows, "templates_per_row": templates_per_row(mixture, rows)}
    said = {key: source[key] for key in SOURCE}
    return digest_of([FORMAT, declaration(task), asked, evaluation_examples, said, source["missing"]])


def render(task: Task, raw: Path, out: Path, mixture: Mixture, evaluation_examples: int) -> dict[str, Any]:
    """Writes the task's folder `out`; returns what its `task.json` says.

    Train and validation rows come in keyed order, the first version of each row, then the second, …: the
    row at rank r is under template (r + version) mod n, so any prefix uses all templates evenly. Test rows
    stand under every forward template. A split whose upstream files are missing is left out, and said so.
    """
    source = read_json(raw / "source.json")
    splits: dict[str, Any] = {}
    with staged(out) as staging:
        for of, names in _by_upstream(task).items():
            if missing := [name for name in of if name in source["missing"]]:
                splits |= {name: {"missing": missing} for name in names}
                continue
            made = _examples(task, [raw / f"{name}.parquet" for name in of])
            for name, chosen in _choose(task, made(None), names, mixture, evaluation_examples).items():
                frame = made(pl.Series(np.sort(chosen.rows))).collect()
                rank = np.argsort(chosen.rows)  # of each row of `frame`, which is in the order of its file
                table, detail = _table(task, frame, rank, name, mixture)
                path = staging / f"{name}.arrow"
                write_table(path, table)
                if name in FINGERPRINTED:
                    marked = row_fingerprints(task, of, frame).take(np.argsort(rank))
                    write_table(staging / fingerprint_file(name), marked)
                splits[name] = {"of": list(of), **chosen.counts, **detail, "sha256": sha256_of(path)}
        record = {
            "task": task.name,
            "dataset": task.dataset,
            "cluster": task.cluster,
            "type": task.type,
            "metrics": list(task.metrics),
            "declaration": declaration(task),
            "source": {key: source[key] for key in SOURCE},
            "splits": splits,
            "inputs": inputs(task, source, mixture, evaluation_examples, splits),
        }
        write_json(staging / "task.json", record)
    return record


def render_all(
    tasks: Iterable[Task],
    raw: Path,
    out: Path,
    mixture: Mixture,
    evaluation_examples: int,
    *,
    jobs: int,
    scheduler: str = "",
    done: Callable[[], None] = lambda: None,
) -> None:
    """Each task's rendered folder below `out` from its raw folder below `raw`, by cluster and name.

    Raises DeclarationError with the faults of all tasks before any work.
    """
    tasks = list(tasks)
    if scheduler:
        raw, out = raw.absolute(), out.absolute()  # its workers stand elsewhere
    if faults := check_expressions(tasks):
        raise DeclarationError(*faults)
    pieces = [
        (
            render,
            (
                task,
                raw / task.cluster / task.name,
                out / task.cluster / task.name,
                mixture,
                evaluation_examples,
            ),
        )
        for task in tasks
    ]
    if scheduler or _rows(raw, tasks) >= WORTH_PROCESSES:
        executor.run(pieces, jobs=jobs, scheduler=scheduler, done=done)
    else:
        executor.run_in_threads(pieces, jobs=jobs, done=done)


def _rows(raw: Path, tasks: Iterable[Task]) -> int:
    """How many rows there are to read."""
    said = [read_json(raw / task.cluster / task.name / "source.json") for task in tasks]
    return sum(split["rows"] for source in said for split in source["splits"].values())


def _by_upstream(task: Task) -> dict[tuple[str, ...], list[SplitName]]:
    """Our splits by the upstream splits that they share, in the order train, validation, test."""
    groups: dict[tuple[str, ...], list[SplitName]] = {}
    for name in SPLITS:
        if name in task.splits:
            groups.setdefault(task.splits[name].of, []).append(name)
    return groups


def _examples(task: Task, paths: list[Path]) -> Callable[[pl.Series | None], pl.LazyFrame]:
    """`examples` over the files. Small ones are evaluated once and kept, of large ones only what is asked for."""
    scanned = pl.concat([pl.scan_parquet(path) for path in paths])
    if sum(path.stat().st_size for path in paths) > KEPT_BYTES:
        return partial(examples, task, scanned)
    made = examples(task, scanned).collect().lazy()
    return lambda rows: made if rows is None else made.filter(pl.col(ROW).is_in(rows.implode()))


def _choose(
    task: Task, made: pl.LazyFrame, names: list[SplitName], mixture: Mixture, evaluation_examples: int
) -> dict[str, Selection]:
    """Filter, then carve, then cap: a cap is filled with rows that stay (FLAN's code cuts first and filters after)."""
    reasons = made.select(ROW, SOURCE_ROW, DROPPED).collect(engine="streaming").sort(ROW)
    dropped = dict(sorted(reasons.filter(pl.col(DROPPED).is_not_null())[DROPPED].value_counts().iter_rows()))
    stay = reasons.filter(pl.col(DROPPED).is_null())
    kept = stay[ROW].to_numpy()
    limits = {"train": mixture.cap, "test": evaluation_examples}
    chosen = {}
    for name, rows in _carve(task, kept, stay[SOURCE_ROW].to_numpy(), names, mixture.seed).items():
        order = keyed_order(task_key(mixture.seed, f"order {name}", task.name), rows)
        taken = order[: limits.get(name)]
        counts = {
            "upstream": reasons.height,
            "dropped": dropped,
            "to_other_splits": len(kept) - len(rows),
            "capped": len(rows) - len(taken),
            "rows": len(taken),
        }
        chosen[name] = Selection(taken, counts)
    return chosen


def _carve(task: Task, kept: Rows, source: Rows, names: list[SplitName], seed: int) -> dict[str, Rows]:
    """Kept rows by split: those with `rows` take that many in keyed order, at most an even share; one takes the rest.

    Rows that were made of one `source` row (the turns of a dialogue) stay together. The key is the dataset's, so
    that tasks which share their rows (MNLI's two) set the same ones aside.
    """
    order = np.argsort(row_keys(task_key(seed, "carve", task.dataset), source), kind="stable")
    begins = np.append(
        np.flatnonzero(np.diff(source[order], prepend=-1)), len(order)
    )  # of each source row's rows
    share = len(kept) // len(names)
    carved = {}
    start = 0
    for name in names:
        if (rows := task.splits[name].rows) is not None:
            end = _whole(begins, start, start + min(rows, share), start + share)
            carved[name] = np.sort(kept[order[start:end]])
            start = end
    rest = np.sort(kept[order[start:]])
    return {name: carved.get(name, rest) for name in names}


def _whole(begins: Rows, start: int, end: int, most: int) -> int:
    """`end`, moved so that no source row is parted: on if that stays within `most`, else back."""
    later, earlier = begins[begins >= end], begins[begins <= end]
    if len(later) and later[0] <= most:
        return int(later[0])
    return max(start, int(earlier[-1])) if len(earlier) else start


def _table(
    task: Task, frame: pl.DataFrame, rank: Rows, split: str, mixture: Mixture
) -> tuple[pa.Table, dict[str, Any]]:
    """The rows under their templates by rank, and what the split's counts add."""
    if split == "test":
        table = _evaluation(task, frame[np.argsort(rank)], mixture.separator)
        return table, {"examples": table.num_rows}
    styled = in_style(task, mixture.style)
    templates = min(mixture.templates, len(styled.templates))
    count = templates_per_row(mixture, frame.height) if split == "train" else 1
    table = _dealt(styled, frame, rank, templates, min(count, templates), mixture.separator)
    return table, {
        "templates_per_row": min(count, templates),
        "templates": templates,
        "examples": table.num_rows,
    }


def _dealt(
    task: Task, frame: pl.DataFrame, rank: Rows, templates: int, count: int, separator: str
) -> pa.Table:
    """Version v of the row at rank r stands at place v·n + r, under template (r + v) mod `templates`.

    Rows are put in place at the end, by pointers to their texts: what reads texts goes through them as they lie.
    """
    frame = frame.drop(SOURCE_ROW, DROPPED, ANSWERS, strict=False)  # else taken along, template by template
    under = (rank + np.arange(count)[:, None]) % templates
    parts, places = [], []
    for index in range(templates):
        version, rows = np.nonzero(under == index)
        parts.append(_under(task, frame[rows], index, separator))
        places.append(rank[rows] + version * frame.height)
    order = np.argsort(np.concatenate(places))
    return _to_arrow(pl.concat(parts, rechunk=True)[order], RENDERED_SCHEMA)


def _evaluation(task: Task, frame: pl.DataFrame, separator: str) -> pa.Table:
    """Every row under every forward template, template after template."""
    parts = []
    for index in task.forward:
        rendered = _under(task, frame, index, separator)
        target = pl.col("completion")
        if task.templates[index].targets == f"{{{ANSWER}}}":
            references = pl.Series("answers", frame[ANSWERS])
        else:  # the target of this wording is its own reference: translation into the other language
            references = rendered.select(answers=pl.concat_list(target))["answers"]
        parts.append(rendered.with_columns(target.alias("answer"), references))
    names = {"task": task.name, "dataset": task.dataset, "cluster": task.cluster}
    return _to_arrow(
        pl.concat(parts).with_columns(**{k: pl.lit(v) for k, v in names.items()}), EVALUATION_SCHEMA
    )


def _under(task: Task, frame: pl.DataFrame, index: int, separator: str) -> pl.DataFrame:
    template = task.templates[index]
    ranked = template.kind == "forward" and task.options is not None
    return frame.select(
        text(template.inputs, separator).alias("prompt"),
        text(template.targets).alias("completion"),
        pl.lit(index, pl.Int16).alias("template"),
        pl.col(ROW).alias("row"),
        (pl.col(CHOICES) if ranked else pl.lit([], pl.List(pl.String))).alias("options"),
    )


def _to_arrow(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """One chunk a column in the fixed types; polars' own string views and chunks depend on its plan."""
    table = frame.select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.cast(schema).combine_chunks()
