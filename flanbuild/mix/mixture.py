"""From rendered tasks to shards: allocate, order, write_shard.

The order is decided on numbers alone: each example (task, row, repeat) has a 64-bit key, and the keys are sorted
once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flanbuild.artifacts.arrow import read_table
from flanbuild.artifacts.files import digest_of, read_json, staged, write_json
from flanbuild.declare.mixture import HeldOut, Mixture
from flanbuild.declare.rate import rate
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.keys import row_keys, task_key
from flanbuild.mix import contamination, manifest
from flanbuild.mix.allocation import allocate
from flanbuild.mix.card import card
from flanbuild.mix.shards import EXAMPLES, TaskRef, write_shards
from flanbuild.progress import Progress, silent

FORMAT = 2

_NAMES_BYTES = 8
"""A shard's row has three task_refs and a repeat more than a rendered one, and shorter offsets."""


@dataclass(frozen=True)
class Allocation:
    """What one task of the mixture gives, or why it gives nothing."""

    task: str
    cluster: str
    available: int
    """training rows upstream, before filter, carving and cap"""
    rows: int
    """training rows that can be drawn"""
    leaked: int
    """rows that could be, but stand in what is held out"""
    rate: int
    share: Fraction
    count: int
    each: int
    """templates under which a row comes each time that it is drawn"""
    out: str

    @property
    def repeats(self) -> int:
        """How often the most drawn row is drawn again."""
        return max(0, -(-self.count // (self.rows * self.each)) - 1) if self.rows else 0


class Picks(NamedTuple):
    """Examples of one task: places in its rendered file, and how often the row came before."""

    place: NDArray[np.int64]
    repeat: NDArray[np.int16]


def plan(
    mixture: Mixture,
    records: Mapping[str, Mapping[str, Any]],
    held: Mapping[str, HeldOut],
    leaked: Mapping[str, int],
) -> list[Allocation]:
    """The exact allocation over rendered tasks (`records`: task.json by task), in task order.

    `leaked`: how many train rows of a task are left out because they stand in what is held out.
    """
    why = {name: _out(name, record, held, mixture) for name, record in sorted(records.items())}
    rows = {
        name: 0 if why[name] else records[name]["splits"]["train"]["rows"] - leaked.get(name, 0)
        for name in why
    }
    counts = allocate(mixture, rows, task_refs(records))
    total = sum(counts.values())
    shares = []
    for name, out in why.items():
        train = records[name]["splits"].get("train", {})
        count = counts.get(name, 0)
        shares.append(
            Allocation(
                task=name,
                cluster=records[name]["cluster"],
                available=train.get("upstream", 0),
                rows=train.get("rows", 0) - leaked.get(name, 0),
                rate=rate(mixture, train.get("rows", 0) - leaked.get(name, 0)),
                leaked=leaked.get(name, 0),
                share=Fraction(count, total) if total else Fraction(0),
                count=count,
                each=mixture.templates_each,
                out=out if out or count else f"no share in {mixture.path.name}",
            )
        )
    return shares


def mix(
    mixture: Mixture,
    rendered: Path,
    records: Mapping[str, Mapping[str, Any]],
    held: Mapping[str, HeldOut],
    out: Path,
    *,
    jobs: int = 1,
    scheduler: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Writes the mixture folder `out` from the tasks of `records` (task.json by name); returns its manifest.

    Raises DeclarationError when nothing is left to train on, or a task would repeat rows under a template they
    had before although others are left.
    """
    found = look_for_leaks(mixture, rendered, records, held)
    shares = plan(mixture, records, held, found.dropped())
    if not any(share.count for share in shares):
        raise DeclarationError(
            f"{mixture.path}: no task is left to train on once {', '.join(held)} is held out."
        )
    _check_versions(mixture, shares, records)
    train = _train_draws(mixture, shares, records, found.places)
    if scheduler:
        rendered, out = rendered.absolute(), out.absolute()  # its workers stand elsewhere
    described: list[dict[str, Any]] = []
    with staged(out) as staging:
        for split, draws in (("train", train), ("validation", _validation_draws(shares, records))):
            tasks = [task for name, task in sorted(task_refs(records).items()) if name in draws]
            files = [rendered / task.cluster / task.name / f"{split}.arrow" for task in tasks]
            count = _shard_count(mixture, draws, tasks, files) if split == "train" else 1
            with progress(count, f"mix {out.name}, {split}") as done:
                described += write_shards(
                    [staging / f"{split}-{i:05}-of-{count:05}.arrow" for i in range(count)],
                    _ordered(mixture, split, draws, tasks, files),
                    files,
                    tasks,
                    mixture.compression,
                    jobs=jobs,
                    scheduler=scheduler,
                    done=done,
                )
        record = manifest.describe(
            mixture, held, shares, records, found.found, described, inputs(mixture, records, held)
        )
        write_json(staging / manifest.NAME, record)
        (staging / "README.md").write_text(card(record), encoding="utf-8")
    return record


def look_for_leaks(
    mixture: Mixture,
    rendered: Path,
    records: Mapping[str, Mapping[str, Any]],
    held: Mapping[str, HeldOut],
) -> contamination.Leaks:
    """Train rows that stand in held-out evaluation files, and what the mixture's `leaks` says of them.

    Raises DeclarationError for `leaks: error` when a row leaks by its id or its whole input.
    """
    found = contamination.find(rendered, records, held)
    if mixture.leaks == "drop":
        return found
    if mixture.leaks == "error" and found.places:
        raise DeclarationError(
            *(
                f"{mixture.path}: leaks: {leak.rows:,} train rows of {leak.task} stand in the evaluation of "
                f"{leak.held_out} by {leak.kind}, row {leak.examples[0][0]} first; `leaks: drop` leaves them out."
                for leak in found.found
                if leak.kind != "field"
            )
        )
    return replace(found, places={})


def inputs(mixture: Mixture, records: Mapping[str, Mapping[str, Any]], held: Mapping[str, HeldOut]) -> str:
    """The digest of all that decides the mixture's bytes."""
    declared = mixture.model_dump(mode="json", exclude={"path"})
    rules = {name: [out.asked, out.rule, list(out.tasks)] for name, out in held.items()}
    return digest_of([FORMAT, declared, rules, {name: dict(record) for name, record in records.items()}])


def read_records(rendered: Path, mixture: Mixture) -> dict[str, dict[str, Any]]:
    """What task.json says, for each task below `rendered` that the mixture has, by name.

    Raises ArtifactError if there is none.
    """
    found = [read_json(path) for path in sorted(rendered.rglob("task.json"))]
    if not found:
        raise ArtifactError(f"{rendered}: no rendered task; run `flanbuild render` or `dvc repro`.")
    records = {record["task"]: record for record in found}
    return {name: records[name] for name in mixture.members(task_refs(records).values())}


def task_refs(records: Mapping[str, Mapping[str, Any]]) -> dict[str, TaskRef]:
    """What a mixture knows rendered tasks by."""
    return {name: TaskRef(name, record["dataset"], record["cluster"]) for name, record in records.items()}


def _ordered(
    mixture: Mixture, split: str, draws: Mapping[str, Picks], tasks: Sequence[TaskRef], files: Sequence[Path]
) -> pl.DataFrame:
    """All examples in the order of their keys, as gathering.EXAMPLES has them."""
    schema = {**EXAMPLES, "key": pl.UInt64}
    drawn = [pl.DataFrame(schema=schema)]
    start = 0
    for number, (task, file) in enumerate(zip(tasks, files, strict=True)):
        draw = draws[task.name]
        row = read_table(file).column("row").combine_chunks().to_numpy()
        key = task_key(mixture.seed, f"place {split}", task.name)
        columns = {
            "of": np.full(len(draw.place), number, np.int16),
            "index": (start + draw.place).astype(np.uint32),
            "repeat": draw.repeat,
            "key": row_keys(key, row[draw.place], draw.repeat),
        }
        drawn.append(pl.DataFrame(columns, schema=schema))
        start += len(row)
    return pl.concat(drawn).sort("key", maintain_order=True).drop("key")


def _shard_count(
    mixture: Mixture, draws: Mapping[str, Picks], tasks: Sequence[TaskRef], files: Sequence[Path]
) -> int:
    """As declared, or as many as keep each within the declared size, going by what a rendered row takes."""
    if mixture.shard_megabytes is None:
        return mixture.shards
    size = 0.0
    for task, file in zip(tasks, files, strict=True):
        row = file.stat().st_size / read_table(file).num_rows
        size += len(draws[task.name].place) * (row + len("".join(task)) + _NAMES_BYTES)
    return ceil(size / (mixture.shard_megabytes * 1_000_000))


def _train_draws(
    mixture: Mixture,
    shares: Sequence[Allocation],
    records: Mapping[str, Mapping[str, Any]],
    leaked: Mapping[str, NDArray[np.int64]],
) -> dict[str, Picks]:
    """What each task gives: its rows in keyed order until used up, then again under other templates.

    Each time that a row is drawn it comes under `templates_per_example` templates.
    """
    draws = {}
    for share in shares:
        if share.count:
            split = records[share.task]["splits"]["train"]
            stay = np.delete(np.arange(split["rows"]), leaked.get(share.task, []))
            drawn, time = np.divmod(np.arange(share.count), mixture.templates_each)
            again, rank = np.divmod(drawn, len(stay))
            repeat = again * mixture.templates_each + time
            place = (repeat % split["templates_per_row"]) * split["rows"] + stay[rank]
            draws[share.task] = Picks(place, repeat.astype(np.int16))
    return draws


def _validation_draws(
    shares: Sequence[Allocation], records: Mapping[str, Mapping[str, Any]]
) -> dict[str, Picks]:
    """All validation rows of the tasks that are trained on, once."""
    rows = {s.task: records[s.task]["splits"].get("validation", {}).get("rows", 0) for s in shares if s.count}
    return {task: Picks(np.arange(count), np.zeros(count, np.int16)) for task, count in rows.items() if count}


def _out(name: str, record: Mapping[str, Any], held: Mapping[str, HeldOut], mixture: Mixture) -> str:
    """Why the task gives nothing, or an empty string."""
    if rules := [out.rule for out in held.values() if name in out.tasks]:
        return rules[0]
    if refused := mixture.refused(record["source"]["license"]):
        return refused
    train = record["splits"].get("train")
    if train is None:
        return "evaluation only: the page has no train split"
    if "missing" in train:
        return f"missing at the source: {', '.join(train['missing'])}"
    return "" if train["rows"] else "no row is left after filtering"


def _check_versions(
    mixture: Mixture, shares: Sequence[Allocation], records: Mapping[str, Mapping[str, Any]]
) -> None:
    """Raises DeclarationError where rows would be repeated under a wording they had although others are left."""
    faults = []
    for share in shares:
        if not share.count or share.leaked:  # the few that stand in for leaked rows may begin again
            continue
        train = records[share.task]["splits"]["train"]
        needed = min((share.repeats + 1) * mixture.templates_each, train["templates"])
        if needed > train["templates_per_row"]:
            faults.append(
                f"{mixture.path}: size: {share.task} is asked for {share.count:,} examples and has {share.rows:,} rows "
                f"under {train['templates_per_row']} template(s); set size.templates_per_row to {-(-needed // mixture.templates_each)}."
            )
    if faults:
        raise DeclarationError(*faults)
