"""Benchmark of mixing at full size: allocate, order and gather 62 × 30,000 rows into 16 shards with their manifest.

    python benchmarks/mix.py --tasks 62 --rows 30000 --rounds 3

Beside it `datasets` concatenates, shuffles and saves the same rows, without manifest or digests, and `cat`
copies the same bytes. A third of the rows shows whether memory grows. Inputs (about 1.7 GB at full size) are
made once below --work, by default a folder of the system's temporary one, and kept.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common
import numpy as np
import pyarrow as pa

from flanbuild.artifacts.arrow import RENDERED_SCHEMA, write_table
from flanbuild.artifacts.files import sha256_of, staged, write_json
from flanbuild.render.fingerprints import FINGERPRINT_SCHEMA, fingerprint_file

SHARDS = 16
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
    out = work / "out-mix"
    third = inputs(work, arguments.tasks, arguments.rows // 3)
    jobs, less = f"flanbuild, {common.CORES} jobs", "flanbuild, a third of the rows"
    commands = {
        jobs: ours(work, rendered, out / "flanbuild", common.CORES),
        "flanbuild, 1 job": ours(work, rendered, out / "flanbuild", 1),
        less: ours(work, third, out / "flanbuild", common.CORES),
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


def inputs(work: Path, tasks: int, rows: int) -> Path:
    """Writes rendered tasks as `flanbuild render` does: about 700 bytes per row, some with options."""
    folder = work / f"rendered-{tasks}x{rows}"
    if not folder.exists():
        with staged(folder) as staging:
            for number in range(tasks):
                _write_task(staging, number, rows)
    return folder


def ours(work: Path, rendered: Path, out: Path, jobs: int) -> list[str]:
    """The command of the stage as DVC runs it, with every row drawn once."""
    mixture = work / "benchmark.yaml"
    mixture.write_text(f"rate: {{max: 1000000}}\nsize: {{passes: 1}}\nshards: {SHARDS}\n", encoding="utf-8")
    return common.script(
        "pipeline/mix.py", "--mixture", mixture, "--rendered", rendered, "--out", out, "--jobs", jobs
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
    path = folder / cluster / name / "train.arrow"
    write_table(path, pa.table(columns, schema=RENDERED_SCHEMA))
    write_table(path.with_name(fingerprint_file("train")), _marks(choice, rows))
    write_json(path.with_name("task.json"), _record(name, cluster, rows, sha256_of(path)))


def _texts(choice: np.random.Generator, rows: int, middle: int) -> pa.Array:
    """Words of log-normal length around `middle` bytes, cut from one long text."""
    text = b" ".join(choice.choice(WORDS, TEXT // 3))
    lengths = np.minimum(choice.lognormal(np.log(middle), 0.5, rows).astype(np.int64) + 1, 8 * middle)
    starts = choice.integers(0, len(text) - int(lengths.max()), rows)
    cut = [text[start : start + length] for start, length in zip(starts, lengths, strict=True)]
    return pa.array(cut, pa.large_binary()).cast(pa.large_string())


def _marks(choice: np.random.Generator, rows: int) -> pa.Table:
    """The fingerprints that the contamination check would compare if something were held out."""
    keys = [pa.array(choice.integers(0, 1 << 62, rows), pa.uint64()) for _ in range(3)]
    fields = pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32)), keys[2])
    return pa.table([keys[0], keys[1], fields], schema=FINGERPRINT_SCHEMA)


def _record(name: str, cluster: str, rows: int, sha256: str) -> dict[str, Any]:
    """The keys of task.json that mixing and the manifest read."""
    train = {
        "of": ["train"],
        "upstream": rows,
        "dropped": {},
        "to_other_splits": 0,
        "capped": 0,
        "rows": rows,
        "templates_per_row": 1,
        "templates": 10,
        "examples": rows,
        "sha256": sha256,
    }
    source = dict.fromkeys(("kind", "repo", "config", "commit", "digest", "license"), "synthetic")
    return {
        "task": name,
        "dataset": name,
        "cluster": cluster,
        "type": "generation",
        "metrics": ["rougeLsum"],
        "declaration": "",
        "inputs": "",
        "source": source,
        "splits": {"train": train},
    }


def _arguments() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--tasks", type=int, default=62)
    parser.add_argument("--rows", type=int, default=30_000, help="a task")
    return parser.parse_args()


if __name__ == "__main__":
    main()
