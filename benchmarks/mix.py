"""Mixing at full size: allocate, order and write 62 × 30,000 rows into 16 shards with their manifest.

    python benchmarks/mix.py --tasks 62 --rows 30000 --rounds 3

Beside it `datasets` concatenates, shuffles and saves the same rows, without manifest or digests, and `cat`
copies the same bytes. A third of the rows shows whether memory grows. Inputs (about 1.7 GB at full size) are
made once below --work, by default a folder of the system's temporary one, and kept there.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import common
import numpy as np
import pyarrow as pa

from flanbuild.artifacts.addresses import Addresses, task_folder
from flanbuild.artifacts.arrow import RENDERED_SCHEMA, ROWS_SCHEMA, write_table
from flanbuild.artifacts.files import staged, xxh3_of
from flanbuild.artifacts.records import (
    RECORD,
    ROWS_FILE,
    RenderedSplit,
    SourceRecord,
    TaskRecord,
    write_record,
    writer_versions,
)

SHARDS = 16
_CLUSTERS = ("nli", "commonsense", "sentiment", "misc", "summarization", "translation")
WORDS = (
    b"the of and a to in is was that for it with as his on be at by had not are but from or have an "
).split()
OPTIONS: Sequence[list[str]] = (["yes", "no"], ["entailment", "neutral", "contradiction"], [], [])
TEXT = 1 << 20


def main() -> None:
    """Measures all variants in turn."""
    arguments = _arguments()
    work = common.work_folder(arguments.work)
    rendered = inputs(work, arguments.tasks, arguments.rows)
    out = data_folder(work) / "mixtures"
    third = inputs(work, arguments.tasks, arguments.rows // 3)
    jobs, less = f"flanbuild, {common.CORES} jobs", "flanbuild, a third of the rows"
    commands = {
        jobs: ours(work, rendered, common.CORES),
        "flanbuild, 1 job": ours(work, rendered, 1),
        less: ours(work, third, common.CORES),
        "datasets": common.script("benchmarks/peers.py", "mix", rendered, out / "datasets"),
        "cat": _cat(rendered, out / "cat"),
    }
    rows = arguments.tasks * arguments.rows
    common.heading(
        f"mix: {arguments.tasks} tasks × {arguments.rows:,} rows into {SHARDS} shards", arguments.rounds
    )
    runs = common.interleave(commands, arguments.rounds, fresh=out)
    size = sum(path.stat().st_size for path in rendered.rglob("train.arrow"))
    common.report(runs, jobs, rows=rows, size=size, work={less: (rows // 3, size // 3)})
    shutil.rmtree(out, ignore_errors=True)


def data_folder(work: Path) -> Path:
    """The data folder, which has a mixture for each size of inputs."""
    return work / "mix"


def inputs(work: Path, tasks: int, rows: int) -> Path:
    """Rendered tasks as `flanbuild render` leaves them: about 700 bytes a row, some with options."""
    folder = Addresses(data_folder(work)).rendered(f"mix-{tasks}x{rows}")
    if not folder.exists():
        with staged(folder) as staging:
            for number in range(tasks):
                _write_task(staging, number, rows)
    return folder


def shards(work: Path, rendered: Path) -> Path:
    """The mixture folder that `ours` writes."""
    return Addresses(data_folder(work)).mixture(rendered.name, [])


def ours(work: Path, rendered: Path, jobs: int) -> list[str]:
    """The stage, as DVC runs it, with every row taken once."""
    mixture = work / f"{rendered.name}.yaml"
    clusters = ", ".join(sorted(path.name for path in rendered.iterdir() if path.is_dir()))
    mixture.write_text(
        f"clusters: [{clusters}]\nrate: {{max: 1000000}}\nsize: {{passes: 1}}\nshards: {SHARDS}\n",
        encoding="utf-8",
    )
    return common.stage(
        "mix",
        "--tasks",
        common.ROOT / "mixtures" / "tasks",
        "--mixture",
        mixture,
        "--data",
        data_folder(work),
        "--jobs",
        jobs,
    )


def _cat(rendered: Path, out: Path) -> list[str]:
    """A plain copy of the same bytes through the page cache."""
    return ["sh", "-c", f"mkdir -p {out} && cat {rendered}/*/*/train.arrow > {out}/all"]


def _write_task(folder: Path, number: int, rows: int) -> None:
    cluster, name = f"cluster{number % 12:02}", f"task{number:03}"
    choice = np.random.default_rng(number)
    options = OPTIONS[number % len(OPTIONS)]
    columns = {
        "prompt": _texts(choice, rows, int(choice.integers(100, 1000))),
        "completion": _texts(choice, rows, 5 if options else 60),
        "template": pa.array(np.arange(rows) % 10, pa.int16()),
        "row": pa.array(choice.permutation(rows), pa.int64()),
        "options": pa.array([options] * rows, pa.list_(pa.string())),
    }
    task = task_folder(folder, cluster, name)
    write_table(task / "train.arrow", pa.table(columns, schema=RENDERED_SCHEMA))
    write_table(task / ROWS_FILE, pa.table([columns["row"]], schema=ROWS_SCHEMA))
    write_record(task / RECORD, _record(name, cluster, rows, task))


def _texts(choice: np.random.Generator, rows: int, middle: int) -> pa.Array:
    """Words of log-normal length around `middle` bytes, cut from one long text."""
    text = b" ".join(choice.choice(WORDS, TEXT // 3))
    lengths = np.minimum(choice.lognormal(np.log(middle), 0.5, rows).astype(np.int64) + 1, 8 * middle)
    starts = choice.integers(0, len(text) - int(lengths.max()), rows)
    cut = [text[start : start + length] for start, length in zip(starts, lengths, strict=True)]
    return pa.array(cut, pa.large_binary()).cast(pa.large_string())


def _record(name: str, cluster: str, rows: int, folder: Path) -> TaskRecord:
    """The record of a task whose training rows lie in `folder`."""
    train = RenderedSplit(
        of=("train",),
        upstream=rows,
        rows=rows,
        templates=10,
        examples=rows,
        file_digest=xxh3_of(folder / "train.arrow"),
        rows_digest=xxh3_of(folder / ROWS_FILE),
    )
    return TaskRecord.of(
        task=name,
        dataset=name,
        cluster=cluster,
        type="generation",
        metrics=("rougeLsum",),
        declaration="",
        source=SourceRecord(
            kind="sample", repo="synthetic", config="", commit="", license="synthetic", digest=""
        ),
        splits={"train": train},
        fingerprint="",
        versions=writer_versions(),
    )


def _arguments() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--tasks", type=int, default=62)
    parser.add_argument("--rows", type=int, default=30_000, help="a task")
    return parser.parse_args()


if __name__ == "__main__":
    main()
