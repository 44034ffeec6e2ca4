"""Contamination: recall on planted evaluation rows, false alarms on near misses, and what all hold-outs find.

    python benchmarks/contamination.py planted --seed 7                  # rows of the mirror at FLANBUILD_MIRROR
    python benchmarks/contamination.py holdouts --sample 100             # all twelve hold-outs; prints hits to read
    python benchmarks/contamination.py speed --rows 30000                # rendering and matching of the sample world

`planted` takes 500 evaluation rows of many tasks and hides each among training rows of other tasks, changed in several
ways; near misses are 500 training rows that share a passage, a wording, a phrase or names with an evaluation row
without carrying it. A row is found if a match of kind item or question names it.
"""

import argparse
import os
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import common
import numpy as np
import polars as pl

from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.records import RECORD, ContaminationMatch, RawRecord, read_record
from flanbuild.builder import Build
from flanbuild.declare.mixture import ContaminationRule, load_mixture
from flanbuild.declare.task import Task
from flanbuild.declare.task_files import load_tasks
from flanbuild.inspect.contamination import find_matches as read_matches
from flanbuild.inspect.contamination import matches
from flanbuild.mix.index import SHORTEST, Items, PartColumn, build_index
from flanbuild.mix.matching import QUESTION, find_matches
from flanbuild.mix.pairs import TrainingRows
from flanbuild.mix.references import task_items
from flanbuild.mix.words import Grams, words_of
from flanbuild.progress import silent
from flanbuild.sources.mirror import MirrorSource
from flanbuild.sources.raw import download_all
from flanbuild.sources.sample import SampleSource

RULE = ContaminationRule()
LEAST, LONG = 6, 20
"""Words of the shortest item that is planted, and of those in which words are changed."""
PER_TASK = 60
BACKGROUND_ROWS = 400
"""Training rows of each task among which the others are hidden."""

Parts = list[str]
Change = Callable[[Parts, np.random.Generator], Parts]


@dataclass(frozen=True)
class World:
    """Evaluation rows and training rows of many tasks."""

    items: list[Items]
    background: list[str]


def main() -> None:
    """Runs one of the three measurements."""
    arguments = _arguments()
    if arguments.what == "planted":
        planted(arguments.mirror, arguments.tasks, arguments.seed, arguments.number)
    elif arguments.what == "holdouts":
        holdouts(arguments.mirror, arguments.tasks, arguments.sample, arguments.seed)
    else:
        speed(arguments.tasks, arguments.rows, arguments.work)


def planted(mirror: Path, tasks: Path, seed: int, number: int) -> None:
    """Prints recall by kind of change, and false alarms by kind of near miss."""
    with tempfile.TemporaryDirectory() as folder:
        world = load_world(mirror, load_tasks([tasks]), Path(folder))
    print(f"seed {seed}, n-grams of {RULE.ngram} words, threshold {RULE.threshold}")
    print(f"{len(world.items)} tasks, {sum(len(i.rows) for i in world.items):,} evaluation rows, ", end="")
    print(f"{len(world.background):,} training rows around the planted ones\n")
    print("| planted | rows | tasks | found | recall |\n|---|--:|--:|--:|--:|")
    for name, rows, sources, found in recall(world, seed, number):
        print(f"| {name} | {rows} | {sources} | {found} | {found / max(rows, 1):.1%} |")
    print("\n| near miss | rows | alarms | rate |\n|---|--:|--:|--:|")
    for name, rows, alarms in false_alarms(world, seed, number):
        print(f"| {name} | {rows} | {alarms} | {alarms / max(rows, 1):.1%} |")


def load_world(mirror: Path, tasks: dict[str, Task], folder: Path) -> World:
    """Evaluation rows and some training rows of all tasks of the mirror."""
    download_all(list(tasks.values()), MirrorSource(mirror), folder, "skip", Workers(common.CORES))
    items, background = [], []
    for task in tasks.values():
        raw = task_folder(folder, task.cluster, task.name)
        found = task_items(task, raw)
        if len(found.rows):
            items.append(found)
        background += list(_training_texts(task, raw))
    return World(items, background)


def _training_texts(task: Task, raw: Path) -> Iterator[str]:
    record = read_record(raw / RECORD, RawRecord)
    of = task.splits["train"].of if "train" in task.splits else ()
    if not of or set(of) & set(record.missing):
        return
    rows = np.arange(min(BACKGROUND_ROWS, sum(record.splits[name].rows for name in of)))
    columns = TrainingRows(task, raw, of, raw, "").texts(rows).columns
    frame = (
        pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator="\n", ignore_nulls=True)).to_series()
    )
    yield from (text for text in frame if text)


CHANGES: dict[str, tuple[Change, int, int]] = {
    "verbatim": (lambda parts, _: parts, LEAST, 10**9),
    "verbatim, 6 to 12 words": (lambda parts, _: parts, 6, 12),
    "verbatim, 4 or 5 words": (lambda parts, _: parts, 4, 5),
    "other order and names of fields": (
        lambda parts, choice: [parts[i] for i in choice.permutation(len(parts))],
        LEAST,
        10**9,
    ),
    "upper case": (lambda parts, _: [part.upper() for part in parts], LEAST, 10**9),
    "no punctuation": (lambda parts, _: [re.sub(r"[^\w\s'’-]", " ", part) for part in parts], LEAST, 10**9),
    "other punctuation": (lambda parts, choice: [_punctuated(part, choice) for part in parts], LEAST, 10**9),
    "inside a longer text": (lambda parts, choice: [_inside(parts, choice)], LEAST, 10**9),
    "prefix and suffix": (
        lambda parts, _: ["Read this.\n" + "\n".join(parts) + "\nNow answer."],
        LEAST,
        10**9,
    ),
    "1 word in 15 changed, 20 to 39 words": (lambda parts, choice: _changed(parts, choice), LONG, 39),
    "1 word in 15 changed, 40 words and more": (lambda parts, choice: _changed(parts, choice), 40, 10**9),
    "1 word in 15 changed, 6 to 19 words": (lambda parts, choice: _changed(parts, choice), LEAST, 19),
}
"""Kind of change -> the change, and the words that an item has at least and at most."""


def recall(world: World, seed: int, number: int) -> Iterator[tuple[str, int, int, int]]:
    """For each kind of change: (name, planted rows, tasks they come from, rows found)."""
    for place, (name, (change, least, most)) in enumerate(CHANGES.items()):
        choice = np.random.default_rng([seed, place])
        chosen = _chosen(world.items, choice, number, least, most)
        rows = [change(_parts(world.items[which], item), choice) for which, item in chosen]
        found = _found(world.items, [*rows, *([text] for text in world.background)])
        hits = sum(
            bool({world.items[which].name} & found.get(row, set())) for row, (which, _) in enumerate(chosen)
        )
        yield name, len(chosen), len({which for which, _ in chosen}), hits


def _chosen(
    items: Sequence[Items], choice: np.random.Generator, number: int, least: int, most: int
) -> list[tuple[int, int]]:
    """(reference, item) of so many items with a number of words in these bounds, few of each task."""
    found: list[tuple[int, int]] = []
    for which in choice.permutation(len(items)):
        words = item_words(items[which])
        fitting = np.flatnonzero((words >= least) & (words <= most))
        found += [(int(which), int(item)) for item in choice.permutation(fitting)[:PER_TASK]]
    return [found[i] for i in choice.permutation(len(found))[:number]]


def item_words(items: Items) -> np.ndarray:
    """The words of each item; a text of less than four words, and one that another part has too, count nothing."""
    total = np.zeros(len(items.rows), np.int64)
    seen: list[np.ndarray] = []
    for column in items.columns:
        chunks = list(words_of(column.texts))
        count = np.concatenate([np.zeros(0, np.int64), *(words.counts for words in chunks)])
        whole = np.concatenate([np.zeros(0, np.uint64), *(Grams(words).whole() for words in chunks)])
        again = np.any([whole == other for other in seen], axis=0) if seen else np.zeros(len(whole), np.bool_)
        total += np.where(again | (count < SHORTEST), 0, count)
        seen.append(whole)
    return total


def _parts(items: Items, item: int) -> Parts:
    """The texts of an item, each once."""
    return list(dict.fromkeys(text for column in items.columns if (text := column.texts[item])))


def _found(items: Sequence[Items], rows: Sequence[Parts]) -> dict[int, set[str]]:
    """By row the references that it carries an item or a question of."""
    width = max(map(len, rows))
    columns = {
        f"t{i}": pl.Series([row[i] if i < len(row) else None for row in rows], dtype=pl.String)
        for i in range(width)
    }
    matches = find_matches(build_index(items, RULE.ngram), columns, threshold=RULE.threshold)
    found: dict[int, set[str]] = {}
    for name, frame in matches.items():
        for row in frame.filter(pl.col("kind") >= QUESTION)["row"]:
            found.setdefault(row, set()).add(name)
    return found


FILLERS = (
    "The committee met again on Thursday evening to go over the accounts of the past year",
    "Nobody in the village could say afterwards who had left the gate open that night",
    "Our supplier promised to send replacements before the end of the month at no cost",
    "Rain kept most of the visitors away from the fair, although the music played on",
)
"""Written for this: stand in no dataset."""
STRANGE = [
    "quartz",
    "lantern",
    "meadow",
    "velvet",
    "harbor",
    "copper",
    "thistle",
    "marble",
    "saffron",
    "willow",
    "ember",
    "granite",
]


def _punctuated(text: str, choice: np.random.Generator) -> str:
    marks = ",;:.!?-"
    return re.sub(r"[,;:.!?–—]", lambda _: f" {marks[choice.integers(len(marks))]} ", text) + " !"


def _inside(parts: Parts, choice: np.random.Generator) -> str:
    before, after = (FILLERS[i] for i in choice.choice(len(FILLERS), 2, replace=False))
    return f"{before}. {' '.join(parts)} {after}."


def _changed(parts: Parts, choice: np.random.Generator) -> Parts:
    """One word in fifteen becomes another, at least one."""
    words = [part.split(" ") for part in parts]
    places = [(i, j) for i, part in enumerate(words) for j, word in enumerate(part) if re.search(r"\w", word)]
    count = max(1, round(len(places) / 15))
    for number in choice.choice(len(places), count, replace=False):
        i, j = places[number]
        words[i][j] = STRANGE[choice.integers(len(STRANGE))]
    return [" ".join(part) for part in words]


def false_alarms(world: World, seed: int, number: int) -> Iterator[tuple[str, int, int]]:
    """For each kind of near miss: (name, rows, rows that are taken for contaminated)."""
    share = number // 4
    for place, (name, make) in enumerate(NEAR_MISSES.items()):
        choice = np.random.default_rng([seed, 100 + place])
        items, rows = make(world, choice, share)
        found = _found(items, [*rows, *([text] for text in world.background)])
        yield name, len(rows), sum(row in found for row in range(len(rows)))


Misses = tuple[list[Items], list[Parts]]


def _same_passage(world: World, choice: np.random.Generator, number: int) -> Misses:
    """Training rows are items that share a passage with others; the others are looked for."""
    kept, rows = [], []
    for items in world.items:
        passages = [column for column in items.columns if column.role == "passage"] or items.columns[:1]
        asked = [column for column in items.columns if column.role == "question"] or items.columns[1:]
        if not asked:
            continue
        frame = pl.DataFrame({"passage": passages[-1].texts, "question": asked[0].texts}).with_row_index(
            "item"
        )
        frame = frame.drop_nulls().unique(["passage", "question"], keep="first", maintain_order=True)
        frame = frame.with_columns(pl.len().over("passage").alias("n")).filter(pl.col("n") > 1)
        first = frame.unique("passage", keep="first", maintain_order=True)
        others = frame.join(first, on="item", how="anti").unique("passage", keep="first", maintain_order=True)
        if others.height < 5:
            continue
        first = first.join(others, on="question", how="anti")
        rows += [_parts(items, item) for item in first["item"]]
        kept.append(_subset(items, others["item"].to_numpy()))
    return kept, [rows[i] for i in choice.permutation(len(rows))[:number]]


def _subset(items: Items, which: np.ndarray) -> Items:
    columns = tuple(PartColumn(c.role, c.view, c.texts.gather(which)) for c in items.columns)
    return Items(items.name, items.rows[which], items.splits[which], items.origin[which], columns)


PATTERNS = (
    "In which year did the {} of {} win its first title after the war?",
    "What is the name of the {} that the people of {} elected last spring?",
    "Write a short answer: how far is the nearest {} from the centre of {}?",
    "The {} said on Monday that talks with {} would be resumed next week.",
    "A man in a blue jacket is walking with a {} near the station of {}.",
    "I bought this {} in {} last year and it broke after a few days.",
    "How can I learn to repair a {} at home if I live near {}?",
    "Is it true that every {} in {} has to be registered before the first of May?",
)
THINGS = [
    "lawyer",
    "tractor",
    "teacher",
    "violin",
    "bakery",
    "museum",
    "goalkeeper",
    "river",
    "mayor",
    "kettle",
    "bishop",
    "lizard",
    "orchard",
    "sailor",
    "clock",
]
PLACES = [
    "Ghent",
    "Oslo",
    "Quito",
    "Lagos",
    "Perth",
    "Turin",
    "Bergen",
    "Cusco",
    "Malmo",
    "Leeds",
    "Porto",
    "Basel",
    "Tampa",
    "Delhi",
    "Minsk",
    "Kyoto",
    "Dakar",
    "Riga",
]


def _same_pattern(_: World, choice: np.random.Generator, number: int) -> Misses:
    """One wording with things and places of one half in the items, of the other half in the rows."""
    things, places = choice.permutation(THINGS), choice.permutation(PLACES)
    items, rows = [], []
    for _ in range(number):
        pattern = PATTERNS[choice.integers(len(PATTERNS))]
        one, other = (
            pattern.format(things[half::2][choice.integers(7)], places[half::2][choice.integers(9)])
            for half in (0, 1)
        )
        items.append(one)
        rows.append([other])
    return [_questions("patterns", pl.Series(items))], rows


PHRASES = (
    "at the end of the day it is important to note that",
    "on the other hand there is no doubt about the fact that",
    "ladies and gentlemen thank you very much for coming here tonight",
    "all you need to do is to take a look at the",
    "it goes without saying that in the long run most of us",
)


def _same_phrase(_: World, choice: np.random.Generator, number: int) -> Misses:
    """A common phrase within other words."""
    items, rows = [], []
    for _ in range(number):
        phrase = PHRASES[choice.integers(len(PHRASES))]
        one, other = (" ".join(choice.choice([*STRANGE, *THINGS, *PLACES], 14)) for _ in range(2))
        items.append(f"{one[: len(one) // 2]} {phrase} {one[len(one) // 2 :]}")
        rows.append([f"{other[: len(other) // 2]} {phrase} {other[len(other) // 2 :]}"])
    return [_questions("phrases", pl.Series(items))], rows


NAMES = [
    "Anna Berg",
    "Luis Ortega",
    "Mei Tanaka",
    "Omar Haddad",
    "Ivan Petrov",
    "Grace Mbeki",
    "Paul Novak",
    "Sara Lind",
    "Tom Walsh",
    "Nina Rossi",
    "Karl Weber",
    "Lea Dubois",
    "Juan Silva",
    "Amy Clark",
    "Noor Khan",
    "Ben Adams",
    "Eva Horvat",
    "Max Keller",
    "Ida Holm",
    "Raj Patel",
]


def _same_names(_: World, choice: np.random.Generator, number: int) -> Misses:
    """Lists of names that share half of them, in another order."""
    items, rows = [], []
    for _ in range(number):
        names = [str(name) for name in choice.permutation(NAMES)]
        items.append("Present were " + ", ".join(names[:10]) + ".")
        rows.append(
            ["Absent: " + ", ".join(str(name) for name in choice.permutation([*names[5:10], *names[10:15]]))]
        )
    return [_questions("names", pl.Series(items))], rows


def holdouts(mirror: Path, tasks: Path, sample: int, seed: int) -> None:
    """Prints what each of the twelve hold-outs finds on the mirror, and some of the matches with texts."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        known = load_tasks([tasks])
        build = Build(
            tasks=known,
            mixture=load_mixture(common.ROOT / "mixtures" / "flan2021.yaml"),
            source=MirrorSource(mirror),
            data=data,
            missing="skip",
            workers=Workers(common.CORES),
            progress=silent,
        )
        print(
            "| held out | pairs of tasks | rows: item | question | passage only | exact | test rows found |"
        )
        print("|---|--:|--:|--:|--:|--:|--:|")
        hits = []
        for cluster in sorted({task.cluster for task in known.values()}):
            built = build.mix([cluster])
            print(_summary(cluster, built.manifest.contamination.found))
            found = read_matches(built.folder)
            if found.height:
                hits.append(found.with_columns(cluster=pl.lit(cluster)))
        _print_pairs(pl.concat(hits))
        chosen = (
            pl.concat(hits).filter(pl.col("kind") != "passage").sample(fraction=1, shuffle=True, seed=seed)
        )
        if sample:  # as many of each pair of tasks as of any other, as far as there are
            order = pl.int_range(pl.len()).over("task", "reference")
            chosen = chosen.with_columns(order=order).sort("order", "task", "reference").head(sample)
            _print_hits(chosen.drop("order", "cluster"))


def _summary(cluster: str, found: Sequence[ContaminationMatch]) -> str:
    acted = [match for match in found if match.rows]
    counts = [
        sum(getattr(match, key) for match in found)
        for key in ("item", "question", "passage", "exact", "test_items")
    ]
    return f"| {cluster} | {len(acted)} | " + " | ".join(f"{count:,}" for count in counts) + " |"


def _print_pairs(hits: pl.DataFrame) -> None:
    acted = hits.filter(pl.col("kind") != "passage").unique(
        ["task", "row", "reference", "split", "item", "exact"]
    )
    pairs = acted.group_by("task", "reference").agg(
        rows=pl.col("row").n_unique(),
        items=pl.col("item").filter(pl.col("split") == "test").n_unique(),
        exact=pl.col("item").filter(pl.col("split") == "test", pl.col("exact")).n_unique(),
    )
    print("\n| training task | held out | rows | test rows | of them exact |\n|---|---|--:|--:|--:|")
    for row in pairs.sort("rows", "task", "reference", descending=[True, False, False]).iter_rows():
        print("| " + " | ".join(map(str, row)) + " |")


def _print_hits(hits: pl.DataFrame) -> None:
    for number, match in enumerate(matches(hits), 1):
        print(
            f"\n[{number}] {match.task} {match.row} <- {match.reference} {match.split} {match.item}: ", end=""
        )
        print(f"{match.kind}{', exact' if match.exact else ''}, score {match.score:.2f}")
        for name, text in (
            ("training", match.training_text),
            ("held out", match.evaluation_text),
            ("shared", match.span),
        ):
            print(f"  {name}: {' '.join(text.split())[:400]}")


def speed(tasks: Path, rows: int, work: Path | None) -> None:
    """Prints CPU seconds and peak memory of rendering, of two hold-outs, and of a second run of each."""
    known = load_tasks([tasks])
    mixture = load_mixture(common.ROOT / "mixtures" / "flan2021.yaml")
    data = common.work_folder(work) / f"contamination-{rows}"
    build = Build(
        tasks=known,
        mixture=mixture,
        source=SampleSource(rows),
        data=data,
        missing="error",
        workers=Workers(common.CORES),
        progress=silent,
    )
    build.download()
    shutil.rmtree(data / "rendered", ignore_errors=True)
    shutil.rmtree(data / "contamination", ignore_errors=True)
    before = _cpu()
    records = build.render()
    rendering = _cpu() - before
    examples = sum(record.splits["train"].rows for record in records.values() if "train" in record.splits)
    print(f"rendering {examples:,} rows of {len(records)} tasks: {rendering:.1f} CPU s")
    folders = {name: task_folder(build.rendered, record.cluster, name) for name, record in records.items()}
    for cluster in ("nli", "summarization"):
        held = build.hold_out([cluster])
        out = {name for group in held.values() for name in group.tasks}
        stay = {name: record for name, record in records.items() if name not in out}
        for label in ("first", "again"):
            before, start = _cpu(), time.perf_counter()
            found = build.search.find(mixture, folders, stay, held)
            cpu = _cpu() - before
            print(
                f"{cluster} held out, {label}: {cpu:.1f} CPU s ({cpu / rendering:.2f} of rendering), "
                f"{time.perf_counter() - start:.1f} s, "
                f"{sum(count.rows for count in found.record.references.values()):,} evaluation rows, "
                f"{sum(found.counts().values()):,} rows found, peak "
                f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB"
            )


def _cpu() -> float:
    """CPU seconds of this process and of children that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _questions(name: str, texts: pl.Series) -> Items:
    count = len(texts)
    nothing = np.zeros(0, np.uint64)
    return Items(
        name, np.arange(count), np.zeros(count, np.int8), nothing, (PartColumn("question", 0, texts),)
    )


NEAR_MISSES: dict[str, Callable[[World, np.random.Generator, int], Misses]] = {
    "same passage, another question": _same_passage,
    "same wording, other things": _same_pattern,
    "a common phrase": _same_phrase,
    "lists that share names": _same_names,
}


def _arguments() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("what", choices=["planted", "holdouts", "speed"])
    parser.add_argument("--mirror", type=Path, default=Path(os.environ.get("FLANBUILD_MIRROR", "mirror")))
    parser.add_argument(
        "--tasks", type=Path, default=common.ROOT / "mixtures" / "tasks", help="folder of task files"
    )
    parser.add_argument("--seed", type=int, default=None, help="by default a fresh one")
    parser.add_argument("--number", type=int, default=500, help="planted rows, and near misses")
    parser.add_argument("--sample", type=int, default=0, help="hits to print")
    parser.add_argument(
        "--rows", type=int, default=30_000, help="training rows of a task of the sample world"
    )
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = time.time_ns() % 1_000_000
    return arguments


if __name__ == "__main__":
    main()
