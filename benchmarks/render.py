"""Benchmark of rendering, whole processes: 4 shapes × 30,000 rows of zstd Parquet through `flanbuild.render.prompts.render`.

    python benchmarks/render.py --rows 30000 --rounds 3

A pair of sentences (rte), options by row (copa), a paragraph with a question (squad), a letter (aeslc), under
the ten templates of their pages. Beside it `datasets.map`, row by row with Jinja2 templates compiled once,
and by batches with `str.format`. "start-up" is the same with ten rows a shape. flanbuild also filters,
shuffles, sets validation rows aside, marks rows for the leak check and counts; the others only fill in
templates.
"""

import argparse
import shutil
from pathlib import Path
from statistics import median
from typing import Any

import common
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from flanbuild.artifacts.files import staged, write_json
from flanbuild.declare.task import Task
from flanbuild.declare.task_files import load_tasks

SHAPES = ("nli/rte", "commonsense/copa", "reading_comprehension/squad", "summarization/aeslc")
FEW = 10
WORDS = b"she he we they the a old new river house letter meeting report said went found wrote asked never".split()


def main() -> None:
    """Measures all variants in turn."""
    arguments = _arguments()
    work = common.work_folder(arguments.work)
    full, few = (inputs(work / f"raw-4x{rows}", rows) for rows in (arguments.rows, FEW))
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
    """Writes task files and raw rows of the four shapes, and their templates in the languages of the peers."""
    if not folder.exists():
        with staged(folder) as staging:
            tasks = load_tasks([_pages(staging / "pages")])
            for number, task in enumerate(tasks.values()):
                _write_raw(
                    staging / "raw" / task.cluster / task.name, task, rows, np.random.default_rng(number)
                )
            templates = {name: _templates(task) for name, task in tasks.items()}
            write_json(staging / "templates.json", templates)
    return folder


def _ours(work: Path, inputs: Path, out: str, jobs: int) -> list[str]:
    """The command of the stage, over the clusters of all four task files at once."""
    mixture = work / "render.yaml"
    mixture.write_text("cap: 30000\nrate: {max: 30000}\nsize: {passes: 1}\nseed: 1\n", encoding="utf-8")
    folders = (
        "--tasks",
        inputs / "pages",
        "--raw",
        inputs / "raw" / "all",
        "--out",
        work / out / "all",
    )
    return common.script("pipeline/render.py", *folders, "--mixture", mixture, "--jobs", jobs)


def _pages(folder: Path) -> Path:
    """Copies the project's task files; of squad, which has subsets, the first subset."""
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
    pq.write_table(pa.table(columns), folder / "train.parquet", compression="zstd")
    record: dict[str, Any] = dict.fromkeys(
        ("kind", "repo", "config", "commit", "digest", "license"), "synthetic"
    )
    upstream = [name for name in task.upstream_splits() if name != "train"]
    counted = {"splits": {"train": {"rows": rows}}, "missing": upstream}
    write_json(folder / "source.json", record | counted)


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
    return parser.parse_args()


if __name__ == "__main__":
    main()
