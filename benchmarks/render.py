"""Rendering, whole processes: 4 shapes × 30,000 rows of zstd Parquet through `render_all`.

    python benchmarks/render.py --rows 30000 --rounds 3

A pair of sentences (rte), options by row (copa), a paragraph with a question (squad), a letter (aeslc), under
the ten templates of their task files. Beside it `datasets.map`, row by row with Jinja2 templates compiled once, and
by batches with `str.format`. "start-up" is the same with ten rows a shape. flanbuild also filters, shuffles,
sets validation rows aside, writes row fingerprints and counts; the others only fill in templates.
"""

import argparse
import shutil
from pathlib import Path
from statistics import median

import common
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.files import staged, write_json, xxh3_of
from flanbuild.artifacts.records import (
    RECORD,
    RawRecord,
    RawSplit,
    SourceRecord,
    write_record,
    writer_versions,
)
from flanbuild.declare.task import Task, load_tasks

SHAPES = ("nli/rte", "commonsense/copa", "reading_comprehension/squad", "summarization/aeslc")
FEW = 10
WORDS = b"she he we they the a old new river house letter meeting report said went found wrote asked never".split()


def main() -> None:
    """Measures all variants in turn."""
    arguments = _arguments()
    work = common.work_folder(arguments.work)
    if arguments.run:
        _run(work, arguments.inputs, arguments.out, arguments.run)
        return
    full, few = (inputs(work / f"render-4x{rows}", rows) for rows in (arguments.rows, FEW))
    jobs = f"flanbuild, {common.CORES} jobs"
    commands = {
        jobs: _ours(work, full, "out-flanbuild", common.CORES),
        "flanbuild, 1 job": _ours(work, full, "out-flanbuild", 1),
    }
    startup = {
        "start-up, 1 job": _ours(work, few, "out-startup", 1),
        f"start-up, {common.CORES} jobs": _ours(work, few, "out-startup", common.CORES),
    }
    peers = {
        f"datasets.map, {label}": common.script("benchmarks/peers.py", name, full, work / "out-peer")
        for name, label in (("render_batched", "batched str.format"), ("render_jinja", "Jinja2"))
    }
    rows = len(SHAPES) * arguments.rows
    common.heading(f"render: {len(SHAPES)} shapes × {arguments.rows:,} rows", arguments.rounds)
    runs = common.interleave(commands | startup | peers, arguments.rounds)
    size = sum(path.stat().st_size for path in (work / "out-flanbuild").rglob("train.arrow"))
    common.report(runs, jobs, rows=rows, size=size, work=dict.fromkeys(startup, (0, 0)))
    for count, name in ((1, "flanbuild, 1 job"), (common.CORES, jobs)):
        net = [
            whole.seconds - start.seconds
            for whole, start in zip(
                runs[name], runs[f"start-up, {count} job{'s' * (count > 1)}"], strict=True
            )
        ]
        print(f"\nNet of start-up, {name}: {median(net):.2f} s, {rows / median(net):,.0f} rows/s.")
    for leftover in work.glob("out-*"):
        shutil.rmtree(leftover)


def inputs(folder: Path, rows: int) -> Path:
    """tasks/ and raw/ of the four shapes, and their templates in the peers' languages."""
    if not folder.exists():
        with staged(folder) as staging:
            tasks = load_tasks([_task_files(staging / "tasks")])
            for number, task in enumerate(tasks.values()):
                raw = task_folder(staging / "raw", task.cluster, task.name)
                _write_raw(raw, task, rows, np.random.default_rng(number))
            templates = {name: _templates(task) for name, task in tasks.items()}
            write_json(staging / "templates.json", templates)
    return folder


def _ours(work: Path, inputs: Path, out: str, jobs: int) -> list[str]:
    """All four shapes in one process."""
    arguments = ("--work", work, "--run", jobs, "--inputs", inputs, "--out", out)
    return common.script("benchmarks/render.py", *arguments)


def _run(work: Path, inputs: Path, out: str, jobs: int) -> None:
    """Renders into an empty folder."""
    from flanbuild.artifacts.executor import Workers
    from flanbuild.declare.mixture import load_mixture
    from flanbuild.render.training_rows import render_all

    mixture = work / "render.yaml"
    mixture.write_text("cap: 30000\nrate: {max: 30000}\nsize: {passes: 1}\nseed: 1\n", encoding="utf-8")
    tasks = load_tasks([inputs / "tasks"])
    shutil.rmtree(work / out, ignore_errors=True)
    render_all(tasks.values(), inputs / "raw", work / out, load_mixture(mixture), list(tasks), Workers(jobs))


def _task_files(folder: Path) -> Path:
    """The project's own task files; of squad, which has subsets, the first one."""
    yaml = YAML(typ="safe")
    for shape in SHAPES:
        page = yaml.load((common.ROOT / "mixtures" / "tasks" / f"{shape}.yaml").read_text(encoding="utf-8"))
        page |= next(iter(page.pop("subsets", {"": {}}).values()))
        path = folder / f"{shape}.yaml"
        path.parent.mkdir(parents=True)
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(page, file)
    return folder


def _templates(task: Task) -> dict[str, list[list[str]]]:
    pairs = [[f"{template.inputs}\n", template.targets] for template in task.templates]
    jinja = [[text.replace("{", "{{ ").replace("}", " }}") for text in pair] for pair in pairs]
    return {"format": pairs, "jinja": jinja}


def _write_raw(folder: Path, task: Task, rows: int, choice: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    columns = {name: _column(choice, name, rows) for name in task.columns}
    path = folder / "train.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd")
    record = RawRecord.of(
        task=task.name,
        source=SourceRecord(
            kind="sample", repo="synthetic", config="", commit="", license="synthetic", digest=""
        ),
        columns={},
        splits={"train": RawSplit(rows=rows, rows_digest="", file_digest=xxh3_of(path))},
        missing=tuple(name for name in task.upstream_splits() if name != "train"),
        fingerprint="",
        versions=writer_versions(),
    )
    write_record(folder / RECORD, record)


def _column(choice: np.random.Generator, name: str, rows: int) -> pa.Array:
    """Words of about as many bytes as the real column; labels of two classes."""
    if name == "label":
        return pa.array(choice.integers(0, 2, rows))
    if name == "answers":
        return pa.array([{"text": [text]} for text in _texts(choice, 20, rows)])
    lengths = {"premise": 150, "context": 750, "email_body": 900, "question": 60, "title": 15}
    return pa.array(_texts(choice, lengths.get(name, 40), rows))


def _texts(choice: np.random.Generator, middle: int, rows: int) -> list[str]:
    text = b" ".join(choice.choice(WORDS, 100_000)).decode()
    lengths = np.minimum(choice.lognormal(np.log(middle), 0.5, rows).astype(int) + 3, 8 * middle)
    starts = choice.integers(0, len(text) - int(lengths.max()), rows)
    return [f"x{text[start : start + length]}y" for start, length in zip(starts, lengths, strict=True)]


def _arguments() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--rows", type=int, default=30_000, help="a shape")
    parser.add_argument("--run", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--inputs", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
