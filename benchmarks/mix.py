"""Mixing at full size: allocate, order and gather 62 × 30,000 rows into 16 shards with their manifest.

    python benchmarks/mix.py --tasks 62 --rows 30000 --rounds 3

Beside it `datasets` concatenates, shuffles and saves the same rows, without manifest or digests, and `cat`
copies the same bytes. Inputs (about 1.3 GB at full size) are made once below --work.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks import common
from flanbuild import mixing, rendering, shards
from flanbuild.tasks import CLUSTERS

SHARDS = 16
LONG = 1 << 22
WORDS = "the of and a to in is was that for it with as his on be at by had not are but from or have an".split()
OPTIONS = (["yes", "no"], ["entailment", "neutral", "contradiction"], [], [])


def main() -> None:
    """All variants in turn, or the one of `--only` in this process."""
    arguments = _arguments()
    work = common.work_folder(arguments.work)
    rendered = inputs(work / f"rendered-{arguments.tasks}x{arguments.rows}", arguments.tasks, arguments.rows)
    if arguments.only:
        {"datasets": _datasets, "cat": _cat}[arguments.only](rendered, work / f"out-{arguments.only}")
    else:
        _compare(arguments, work, rendered)


def inputs(folder: Path, tasks: int, rows: int) -> Path:
    """Rendered tasks as `flanbuild render` leaves them: about 700 bytes a row, some with options."""
    if not folder.exists():
        with shards.staged(folder) as staging:
            for number in range(tasks):
                _write_task(staging, number, rows)
    return folder


def _compare(arguments: argparse.Namespace, work: Path, rendered: Path) -> None:
    same = ("--work", work, "--tasks", arguments.tasks, "--rows", arguments.rows)
    commands = {f"flanbuild, {jobs} jobs": _ours(work, rendered, jobs) for jobs in _jobs()}
    for name in ("datasets", "cat"):
        commands[name] = common.script("benchmarks/mix.py", *same, "--only", name)
    common.heading(
        f"mix, {arguments.tasks} tasks × {arguments.rows:,} rows, {arguments.rounds} rounds",
        "pyarrow",
        "numpy",
        "datasets",
    )
    runs = common.interleave(commands, arguments.rounds)
    size = sum(path.stat().st_size for path in rendered.rglob("train.arrow"))
    common.report(
        runs, f"flanbuild, {common.CORES} jobs", rows=arguments.tasks * arguments.rows, size=size
    )
    for leftover in work.glob("out-*"):
        shutil.rmtree(leftover)


def _jobs() -> list[int]:
    return sorted({1, common.CORES})


def _ours(work: Path, rendered: Path, jobs: int) -> list[str]:
    mixture = work / "benchmark.yaml"
    mixture.write_text(f"rate: {{max: 30000}}\nsize: {{passes: 1}}\nshards: {SHARDS}\n", encoding="utf-8")
    return common.script(
        "pipeline/mix.py", "--mixture", mixture, "--rendered", rendered, "--out", work / "out-ours", "--jobs", jobs
    )


def _datasets(rendered: Path, out: Path) -> None:
    """As a user of `datasets` would: the rendered files are opened in place, then concatenate, shuffle, save."""
    from datasets import Dataset, concatenate_datasets

    shutil.rmtree(out, ignore_errors=True)
    opened = [Dataset(_table(path)) for path in sorted(rendered.rglob("train.arrow"))]
    concatenate_datasets(opened).shuffle(seed=0).save_to_disk(str(out), num_shards=SHARDS)


def _table(path: Path):  # type: ignore[no-untyped-def]
    """The file's rows with their task's name, memory-mapped; the names are one word repeated, as ours are."""
    from datasets.table import MemoryMappedTable  # noqa: F401
    raise NotImplementedError


def _cat(rendered: Path, out: Path) -> None:
    """`cat` of all rendered files into one."""
    import subprocess

    out.mkdir(exist_ok=True)
    paths = sorted(str(path) for path in rendered.rglob("train.arrow"))
    with (out / "all").open("wb") as file:
        subprocess.run(["cat", *paths], stdout=file, check=True)


def _write_task(folder: Path, number: int, rows: int) -> None:
    cluster, name = CLUSTERS[number % len(CLUSTERS)], f"task{number:03}"
    choice = np.random.default_rng(number)
    text = " ".join(choice.choice(WORDS, LONG // 4)).encode()
    median_length = int(choice.integers(100, 1200))
    options = OPTIONS[number % len(OPTIONS)]
    columns = {
        "prompt": _texts(choice, text, rows, median_length),
        "completion": _texts(choice, text, rows, 5 if options else 60),
        "template": pa.array(np.arange(rows) % 10, pa.int16()),
        "row": pa.array(choice.permutation(rows), pa.int64()),
        "options": pa.array([options] * rows, pa.list_(pa.string())),
    }
    path = folder / cluster / name / "train.arrow"
    shards.write_table(path, pa.table(columns, schema=shards.RENDERED))
    shards.write_json(path.with_name("task.json"), _record(name, cluster, rows, shards.sha256(path)))


def _texts(
    choice: np.random.Generator, text: bytes, rows: int, middle: int
) -> pa.Array:
    """Strings cut from `text`, of log-normal length around `middle`."""
    lengths = np.minimum(choice.lognormal(np.log(middle), 0.5, rows).astype(np.int64) + 1, 8 * middle)
    starts = choice.integers(0, len(text) - int(lengths.max()), rows)
    return pa.array([text[a : a + n] for a, n in zip(starts, lengths, strict=True)], pa.large_binary()).cast(pa.large_string())


def _record(name: str, cluster: str, rows: int, sha256: str) -> dict[str, object]:
    """task.json, as far as mixing and the manifest read it."""
    train = {
        "of": ["train"], "upstream": rows, "dropped": {}, "to_other_splits": 0, "capped": 0,
        "rows": rows, "versions": 1, "examples": rows, "sha256": sha256,
    }
    source = {"kind": "synthetic", "repo": name, "config": "default", "commit": "main", "digest": "0", "licence": "none"}
    return {
        "task": name, "dataset": name, "cluster": cluster, "type": "generation", "metrics": ["rougeLsum"],
        "templates": 10, "declaration": "0", "inputs": "0", "source": source, "splits": {"train": train},
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=62)
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--only", choices=("datasets", "cat"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
