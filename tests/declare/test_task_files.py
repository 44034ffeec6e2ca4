"""What holds for every task file, shown on sample rows and, where there is a mirror, on real ones."""

import os
import re
from collections import Counter
from functools import cache
from itertools import groupby, islice
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flanbuild.artifacts.columns import check_schema, conform
from flanbuild.declare.expression import is_text
from flanbuild.declare.task import ANSWER, OPTIONS, Task, placeholders
from flanbuild.declare.task_files import load_task_file
from flanbuild.render.examples import CHOICES, DROPPED, check_expressions, examples
from flanbuild.render.templates import text
from flanbuild.sample import sample_table

ROOT = Path(__file__).parents[2]
MIRROR = Path(os.environ.get("FLANBUILD_MIRROR", ROOT.parent / "shared" / "mirror"))
TASK_FILES = {path.stem: path for path in sorted((ROOT / "mixtures" / "tasks").rglob("*.yaml"))}
LOADED = {name: load_task_file(path) for name, path in TASK_FILES.items()}
TASKS = {task.name: task for tasks, _ in LOADED.values() for task in tasks}

PAPER = {  # datasets by cluster (figure 3)
    "nli": 7,
    "commonsense": 4,
    "sentiment": 4,
    "paraphrase": 4,
    "closed_book_qa": 3,
    "struct_to_text": 4,
    "reading_comprehension": 5,
    "reading_comprehension_commonsense": 2,
    "coreference": 3,
    "translation": 8,
    "misc": 7,
    "summarization": 11,
}
WMT16 = {f"wmt16_en{other}" for other in ("cs", "de", "fi", "ro", "ru", "tr")}  # share templates in FLAN too

every_file = pytest.mark.parametrize("name", TASK_FILES)
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
on_sample_and_mirror = pytest.mark.parametrize("origin", ["sample", "mirror"])


def test_the_clusters_hold_as_many_datasets_as_the_paper_counts():
    assert Counter(path.parent.name for path in TASK_FILES.values()) == PAPER


@every_file
def test_a_task_file_loads_and_checks_without_fault(name):
    tasks, faults = LOADED[name]

    assert [*faults, *check_expressions(tasks)] == []


@every_file
def test_a_task_file_states_license_and_homepage(name):
    for task in LOADED[name][0]:
        assert task.source.license.strip()
        assert re.fullmatch(r"https?://\S+", task.source.homepage)


@every_task
def test_a_task_has_ten_templates_and_at_most_three_are_inverted(task):
    # Paper, section 2.1.
    assert len(task.templates) >= 10
    assert len(task.templates) - len(task.forward) <= 3


@every_task
def test_a_text_that_a_forward_template_shows_has_one_role(task):
    # A field has the role of its name or, where only its column is named, that of its column.
    role_of = {name: role for role, names in task.roles for name in names}
    prompts = (template.inputs + template.targets for template in (task.templates[i] for i in task.forward))
    shown = {name for prompt in prompts for name in placeholders(prompt)} - {ANSWER, OPTIONS}

    for name in sorted(shown):
        sql = task.fields[name]
        columns = [] if is_text(sql) else pl.sql_expr(sql).meta.root_names()
        named = [role_of[name]] if name in role_of else [role_of[c] for c in columns if c in role_of]
        assert is_text(sql) or len(set(named)) == 1, f"{name} has the roles {named}"


@every_task
def test_every_task_has_a_question(task):
    # Only the question and the whole item can be contaminated; a passage alone is shared by other items.
    assert task.roles.question


def test_no_two_task_files_share_their_templates():
    def templates(name: str) -> list[tuple[str, str]]:
        tasks, _ = LOADED[name]
        return [(template.inputs, template.targets) for task in tasks for template in task.templates]

    by_templates = groupby(sorted(TASK_FILES, key=templates), key=templates)
    shared = [names for _, group in by_templates if len(names := set(group)) > 1]

    assert [names for names in shared if not names <= WMT16] == []


@every_task
@on_sample_and_mirror
def test_upstream_has_the_declared_columns_and_classes(task, origin):
    for split, table in _tables(task.name, origin).items():
        check_schema(task, table.schema, f"{origin} {split}")


@every_task
def test_at_least_half_of_the_sample_rows_stay(task):
    for split, rows in _rows(task.name, "sample").items():
        stay = rows[DROPPED].is_null().sum()

        assert stay * 2 >= rows.height > 0, f"{split}: {rows[DROPPED].value_counts().rows()}"


@every_task
@on_sample_and_mirror
def test_every_placeholder_is_filled(task, origin):
    names = "|".join([*task.fields, ANSWER, OPTIONS])

    for side in ("inputs", "targets"):
        rendered = _rendered(task, origin, side)
        assert rendered.null_count().sum_horizontal().sum() == 0
        assert _rows_where(rendered, pl.all().str.contains(rf"\{{({names})\}}")).is_empty()


@every_task
@on_sample_and_mirror
def test_no_target_is_empty(task, origin):
    targets = _rendered(task, origin, "targets")

    assert _rows_where(targets, pl.all().str.strip_chars() == "").is_empty()


@every_task
@on_sample_and_mirror
def test_the_answer_is_one_of_options_that_can_be_told_apart(task, origin):
    if task.options is None:
        pytest.skip("a task without options")
    rows = _kept(task, origin)
    options = pl.col(CHOICES)

    assert rows.filter(~options.list.contains(pl.col(ANSWER))).is_empty()
    assert rows.filter(options.list.n_unique() < options.list.len()).select(CHOICES, ANSWER).is_empty()
    assert rows.filter(options.list.eval(pl.element().str.strip_chars() == "").list.any()).is_empty()


@cache
def _tables(name: str, origin: str) -> dict[str, pa.Table]:
    """A few rows of every upstream split that the task reads. Skips the test where the mirror has none."""
    source, splits = TASKS[name].source, TASKS[name].upstream_splits()
    if origin == "sample":
        return {split: sample_table(TASKS[name], split, rows=200) for split in splits}
    if not MIRROR.is_dir():
        pytest.skip(f"no mirror at {MIRROR}; FLANBUILD_MIRROR names one")
    folder = MIRROR / source.repo / source.config
    files = {split: sorted(folder.glob(f"{split}-*.parquet")) for split in splits}
    heads = {split: _head(found[0], rows=300) for split, found in files.items() if found}
    return heads or pytest.skip(f"the mirror has no rows of {source.repo} ({source.config})")


def _head(file: Path, *, rows: int) -> pa.Table:
    parquet = pq.ParquetFile(file)
    return pa.Table.from_batches(islice(parquet.iter_batches(batch_size=rows), 1), parquet.schema_arrow)


@cache
def _rows(name: str, origin: str) -> dict[str, pl.DataFrame]:
    """The rows that preprocessing made of each split, with the reasons why some are left out."""
    task = TASKS[name]
    return {
        split: examples(task, pl.DataFrame(conform(task, table, "sample")).lazy()).collect()
        for split, table in _tables(name, origin).items()
    }


def _kept(task: Task, origin: str) -> pl.DataFrame:
    return pl.concat(_rows(task.name, origin).values()).filter(pl.col(DROPPED).is_null())


def _rendered(task: Task, origin: str, side: str) -> pl.DataFrame:
    """One column a template."""
    wordings = {str(i): text(getattr(template, side)) for i, template in enumerate(task.templates)}
    return _kept(task, origin).select(**wordings)


def _rows_where(rendered: pl.DataFrame, condition: pl.Expr) -> pl.DataFrame:
    return rendered.filter(pl.any_horizontal(condition))
