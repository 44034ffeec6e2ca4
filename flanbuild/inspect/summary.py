"""The numbers of the page of a mixture as tables and charts: shares, lengths, templates, licenses, differences."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from flanbuild.artifacts.addresses import mixture_folder
from flanbuild.artifacts.records import ContaminationMatch, Manifest, MixtureTask
from flanbuild.inspect import charts
from flanbuild.inspect.contents import SIDES, Contents, Lengths, by_cluster, short_commit, token_lengths
from flanbuild.inspect.difference import Difference, compare
from flanbuild.page.charts import bars
from flanbuild.page.frame import Cell, Percent, Table, draw
from flanbuild.read import Examples, load

TOKEN_ROWS = 100
"""Examples of a task that are tokenized."""
MATCHES_OF_A_PAIR, MATCHES = 3, 60
"""Contaminated rows whose texts the page shows: of a pair of tasks, and in all."""
_TASK_HEADER = (
    "task",
    "cluster",
    "rows at the source",
    "dropped",
    "to other splits",
    "over the cap",
    "contaminated",
    "can be drawn",
    "rate",
    "examples",
    "share",
    "repeats",
    "examples drawn again",
)
_LENGTHS = ("total", "5 %", "median", "95 %", "longest")


@dataclass(frozen=True)
class Flow:
    """Rows from source to cluster to share."""

    chart: Any
    clusters: Table
    tasks_charts: Sequence[tuple[str, Any]]
    tasks: Table
    sources: Table


@dataclass(frozen=True)
class LengthsSection:
    """Lengths in characters, and in tokens if a tokenizer was named."""

    note: str
    histograms: Sequence[tuple[str, Any]]
    charts: Sequence[tuple[str, Any]]
    characters: Table
    tokens: Table | None


@dataclass(frozen=True)
class MatchText:
    """A training row and the held-out row that it matches."""

    title: str
    train: str
    held_out: str


@dataclass(frozen=True)
class Section:
    """A sentence, a table, a chart if there is one, and texts of matches."""

    note: str
    table: Table
    chart: Any = None
    texts: Sequence[MatchText] = ()


@dataclass(frozen=True)
class DifferenceSection:
    """What another mixture has that this one has not, and the reverse."""

    note: str
    tables: Sequence[Table] = ()


def held_out(manifest: Manifest) -> Table:
    """Every held-out task and the rule that holds it out."""
    rows = [
        (task, entry.cluster, entry.type, "asked for" if group.asked else "related", group.rule)
        for group in manifest.held_out.values()
        for task, entry in sorted(group.tasks.items())
    ]
    return Table("Tasks that are held out", ("task", "cluster", "type", "how", "rule"), rows)


def left_out(manifest: Manifest) -> Table:
    """The tasks that are not held out and still give nothing, with the reason of the manifest."""
    held = {task for group in manifest.held_out.values() for task in group.tasks}
    rows = [
        (name, task.cluster, task.out)
        for name, task in manifest.tasks.items()
        if task.out and name not in held
    ]
    return Table("Other tasks that give no examples", ("task", "cluster", "reason"), rows)


def flow(manifest: Manifest, counted: Contents) -> Flow:
    """Rows at the source, rows that can be drawn and examples, by cluster and by task."""
    clusters, total = by_cluster(manifest), manifest.rows["train"]
    counts = {
        name: (task.available, task.rows, task.given)
        for tasks in clusters.values()
        for name, task in tasks.items()
    }
    span = _span(count for three in counts.values() for count in three)
    summary: list[tuple[Cell, ...]] = [
        (
            cluster,
            len(tasks),
            len({task.source.repo for task in tasks.values()}),
            *(sum(getattr(task, key) for task in tasks.values()) for key in ("available", "rows", "given")),
            Percent(sum(task.given for task in tasks.values()) / total),
        )
        for cluster, tasks in clusters.items()
    ]
    given = {cluster: sum(task.given for task in tasks.values()) for cluster, tasks in clusters.items()}
    return Flow(
        chart=draw(bars(given, "examples"), "Bars: examples of each cluster; the numbers are in the table"),
        clusters=Table(
            "From sources to clusters",
            ("cluster", "tasks", "repositories", "rows at the source", "can be drawn", "examples", "share"),
            summary,
        ),
        tasks_charts=[
            (
                cluster,
                draw(
                    charts.row_counts({name: counts[name] for name in tasks}, span),
                    f"{cluster}: rows at the source, rows that can be drawn and examples of each task",
                ),
            )
            for cluster, tasks in clusters.items()
        ],
        tasks=_task_table(clusters, counted, total),
        sources=_source_table(clusters),
    )


def _span(counts: Iterable[int]) -> tuple[int, int]:
    """The smallest and the largest of the counts above zero."""
    found = [count for count in counts if count > 0] or [1]
    return min(found), max(found)


def _task_table(clusters: Mapping[str, Mapping[str, MixtureTask]], counted: Contents, total: int) -> Table:
    rows = [
        (
            *(name, cluster, task.available, sum(task.dropped.values()), task.to_other_splits, task.capped),
            *(task.removed, task.rows, task.rate, task.given, Percent(task.given / total), task.repeats),
            counted.repeated.get(name, 0),
        )
        for cluster, tasks in clusters.items()
        for name, task in tasks.items()
    ]
    return Table(
        "Rows asked and given: rate is the examples of one pass, repeats how often the most drawn row comes again",
        _TASK_HEADER,
        rows,
    )


def _source_table(clusters: Mapping[str, Mapping[str, MixtureTask]]) -> Table:
    rows = [
        (
            name,
            task.source.kind,
            task.source.repo,
            task.source.config,
            short_commit(task.source.commit),
            task.source.license,
        )
        for tasks in clusters.values()
        for name, task in tasks.items()
    ]
    header = ("task", "kind", "repository", "configuration", "commit", "license")
    return Table("Where the rows of each task come from", header, rows)


def lengths(loaded: Examples, counted: Contents, tokenizer: str | None, codec: Any) -> LengthsSection:
    """Lengths in characters of all training examples; in tokens of the first ones, if there is a codec."""
    clusters = by_cluster(loaded.manifest)
    ranges: dict[str, dict[str, Lengths]] = {
        name: {side: found for side in SIDES if (found := counted.lengths(side, name))}
        for tasks in clusters.values()
        for name in tasks
    }
    sides = {side: found for side in SIDES if (found := counted.lengths(side))}
    span = _span(count for found in ranges.values() for n in found.values() for count in (n.low, n.high))
    total = sum(n.total for n in sides.values())
    listed = "; ".join(
        f"{side}s have a median of {n.median:,} characters, 95 % at most {n.high:,}"
        for side, n in sides.items()
    )
    return LengthsSection(
        note=f"All {len(loaded):,} training examples are {total:,} characters: {listed}." if sides else "",
        histograms=[(f"All {side}s", _histogram(counted, side)) for side in sides],
        charts=[
            (
                cluster,
                draw(
                    charts.length_ranges({name: ranges[name] for name in tasks}, span),
                    f"{cluster}: characters of prompts and completions of each task",
                ),
            )
            for cluster, tasks in clusters.items()
        ],
        characters=_character_table(ranges, total),
        tokens=_token_table(loaded, counted, tokenizer, codec) if tokenizer else None,
    )


def _histogram(counted: Contents, side: str) -> Any:
    counts = counted.counts.filter(pl.col("side") == side).group_by("length").agg(pl.col("examples").sum())
    chart = charts.length_histogram(
        counts["length"].to_list(), counts["examples"].to_list(), f"characters of a {side}, log axis"
    )
    return draw(chart, f"Histogram: characters of {side}s")


def _character_table(ranges: Mapping[str, Mapping[str, Lengths]], total: int) -> Table:
    header = ("task", *(f"{side} {name}" for side in SIDES for name in _LENGTHS), "share of all characters")
    rows: list[tuple[Cell, ...]] = [
        (name, *_length_cells(sides), Percent(sum(n.total for n in sides.values()) / max(total, 1)))
        for name, sides in ranges.items()
    ]
    return Table("Characters, by task", header, rows)


def _length_cells(sides: Mapping[str, Lengths]) -> Iterator[int]:
    for n in sides.values():
        yield from (n.total, n.low, n.median, n.high, n.longest)


def _token_table(loaded: Examples, counted: Contents, tokenizer: str, codec: Any) -> Table:
    """Tokens of the first examples of each task, and what they come to for all examples of it."""
    chosen = {task: places[:TOKEN_ROWS] for task, places in counted.first.items()}
    tokens = token_lengths(loaded, chosen, codec)
    given = {task: loaded.manifest.tasks[task].given for task in tokens}
    estimates = {
        task: round(sum(n.total for n in sides.values()) * given[task] / len(chosen[task]))
        for task, sides in tokens.items()
    }
    total = sum(estimates.values())
    rows: list[tuple[Cell, ...]] = [
        (
            *(task, len(chosen[task])),
            *(n for side in sides.values() for n in (side.median, side.high, side.longest)),
            *(estimates[task], Percent(estimates[task] / max(total, 1))),
        )
        for task, sides in sorted(tokens.items())
    ]
    header = (
        *("task", "examples tokenized"),
        *(f"{side} {name}" for side in SIDES for name in ("median", "95 %", "longest")),
        *("tokens of all its examples, estimated", "share of tokens"),
    )
    caption = (
        f"Tokens by {Path(tokenizer).name}, from the first {TOKEN_ROWS} examples of each task; "
        f"about {total:,} tokens in all"
    )
    return Table(caption, header, rows)


def templates(counted: Contents) -> Section:
    """How many examples each template of a task gives."""
    numbers = sorted({number for used in counted.templates.values() for number in used})
    rows: list[tuple[Cell, ...]] = [
        (task, *(used.get(number, 0) for number in numbers))
        for task, used in sorted(counted.templates.items())
    ]
    shares = [
        (used.get(number, 0) / sum(used.values()), task)
        for task, used in counted.templates.items()
        for number in used
    ]
    note = "There are no training examples."
    if shares:
        (low, rare), (high, often) = min(shares), max(shares)
        note = f"Every template gives {Percent(low)} of the examples of its task."
        if str(Percent(low)) != str(Percent(high)):
            note = f"A template gives from {Percent(low)} ({rare}) to {Percent(high)} ({often}) of the examples of its task."
    return Section(note, Table("Examples by template", ("task", *map(str, numbers)), rows))


def licenses(manifest: Manifest) -> Section:
    """Examples under each license, the largest first."""
    total = max(manifest.rows["train"], 1)
    ordered = sorted(manifest.licenses.items(), key=lambda item: (-item[1].given, item[0]))
    rows = [
        (name, len(entry.tasks), entry.given, Percent(entry.given / total), ", ".join(entry.tasks))
        for name, entry in ordered
    ]
    chart = bars({name: entry.given for name, entry in ordered}, "examples")
    return Section(
        "",
        Table("Licenses", ("license", "tasks", "examples", "share", "names"), rows),
        draw(chart, "Bars: examples under each license; the numbers are in the table"),
    )


def contamination(manifest: Manifest, report: Path) -> Section:
    """The counts of the manifest, and texts from `report`, the file of matches, if there is one."""
    found = manifest.contamination.found
    columns = [name for name in ContaminationMatch.model_fields if name != "examples"]
    rows = [tuple(getattr(match, name) for name in columns) for match in found]
    table = Table("Training rows that match", [name.replace("_", " ") for name in columns], rows)
    if not manifest.contamination.references:
        return Section("Not searched: nothing is held out, and no other evaluation set is named.", table)
    pairs = len({row[:2] for row in rows})
    note = f"{pairs:,} pairs of a training and a held-out task match" if found else "No match was found"
    return Section(
        f"{note}; the rule of the mixture is {manifest.contamination.rule}.",
        table,
        texts=_match_texts(report),
    )


def _match_texts(report: Path) -> list[MatchText]:
    """The first matches of each pair of tasks, which are the strongest, with the texts of both sides."""
    if not report.is_file():
        return []
    pairs = ["task", "reference"]
    matches = pl.scan_parquet(report, glob=False).group_by(pairs, maintain_order=True).head(MATCHES_OF_A_PAIR)
    return [
        MatchText(
            title=f"{row['task']} row {row['row']:,}, {row['reference']} {row['split']} row {row['item']:,}: "
            f"{'exact ' if row['exact'] else ''}{row['kind']}, score {row['score']:.2f}",
            train=row["training_text"] or "",
            held_out=row["evaluation_text"] or "",
        )
        for row in matches.head(MATCHES).collect().iter_rows(named=True)
    ]


def difference(against: Path | None, folder: Path) -> DifferenceSection:
    """What differs between the mixture at `against` and the one at `folder`, in this direction."""
    if against is None:
        return DifferenceSection("No other mixture was named: --against takes its folder.")
    found, other = compare(against, folder), load(against).manifest
    name = f"{mixture_folder(other.name, other.holdout)}, digest {other.digest[:16]}"
    if not found:
        return DifferenceSection(f"The same as {name}.")
    return DifferenceSection(
        f"From {name} (before) to this mixture (after).", (_declared_table(found), _changes_table(found))
    )


def _declared_table(found: Difference) -> Table:
    rows = [(one.where, one.key, one.values()) for one in found.declared]
    return Table("Declared or counted otherwise", ("of", "key", "before → after"), rows)


def _changes_table(found: Difference) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (r.task, r.split, r.added, r.removed, r.rerendered, r.moved, "; ".join(r.causes)) for r in found.rows
    ]
    header = ("task", "split", "added", "removed", "re-rendered", "moved", "because")
    return Table("Examples that differ", header, rows)
