"""The prompts of one row under every template, as text that a person can read: `tests/golden/<dataset>.txt`.

    python -m pytest tests/render/test_golden.py --update-golden

rewrites them after a change to a task file. A golden file keeps its row, which it shows as it is upstream. Delete the
file to take a new row from the sample, or write a row by hand. Review the difference as you would review code.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from flanbuild.artifacts.columns import arrow_schema
from flanbuild.declare.task import SPLITS, Task
from flanbuild.declare.task_files import load_tasks
from flanbuild.render.examples import DROPPED, SOURCE_ROW, examples
from flanbuild.render.templates import text
from flanbuild.sample import sample_table

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
TASKS = load_tasks([ROOT / "mixtures" / "tasks"])
DATASETS = sorted({task.dataset for task in TASKS.values()})


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_task_file_gives_the_prompts_that_were_reviewed(dataset, request):
    path = GOLDEN / f"{dataset}.txt"
    before = path.read_bytes().decode() if path.is_file() else ""
    rows = dict(_rows(before))
    now = "\n".join(_shown(task, rows.get(task.name)) for task in _with_own_templates(dataset))
    if request.config.getoption("--update-golden"):
        path.write_bytes(now.encode())
    else:
        assert now == before


def test_every_golden_file_belongs_to_a_task_file():
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == DATASETS


def _with_own_templates(dataset: str) -> list[Task]:
    """The first task of each set of templates."""
    found: dict[Any, Task] = {}
    for task in TASKS.values():
        if task.dataset == dataset:
            found.setdefault(task.templates, task)
    return list(found.values())


def _shown(task: Task, row: dict[str, Any] | None) -> str:
    """Heading, row and prompts: a bar before each line of a prompt, an arrow before those of a target."""
    row = row if row is not None else _sample_row(task)
    title = f"{task.cluster}/{task.name}"
    lines = [title, "=" * len(title)]
    lines += [f"{column}: {json.dumps(value, ensure_ascii=False)}" for column, value in row.items()]
    example = _example(task, row)
    for index, template in enumerate(task.templates):
        prompt, target = example.select(a=text(template.inputs), b=text(template.targets)).row(0)
        lines += ["", f"[{index}]" if template.kind == "forward" else f"[{index}] inverted"]
        lines += [*_after("│", prompt), *_after("→", target)]
    return "\n".join(lines) + "\n"


def _after(mark: str, text: str) -> Iterator[str]:
    return (f"{mark} {line}" if line else mark for line in text.split("\n"))


def _example(task: Task, row: dict[str, Any]) -> pl.DataFrame:
    """The last that the row gives: of a dialogue, the turn with the longest history."""
    kept = _kept(task, pa.Table.from_pylist([row], arrow_schema(task)))
    assert kept.height, f"{task.name}: the row of the golden file is dropped; delete the file for another"
    return kept[-1]


def _sample_row(task: Task) -> dict[str, Any]:
    """The first row that stays of the first split that the task has."""
    split = next(task.splits[name].of[0] for name in SPLITS if name in task.splits)
    table = sample_table(task, split, rows=200)
    return table.slice(_kept(task, table)[SOURCE_ROW][0], 1).to_pylist()[0]


def _kept(task: Task, table: pa.Table) -> pl.DataFrame:
    return examples(task, pl.DataFrame(table).lazy()).filter(pl.col(DROPPED).is_null()).collect()


def _rows(golden: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Task name and row of every part of a golden file."""
    name, row, in_row = "", {}, False
    for line in golden.split("\n"):
        if line.startswith("==="):
            in_row = True
        elif in_row and line:
            column, _, value = line.partition(": ")
            row[column] = json.loads(value)
        elif in_row:
            yield name, row
            row, in_row = {}, False
        else:
            name = line.partition("/")[2]
